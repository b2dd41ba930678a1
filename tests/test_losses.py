"""Losses against SciPy, the reference and numeric derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

import fastnn as fnn
from fastnn import reference


def problem(seed, shape, axis, dtype="f8", probabilities=False):
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal(shape) * 5).astype(dtype)
    if probabilities:
        labels = rng.random(shape)
        return logits, labels / labels.sum(axis, keepdims=True), rng.random(shape[axis]) + 0.5
    return logits, rng.integers(shape[axis], size=np.delete(shape, axis)), rng.random(shape[axis]) + 0.5


@st.composite
def shapes(draw):
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    return tuple(shape), draw(st.integers(-len(shape), len(shape) - 1))


@given(
    shapes(),
    st.integers(0, 1000),
    st.sampled_from(["f2", "f4", "f8"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, 0, 2]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from(["mean", "sum", "none"]),
)
def test_cross_entropy_equals_the_reference(drawn, seed, dtype, probabilities, weighted, ignored, smoothing, reduction):
    shape, axis = drawn
    logits, labels, weight = problem(seed, shape, axis, dtype, probabilities)
    options = {"axis": axis, "label_smoothing": smoothing, "reduction": reduction}
    options["weight"] = weight if weighted else None
    options["ignore_index"] = None if probabilities else ignored
    loss, grad = fnn.softmax_cross_entropy(logits, labels, **options)
    expected, expected_grad = reference.softmax_cross_entropy(logits, labels, **options)
    assert loss.dtype == grad.dtype == np.dtype(dtype)
    tolerance = {"rtol": 2 * np.finfo(dtype).eps, "atol": 2 * np.finfo(dtype).eps}
    if np.isnan(expected).all() and reduction == "mean":  # no label counts
        assert np.isnan(loss)
        np.testing.assert_array_equal(grad, 0)
        return
    np.testing.assert_allclose(loss, expected.astype(dtype), **tolerance)
    np.testing.assert_allclose(grad, expected_grad, **tolerance)
    np.testing.assert_array_equal(fnn.softmax_cross_entropy(logits, labels, return_grad=False, **options), loss)


#: Lines shorter and longer than a vector, one and several to a group, in one chunk and in several, as rows and columns.
LARGER = [
    *(((3, 17), 1), ((70, 5), 1), ((40, 33), -1), ((2, 3000), 1), ((3000, 5), 1)),
    *(((5, 70), 0), ((2, 19, 41), 1), ((3, 2, 130), 1), ((4, 1500), 0)),
]


def close(results, expected, dtype, cancelling=0.0):
    """Every sum is one of float64, rounded at the end; but gradients may be small differences of numbers up to 1."""
    for actual, exact in zip(results, expected, strict=True):
        assert actual.dtype == np.dtype(dtype)
        rtol = {"f4": 2.0**-22, "f8": 1e-13}[dtype]
        np.testing.assert_allclose(actual, exact, rtol=rtol, atol=cancelling * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("shape", "axis"), LARGER)
def test_likelihood_of_classes_and_probabilities(shape, axis, dtype):
    for probabilities, smoothing, ignored in ((False, 0.0, 1), (False, 0.1, None), (False, 0.3, 0), (True, 0.2, None)):
        logits, labels, weight = problem(3, shape, axis, "f8", probabilities)
        log_p = log_softmax(logits, axis).astype(dtype)
        options = {"axis": axis, "weight": weight, "label_smoothing": smoothing, "ignore_index": ignored}
        for reduction in ("mean", "sum", "none"):
            expected = reference.nll_loss(log_p, labels, **options, reduction=reduction)
            close(fnn.nll_loss(log_p, labels, **options, reduction=reduction), expected, dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("shape", "axis"), LARGER)
def test_hinge_of_scores_that_tie(shape, axis, dtype):
    """Whole scores, of which many are the margin below the label's: the hinge itself, without a gradient."""
    _, labels, _ = problem(4, shape, axis)
    scores = np.random.default_rng(4).integers(-3, 4, shape).astype(dtype)
    for margin, reduction in ((1.0, "mean"), (2.0, "none"), (0.5, "sum")):
        options = {"axis": axis, "margin": margin, "reduction": reduction}
        expected = reference.multiclass_hinge(scores, labels, **options)
        close(fnn.multiclass_hinge(scores, labels, **options), expected, dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("shape", "axis"), LARGER)
def test_cross_entropy_across_the_borders_of_vectors_and_groups(shape, axis, dtype):
    for probabilities, smoothing, ignored in ((False, 0.0, 1), (False, 0.1, 0), (True, 0.2, None)):
        logits, labels, weight = problem(5, shape, axis, dtype, probabilities)
        options = {"axis": axis, "weight": weight, "label_smoothing": smoothing, "ignore_index": ignored}
        expected = reference.softmax_cross_entropy(logits, labels, **options, reduction="none")
        close(fnn.softmax_cross_entropy(logits, labels, **options, reduction="none"), expected, dtype, 2.0)


def test_hinge_of_nan_and_infinity():
    """NaN stays with its sample, also as a gradient; an infinite score that is wrong has an infinite loss."""
    scores = np.array([[np.inf, 0.0, 1.0], [-np.inf, 0.0, 1.0], [np.nan, 0.0, 1.0], [2.0, 0.5, 1.0]])
    for labels in ([0, 0, 0, 0], [1, 1, 1, 1]):
        actual = fnn.multiclass_hinge(scores, labels, reduction="none")
        for result, expected in zip(actual, reference.multiclass_hinge(scores, labels, reduction="none"), strict=True):
            np.testing.assert_array_equal(result, expected)


