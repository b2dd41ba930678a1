"""What every reference function shares: arguments to float64, no warnings, scalars for 0-d results."""

import functools
from typing import Any

import numpy as np


def in_float64(f: Any) -> Any:
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


def unless_nan(x: Any, gradient: Any) -> Any:
    """`gradient`, and NaN where x is: comparisons with a NaN are all false and would lose it."""
    return np.where(np.isnan(x), np.nan, gradient)
