"""Accuracy of the scalar maths that kernels are built from, in ulps and without the public functions around it.

float32 is compared with NumPy or SciPy in float64 on a sample of all bit patterns and on dense ranges, float64 with
mpmath on fewer points.
"""

import ctypes
import itertools

import mpmath
import numpy as np
import pytest
import scipy.special
from ulps import same_bits, spacing, ulp_error

from fastnn._engine import kernels, native, simd_math
from fastnn._engine.pairs import Pair

mpmath.mp.prec = 200

_NUMBER = itertools.count()


def compiled(function, dtype, nin=1):
    """`function` as a vectorised loop over contiguous arrays."""
    formula = function.implementation(dtype) if isinstance(function, Pair) else function
    name = f"simd_math_{next(_NUMBER)}"
    (address,) = native.load(native.compile_object(*kernels.kernel_parts(name, formula, dtype, nin), name), name)
    loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)

    def call(*arrays):
        arrays = [np.ascontiguousarray(a, dtype) for a in arrays]
        out = np.empty(arrays[0].size, dtype)
        pointers = np.array([a.ctypes.data for a in (*arrays, out)], np.intp)
        loop(pointers.ctypes.data, out.size)
        return out

    return call


def sigmoid(x):
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, 1) / (1 + z)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def mp_erfc(x):
    """mpmath's own fails far out, where it is 0 or 2 to any precision that matters."""
    return mpmath.erfc(min(max(x, -1000), 1000))


def mp_normal_cdf(x):
    return mp_erfc(-x / mpmath.sqrt(2)) / 2


def mp_normal_pdf(x):
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def normal_cdf(x):
    return scipy.special.erfc(-x / np.sqrt(2)) / 2


def normal_pdf(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


#: name -> (float64 reference, mpmath reference, ranges in which it is neither constant nor a plain x)
REFERENCES = {
    "exp": (np.exp, mpmath.exp, [(-1, 1), (-110, 90), (-746, 710)]),
    "exp2": (np.exp2, lambda x: mpmath.mpf(2) ** x, [(-1, 1), (-155, 129), (-1076, 1024)]),
    "expm1": (np.expm1, mpmath.expm1, [(-1, 1), (-40, 90), (-40, 710)]),
    "log": (np.log, mpmath.log, [(0, 2), (0, 1000)]),
    "log2": (np.log2, lambda x: mpmath.log(x) / mpmath.ln2, [(0, 2), (0, 1000)]),
    "log1p": (np.log1p, mpmath.log1p, [(-1, 1), (-1e-3, 1e-3), (0, 1000)]),
    "sigmoid": (sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), [(-2, 2), (-110, 20), (-746, 40)]),
    "tanh": (np.tanh, mpmath.tanh, [(-1.2, 1.2), (-10, 10), (-20, 20)]),
    "softplus": (softplus, lambda x: mpmath.log1p(mpmath.exp(x)), [(-2, 2), (-110, 20), (-746, 40)]),
    "erf": (scipy.special.erf, mpmath.erf, [(-1, 1), (-4, 4), (-6, 6)]),
    "erfc": (scipy.special.erfc, mp_erfc, [(-1, 1), (-4, 11), (-6, 28)]),
    "normal_cdf": (normal_cdf, mp_normal_cdf, [(-1, 1), (-15, 6), (-39, 9)]),
    "normal_pdf": (normal_pdf, mp_normal_pdf, [(-1, 1), (-15, 15), (-39, 39)]),
    "gelu": (lambda x: x * normal_cdf(x), lambda x: x * mp_normal_cdf(x), [(-1, 1), (-15, 6), (-39, 9)]),
    "rsqrt": (lambda x: 1 / np.sqrt(x), lambda x: 1 / mpmath.sqrt(x) if x > 0 else mpmath.nan, [(0.1, 4)]),
}

#: (function, dtype, largest error in ulps)
ROWS = [
    ("exp", np.float32, 1.0),
    ("exp", np.float64, 1.5),
    ("exp2", np.float32, 1.0),
    ("exp2", np.float64, 1.5),
    ("expm1", np.float32, 1.0),
    ("expm1", np.float64, 1.5),
    ("log", np.float32, 1.0),
    ("log", np.float64, 1.5),
    ("log2", np.float32, 1.0),
    ("log2", np.float64, 1.5),
    ("log1p", np.float32, 1.0),
    ("log1p", np.float64, 1.5),
    ("sigmoid", np.float32, 1.0),
    ("sigmoid", np.float64, 1.5),
    ("tanh", np.float32, 1.0),
    ("tanh", np.float64, 1.5),
    ("softplus", np.float32, 1.5),
    ("softplus", np.float64, 1.75),
    ("erf", np.float32, 1.0),
    ("erf", np.float64, 1.5),
    ("erfc", np.float32, 1.0),
    ("erfc", np.float64, 2.5),
    ("normal_cdf", np.float32, 1.0),
    ("normal_cdf", np.float64, 2.5),
    ("normal_pdf", np.float32, 1.0),
    ("normal_pdf", np.float64, 1.5),
    ("gelu", np.float32, 1.0),
    ("gelu", np.float64, 3.0),
    ("rsqrt", np.float32, 1.0),
    ("rsqrt", np.float64, 1.5),
]


