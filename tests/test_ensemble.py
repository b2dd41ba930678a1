"""Averages of probabilities and weights, and votes."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastnn as fnn
from fastnn.ensemble import WeightAverage, average_probabilities, average_weights, majority_vote


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_average_probabilities(rng, dtype):
    models = [rng.dirichlet(np.ones(4), 6).astype(dtype) for _ in range(5)]
    weights = [1, 0, 2, 0.5, 3]
    for given_weights in (None, weights):
        mean = average_probabilities(models, given_weights)
        assert mean.dtype == dtype
        expected = np.average(np.array(models, "f8"), axis=0, weights=given_weights)
        np.testing.assert_allclose(mean, expected, rtol=np.finfo(dtype).eps)
        np.testing.assert_allclose(mean.sum(axis=1), 1, rtol=4 * np.finfo(dtype).eps)


@given(hnp.arrays("f8", 5, elements=st.floats(0, 1)), st.integers(1, 7))
def test_the_mean_of_equal_models_is_theirs(p, n):
    np.testing.assert_allclose(average_probabilities([p] * n), p, rtol=1e-15)


def test_sums_are_float64():
    models = [np.full(3, 0.1, "f4")] * 9999 + [np.full(3, 0.2, "f4")]
    exact = (9999 * float(np.float32(0.1)) + float(np.float32(0.2))) / 10000
    np.testing.assert_array_equal(average_probabilities(models), np.float32(exact))


def test_average_probabilities_of_mixed_dtypes_and_what_a_weight_of_zero_hides():
    mean = average_probabilities([np.float32([0.5]), np.float64([0.25]), [np.nan]], [1, 1, 0])
    assert mean.dtype == np.float64
    assert mean == [0.375]
    assert np.isnan(average_probabilities([[0.5], [np.nan]]))


# --- votes ---


@given(hnp.arrays("i8", st.tuples(st.integers(1, 6), st.integers(0, 8)), elements=st.integers(-2, 3)))
def test_votes_of_labels(votes):
    """The most frequent label, of several the lowest."""
    expected = []
    for column in votes.T.tolist():
        counts = collections.Counter(column)
        expected.append(min(label for label in counts if counts[label] == max(counts.values())))
    result = majority_vote(list(votes))
    assert result.tolist() == expected
    assert result.dtype == votes.dtype


def test_a_tie_of_probabilities_goes_to_the_larger_mean():
    a = np.array([[0.6, 0.4, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])
    b = np.array([[0.1, 0.9, 0.0], [0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    assert majority_vote([a, b]).tolist() == [1, 0, 2]
    assert majority_vote([a, b, a]).tolist() == [0, 0, 0]


def test_a_majority_beats_a_larger_mean():
    models = [np.float32([0.51, 0.49]), np.float32([0.51, 0.49]), np.float32([0.0, 1.0])]
    assert majority_vote(models) == 0
    assert average_probabilities(models).argmax() == 1


def test_votes_of_single_samples_of_images_and_of_bools(rng):
    assert majority_vote([3, 5, 5]) == 5
    labels = rng.integers(0, 3, (5, 4, 4, 2))
    np.testing.assert_array_equal(
        majority_vote(labels), np.apply_along_axis(lambda v: np.bincount(v).argmax(), 0, labels)
    )
    np.testing.assert_array_equal(majority_vote([[True, False], [True, True], [False, False]]), [True, False])


# --- weights ---


def tree(rng, dtype="f4"):
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
    return {
        "layers": [{"W": draw(3, 4), "b": draw(4)}, (draw(2), np.array(rng.standard_normal(), dtype))],
        "scale": draw(5),
    }


def leaves(params):
    first, (w, number) = params["layers"]
    return [first["W"], first["b"], w, number, params["scale"]]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.0, 5.0]])
def test_average_weights(rng, dtype, weights):
    models = [tree(rng, dtype) for _ in range(4)]
    before = [[leaf.copy() for leaf in leaves(model)] for model in models]
    mean = average_weights(models, weights)
    assert isinstance(mean["layers"][1], tuple)
    for actual, *each in zip(leaves(mean), *map(leaves, models), strict=True):
        assert actual.dtype == dtype
        assert not any(np.shares_memory(actual, leaf) for leaf in each)
        expected = np.average(np.array(each, "f8"), axis=0, weights=weights)
        np.testing.assert_allclose(actual, expected, rtol=np.finfo(dtype).eps, atol=1e-16)
    for model, values in zip(models, before, strict=True):
        for leaf, value in zip(leaves(model), values, strict=True):
            np.testing.assert_array_equal(leaf, value)


def test_average_weights_of_a_list_of_arrays():
    np.testing.assert_array_equal(average_weights([np.array([1.0, 2.0]), np.array([3.0, 6.0])]), [2, 4])
    (only,) = average_weights([[np.array([1.0, 2.0], "f4")]])
    np.testing.assert_array_equal(only, np.array([1, 2], "f4"))


@given(st.integers(1, 12), st.integers(0, 2**32))
def test_the_running_average_is_that_of_all(count, seed):
    rng = np.random.default_rng(seed)
    average, params, history = WeightAverage(), tree(rng), []
    for _ in range(count):
        for leaf in leaves(params):
            leaf += rng.standard_normal(leaf.shape).astype("f4")
        history.append([leaf.astype("f8") for leaf in leaves(params)])
        average.update(params)
    assert average.count == count
    for k, actual in enumerate(leaves(average.average)):
        assert actual.dtype == np.float32
        expected = np.mean([each[k] for each in history], axis=0)
        np.testing.assert_allclose(actual, expected, rtol=2e-7, atol=1e-14)


def test_the_exponential_average_is_the_optimisers(rng):
    params = [rng.standard_normal(50)]
    average = WeightAverage(decay=0.9)
    optimizer = fnn.optim.SGD(params, lr=0.1, ema_decay=0.9)
    expected = None
    for _ in range(8):
        optimizer.step([rng.standard_normal(50)])
        average.update(params)
        expected = params[0].copy() if expected is None else 0.9 * expected + 0.1 * params[0]
    np.testing.assert_allclose(average.average[0], expected, rtol=1e-13)
    np.testing.assert_allclose(average.average[0], optimizer.ema[0], rtol=1e-13)


def test_the_average_is_nobody_elses(rng):
    params, average = {"W": np.ones(3, "f4")}, WeightAverage()
    average.update(params)
    params["W"][...] = 3
    average.average["W"][...] = 7
    np.testing.assert_array_equal(average.average["W"], 1)
    average.update(params)
    np.testing.assert_array_equal(average.average["W"], 2)


@pytest.mark.parametrize(("decay", "expected"), [(0.0, 5.0), (1.0, 1.0)])
def test_extreme_decays(decay, expected):
    average = WeightAverage(decay)
    for value in (1.0, 3.0, 5.0):
        average.update(np.array(value))
    assert average.average == expected


# --- errors ---

W = np.ones(2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: average_probabilities([]), ValueError, r"average_probabilities: probabilities is \[\]"),
        (lambda: average_probabilities(3), ValueError, "average_probabilities: probabilities is 3"),
        (lambda: average_probabilities([[1.0], [0.5, 0.5]]), ValueError, r"probabilities\[1\] has shape \(2,\)"),
        (lambda: average_probabilities([["a"]]), TypeError, r"probabilities\[0\] has dtype"),
        (lambda: average_probabilities([W, W], [1]), ValueError, r"weights has shape \(1,\), expected \(2,\)"),
        (lambda: average_probabilities([W, W], [0, 0]), ValueError, r"weights is \[0, 0\], expected finite numbers"),
        (lambda: average_probabilities([W, W], [-1, 2]), ValueError, "weights is"),
        (lambda: average_probabilities([W, W], [np.nan, 2]), ValueError, "weights is"),
        (lambda: majority_vote([[1, 2], [1]]), ValueError, r"majority_vote: votes\[1\] has shape \(1,\)"),
        (lambda: majority_vote([[1], [0.5]]), TypeError, r"majority_vote: votes\[1\] has dtype float64"),
        (lambda: majority_vote([["a"]]), TypeError, r"votes\[0\] has dtype <U1"),
        (lambda: majority_vote([0.5]), ValueError, r"votes\[0\] has shape \(\)"),
        (lambda: average_weights([]), ValueError, r"average_weights: models is \[\]"),
        (lambda: average_weights([{"W": 1.0}]), TypeError, r'models\[0\]\["W"\] is a float'),
        (lambda: average_weights([np.ones(2, int)]), TypeError, r"models\[0\] has dtype int64"),
        (
            lambda: average_weights([{"W": W}, {"V": W}]),
            ValueError,
            r"models\[1\] is 'V', expected a dict with keys 'W'",
        ),
        (lambda: average_weights([[W], [W, W]]), ValueError, r"models\[1\] is 2 entries, expected a list of 1"),
        (lambda: average_weights([[W], [np.ones(3)]]), ValueError, r"models\[1\]\[0\] has shape \(3,\)"),
        (lambda: average_weights([[W], [W.astype("f4")]]), TypeError, r"models\[1\]\[0\] has dtype float32"),
        (lambda: average_weights([[W], [None]]), TypeError, r"models\[1\]\[0\] has type NoneType"),
        (lambda: WeightAverage(1.5), ValueError, "WeightAverage: decay is 1.5"),
        (lambda: WeightAverage().average, ValueError, "WeightAverage.average: there was no update yet"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_refused_update_changes_nothing():
    average = WeightAverage()
    average.update([np.ones(2), np.ones(3)])
    with pytest.raises(ValueError, match=r"WeightAverage.update: params\[1\] has shape \(4,\)"):
        average.update([np.zeros(2), np.zeros(4)])
    assert average.count == 1
    np.testing.assert_array_equal(average.average[0], 1)
