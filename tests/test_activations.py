"""Every elementwise kernel against its reference, in ulps, by the rows of cases.py."""

import numpy as np
import pytest
from cases import CASES, exact_derivatives, exact_values, moderate_sample, values
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ulps import assert_within, same_bits

import fastnn as fnn
from fastnn import reference

DTYPES = [np.float16, np.float32, np.float64]
DY = (1.0, -1.0, 0.75, -3.125, 0.0123, 17.0)


def rounded(parameters, dtype):
    """The parameters as a kernel of this dtype sees them; float16 is computed in float32."""
    return tuple(float(np.asarray(p, np.result_type(dtype, np.float32))) for p in parameters)


def allowed(case, dtype, ulps):
    """A row's bound, widened in float64 by what the reference itself may be off."""
    bound = ulps.of(dtype)
    return bound + (case.reference_ulps if dtype == np.float64 and bound >= 1 else 0)


def check_forward(case, x, parameters):
    actual = getattr(fnn, case.name)(x, *parameters)
    expected = getattr(reference, case.name)(x, *rounded(parameters, x.dtype))
    assert actual.dtype == x.dtype
    bound = allowed(case, x.dtype, case.forward)
    assert_within(actual, expected, bound, reference_underflow(x), inputs=(x,))
    return actual


def reference_underflow(x):
    """What the float64 reference may be off where it multiplies x by a subnormal exponential."""
    if x.dtype != np.float64:
        return 0.0
    with np.errstate(invalid="ignore"):
        return np.minimum(np.abs(x), 1000.0) * np.finfo(np.float64).smallest_subnormal


def check_backward(case, dy, x, parameters):
    actual = getattr(fnn, f"{case.name}_backward")(dy, x, *parameters)
    f_backward = getattr(reference, f"{case.name}_backward")
    expected = f_backward(dy, x, *rounded(parameters, x.dtype))
    slope = f_backward(np.float64(1), x, *rounded(parameters, x.dtype))
    bound = allowed(case, x.dtype, case.backward)
    assert_within(actual, expected, bound, absolute_backward(case, x, dy, slope, bound), inputs=(dy, x))


def absolute_backward(case, x, dy, slope, bound):
    """What a derivative that is subnormal or close to a zero crossing may be off, times |dy|."""
    info = np.finfo(x.dtype)
    near = np.zeros(x.shape, bool)
    for crossing, width in case.crossings:
        near |= np.abs(x.astype(np.float64) - crossing) < width
    per_dy = np.where(np.abs(slope) < info.tiny, bound * float(info.smallest_subnormal) + reference_underflow(x), 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.abs(dy.astype(np.float64)) * np.where(near, case.crossing_bound * float(info.eps), per_dy)


@pytest.fixture(params=DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def dtype(request):
    return request.param


def interesting_points(case, parameters):
    points = {0.0, 1.0, *case.kinks_for(parameters), *(crossing for crossing, _ in case.crossings)}
    return sorted(points)


def test_forward_on_every_exponent(variant, dtype):
    case, parameters = variant
    check_forward(case, values(dtype, near=interesting_points(case, parameters)), parameters)


def test_backward_on_every_exponent(variant, dtype):
    case, parameters = variant
    x = values(dtype, near=interesting_points(case, parameters))
    check_backward(case, np.resize(np.array(DY, dtype), x.size), x, parameters)


def test_backward_from_output(invertible_variant, dtype):
    case, parameters = invertible_variant
    y = getattr(fnn, case.name)(values(dtype, near=interesting_points(case, parameters)), *parameters)
    dy = np.resize(np.array(DY, dtype), y.size)
    name = f"{case.name}_backward_from_output"
    actual = getattr(fnn, name)(dy, y, *parameters)
    expected = getattr(reference, name)(dy, y, *rounded(parameters, dtype))
    info = np.finfo(dtype)
    floor = case.from_output_absolute * float(info.eps) + 2 * float(info.smallest_subnormal)
    absolute = np.abs(dy.astype(np.float64)) * floor
    assert_within(actual, expected, allowed(case, dtype, case.from_output), absolute, inputs=(dy, y))


def test_backward_from_output_agrees_with_backward(invertible_variant, rng):
    """Through the kernels themselves, where y has not yet lost x to rounding."""
    case, parameters = invertible_variant
    x = rng.uniform(-min(case.saturates_at, 4.0) / 2, min(case.saturates_at, 4.0) / 2, 1000).astype(np.float32)
    dy = rng.standard_normal(1000, np.float32)
    y = getattr(fnn, case.name)(x, *parameters)
    actual = getattr(fnn, f"{case.name}_backward_from_output")(dy, y, *parameters)
    expected = getattr(fnn, f"{case.name}_backward")(dy, x, *parameters)
    np.testing.assert_allclose(actual, expected, rtol=3e-5, atol=1e-6)


def test_float64_forward_against_mpmath(variant):
    case, parameters = variant
    x = moderate_sample(case, parameters, count=300)
    actual = getattr(fnn, case.name)(x, *parameters)
    assert_within(actual, exact_values(case, x, parameters), case.forward.float64, inputs=(x,))


def test_float64_backward_against_mpmath(variant):
    case, parameters = variant
    x = moderate_sample(case, parameters, count=40)
    bound = case.backward.float64
    slope = exact_derivatives(case, x, parameters)
    dy = np.ones_like(x)
    actual = getattr(fnn, f"{case.name}_backward")(dy, x, *parameters)
    assert_within(actual, slope, bound, absolute_backward(case, x, dy, slope, bound), inputs=(x,))


def test_signs_of_zeros_and_infinities(case, dtype):
    """The reference's own special values are checked in test_reference.py; here also the sign of a zero counts."""
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, *case.kinks_for()], dtype)
    with np.errstate(all="raise", under="ignore"):
        actual = getattr(fnn, case.name)(x, *case.default)
    expected = getattr(reference, case.name)(x, *rounded(case.default, dtype))
    zeros = expected == 0
    assert same_bits(actual[zeros], expected[zeros].astype(dtype))
    assert_within(actual, expected, allowed(case, dtype, case.forward), inputs=(x,))


