"""Accuracy of the scalar maths that kernels are built from, in ulps and without the public functions around it.

float32 is compared with NumPy or SciPy in float64 on a sample of all bit patterns and on dense ranges, float64 with
mpmath on fewer points.
"""

import ctypes
import itertools

import mpmath
import numpy as np
import pytest
from ulps import ulp_error

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
    ("softplus", np.float64, 1.5),
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


def nearest(number):
    """An mpmath number as (float64, what that rounds away); beyond float64's range its limit."""
    high = float(number)
    return high, float(number - mpmath.mpf(high)) if np.isfinite(high) else 0.0


@pytest.mark.parametrize(("name", "bound"), [(name, bound) for name, dtype, bound in ROWS if dtype is np.float32])
def test_float32_accuracy(name, bound):
    reference, _, ranges = REFERENCES[name]
    x = sample(np.float32, ranges, 400_000)
    with np.errstate(all="ignore"):
        expected = reference(x.astype(np.float64))
    error = ulp_error(compiled(getattr(simd_math, name), np.float32)(x), expected)
    assert error.max() <= bound, f"{error.max():.3f} ulps at {x[error.argmax()]!r}"
