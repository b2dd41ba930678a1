"""Elementary functions for users' own kernels: fast scalar functions that LLVM turns into vector code.

Numba itself calls the C library once per element for `np.exp` or `math.erf` inside a compiled loop. These
are plain arithmetic, so that such a loop uses the whole width of the processor::

    import numba, numpy as np
    from fastnn import vmath

    @numba.njit
    def softplus(x, out):
        for i in range(x.size):
            out[i] = vmath.log1p(vmath.exp(x[i]))

Two habits of numba keep a loop scalar whatever is called in it: a division `/` checks for zero unless the function
is `@numba.njit(error_model="numpy")`, and a long helper function stays a call unless it is
`@numba.njit(forceinline=True)`.

float32 gives float32; float64 and integers give float64. Called outside compiled code they take one Python or
NumPy number and return a NumPy scalar. Accuracy is in units in the last place (ulp) of the result, bounds on
what was found over dense samples of every exponent.
"""

import functools

import numpy as np
from numba import types
from numba.extending import overload

from ._engine import simd_math
from ._engine.pairs import Pair
from ._engine.specialise import specialise

__all__ = [
    "cos", "erf", "erfc", "exp", "exp2", "expm1", "log", "log1p", "log2", "rsqrt", "sigmoid", "sin", "tanh",
]  # fmt: skip


def _computed_by(pair):
    """Turn a documented stub into a function that evaluates `pair`, in Python and inside numba's compiled code."""

    def decorator(stub):
        @functools.wraps(stub)
        def function(x):
            x = x if type(x) is np.float32 else np.float64(x)
            if np.ndim(x):
                raise TypeError(f"vmath.{stub.__name__}: x is an array, expected one number; see fastnn.elementwise")
            with np.errstate(all="ignore"):
                return type(x)(pair(x))

        vars(function)["pair"] = pair  # where specialise finds it
        overload(function, jit_options={"forceinline": True})(functools.partial(_implementation, pair))
        return function

    return decorator


def _implementation(pair, x):
    """What numba compiles for an argument of type x: float32 stays, other real numbers are computed in float64."""
    if not isinstance(x, (types.Float, types.Integer, types.Boolean)):
        return None
    dtype = np.float32 if x == types.float32 else np.float64
    compiled = specialise(pair.implementation(dtype) if isinstance(pair, Pair) else pair, dtype)
    return lambda x: compiled(dtype(x))


@_computed_by(simd_math.exp)
def exp(x):
    """e**x, at most 1 ulp in float32 and 1.5 ulp in float64, for every x.

    Parameters
    ----------
    x : float
        Any number; beyond the range of the dtype the result is inf or, gradually, 0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.exp2)
def exp2(x):
    """2**x, at most 1 ulp in float32 and 1.5 ulp in float64, for every x; exact for integers.

    Parameters
    ----------
    x : float
        Any number; beyond the range of the dtype the result is inf or, gradually, 0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.expm1)
def expm1(x):
    """e**x - 1 without cancellation near 0, at most 1 ulp in float32 and 1.5 ulp in float64, for every x.

    Parameters
    ----------
    x : float
        Any number. expm1(-0.0) is -0.0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.log)
def log(x):
    """Natural logarithm, at most 1 ulp in float32 and 1.5 ulp in float64, subnormal numbers included.

    Parameters
    ----------
    x : float
        log(0) is -inf, and NaN for x < 0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.log2)
def log2(x):
    """Logarithm to base 2, at most 1 ulp in float32 and 1.5 ulp in float64; exact for powers of 2.

    Parameters
    ----------
    x : float
        log2(0) is -inf, and NaN for x < 0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.log1p)
def log1p(x):
    """log(1 + x) without cancellation near 0, at most 1 ulp in float32 and 1.5 ulp in float64.

    Parameters
    ----------
    x : float
        log1p(-1) is -inf, and NaN for x < -1. log1p(-0.0) is -0.0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.tanh)
def tanh(x):
    """Hyperbolic tangent, at most 1 ulp in float32 and 1.5 ulp in float64, for every x.

    Parameters
    ----------
    x : float
        Any number. tanh(-0.0) is -0.0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.erf)
def erf(x):
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x, at most 1 ulp in float32 and 1.5 ulp in float64.

    Parameters
    ----------
    x : float
        Any number. erf(-0.0) is -0.0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.erfc)
def erfc(x):
    """1 - erf(x) to full relative accuracy in the right tail: at most 1 ulp in float32 and 2.5 ulp in float64.

    Parameters
    ----------
    x : float
        Any number; for large x the result goes to 0 through the subnormal numbers.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.sigmoid)
def sigmoid(x):
    """1 / (1 + exp(-x)) to full relative accuracy in the left tail: at most 1 ulp in float32, 1.5 ulp in float64.

    Parameters
    ----------
    x : float
        Any number.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.rsqrt)
def rsqrt(x):
    """1 / sqrt(x), at most 1 ulp in float32 and 1.5 ulp in float64, subnormal numbers included.

    Parameters
    ----------
    x : float
        rsqrt(0.0) is inf, rsqrt(-0.0) is -inf, and NaN for x < 0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.sin)
def sin(x):
    """Sine of x radians, at most 1 ulp in float32 and 1.5 ulp in float64 for abs(x) <= 2**45.

    Parameters
    ----------
    x : float
        Beyond 2**45 the result is some number in [-1, 1]; NaN for infinities. sin(-0.0) is -0.0.

    Returns
    -------
    float32 or float64
    """


@_computed_by(simd_math.cos)
def cos(x):
    """Cosine of x radians, at most 1 ulp in float32 and 1.5 ulp in float64 for abs(x) <= 2**45.

    Parameters
    ----------
    x : float
        Beyond 2**45 the result is some number in [-1, 1]; NaN for infinities.

    Returns
    -------
    float32 or float64
    """
