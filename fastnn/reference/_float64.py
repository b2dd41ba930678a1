"""What every reference function shares: arguments to float64, no warnings, scalars for 0-d results."""

import functools

import numpy as np


def in_float64(f):
    """Make `f`, written for float64 arrays, take whatever np.asarray does.

    Floating-point warnings are switched off inside: np.where evaluates both of its branches, and the one
    that is thrown away may overflow.
    """

    @functools.wraps(f)
    def converted(*args, **kwargs):
        arrays = [np.asarray(a, np.float64) for a in args]
        named = {name: np.asarray(a, np.float64) for name, a in kwargs.items()}
        with np.errstate(all="ignore"):
            return np.asarray(f(*arrays, **named))[()]

    return converted


def unless_nan(x, gradient):
    """`gradient`, and NaN where x is: comparisons with a NaN are all false and would lose it."""
    return np.where(np.isnan(x), np.nan, gradient)
