"""Formulas of thinc's activations where they are not fastnn's own: clipped, or with another value at a kink.

Each becomes a ufunc of its arrays and then its parameters, compiled when first used.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..._engine import simd_math as m
from ..._engine.loops import Formula, make_ufunc
from ..._engine.primitives import fma


def _ufunc(arrays: int) -> Callable[[Callable], Any]:
    """Decorator: a formula of that many arrays, and of parameters, as a ufunc."""

    def made(formula: Callable) -> Any:
        parameters = tuple(inspect.signature(formula).parameters)[arrays:]
        name = f"thinc_{formula.__name__}"
        return make_ufunc(name, inspect.getdoc(formula) or "", Formula(name, formula, arrays, parameters))

    return made


def _clip(x, low, high):
    return low if x < low else (high if x > high else x)


def _clipped_sigmoid(x):
    return m.sigmoid(_clip(x, -20.0, 20.0))


@_ufunc(2)
def backprop_relu(dy, y):
    """dy where y > 0, else 0; dy of a NaN."""
    return 0.0 if y <= 0.0 else dy


@_ufunc(1)
def sigmoid(x):
    """1 / (1 + exp(-x)) of x clipped to +-20."""
    return _clipped_sigmoid(x)


@_ufunc(1)
def dsigmoid(y):
    """y (1 - y)."""
    return y * (1.0 - y)


@_ufunc(2)
def backprop_sigmoid(dy, y):
    """dy y (1 - y)."""
    return dy * (y * (1.0 - y))


@_ufunc(1)
def dtanh(y):
    """1 - y^2, without cancellation near +-1."""
    return (1.0 - y) * (1.0 + y)


@_ufunc(1)
def swish(x):
    """x sigmoid(x), sigmoid being clipped."""
    return x * _clipped_sigmoid(x)


@_ufunc(3)
def backprop_swish(dy, x, y):
    """dy (y + sigmoid(x) (1 - y)), sigmoid being clipped and y the output."""
    return dy * (y + _clipped_sigmoid(x) * (1.0 - y))


@_ufunc(1)
def clipped_linear(x, slope, offset, low, high):
    """slope x + offset, clipped."""
    y = slope * x + offset
    y = low if y < low else y
    return high if y > high else y


@_ufunc(2)
def backprop_clipped_linear(dy, x, slope, low, high):
    """dy slope strictly between low and high."""
    return dy * (slope if low < x and x < high else 0.0)


@_ufunc(1)
def hard_swish(x):
    """x clip(0.2 x + 0.5, 0, 1)."""
    return x * _clip(0.2 * x + 0.5, 0.0, 1.0)


@_ufunc(2)
def backprop_hard_swish(dy, x):
    """dy (0.4 x + 0.5) up to and including +-2.5; 0 below, dy above."""
    return dy * (1.0 if x > 2.5 else (0.0 if x < -2.5 else fma(0.4, x, 0.5)))


@_ufunc(2)
def backprop_hard_swish_mobilenet(dy, x):
    """dy (2 x + 3) / 6 up to and including +-3; 0 below, dy above."""
    return dy * (1.0 if x > 3.0 else (0.0 if x < -3.0 else fma(2.0, x, 3.0) * 0.16666666666666666))


def _dish_parts(x):
    """s = x / sqrt(1 + x^2), and 1 + s without cancellation for negative x."""
    far = abs(x) > 1e18  # where the square might overflow
    root = abs(x) if far else np.sqrt(fma(x, x, 1.0))
    s = (1.0 if x > 0.0 else -1.0) if far else x / root
    return s, 1.0 + s if x >= 0.0 else 1.0 / (root * (root - x))


@_ufunc(1)
def dish(x):
    """x / 2 (1 + x / sqrt(1 + x^2))."""
    _, above = _dish_parts(x)
    return 0.0 if x < -1e18 else 0.5 * x * above


@_ufunc(2)
def backprop_dish(dy, x):
    """dy (1/2 + s - s^3 / 2) with s = x / sqrt(1 + x^2), as (1 + s) (1 + s - s^2) / 2."""
    s, above = _dish_parts(x)
    return dy * (0.5 * above * (above - s * s))


@_ufunc(1)
def clipped_exp(x):
    """exp(x) of x clipped to +-20."""
    return m.exp(_clip(x, -20.0, 20.0))


@_ufunc(2)
def moved_average(average, weights, share):
    """average + share (weights - average)."""
    return fma(share, weights - average, average)


# Which piece is the largest goes into int32 memory: float32 numbers with the bits of 1 and of 2.
_ONE, _TWO = (float(number) for number in np.array([1, 2], np.int32).view(np.float32))


@_ufunc(2)
def larger(a, b):
    """The larger of two pieces, the first one of equals."""
    return b if b > a else a


@_ufunc(2)
def which_of_two(a, b):
    """The bits of the number of the piece that `larger` takes."""
    return _ONE if b > a else 0.0


@_ufunc(3)
def largest(a, b, c):
    """The largest of three pieces, the first one of equals."""
    later = c if c > b else b
    return later if later > a else a


@_ufunc(3)
def which_of_three(a, b, c):
    """The bits of the number of the piece that `largest` takes."""
    later = c if c > b else b
    return (_TWO if c > b else _ONE) if later > a else 0.0


#: {pieces: (their maximum, which one it is)}
MAXOUT = {2: (larger, which_of_two), 3: (largest, which_of_three)}