def test_no_warnings(case, dtype):
    x = values(dtype, per_exponent=8)
    with np.errstate(all="raise", under="ignore"):
        getattr(fnn, case.name)(x, *case.default)
        getattr(fnn, f"{case.name}_backward")(np.ones_like(x), x, *case.default)


def test_nan_dy_and_nan_x(case, dtype):
    x = np.array([0.625, np.nan, 0.625, -0.625, np.nan], dtype)
    dy = np.array([np.nan, 1.0, 2.0, np.nan, np.nan], dtype)
    check_backward(case, dy, x, case.default)


@pytest.mark.parametrize("name", ["relu", "relu6", "threshold", "hard_sigmoid", "hard_tanh", "hard_swish"])
@pytest.mark.parametrize("dy", [np.inf, -np.inf, np.nan, -1.0])
def test_flat_parts_have_gradient_plus_zero_whatever_dy(name, dy, dtype):
    x = np.array([-np.inf, -9.0, -3.0], dtype)
    gradient = getattr(fnn, f"{name}_backward")(np.asarray(dy, dtype), x, *CASES[name].default)
    assert same_bits(gradient, np.zeros(3, dtype))


@pytest.mark.parametrize("name", ["hardshrink", "softshrink"])
def test_shrinkage_has_gradient_plus_zero_inside(name, dtype):
    dy = np.array([np.inf, -np.inf, np.nan, -1.0], dtype)
    gradient = getattr(fnn, f"{name}_backward")(dy, np.array([0.0, 0.25, -0.5, 0.5], dtype))
    assert same_bits(gradient, np.zeros(4, dtype))


LAYOUTS = {
    "as it is": lambda x: x,
    "Fortran": lambda x: x.copy(order="F"),
    "every second": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1] if x.ndim else x,
    "transposed": lambda x: x.T.copy().T,
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": lambda x: _unaligned(x),
}


def _unaligned(x):
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:]
    view = raw.view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


@pytest.mark.parametrize("layout", LAYOUTS)
def test_drawn_arrays_and_parameters(case, layout):
    """Any shape, any values, any parameter: within the bounds, layout without influence, input untouched."""

    @given(data=st.data())
    def check(data):
        dtype = data.draw(st.sampled_from(DTYPES))
        shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))
        x = data.draw(hnp.arrays(dtype, shape, elements=st.floats(width=np.dtype(dtype).itemsize * 8)))
        dy = data.draw(hnp.arrays(dtype, shape, elements=st.floats(-64, 64, width=16)))
        parameters = tuple(data.draw(strategy) for strategy in case.drawn)
        y = np.asarray(check_forward(case, x, parameters))
        check_backward(case, dy, x, parameters)
        dx = np.asarray(getattr(fnn, f"{case.name}_backward")(dy, x, *parameters))
        laid_x, laid_dy = LAYOUTS[layout](x), LAYOUTS[layout](dy)
        laid_x.flags.writeable = laid_dy.flags.writeable = False
        assert same_bits(np.asarray(getattr(fnn, case.name)(laid_x, *parameters)), y)
        assert same_bits(np.asarray(getattr(fnn, f"{case.name}_backward")(laid_dy, laid_x, *parameters)), dx)
        assert same_bits(laid_x.astype(dtype), x)

    check()


