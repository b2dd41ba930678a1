"""softmax, log_softmax, logsumexp and glu against the float64 reference and numeric derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ulps import same_bits, ulp_error

import fastnn as fnn
from fastnn import reference

INF, NAN = np.inf, np.nan
DTYPES = [np.float16, np.float32, np.float64]
#: ulps at the result's own size. The reference's exponents are rounded to float64: `tolerance` adds that.
SOFTMAX = {np.float16: 0.51, np.float32: 2.5, np.float64: 6.0}
#: ulps at the size of the line's largest |x| or result: a result near 0 is a difference of these.
LOG_SOFTMAX = {np.float16: 0.51, np.float32: 2.0, np.float64: 3.0}
#: ulps at the size of the largest gradient of the line.
BACKWARD = {np.float16: 0.51, np.float32: 3.0, np.float64: 8.0}
GATES = ("sigmoid", "relu", "gelu", "silu", "bilinear")

shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=20)


def logits(seed, shape, dtype, scale=5.0, offset=0.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale + offset).astype(dtype)


def arranged(x, layout):
    """x with the same values, lying otherwise in memory."""
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "reversed":
        return x[::-1].copy()[::-1]
    if layout == "strided":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if layout == "swapped":
        return x.astype(x.dtype.newbyteorder())
    return x


layouts = st.sampled_from(["C", "F", "reversed", "strided", "swapped"])


def scaled_error(actual, expected, scale, dtype):
    """Error in ulps of the line's scale."""
    return np.max(
        np.abs(np.asarray(actual, np.float64) - expected) / np.maximum(scale, np.finfo(dtype).tiny), initial=0
    )


def tolerance(x, axis):
    """ulps that softmax may be off."""
    x = np.asarray(x)
    dtype = x.dtype.newbyteorder("=").type
    return SOFTMAX[dtype] + (np.ptp(x.astype("f8"), axis=axis).max() if dtype is np.float64 else 0.0)


@given(st.data(), shapes, st.integers(0, 10**6), st.sampled_from(DTYPES), layouts, st.sampled_from([0.0, 3.0, 30.0]))
def test_softmax_family_equals_the_reference(data, shape, seed, dtype, layout, scale):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = arranged(logits(seed, shape, dtype, scale), layout)
    y = fnn.softmax(x, axis)
    assert y.dtype == dtype
    assert y.shape == x.shape
    assert np.max(ulp_error(y, reference.softmax(x, axis))) <= tolerance(x, axis)
    log_y, expected = fnn.log_softmax(x, axis), reference.log_softmax(x, axis)
    assert log_y.dtype == dtype
    unit = np.finfo(dtype).eps * np.abs(np.concatenate([x.astype("f8"), expected], axis)).max(axis, keepdims=True)
    assert scaled_error(log_y, expected, unit, dtype) <= LOG_SOFTMAX[dtype]


@given(st.data(), shapes, st.integers(0, 10**6), st.sampled_from(DTYPES), layouts, st.booleans())
def test_logsumexp_equals_the_reference(data, shape, seed, dtype, layout, keepdims):
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    axis = data.draw(st.sampled_from([None, tuple(axes), axes[0], axes[0] - len(shape)]))
    x = arranged(logits(seed, shape, dtype), layout)
    actual, expected = fnn.logsumexp(x, axis, keepdims), np.asarray(reference.logsumexp(x, axis, keepdims))
    assert np.shape(actual) == expected.shape
    assert np.asarray(actual).dtype == dtype
    unit = np.finfo(dtype).eps * max(np.abs(x.astype("f8")).max(), np.abs(expected).max())
    assert scaled_error(actual, expected, unit, dtype) <= LOG_SOFTMAX[dtype]


@given(st.data(), shapes, st.integers(0, 10**6), st.sampled_from(DTYPES), layouts)
def test_backward_equals_the_reference(data, shape, seed, dtype, layout):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    dy = arranged(logits(seed, shape, dtype, 1.0), layout)
    for name in ("softmax", "log_softmax"):
        y = arranged(getattr(reference, name)(logits(seed + 1, shape, dtype), axis).astype(dtype), layout)
        dx = getattr(fnn, f"{name}_backward")(dy, y, axis)
        expected = getattr(reference, f"{name}_backward")(dy, y, axis)
        assert dx.dtype == dtype
        share = np.exp(y.astype("f8")) if name == "log_softmax" else np.abs(y.astype("f8"))
        terms = np.abs(dy.astype("f8")) + share * np.abs(dy.astype("f8")).sum(axis, keepdims=True)
        unit = np.finfo(dtype).eps * np.maximum(terms, np.abs(expected))
        assert scaled_error(dx, expected, unit, dtype) <= BACKWARD[dtype]


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_backward_is_the_numeric_derivative(name, axis):
    x, dy = logits(0, (3, 4, 5), np.float64, 1.0), logits(1, (3, 4, 5), np.float64, 1.0)
    f = getattr(fnn, name)
    dx = getattr(fnn, f"{name}_backward")(dy, f(x, axis), axis)
    for index in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][index] += 1e-5
        moved[1][index] -= 1e-5
        numeric = np.sum(dy * (f(moved[0], axis) - f(moved[1], axis))) / 2e-5
        assert dx[index] == pytest.approx(numeric, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000, 5000, 70_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lines_of_any_length(length, dtype):
    x = logits(length, (3, length), dtype)
    # sums down a column are taken one after the other in float64, by the reference too: its last bits are a random walk
    walk = np.sqrt(length) if dtype == np.float64 else 0.0
    for axis, array in ((1, x), (0, np.ascontiguousarray(x.T))):
        assert (
            np.max(ulp_error(fnn.softmax(array, axis), reference.softmax(array, axis))) <= tolerance(array, axis) + walk
        )
        actual = fnn.logsumexp(array, axis)
        assert np.max(ulp_error(actual, reference.logsumexp(array, axis))) <= LOG_SOFTMAX[dtype] + walk


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype):
    x = np.array([[-INF, -INF, -INF], [INF, 1, 2], [NAN, 1, 2], [-INF, 0, 0], [60000, -60000, 0]], dtype)
    for array, axis in ((x, 1), (x.T.copy(), 0)):
        y, log_y = np.moveaxis(fnn.softmax(array, axis), axis, -1), np.moveaxis(fnn.log_softmax(array, axis), axis, -1)
        assert np.all(np.isnan(y[:3]))
        assert np.all(np.isnan(log_y[:3]))
        np.testing.assert_array_equal(y[3:], [[0, 0.5, 0.5], [1, 0, 0]])
        np.testing.assert_array_equal(log_y[3], np.array([-INF, -np.log(2), -np.log(2)], dtype))
        np.testing.assert_array_equal(fnn.logsumexp(array, axis)[[0, 1, 3]], np.array([-INF, INF, np.log(2)], dtype))
        assert np.isnan(fnn.logsumexp(array, axis)[2])


