"""The transformers of fastnn.preprocess as scikit-learn expects them, and what they say of bad input."""

import pickle

import numpy as np
import pytest
from preprocess_cases import EVERY, data

from fastnn.preprocess import PCA, ChannelMean, NotFittedError, Standardizer, Whiten


@EVERY
def test_parameters(kind, parameters):
    transformer = kind(**parameters)
    assert transformer.get_params().items() >= parameters.items()
    assert type(transformer)(**transformer.get_params()).get_params() == transformer.get_params()
    assert repr(transformer).startswith(f"{kind.__name__}(")
    assert transformer.set_params(**parameters) is transformer
    with pytest.raises(ValueError, match=rf"{kind.__name__}.set_params: with_mean given, expected"):
        transformer.set_params(with_mean=True)


@EVERY
def test_pickles(kind, parameters):
    x = data()
    transformer = kind(**parameters).fit(x)
    copy = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(copy.transform(x), transformer.transform(x))
    copy.partial_fit(x)
    assert (copy.n_samples_seen_, transformer.n_samples_seen_) == (100, 50)


@EVERY
def test_not_fitted(kind, parameters):
    transformer = kind(**parameters)
    for method in (transformer.transform, transformer.inverse_transform):
        with pytest.raises(NotFittedError, match=f"{kind.__name__}.*: nothing has been learnt yet, expected fit"):
            method(data())
    assert issubclass(NotFittedError, ValueError)
    assert not hasattr(transformer, "mean_")
    assert not hasattr(transformer, "components_")
    assert not hasattr(transformer, "explained_variance_ratio_")


@EVERY
def test_other_features_than_fitted(kind, parameters):
    transformer = kind(**parameters).fit(data())
    mean = transformer.mean_.copy()
    for method in ("transform", "partial_fit"):
        message = rf"{method}: x has shape \(3, 4\), i.e. 4 features, expected 6, of shape \(6,\), as fitted"
        with pytest.raises(ValueError, match=message):
            getattr(transformer, method)(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"inverse_transform: x has shape \(3, 4\), i.e. 4 .*, expected .*[36]"):
        transformer.inverse_transform(np.zeros((3, 4)))
    assert transformer.n_samples_seen_ == 50
    np.testing.assert_array_equal(transformer.mean_, mean)


@pytest.mark.parametrize(
    ("transformer", "error", "message"),
    [
        (Standardizer(center=1), TypeError, "Standardizer.fit: center is 1, expected True or False"),
        (Standardizer(eps=-1.0), ValueError, "Standardizer.fit: eps is -1.0"),
        (ChannelMean(axis=2), ValueError, "ChannelMean.fit: axis is 2"),
        (ChannelMean(axis=0), ValueError, "ChannelMean.fit: axis is 0, which the samples lie along"),
        (PCA(7), ValueError, "PCA.fit: n_components is 7, expected 1 to 6, the number of features"),
        (PCA(0), ValueError, "PCA.fit: n_components is 0, expected 1 to 6"),
        (PCA(1.5), ValueError, "PCA.fit: n_components is 1.5, expected a number from 0 to 1"),
        (PCA("mle"), TypeError, "PCA.fit: n_components is 'mle', expected an integer"),
        (Whiten("cholesky"), ValueError, "Whiten.fit: kind is 'cholesky', expected one of pca, zca"),
        (Whiten(eps=np.nan), ValueError, "Whiten.fit: eps is nan"),
    ],
)
def test_parameters_that_cannot_be(transformer, error, message):
    with pytest.raises(error, match=message):
        transformer.fit(data())
    assert not hasattr(transformer, "mean_")


@EVERY
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((0, 3)), ValueError, r"x has shape \(0, 3\), expected at least one sample"),
        (np.zeros((3, 0)), ValueError, r"x has shape \(3, 0\), expected at least one sample"),
        (np.zeros(3), ValueError, r"x has shape \(3,\), expected \(samples, features\)"),
        (np.zeros((2, 3), complex), TypeError, "x has dtype complex128"),
    ],
)
def test_data_that_cannot_be(kind, parameters, x, error, message):
    with pytest.raises(error, match=rf"{kind.__name__}.fit: {message}"):
        kind(**parameters).fit(x)


@EVERY
def test_out_that_cannot_be(kind, parameters):
    transformer = kind(**parameters).fit(data())
    y = transformer.transform(data())
    for method, x in ((transformer.transform, data()), (transformer.inverse_transform, y)):
        with pytest.raises(ValueError, match="out has shape"):
            method(x, out=np.zeros((50, 5)))
        with pytest.raises(TypeError, match="out has dtype int64"):
            method(x, out=np.zeros(np.shape(method(x)), int))


def test_projections_need_finite_numbers():
    x = data()
    x[3, 2] = np.nan
    pca = PCA().fit(data())
    with pytest.raises(ValueError, match="x has NaNs, infinities"):
        pca.partial_fit(x)
    assert pca.n_samples_seen_ == 50


# --- scikit-learn ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn", reason="the transformers need no scikit-learn, these tests compare with it")


@pytest.mark.usefixtures("sklearn")
def test_in_a_pipeline():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    x, labels = data((120, 6)), np.arange(120) % 2
    x[labels == 1] += 1.5
    steps = make_pipeline(Standardizer(), PCA(4), LogisticRegression())
    expected = PCA(4).fit_transform(Standardizer().fit_transform(x[:80]))
    np.testing.assert_array_equal(steps.fit(x[:80], labels[:80])[:-1].transform(x[:80]), expected)
    assert steps.score(x[80:], labels[80:]) > 0.6
    search = GridSearchCV(steps, {"pca__n_components": [1, 5], "standardizer__scale": [True, False]}, cv=2)
    assert set(search.fit(x, labels).best_params_) == {"pca__n_components", "standardizer__scale"}
    assert "Standardizer" in repr(steps)
    np.testing.assert_allclose(make_pipeline(Whiten("zca")).fit(x).transform(x), Whiten("zca").fit_transform(x))


@pytest.mark.usefixtures("sklearn")
@EVERY
def test_clone_and_tags(kind, parameters):
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError as TheirError
    from sklearn.utils import get_tags
    from sklearn.utils.validation import check_is_fitted

    transformer = kind(**parameters).fit(data())
    copy = clone(transformer)
    assert copy.get_params() == transformer.get_params()
    assert get_tags(copy).estimator_type == "transformer"
    check_is_fitted(transformer)
    with pytest.raises(TheirError):
        check_is_fitted(copy)


@pytest.mark.usefixtures("sklearn")
def test_like_scikit_learn():
    from sklearn import decomposition, preprocessing

    x = data((200, 7))
    theirs, ours = preprocessing.StandardScaler().fit(x), Standardizer().fit(x)
    for name in ("mean_", "var_", "scale_", "n_features_in_", "n_samples_seen_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12)
    np.testing.assert_allclose(ours.transform(x), theirs.transform(x), rtol=1e-9, atol=1e-12)
    pca, other = PCA(3).fit(x), decomposition.PCA(3).fit(x)
    for name in ("mean_", "components_", "explained_variance_", "explained_variance_ratio_", "singular_values_"):
        np.testing.assert_allclose(getattr(pca, name), getattr(other, name), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pca.transform(x), other.transform(x), rtol=1e-9, atol=1e-11)