def test_parameters_by_keyword_and_broadcast(parametric, rng):
    case, f = parametric, getattr(fnn, parametric.name)
    f_backward = getattr(fnn, f"{parametric.name}_backward")
    x, dy = rng.standard_normal((2, 5, 4), np.float32) * 3
    named = dict(zip(case.parameters, case.other[0], strict=True))
    assert same_bits(f(x, **named), f(x, *case.other[0]))
    assert same_bits(f_backward(dy, x, **named), f_backward(dy, x, *case.other[0]))
    columns = [np.array([[a], [b]] * 2 + [[a]], np.float32) for a, b in zip(case.default, case.other[0], strict=True)]
    rows = [f(x[k], *(float(c[k, 0]) for c in columns)) for k in range(5)]
    assert same_bits(f(x, *columns), np.array(rows))
    rows = [f_backward(dy[k], x[k], *(float(c[k, 0]) for c in columns)) for k in range(5)]
    assert same_bits(f_backward(dy, x, *columns), np.array(rows))


@pytest.mark.parametrize("alpha", [0.25, np.full((1, 1, 1), 0.5, np.float32), np.array([0.1, 0.2, 0.3], np.float32)])
@pytest.mark.parametrize(("shape", "axis"), [((4, 3, 5), 1), ((7, 3), -1), ((3, 2), 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prelu(shape, axis, alpha, dtype, rng):
    x, dy = rng.standard_normal((2, *shape)).astype(dtype)
    if isinstance(alpha, np.ndarray):
        alpha = alpha.astype(dtype)
    assert_within(fnn.prelu(x, alpha, axis), reference.prelu(x, alpha, axis), 0.51)
    dx, dalpha = fnn.prelu_backward(dy, x, alpha, axis)
    expected_dx, expected_dalpha = reference.prelu_backward(dy, x, alpha, axis)
    assert_within(dx, expected_dx, 0.51)
    assert np.shape(dalpha) == np.shape(alpha)
    np.testing.assert_allclose(dalpha, expected_dalpha, rtol=1e-5 if dtype == np.float32 else 1e-12, atol=1e-6)


def test_rrelu(rng):
    x = rng.standard_normal((50, 40), np.float32)
    assert_within(fnn.rrelu(x, 0.125, 0.375), reference.rrelu(x, 0.125, 0.375), 0.51)
    y, cache = fnn.rrelu_forward(x, 0.125, 0.375, rng=3)
    assert same_bits(y, fnn.rrelu(x, 0.125, 0.375, training=True, rng=3))
    slopes = (y / x)[x < 0]
    assert 0.1249 <= slopes.min() < 0.13
    assert 0.37 < slopes.max() <= 0.3751
    assert np.all((y == x)[x > 0])
    np.testing.assert_allclose(fnn.rrelu_backward(np.ones_like(x), cache) * x, y, rtol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout(axis, pieces, rng):
    x = rng.integers(-3, 4, (6, 12, 6)).astype(np.float32)
    y, winner = fnn.maxout(x, pieces, axis)
    expected_y, expected_winner = reference.maxout(x, pieces, axis)
    assert same_bits(y, expected_y.astype(np.float32))
    assert np.array_equal(winner, expected_winner)
    dy = rng.standard_normal(y.shape, np.float32)
    expected = reference.maxout_backward(dy, winner, pieces, axis)
    assert same_bits(fnn.maxout_backward(dy, winner, pieces, axis), expected.astype(np.float32))


@pytest.mark.parametrize("activation", ["relu", "gelu", ("leaky_relu", 0.25)])
@pytest.mark.parametrize(("shape", "axis"), [((40, 30), -1), ((4, 3, 50), 1), ((3, 1), 0)])
def test_bias_activation(shape, axis, activation, rng):
    x, dy = rng.standard_normal((2, *shape), np.float32)
    bias = rng.standard_normal(shape[axis], np.float32)
    expected = reference.bias_activation(x, bias, activation, axis)
    np.testing.assert_allclose(fnn.bias_activation(x, bias, activation, axis), expected, rtol=1e-5, atol=1e-6)
    expected_dx, expected_dbias = reference.bias_activation_backward(dy, x, bias, activation, axis)
    dx, dbias = fnn.bias_activation_backward(dy, x, bias, activation, axis)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dbias, expected_dbias, rtol=1e-5, atol=1e-5)