def sample(dtype, ranges, size):
    """Numbers of every exponent and sign, subnormals included, and as many in each range."""
    rng = np.random.default_rng(7)
    if dtype is np.float32:
        every = rng.integers(0, 2**32, size, dtype=np.uint32).view(np.float32)
    else:
        every = rng.choice([-1, 1], size) * np.exp2(rng.uniform(-1074, 1024, size))
    dense = [rng.uniform(low, high, size).astype(dtype) for low, high in ranges]
    return np.concatenate([every[np.isfinite(every)], *dense])


@pytest.mark.parametrize(("name", "bound"), [(name, bound) for name, dtype, bound in ROWS if dtype is np.float32])
def test_float32_accuracy(name, bound):
    reference, _, ranges = REFERENCES[name]
    x = sample(np.float32, ranges, 400_000)
    with np.errstate(all="ignore"):
        expected = reference(x.astype(np.float64))
    error = ulp_error(compiled(getattr(simd_math, name), np.float32)(x), expected)
    assert error.max() <= bound, f"{error.max():.3f} ulps at {x[error.argmax()]!r}"


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1.0), (np.float64, 3.0)])
def test_gelu_derivative_accuracy(dtype, bound):
    """Relative everywhere but around its zero at -0.75, where the error is that of the two terms that cancel."""
    x = sample(dtype, [(-15, 6), (-38, 9)], 400_000 if dtype is np.float32 else 2000)
    x = x[np.abs(x) < 38]
    y = compiled(simd_math.gelu_derivative, dtype)(x)
    if dtype is np.float32:
        expected = normal_cdf(x.astype(np.float64)) + x * normal_pdf(x.astype(np.float64))
        error = ulp_error(y, expected)
    else:
        exact = [mp_normal_cdf(v) + v * mp_normal_pdf(v) for v in map(mpmath.mpf, x.tolist())]
        expected = np.array([float(v) for v in exact])
        error = ulp_error(y, expected) + 0.5
    near_zero = (np.abs(x + 0.7518) < 0.3) & (np.abs(y - expected) < np.finfo(dtype).eps / 8)
    error = np.where(near_zero, 0.0, error)
    assert error.max() <= bound, f"{error.max():.3f} ulps at {x[error.argmax()]!r}"


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1.0), (np.float64, 1.5)])
def test_sine_and_cosine_accuracy(name, dtype, bound):
    function, reference = compiled(getattr(simd_math, name), dtype), getattr(mpmath, name)
    x = sample(dtype, [(-1, 1), (-1000, 1000), (-(2.0**20), 2.0**20)], 2000)
    near_multiples = (np.rint(np.linspace(-(2**19), 2**19, 999)) * (np.pi / 2)).astype(dtype)
    # where the quadrant is nearly undecided, up to the largest x that the accuracy is promised for
    between = ((2 * np.floor(np.geomspace(1, 2.0**44, 4000)) + 1) * (np.pi / 4)).astype(dtype)
    x = np.concatenate([x[np.abs(x) <= 2.0**20], near_multiples, between[between <= 2.0**45]])
    exact = [reference(v) for v in map(mpmath.mpf, x.tolist())]
    expected = np.array([float(v) for v in exact])
    error = ulp_error(function(x), expected)  # of float64 to within the half that the reference is rounded by
    assert error.max() <= bound, f"{error.max():.3f} ulps at {x[error.argmax()]!r}"


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sine_and_cosine_stay_bounded(name, dtype):
    function = compiled(getattr(simd_math, name), dtype)
    y = function(sample(dtype, [], 100_000))
    assert np.all(np.abs(y) <= 1)
    assert np.all(np.isnan(function(np.array([np.inf, -np.inf, np.nan], dtype))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_limits_and_signs_of_zero(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    expected = {
        "erf": [0.0, -0.0, 1.0, -1.0],
        "erfc": [1.0, 1.0, 0.0, 2.0],
        "normal_cdf": [0.5, 0.5, 1.0, 0.0],
        "gelu": [0.0, -0.0, np.inf, -0.0],
        "gelu_derivative": [0.5, 0.5, 1.0, -0.0],
        "rsqrt": [np.inf, -np.inf, 0.0, np.nan],
        "sin": [0.0, -0.0, np.nan, np.nan],
        "cos": [1.0, 1.0, np.nan, np.nan],
    }
    for name, values in expected.items():
        y = compiled(getattr(simd_math, name), dtype)(x)
        np.testing.assert_array_equal(y, [*values, np.nan], err_msg=name)
        np.testing.assert_array_equal(np.signbit(y[:2]), np.signbit(values[:2]), err_msg=name)


@pytest.mark.parametrize(("name", "bound"), [(name, bound) for name, dtype, bound in ROWS if dtype is np.float64])
def test_float64_accuracy(name, bound):
    reference, exact, ranges = REFERENCES[name]
    x = sample(np.float64, ranges, 1000)
    y = compiled(getattr(simd_math, name), np.float64)(x)
    with np.errstate(all="ignore"):
        rough = reference(x)
    finite = np.isfinite(rough)
    np.testing.assert_array_equal(y[~finite], rough[~finite])
    unit = spacing(rough[finite], np.float64)
    pairs = zip(x[finite].tolist(), y[finite].tolist(), unit.tolist(), strict=True)
    error, at = max((abs(exact(mpmath.mpf(a)) - b) / u, a) for a, b, u in pairs)
    assert error <= bound, f"{float(error):.3f} ulps at {at!r}"


def test_rsqrt_is_nearly_rounded_in_float64():
    """Its Newton step leaves half a unit, at any size of x, where two roundings leave up to 1.2."""
    x = np.abs(sample(np.float64, [(0.1, 4)], 1000))
    x = x[x >= np.finfo(np.float64).tiny]
    y = compiled(simd_math.rsqrt, np.float64)(x)
    unit = spacing(y, np.float64)
    triples = zip(x.tolist(), y.tolist(), unit.tolist(), strict=True)
    assert max(abs(1 / mpmath.sqrt(a) - b) / u for a, b, u in triples) <= 0.51


#: name -> its values at 0, -0, inf, -inf
LIMITS = {
    "exp": (1, 1, np.inf, 0),
    "exp2": (1, 1, np.inf, 0),
    "expm1": (0.0, -0.0, np.inf, -1),
    "log": (-np.inf, -np.inf, np.inf, np.nan),
    "log2": (-np.inf, -np.inf, np.inf, np.nan),
    "log1p": (0.0, -0.0, np.inf, np.nan),
    "sigmoid": (0.5, 0.5, 1, 0),
    "tanh": (0.0, -0.0, 1, -1),
    "softplus": (np.log(2.0), np.log(2.0), np.inf, 0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIMITS)
def test_limits_and_signed_zeros(name, dtype):
    y = compiled(getattr(simd_math, name), dtype)([0.0, -0.0, np.inf, -np.inf])
    assert same_bits(y, np.array(LIMITS[name], dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", dict.fromkeys(name for name, _, _ in ROWS))
def test_nan_of_any_payload_stays_nan(name, dtype):
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    payloads = np.random.default_rng(3).integers(1, 2 ** np.finfo(dtype).nmant, 10_000, dtype=bits)
    nan = np.concatenate([payloads, ~payloads]) | np.array(np.inf, dtype).view(bits)
    assert np.isnan(compiled(getattr(simd_math, name), dtype)(nan.view(dtype))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "whole"), [("exp_sum", "exp"), ("sigmoid_sum", "sigmoid")])
def test_sums_use_both_words(name, whole, dtype):
    x = np.random.default_rng(4).uniform(-80, 20, 2000).astype(dtype)
    low = (np.random.default_rng(5).uniform(-0.5, 0.5, x.size) * np.spacing(x)).astype(dtype)
    y = compiled(getattr(simd_math, name), dtype, 2)(x, low)
    exact = REFERENCES[whole][1]
    words = zip(x.tolist(), low.tolist(), y.tolist(), strict=True)
    unit = spacing(y.astype(np.float64), dtype).tolist()
    error = max(abs(exact(mpmath.mpf(a) + b) - c) / u for (a, b, c), u in zip(words, unit, strict=True))
    assert error <= (1.1 if dtype is np.float32 else 1.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", dict.fromkeys(name for name, _, _ in ROWS))
def test_plain_python_agrees(name, dtype):
    function = getattr(simd_math, name)
    x = np.concatenate([np.linspace(-30, 30, 41), [0.0, -0.0, 1e-30]]).astype(dtype)
    with np.errstate(all="ignore"):
        y = np.array([function(a) for a in x], dtype)
    assert ulp_error(y, compiled(function, dtype)(x).astype(np.float64)).max() <= 1.0
