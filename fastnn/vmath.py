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

float32 gives float32; float64, integers and bools give float64. Called outside compiled code they take one Python or
NumPy number and return a NumPy scalar. NaN gives NaN. Accuracy is in units in the last place (ulp) of the result,
bounds on what was found over dense samples of every exponent. Options of the user's loop such as ``fastmath=True``
change nothing in these functions.
"""

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ._engine import simd_math
from ._engine.pairs import Pair
from ._engine.specialise import announce_overloads, specialise

__all__ = [
    "cos", "erf", "erfc", "exp", "exp2", "expm1", "log", "log1p", "log2", "rsqrt", "sigmoid", "sin", "tanh",
]  # fmt: skip

#: An option that is not given here would be that of whichever loop is compiled first, and stay so for all others.
#: Fast-math would destroy the arithmetic: it cancels a constant that is added and taken away again to round.
_OPTIONS = {"forceinline": True, "fastmath": False, "error_model": "numpy"}

#: What the docstrings have in common, before their notes.
_SECTIONS = """\
Returns
-------
float32 or float64
    float32 for a float32, else float64.

Raises
------
TypeError
    Outside compiled code, for an array.

"""


class ScalarFunction(typing.Protocol):
    """float32 gives float32, other numbers float64."""

    @typing.overload
    def __call__(self, x: np.float32) -> np.float32: ...
    @typing.overload
    def __call__(self, x: float) -> np.float64: ...


def _computed_by(pair: Any) -> Callable[[Callable[[Any], Any]], ScalarFunction]:
    """Turn a documented stub into a function that evaluates `pair`, in Python and inside numba's compiled code."""

    def decorator(stub):
        @functools.wraps(stub)
        def function(x):
            x = x if type(x) is np.float32 else np.float64(x)
            if np.ndim(x):
                raise TypeError(f"vmath.{stub.__name__}: x is an array, expected one number; see fastnn.elementwise")
            with np.errstate(all="ignore"):
                return type(x)(pair(x))

        function.__doc__ = (inspect.getdoc(stub) or "").replace("Notes\n---", f"{_SECTIONS}Notes\n---")
        vars(function)["pair"] = pair  # where specialise finds it
        overload(function, jit_options=_OPTIONS)(functools.partial(_implementation, pair))
        return function

    return decorator


def _implementation(pair, x):
    """What numba compiles for an argument of type x: float32 stays, other real numbers are computed in float64."""
    if not isinstance(x, (types.Float, types.Integer, types.Boolean)):
        return None
    dtype = np.float32 if x == types.float32 else np.float64
    compiled = specialise(pair.implementation(dtype) if isinstance(pair, Pair) else pair, dtype)
    return lambda x: compiled(dtype(x))


@_computed_by(simd_math.cos)
def cos(x):
    """Cosine of x radians.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, for abs(x) <= 2**45; beyond that the result is some
    number in [-1, 1]. cos(inf) and cos(-inf) are NaN.

    Examples
    --------
    >>> from fastnn import vmath
    >>> float(vmath.cos(0.0))
    1.0
    """


@_computed_by(simd_math.erf)
def erf(x):
    """The error function: 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, relative near 0 too. erf(-0.0) is -0.0, erf(inf) is 1
    and erf(-inf) is -1.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.erf(0.5):.10g}")
    0.5204998778
    """


@_computed_by(simd_math.erfc)
def erfc(x):
    """The complementary error function, 1 - erf(x), without cancellation in the right tail.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 2.5 ulp in float64. erfc(-inf) is 2; towards inf the result goes to 0
    through the subnormal numbers.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.erfc(5.0):.10g}")
    1.537459794e-12
    """


@_computed_by(simd_math.exp)
def exp(x):
    """The exponential function, e**x.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64. exp(inf) is inf and exp(-inf) is 0; beyond the range
    of the dtype (88.7 for float32, 709.8 for float64) the result is inf, below -103.9 and -745.1 it is 0, to which
    it goes through the subnormal numbers.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.exp(1.0):.10g}")
    2.718281828
    """


