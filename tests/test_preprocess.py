"""The transformers of fastnn.preprocess against the reference, on every dtype, layout and cut into batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from preprocess_cases import EVERY, SCALERS, data
from processes import run_python

import fastnn as fnn
from fastnn.preprocess import PCA, ChannelMean, Standardizer, Whiten
from fastnn.reference import preprocess as reference


def both(kind, parameters):
    return kind(**parameters), getattr(reference, kind.__name__)(**parameters)


def assert_close(actual, expected, eps, scale=None):
    bound = 64 * eps * (scale or max(1, np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(actual, np.asarray(expected).reshape(np.shape(actual)), rtol=0, atol=bound)


@EVERY
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("shape", [(50, 6), (40, 3, 2, 2), (1000, 17)])
def test_like_the_reference(kind, parameters, dtype, shape):
    train, test = data(shape, dtype=dtype), data((9, *shape[1:]), seed=1, dtype=dtype)
    ours, exact = both(kind, parameters)
    exact.fit(train)
    # eigenvectors move by rounding over the gap to the next variance
    eps = max(np.finfo(dtype).eps, 1e-16 if (kind, parameters) in SCALERS else 1e-12)
    before = train.copy()
    assert ours.fit(train, y=None) is ours
    np.testing.assert_array_equal(train, before)
    for x in (train, test):
        y, expected = ours.transform(x), exact.transform(x)
        assert y.dtype == x.dtype
        assert_close(y, expected, eps, scale=np.abs(x).max())
        assert_close(ours.inverse_transform(y), exact.inverse_transform(y), eps)
    assert_close(ours.mean_, exact.mean_, 1e-15)
    assert ours.n_samples_seen_ == shape[0]
    assert ours.mean_.dtype == np.float64
    np.testing.assert_array_equal(kind(**parameters).fit_transform(train), ours.transform(train))


@EVERY
@given(cuts=st.lists(st.integers(1, 59), max_size=4, unique=True), offset=st.sampled_from([0.0, 1.0, 1e4]))
def test_batches_and_whole_agree(kind, parameters, cuts, offset):
    x = data((60, 4, 2), offset=offset, dtype="f4")
    whole, parts = kind(**parameters).fit(x), kind(**parameters)
    for batch in np.split(x, sorted(cuts)):
        assert parts.partial_fit(batch) is parts
    assert parts.n_samples_seen_ == whole.n_samples_seen_ == 60
    np.testing.assert_allclose(parts.mean_, whole.mean_, rtol=1e-14, atol=1e-15)
    for name in ("var_", "explained_variance_"):
        if hasattr(whole, name):
            np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-11)
    np.testing.assert_allclose(parts.transform(x), whole.transform(x), rtol=0, atol=3e-6)


def test_long_data_is_cut_into_blocks():
    """More rows than PCA takes at a time."""
    x = data((5000, 3), dtype="f4")
    x[:2000] += 5
    pca = PCA()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastnn.preprocess.projections._BLOCK", 1)
        pca.fit(x)
    assert_close(pca.explained_variance_, reference.PCA().fit(x).explained_variance_, 1e-15)


def test_offset_of_many_deviations():
    """A float64 two-pass variance of float32 data, where one in float32 has no digit right."""
    x = (np.random.default_rng(0).standard_normal((3000, 5)) + 1e4).astype("f4")
    standardizer = Standardizer().fit(x)
    np.testing.assert_allclose(standardizer.var_, x.astype("f8").var(0), rtol=1e-11)
    y = standardizer.transform(x)
    np.testing.assert_allclose(y.mean(0, dtype="f8"), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(0, dtype="f8"), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_constant_features_are_divided_by_1(dtype):
    x = data((64, 40), dtype=dtype)
    x[:, 3:9] = np.array(0.1, dtype)
    for eps in (0.0, 1e-3):
        standardizer = Standardizer(eps=eps)
        for batch in np.split(x, [1, 20, 50]):
            standardizer.partial_fit(batch)
        np.testing.assert_array_equal(standardizer.scale_[3:9], 1)
        np.testing.assert_array_equal(standardizer.transform(x)[:, 3:9], 0)
        assert (standardizer.scale_[9:] != 1).all()


@given(
    hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", "i4", "?", ">f4"]),
        st.tuples(st.integers(1, 30), st.integers(1, 40)),
        elements=st.integers(0, 1),
        fill=st.nothing(),
    )
)
def test_every_dtype(x):
    expected = reference.Standardizer().fit_transform(x)
    y = Standardizer().fit_transform(x)
    assert y.dtype == (x.dtype.newbyteorder("=") if x.dtype.kind == "f" else np.float64)
    assert_close(y, expected, np.finfo(y.dtype).eps)


@EVERY
@pytest.mark.parametrize(
    "view",
    [lambda a: a[::2], lambda a: a[::-1, ::-1], lambda a: a.copy("F"), lambda a: a[:, ::3], lambda a: a.tolist()],
)
def test_every_layout(kind, parameters, view):
    x = view(data((40, 18)))
    dense = np.array(x)
    transformer = kind(**parameters).fit(dense)
    expected = transformer.transform(dense)
    np.testing.assert_allclose(kind(**parameters).fit(x).mean_, transformer.mean_, rtol=1e-15)
    np.testing.assert_allclose(transformer.transform(x), expected, rtol=1e-12, atol=1e-12)


@EVERY
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_out(kind, parameters, dtype):
    x = data((30, 3, 4), dtype=dtype)
    transformer = kind(**parameters).fit(x)
    y = transformer.transform(x)
    back = transformer.inverse_transform(y)
    for method, given_x, expected in (("transform", x, y), ("inverse_transform", y, back)):
        gaps = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), 7, dtype)
        for out in (np.empty_like(expected), expected.copy("F"), gaps[..., ::2], np.empty(expected.shape)):
            assert getattr(transformer, method)(given_x, out=out) is out
            np.testing.assert_array_equal(out, expected)
        assert (gaps[..., 1::2] == 7).all()
        assert getattr(transformer, method)(given_x, (out,)) is out
    if y.shape == x.shape:
        memory = np.zeros((31, *x.shape[1:]), dtype)
        memory[:-1] = x
        np.testing.assert_array_equal(transformer.transform(memory[:-1], out=memory[1:]), y)
        own = x.copy()
        assert transformer.transform(own, out=own) is own
        np.testing.assert_array_equal(own, y)
        transformer.inverse_transform(own, out=own)
        np.testing.assert_array_equal(own, back)


@EVERY
def test_a_test_set_of_no_samples(kind, parameters):
    transformer = kind(**parameters).fit(data())
    y = transformer.transform(np.zeros((0, 6), "f4"))
    assert y.shape[0] == 0
    assert transformer.inverse_transform(y).shape == (0, 6)


def test_nan_and_infinity_stay_in_their_feature():
    x = data((20, 3))
    x[3, 1], x[4, 2] = np.nan, np.inf
    y = Standardizer().fit_transform(x)
    assert np.isnan(y[:, 1]).all()
    assert not np.isfinite(y[4, 2])
    np.testing.assert_allclose(y[:, 0], reference.Standardizer().fit_transform(x[:, :1])[:, 0], rtol=1e-12)
    trained = Standardizer().fit(data((20, 3)))
    np.testing.assert_array_equal(np.isfinite(trained.transform(x)), np.isfinite(x))


def test_channels_last_and_first_agree():
    x = data((10, 5, 4, 3), dtype="f4")
    last, first = ChannelMean(scale=True, axis=-1), ChannelMean(scale=True)
    y = last.fit_transform(x)
    np.testing.assert_allclose(first.fit_transform(x.transpose(0, 3, 1, 2)), y.transpose(0, 3, 1, 2), rtol=1e-6)
    assert first.mean_.shape == (3,)
    assert first.n_features_in_ == 3
    assert last.transform(x[:2, :1, :1]).shape == (2, 1, 1, 3)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("columns", [128, 1024, 1031])
def test_large_matrices_are_streamed_to_any_address(dtype, columns):
    """Where nothing but whole lines can be: the first and last columns of a row seldom are."""
    x = data(((9 << 20) // (columns * np.dtype(dtype).itemsize), columns), dtype=dtype)
    standardizer = Standardizer().fit(x)
    y = standardizer.transform(x)
    sample = slice(None, None, 211)
    assert_close(y[sample], (x[sample] - standardizer.mean_) / standardizer.scale_, np.finfo(dtype).eps)
    memory = np.full(x.size + 64, 7, dtype)
    for start in (0, 1, 15):
        out = memory[start : start + x.size].reshape(x.shape)
        standardizer.transform(x, out=out)
        np.testing.assert_array_equal(out, y)
        assert (memory[:start] == 7).all()
        assert (memory[start + x.size :] == 7).all()
        memory[:] = 7
    # few rows are not streamed
    np.testing.assert_array_equal(standardizer.transform(x[sample]), y[sample])
    np.testing.assert_array_equal(standardizer.transform(x, out=x), y)
    assert_close(
        standardizer.inverse_transform(x)[sample],
        y[sample] * standardizer.scale_ + standardizer.mean_,
        np.finfo(dtype).eps,
    )


# --- projections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 5), (4, 9), (9, 9), (30, 2, 3)])
def test_principal_components(shape):
    x = data(shape)
    pca, exact = both(PCA, {})
    pca.fit(x)
    exact.fit(x)
    rank = min(shape[0] - 1, pca.n_features_in_)
    assert pca.n_components_ == min(shape[0], pca.n_features_in_)
    names = ("components_", "explained_variance_", "explained_variance_ratio_")
    for name in names:
        np.testing.assert_allclose(getattr(pca, name)[:rank], getattr(exact, name)[:rank], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(pca.singular_values_[:rank], exact.singular_values_[:rank], rtol=1e-9)
    assert pca.explained_variance_ratio_.sum() == pytest.approx(1)
    np.testing.assert_allclose(pca.components_ @ pca.components_.T, np.eye(pca.n_components_), atol=1e-13)
    np.testing.assert_allclose(pca.inverse_transform(pca.transform(x)), x, rtol=1e-12)


def test_a_share_of_the_variance():
    x = np.random.default_rng(0).standard_normal((500, 4)) * [10, 5, 1, 0.1]
    ratios = PCA().fit(x).explained_variance_ratio_
    for share, expected in ((0.5, 1), (ratios[:2].sum() + 1e-6, 3), (1.0, 4), (0.0, 1)):
        pca = PCA(float(share)).fit(x)
        assert pca.n_components_ == expected
        assert pca.explained_variance_ratio_.sum() >= share - 1e-12


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitened_data_has_unit_covariance(kind):
    x = data((500, 2, 4))
    whiten = Whiten(kind, eps=0).fit(x)
    y = whiten.transform(x)
    assert y.shape == ((500, 2, 4) if kind == "zca" else (500, 8))
    np.testing.assert_allclose(np.cov(y.reshape(500, 8).T, bias=True), np.eye(8), atol=1e-11)
    np.testing.assert_allclose(whiten.inverse_transform(y), x, rtol=1e-11)


def test_zca_is_the_symmetric_way_to_whiten():
    x = data((300, 5))
    whiten = Whiten("zca").fit(x)
    linear = whiten.transform(np.eye(5) + whiten.mean_)
    np.testing.assert_allclose(linear, linear.T, atol=1e-13)
    assert (np.linalg.eigvalsh(linear) > 0).all()


def test_directions_without_variance_are_left_out():
    x = np.random.default_rng(0).standard_normal((100, 3)) @ np.random.default_rng(1).standard_normal((3, 6))
    for kind in ("pca", "zca"):
        whiten = Whiten(kind, eps=0).fit(x)
        y = whiten.transform(x)
        assert np.abs(y).max() < 20
        np.testing.assert_array_equal(whiten.explained_variance_[3:], 0)
        np.testing.assert_allclose(whiten.inverse_transform(y), x, rtol=1e-9, atol=1e-9)
    one = Whiten(eps=0).fit(np.ones((1, 3)))
    np.testing.assert_array_equal(one.transform(np.zeros((2, 3))), 0)


def test_samples_seen_later_change_the_components():
    x = data((60, 4))
    pca = PCA().fit(x[:30])
    first = pca.explained_variance_
    pca.partial_fit(x[30:])
    assert not np.array_equal(pca.explained_variance_, first)
    np.testing.assert_allclose(pca.explained_variance_, PCA().fit(x).explained_variance_, rtol=1e-12)
    pca.fit(x[:30])
    np.testing.assert_array_equal(pca.explained_variance_, first)


# --- threads and the JIT ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2000, 70), (300, 8, 11, 11)])
def test_threads_do_not_change_a_bit(shape):
    x, results = data(shape, dtype="f4"), []
    for threads in (1, 2):
        with fnn.threads(threads):
            results.append([kind(scale=True).fit_transform(x) for kind in (Standardizer, ChannelMean)])
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_without_the_jit():
    run_python(
        "import numpy as np\n"
        "from fastnn.preprocess import PCA, ChannelMean, Standardizer, Whiten, to_float\n"
        "x = np.random.default_rng(0).standard_normal((20, 3)).astype('f4')\n"
        "np.testing.assert_allclose(Standardizer().fit_transform(x), (x - x.mean(0)) / x.std(0), rtol=0, atol=1e-5)\n"
        "np.testing.assert_allclose(ChannelMean().fit_transform(x), x - x.mean(0), rtol=0, atol=1e-6)\n"
        "np.testing.assert_allclose(PCA().fit(x).inverse_transform(PCA().fit_transform(x)), x, rtol=0, atol=1e-5)\n"
        "np.testing.assert_allclose(np.cov(Whiten('zca').fit_transform(x).T, bias=True), np.eye(3), atol=1e-3)\n"
        "images = np.arange(2 * 3 * 5 * 3, dtype='u1').reshape(2, 3, 5, 3)\n"
        "assert (to_float(images) == (images / 255).transpose(0, 3, 1, 2).astype('f4')).all()\n"
        "from fastnn.preprocess import _affine\n"
        "x = np.random.default_rng(0).standard_normal((3, 150)).astype('f4')\n"
        "y = Standardizer().fit_transform(x)\n"
        "_affine.LARGE = 0\n"
        "np.testing.assert_allclose(Standardizer().fit_transform(x), y, rtol=0, atol=1e-6)\n",
        NUMBA_DISABLE_JIT="1",
    )