def test_a_large_offset_costs_nothing():
    x = logits(3, (50, 33), np.float64, 4.0)
    shifted = (np.round(x * 2**20) / 2**20 + 2.0**30).astype(np.float64)
    exact = reference.softmax(shifted - 2.0**30)
    assert np.max(ulp_error(fnn.softmax(shifted), exact)) <= tolerance(x, -1)


def test_log_softmax_near_certainty():
    """log1p, not log: the loss of a certain and right answer is not 0."""
    y = fnn.log_softmax(np.array([0.0, -50.0]))
    assert y[0] == pytest.approx(-np.exp(-50.0), rel=1e-12)


def test_out_in_place_and_scalars():
    x = logits(0, (40, 300), np.float32)
    for f in (fnn.softmax, fnn.log_softmax):
        expected = f(x)
        out = np.full_like(x, NAN)
        assert f(x, out=out) is out
        assert same_bits(out, expected)
        fortran = np.full(x.shape, NAN, np.float64, order="F")
        assert f(x, out=(fortran,)) is fortran
        np.testing.assert_array_equal(fortran.astype(np.float32), expected)
        inside = x.copy()
        assert same_bits(f(inside, out=inside), expected)
        memory = np.concatenate([np.zeros(7, np.float32), x.ravel()])
        shifted = f(memory[7:].reshape(x.shape), out=memory[: x.size].reshape(x.shape))
        assert same_bits(shifted.copy(), expected)
    assert isinstance(fnn.logsumexp(x, None), np.float32)
    assert fnn.softmax([0, 0]).dtype == np.float64
    assert fnn.softmax(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(("shape", "axis"), [((3, 8), -1), ((4, 5, 6), 0), ((2, 70, 30), 1), ((100, 400), -1)])
def test_glu_equals_the_reference(gate, shape, axis):
    for dtype, eps in ((np.float32, 4e-7), (np.float64, 8e-16)):
        x = logits(0, shape, dtype, 2.0)
        half = tuple(n // 2 if k == axis % len(shape) else n for k, n in enumerate(shape))
        dy = logits(1, half, dtype, 1.0)
        y, dx = fnn.glu(x, axis, gate), fnn.glu_backward(dy, x, axis, gate)
        assert y.dtype == dx.dtype == dtype
        np.testing.assert_allclose(y, reference.glu(x, axis, gate), rtol=eps, atol=eps)
        np.testing.assert_allclose(dx, reference.glu_backward(dy, x, axis, gate), rtol=eps, atol=8 * eps)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fnn.softmax(np.ones((2, 3)), axis=3), ValueError, "axis is 3, expected -2 to 1"),
        (lambda: fnn.softmax(np.ones((2, 3)), axis=1.0), TypeError, "axis"),
        (lambda: fnn.softmax(np.ones(3, complex)), TypeError, "x has dtype complex128"),
        (lambda: fnn.softmax(np.float32(1)), ValueError, "0-d"),
        (lambda: fnn.log_softmax(np.ones(3), out=np.ones(4)), ValueError, "out has shape"),
        (lambda: fnn.softmax(np.ones(3), out=np.ones(3, int)), TypeError, "out has dtype"),
        (lambda: fnn.softmax_backward(np.ones(3), np.ones(4)), ValueError, "shape"),
        (lambda: fnn.logsumexp(np.ones((2, 3)), axis=(0, 0)), ValueError, "axis"),
        (lambda: fnn.glu(np.ones((2, 3))), ValueError, "3"),
        (lambda: fnn.glu(np.ones((2, 4)), gate="softmax"), ValueError, "gate is 'softmax'"),
        (lambda: fnn.glu_backward(np.ones((2, 3)), np.ones((2, 4))), ValueError, "dy has shape"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("x", [2.0, np.float32(2), np.array(2.0)])
def test_a_number_has_no_axis(x):
    for call in (fnn.softmax, fnn.log_softmax, lambda x: fnn.softmax_backward(x, x), fnn.logsumexp):
        with pytest.raises(ValueError, match=r"axis is -1, but [xy] is 0-d and has none"):
            call(x)
