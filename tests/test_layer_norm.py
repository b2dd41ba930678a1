"""Layer norm and RMS norm against the reference, on hard data and at the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from norms import VARIANTS, affine, check, epsilons, layouts, problem, seeds, stored_as, variants
from ulps import same_bits

import fastnn as fnn

DTYPES = ["f2", "f4", "f8"]
#: Below, at and past whole vectors; many rows to a chunk and many chunks; rows longer than a chunk.
SHAPES = [(3, 1), (7, 15), (9, 16), (33, 17), (70, 1000), (9, 5000), (2, 70_000), (5000, 15), (3000, 40)]


@st.composite
def shapes_and_axes(draw):
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    if draw(st.booleans()):
        count = draw(st.integers(1, len(shape)))
        trailing = range(len(shape) - count, len(shape)) if draw(st.booleans()) else range(-count, 0)
        return shape, tuple(trailing)
    return shape, draw(st.integers(-len(shape), len(shape) - 1))


@settings(max_examples=100)
@given(shapes_and_axes(), variants, affine, epsilons, seeds, layouts, layouts)
def test_layer_norm_equals_the_reference(shape_and_axis, variant, affine, eps, seed, x_layout, dy_layout):
    (shape, axis), (dtype, activation) = shape_and_axis, variant
    given_ = problem("layer_norm", shape, dtype, seed, affine, axis=axis, eps=eps, activation=activation)
    check(stored_as(given_, x_layout, dy_layout))


@settings(max_examples=60)
@given(shapes_and_axes(), st.sampled_from(DTYPES), affine, epsilons, seeds, layouts, layouts)
def test_rms_norm_equals_the_reference(shape_and_axis, dtype, affine, eps, seed, x_layout, dy_layout):
    shape, axis = shape_and_axis
    check(stored_as(problem("rms_norm", shape, dtype, seed, affine, axis=axis, eps=eps), x_layout, dy_layout))


@pytest.mark.parametrize(("dtype", "activation"), VARIANTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_across_the_borders_of_vectors_and_chunks(shape, dtype, activation):
    check(problem("layer_norm", shape, dtype, activation=activation))
    if activation is None:
        check(problem("rms_norm", shape, dtype))


@pytest.mark.parametrize("missing", [(True, False), (False, True), (False, False)])
def test_long_rows_without_gamma_or_beta(missing):
    check(problem("layer_norm", (100, 1000), "f4", 1, missing))


def test_rows_are_the_axis_alone(rng):
    x, dy = rng.standard_normal((2, 3, 4, 5, 6))[:, :, 0], rng.standard_normal((2, 3, 5, 6))
    for forward, backward in (
        (fnn.layer_norm_forward, fnn.layer_norm_backward),
        (fnn.rms_norm_forward, fnn.rms_norm_backward),
    ):
        y, cache = forward(x, axis=1)
        moved, moved_cache = forward(np.moveaxis(x, 1, -1).copy())
        assert same_bits(y, np.moveaxis(moved, -1, 1))
        dx = backward(np.moveaxis(dy, 1, -1).copy(), moved_cache)[0]
        assert same_bits(backward(dy, cache)[0], np.moveaxis(dx, -1, 1))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("length", [3, 16, 1000])
def test_constant_rows_give_beta(dtype, length, rng):
    constants = np.array([0.0, 0.1, -1e-30, 3e7, 1e30], dtype)[:, None]
    beta = rng.standard_normal(length).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        y, cache = fnn.layer_norm_forward(np.repeat(constants, length, 1), rng.standard_normal(length), beta)
        dx, dgamma, _ = fnn.layer_norm_backward(rng.standard_normal(y.shape), cache)
    assert same_bits(y, np.broadcast_to(beta, y.shape))
    assert np.isfinite(dx).all()
    assert not dgamma.any()
    rstd = cache.statistics[-1]
    assert same_bits(rstd, np.full(5, 1 / np.sqrt(1e-5)))


def test_of_close_numbers():
    y, _ = fnn.layer_norm_forward(np.array([1e6, 1e6 + 1, 1e6 + 2], "f4"))
    np.testing.assert_allclose(y, [-1.2247, 0, 1.2247], atol=1e-4)
    close = np.float32(-11) + np.float32(1e-6) * np.arange(3, dtype="f4") * 3
    for eps in (1e-5, 0.0):
        assert np.isfinite(fnn.layer_norm_forward(close, eps=eps)[0]).all()


@pytest.mark.parametrize("offset", [1e4, 1e6])
@pytest.mark.parametrize("deviation", [1.0, 1e-3])
def test_an_offset_costs_only_the_rounding_of_the_input(offset, deviation, rng):
    x = (deviation * (offset + rng.standard_normal((20, 700)))).astype("f4")
    check(problem("layer_norm", x.shape, "f4", eps=0.0).with_(x=x))


def test_squares_neither_overflow_nor_vanish_in_single_precision():
    x = np.array([[3.0, 4.0]], "f4")
    for scale in (1e-37, 1e-25, 1e25, 1e37):
        y, _ = fnn.rms_norm_forward(x * np.float32(scale), eps=0.0)
        np.testing.assert_allclose(y, x / np.sqrt(12.5), rtol=1e-6)
        y, _ = fnn.layer_norm_forward(x * np.float32(scale), eps=0.0)
        np.testing.assert_allclose(y, [[-1, 1]], rtol=1e-6)


def test_integers_lists_and_scalars():
    y, cache = fnn.layer_norm_forward([[1, 2], [3, 5]], [1, 2], [0, 1], eps=0)
    assert y.tolist() == [[-1.0, 3.0], [-1.0, 3.0]]
    dx, dgamma, dbeta = fnn.layer_norm_backward([[1, 2], [3, 4]], cache)
    assert [a.dtype for a in (dx, dgamma, dbeta)] == [np.float64] * 3
    assert dgamma.tolist() == [-4.0, 6.0]
    assert dbeta.tolist() == [4.0, 6.0]
    for forward in (fnn.layer_norm_forward, fnn.rms_norm_forward):
        with pytest.raises(ValueError, match="axis is -1, but x is 0-d"):
            forward(1.0)


@pytest.mark.parametrize(("shape", "length"), [((0, 5), 5), ((5, 0), 0), ((0, 0), 0), ((2, 0, 3), 3), ((3, 2, 0), 0)])
def test_of_nothing(shape, length):
    gamma, beta = np.ones(length, "f4"), np.zeros(length, "f4")
    y, cache = fnn.layer_norm_forward(np.empty(shape, "f4"), gamma, beta)
    dx, dgamma, dbeta = fnn.layer_norm_backward(np.empty(shape, "f4"), cache)
    assert y.shape == dx.shape == shape
    assert same_bits(dgamma, np.zeros(length, "f4"))
    assert same_bits(dbeta, np.zeros(length, "f4"))
    y, cache = fnn.rms_norm_forward(np.empty(shape, "f4"), gamma)
    dx, dgamma = fnn.rms_norm_backward(np.empty(shape, "f4"), cache)
    assert y.shape == dx.shape == shape
    assert same_bits(dgamma, np.zeros(length, "f4"))


def test_rms_norm_of_infinities_is_the_limit():
    y, _ = fnn.rms_norm_forward(np.array([[1.0, np.inf], [-np.inf, 0.0], [np.nan, 1.0], [3.0, 3.0]]), eps=0.0)
    np.testing.assert_array_equal(y, [[0, np.nan], [np.nan, 0], [np.nan, np.nan], [1, 1]])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones(4),), {}, ValueError, r"gamma has shape \(4,\), expected \(3,\)"),
        ((np.ones((1, 3)),), {}, ValueError, r"gamma has shape \(1, 3\)"),
        ((1.0,), {}, ValueError, r"gamma has shape \(\)"),
        (("abc",), {}, TypeError, "gamma has dtype"),
        ((), {"axis": 2}, ValueError, "axis is 2, expected -2 to 1"),
        ((), {"axis": (0,)}, ValueError, r"axis is \(0,\), expected an integer or the trailing axes"),
        ((), {"axis": (1, 0)}, ValueError, r"axis is \(1, 0\)"),
        ((), {"axis": (1, 1)}, ValueError, r"axis is \(1, 1\)"),
        ((), {"axis": ()}, ValueError, r"axis is \(\)"),
        ((), {"axis": 1.0}, TypeError, "axis is 1.0"),
        ((), {"axis": None}, TypeError, "axis is None"),
    ],
)
def test_errors(arguments, options, error, message):
    for norm in ("layer_norm", "rms_norm"):
        with pytest.raises(error, match=f"{norm}_forward: {message}"):
            getattr(fnn, f"{norm}_forward")(np.ones((2, 3)), *arguments, **options)