def test_cross_entropy_is_scipys_log_softmax_at_the_label():
    logits, labels, weight = problem(0, (20, 7), 1)
    expected = -log_softmax(logits, axis=1)[np.arange(20), labels]
    np.testing.assert_allclose(
        fnn.softmax_cross_entropy(logits, labels, reduction="none")[0], expected, rtol=1e-14, atol=1e-15
    )
    np.testing.assert_allclose(fnn.softmax_cross_entropy(logits, labels)[0], expected.mean(), rtol=1e-14)
    loss, _ = fnn.softmax_cross_entropy(logits, labels, weight=weight)
    np.testing.assert_allclose(loss, np.average(expected, weights=weight[labels]), rtol=1e-14)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradient_is_the_numeric_derivative(probabilities, reduction):
    logits, labels, weight = problem(2, (3, 4, 2), 1, probabilities=probabilities)
    options = {"axis": 1, "weight": weight, "label_smoothing": 0.2, "reduction": reduction}
    if not probabilities:
        options["ignore_index"] = labels[0, 0]
    _, grad = fnn.softmax_cross_entropy(logits, labels, **options)
    numeric = np.zeros_like(grad)
    for index in np.ndindex(logits.shape):
        values = []
        for step in (1e-5, -1e-5):
            moved = logits.copy()
            moved[index] += step
            values.append(fnn.softmax_cross_entropy(moved, labels, return_grad=False, **options))
        numeric[index] = (values[0] - values[1]) / 2e-5
    np.testing.assert_allclose(grad, numeric, rtol=1e-7, atol=1e-9)


def test_extreme_logits():
    logits = np.array([[1e30, 0, -1e30], [-np.inf, 0, 0], [-np.inf] * 3, [np.inf, 0, 0]], "f4")
    with np.errstate(all="raise"):
        loss, grad = fnn.softmax_cross_entropy(logits, [0, 1, 0, 0], reduction="none")
    np.testing.assert_allclose(loss[:2], [0, np.log(2)], rtol=1e-7)
    np.testing.assert_allclose(grad[:2], [[0, 0, 0], [0, -0.5, 0.5]], atol=1e-7)
    assert np.isnan(loss[2:]).all()
    assert np.isnan(grad[2:]).any(axis=1).all()
    assert fnn.softmax_cross_entropy([[0.0, -np.inf]], [1], return_grad=False) == np.inf


def test_ignored_samples_do_not_count_even_with_nan():
    logits = np.array([[np.nan, 1, 2], [0, 1, 2]])
    loss, grad = fnn.softmax_cross_entropy(logits, np.array([-100, 1]), ignore_index=-100)
    assert loss == pytest.approx(1.40760596444438, rel=1e-14)
    np.testing.assert_array_equal(grad[0], 0)
    loss, grad = fnn.softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int))
    assert np.isnan(loss)
    assert grad.shape == (0, 3)


def test_a_weight_of_zero_does_not_hide_nan():
    loss, grad = fnn.softmax_cross_entropy([[np.nan, 1.0]], [1], weight=[1.0, 0.0], reduction="sum")
    assert np.isnan(loss)
    assert np.isnan(grad).all()


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u8", ">i2"])
def test_labels_of_any_integer_type(dtype):
    logits, labels, _ = problem(1, (9, 5), 1)
    expected = fnn.softmax_cross_entropy(logits, labels)
    for actual, wanted in zip(fnn.softmax_cross_entropy(logits, labels.astype(dtype)), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)


def test_inputs_stay_and_results_have_their_types():
    logits, labels, _ = problem(1, (9, 5), 1, "f4")
    before = logits.copy(), labels.copy()
    loss, grad = fnn.softmax_cross_entropy(logits, labels)
    assert isinstance(loss, np.float32)
    assert grad.dtype == np.float32
    np.testing.assert_array_equal(logits, before[0])
    np.testing.assert_array_equal(labels, before[1])
    assert isinstance(fnn.softmax_cross_entropy([1, 2, 3], 0)[0], np.float64)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": [0, 3]}, ValueError, "softmax_cross_entropy: labels holds 3, expected classes 0 to 2"),
        ({"labels": [-1, 0]}, ValueError, "labels holds -1"),
        ({"labels": [0, 1, 2]}, ValueError, r"labels has shape \(3,\), expected \(2,\) \(classes\) or \(2, 3\)"),
        ({"labels": [0.0, 1.0]}, TypeError, "labels has dtype float64"),
        ({"labels": np.ones((2, 3)), "ignore_index": 1}, ValueError, "ignore_index is 1"),
        ({"axis": 2}, ValueError, "axis is 2"),
        ({"weight": [1.0]}, ValueError, r"weight has shape \(1,\), expected \(3,\)"),
        ({"label_smoothing": 1.1}, ValueError, "label_smoothing is 1.1"),
        ({"reduction": "batch"}, ValueError, "reduction is 'batch', expected one of mean, sum, none"),
        ({"ignore_index": 0.5}, TypeError, "ignore_index is 0.5"),
        ({"ignore_index": 10**400}, ValueError, "ignore_index is beyond 64 bits"),
        ({"logits": np.ones((2, 3), "M8[s]")}, TypeError, "logits has dtype"),
        ({"logits": np.ones((2, 0))}, ValueError, "at least one class"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        fnn.softmax_cross_entropy(**{"logits": np.zeros((2, 3)), "labels": [0, 1], **change})