@_computed_by(simd_math.exp2)
def exp2(x):
    """The exponential function of base 2, 2**x.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64; exact for integers. exp2(inf) is inf and exp2(-inf)
    is 0; from 128 in float32 and 1024 in float64 on the result is inf, far below 0 it goes to 0 through the
    subnormal numbers.

    Examples
    --------
    >>> from fastnn import vmath
    >>> float(vmath.exp2(-3.0))
    0.125
    """


@_computed_by(simd_math.expm1)
def expm1(x):
    """e**x - 1, without cancellation near 0.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64. expm1(-0.0) is -0.0, expm1(-inf) is -1 and expm1(inf)
    is inf.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.expm1(1e-10):.12g}")
    1.00000000005e-10
    """


@_computed_by(simd_math.log)
def log(x):
    """The natural logarithm, of base e.

    Parameters
    ----------
    x : float
        Any number >= 0.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, subnormal numbers included. log(0.0) and log(-0.0)
    are -inf, log(inf) is inf; for x < 0 the result is NaN.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.log(10.0):.10g}")
    2.302585093
    """


@_computed_by(simd_math.log1p)
def log1p(x):
    """log(1 + x), without cancellation near 0.

    Parameters
    ----------
    x : float
        Any number >= -1.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64. log1p(-0.0) is -0.0, log1p(-1) is -inf, log1p(inf) is
    inf; for x < -1 the result is NaN.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.log1p(1e-10):.12g}")
    9.9999999995e-11
    """


@_computed_by(simd_math.log2)
def log2(x):
    """The logarithm of base 2.

    Parameters
    ----------
    x : float
        Any number >= 0.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, subnormal numbers included; exact for powers of 2.
    log2(0.0) and log2(-0.0) are -inf, log2(inf) is inf; for x < 0 the result is NaN.

    Examples
    --------
    >>> from fastnn import vmath
    >>> float(vmath.log2(8.0))
    3.0
    """


@_computed_by(simd_math.rsqrt)
def rsqrt(x):
    """The reciprocal of the square root, 1 / sqrt(x).

    Parameters
    ----------
    x : float
        Any number >= 0.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, subnormal numbers included. rsqrt(0.0) is inf,
    rsqrt(-0.0) is -inf, rsqrt(inf) is 0; for x < 0 the result is NaN.

    Examples
    --------
    >>> from fastnn import vmath
    >>> float(vmath.rsqrt(4.0))
    0.5
    """


@_computed_by(simd_math.sigmoid)
def sigmoid(x):
    """The logistic function, 1 / (1 + exp(-x)), without loss in the left tail.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64. sigmoid(inf) is 1 and sigmoid(-inf) is 0, to which
    the result goes through the subnormal numbers.

    Examples
    --------
    >>> from fastnn import vmath
    >>> float(vmath.sigmoid(0.0))
    0.5
    """


@_computed_by(simd_math.sin)
def sin(x):
    """Sine of x radians.

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, for abs(x) <= 2**45; beyond that the result is some
    number in [-1, 1]. sin(-0.0) is -0.0; sin(inf) and sin(-inf) are NaN.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.sin(1.0):.10g}")
    0.8414709848
    """


@_computed_by(simd_math.tanh)
def tanh(x):
    """The hyperbolic tangent, (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Parameters
    ----------
    x : float
        Any number.

    Notes
    -----
    Accuracy: at most 1 ulp in float32 and 1.5 ulp in float64, relative near 0 too. tanh(-0.0) is -0.0, tanh(inf) is
    1 and tanh(-inf) is -1.

    Examples
    --------
    >>> from fastnn import vmath
    >>> print(f"{vmath.tanh(0.5):.10g}")
    0.4621171573
    """


# This module may be imported by the compilation of the very loop that names it, as `fastnn.vmath.exp`.
announce_overloads()
