"""The reference softmax family and glu against numeric derivatives, identities and values worked out by hand."""

import numpy as np
import pytest
from test_reference import assert_gradients

from fastnn import reference

INF, NAN = np.inf, np.nan
SHAPES = [((5,), 0), ((4, 6), -1), ((4, 3), 0), ((2, 4, 3), 1), ((2, 3, 4), -1), ((1, 2), 0)]
EVEN = [((4, 6), -1), ((4, 3), 0), ((2, 4, 3), -2), ((2,), 0)]
GATES = ["sigmoid", "relu", "gelu", "silu", "bilinear"]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_gradients(name, shape, axis, rng):
    x, dy = rng.standard_normal(shape) * 2, rng.standard_normal(shape)
    f, f_backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    assert_gradients(lambda: (dy * f(x, axis)).sum(), [(f_backward(dy, f(x, axis), axis), x)])


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_softmax_is_the_derivative_of_logsumexp(shape, axis, rng):
    x = rng.standard_normal(shape) * 2
    assert_gradients(lambda: reference.logsumexp(x, axis).sum(), [(reference.softmax(x, axis), x)])


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_softmax_family_agrees_with_itself(shape, axis, rng):
    x = rng.standard_normal(shape) * 5
    y = reference.softmax(x, axis)
    np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(axis, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(np.exp(reference.log_softmax(x, axis)), y, rtol=1e-13)
    np.testing.assert_allclose(x - reference.logsumexp(x, axis, True), reference.log_softmax(x, axis), atol=1e-14)
    np.testing.assert_allclose(y.sum(axis), 1, rtol=1e-15)


def test_softmax_values():
    x = np.log([[1.0, 3.0], [4.0, 1.0]])
    np.testing.assert_allclose(reference.softmax(x), [[0.25, 0.75], [0.8, 0.2]], rtol=1e-15)
    np.testing.assert_allclose(reference.softmax(x, 0), [[0.2, 0.75], [0.8, 0.25]], rtol=1e-15)
    np.testing.assert_allclose(reference.log_softmax(x), np.log([[0.25, 0.75], [0.8, 0.2]]), rtol=1e-15)
    np.testing.assert_allclose(reference.logsumexp(x), np.log([4.0, 5.0]), rtol=1e-15)
    np.testing.assert_allclose(reference.softmax_backward([1.0, 0.0], [0.25, 0.75]), [0.1875, -0.1875])
    np.testing.assert_allclose(reference.log_softmax_backward([1.0, 0.0], np.log([0.25, 0.75])), [0.75, -0.75])


def test_tails():
    """What is next to 1 keeps its distance from it, however small."""
    assert reference.log_softmax([0.0, -50.0])[0] == pytest.approx(-np.exp(-50), rel=1e-15)
    assert reference.log_softmax([3.0, 3.0 - 80, 3.0 - 80])[0] == pytest.approx(-2 * np.exp(-80), rel=1e-14)
    assert reference.softmax([0.0, -700.0])[1] == pytest.approx(np.exp(-700), rel=1e-15)
    assert reference.logsumexp([0.0, -60.0]) == pytest.approx(np.exp(-60), rel=1e-15)


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_large_inputs(shift):
    x = np.array([1e4, -1e4, 1e4]) + shift
    np.testing.assert_array_equal(reference.softmax(x), [0.5, 0, 0.5])
    np.testing.assert_allclose(reference.log_softmax(x), [-np.log(2), -2e4 - np.log(2), -np.log(2)], rtol=1e-14)
    np.testing.assert_allclose(reference.logsumexp(x), 1e4 + shift + np.log(2), rtol=1e-14)


@pytest.mark.parametrize(
    ("row", "softmax", "log_softmax", "logsumexp"),
    [
        ([-INF, -INF], [NAN, NAN], [NAN, NAN], -INF),
        ([-INF], [NAN], [NAN], -INF),
        ([INF, 0.0], [NAN, NAN], [NAN, NAN], INF),
        ([INF, -INF], [NAN, NAN], [NAN, NAN], INF),
        ([INF, INF, 1.0], [NAN] * 3, [NAN] * 3, INF),
        ([NAN, 0.0], [NAN, NAN], [NAN, NAN], NAN),
        ([NAN, INF], [NAN, NAN], [NAN, NAN], NAN),
        ([-INF, 2.0], [0.0, 1.0], [-INF, 0.0], 2.0),
        ([2.0], [1.0], [0.0], 2.0),
    ],
)
def test_infinities_and_nan(row, softmax, log_softmax, logsumexp):
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(reference.softmax(row), softmax)
        np.testing.assert_array_equal(reference.log_softmax(row), log_softmax)
        np.testing.assert_array_equal(reference.logsumexp(row), logsumexp)
    beside = np.array([row, np.zeros(len(row))])
    np.testing.assert_allclose(reference.log_softmax(beside), [log_softmax, np.full(len(row), -np.log(len(row)))])


def test_gradient_where_the_output_is_zero():
    dy = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(reference.softmax_backward(dy, reference.softmax([-INF, 0.0, 0.0])), [0, -0.25, 0.25])
    np.testing.assert_allclose(
        reference.log_softmax_backward(dy, reference.log_softmax([-INF, 0.0, 0.0])), [1, -1, 0], atol=1e-15
    )


@pytest.mark.parametrize("axis", [0, -1, (0, 2), (-1, 0), (2, 1, 0), None, ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_over_several_axes(axis, keepdims, rng):
    x = rng.standard_normal((2, 3, 4))
    actual = reference.logsumexp(x, axis, keepdims)
    expected = np.log(np.exp(x).sum(axis, keepdims=keepdims))
    assert np.shape(actual) == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-15)


def test_empty_and_scalar():
    for f in (reference.softmax, reference.log_softmax):
        assert f(np.ones((0, 3))).shape == (0, 3)
        assert f(np.ones((3, 0))).shape == (3, 0)
        assert f(np.ones((3, 0)), 0).shape == (3, 0)
    assert reference.logsumexp(np.ones((3, 0))).tolist() == [-INF] * 3
    assert reference.logsumexp(np.ones((3, 0)), 0).shape == (0,)
    assert reference.logsumexp(np.ones((2, 3, 0)), (0, 2)).tolist() == [-INF] * 3
    assert type(reference.logsumexp([1.0, 2.0])) is np.float64
    assert reference.logsumexp(1.5, None) == 1.5


def test_results_are_float64_and_inputs_stay():
    x = np.arange(6, dtype=">f4").reshape(2, 3).T
    before = x.copy()
    for f in (reference.softmax, reference.log_softmax, reference.logsumexp):
        assert f(x).dtype == np.float64
        np.testing.assert_array_equal(f(x), f(x.astype(np.float64)))
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(reference.softmax([0, 0]), [0.5, 0.5])


@pytest.mark.parametrize("axis", [2, -3])
def test_axis_out_of_range(axis):
    for f in (reference.softmax, reference.log_softmax, reference.logsumexp):
        with pytest.raises(ValueError, match="out of bounds"):
            f(np.ones((2, 2)), axis)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(("shape", "axis"), EVEN)
def test_glu_gradients(gate, shape, axis, rng):
    x = rng.standard_normal(shape)
    dy = rng.standard_normal(reference.glu(x, axis, gate).shape)
    assert_gradients(
        lambda: (dy * reference.glu(x, axis, gate)).sum(), [(reference.glu_backward(dy, x, axis, gate), x)]
    )


def test_glu_values():
    x = np.array([[2.0, -3.0, 0.0, np.log(3.0)]])
    assert reference.glu(x).tolist() == [[1.0, -3 * 0.75]]
    assert reference.glu(x, gate="relu").tolist() == [[0.0, -3 * np.log(3.0)]]
    assert reference.glu(x, gate="bilinear").tolist() == [[0.0, -3 * np.log(3.0)]]
    np.testing.assert_allclose(reference.glu(x, gate="silu"), [[0.0, -2.25 * np.log(3.0)]], rtol=1e-15)
    np.testing.assert_allclose(reference.glu([[1.0], [-1.0]], 0, "gelu"), [[-0.15865525393145707]], rtol=1e-15)
    np.testing.assert_allclose(reference.glu_backward([[1.0, 2.0]], x), [[0.5, 1.5, 0.5, -6 * 0.1875]], rtol=1e-15)
    assert reference.glu_backward([[1.0, 2.0]], x, gate="relu").tolist() == [[0.0, 2 * np.log(3.0), 0.0, -6.0]]


@pytest.mark.parametrize("gate", ["sigmoid", "relu", "gelu", "silu"])
def test_glu_with_a_closed_gate(gate):
    """At -inf each gate is 0, and so are both gradients."""
    assert reference.glu([3.0, -INF], gate=gate) == 0
    np.testing.assert_array_equal(reference.glu_backward([2.0], [3.0, -INF], gate=gate), [0, 0])


def test_glu_errors():
    with pytest.raises(ValueError, match="3 entries along axis -1, expected an even number"):
        reference.glu(np.ones((2, 3)))
    with pytest.raises(ValueError, match="gate is 'tanh', expected one of sigmoid, relu, gelu, silu, bilinear"):
        reference.glu(np.ones((2, 2)), gate="tanh")
