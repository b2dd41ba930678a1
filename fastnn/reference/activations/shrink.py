"""Shrinkage: what is small becomes 0, or nearly so."""

from typing import Any

import numpy as np

from .._float64 import in_float64, unless_nan


@in_float64
def hardshrink(x: Any, lambd: Any = 0.5) -> Any:
    """0 where |x| <= lambd, else x."""
    return np.where(np.abs(x) <= lambd, 0.0, x)


@in_float64
def hardshrink_backward(dy: Any, x: Any, lambd: Any = 0.5) -> Any:
    """0 where |x| <= lambd, else dy."""
    return unless_nan(x, np.where(np.abs(x) <= lambd, 0.0, dy))


@in_float64
def softshrink(x: Any, lambd: Any = 0.5) -> Any:
    """0 where |x| <= lambd, else x moved towards 0 by lambd."""
    return np.where(np.abs(x) <= lambd, 0.0, np.where(x > lambd, x - lambd, x + lambd))


@in_float64
def softshrink_backward(dy: Any, x: Any, lambd: Any = 0.5) -> Any:
    """0 where |x| <= lambd, else dy."""
    return unless_nan(x, np.where(np.abs(x) <= lambd, 0.0, dy))


@in_float64
def tanhshrink(x: Any) -> Any:
    """x - tanh(x).

    For |x| < 1, where the difference cancels, from Lambert's continued fraction
    tanh(x) = x / (1 + t), t = x**2 / (3 + x**2 / (5 + ...)): x - tanh(x) = x * t / (1 + t).
    """
    square, t = x * x, np.zeros_like(x)
    for odd in range(25, 1, -2):
        t = square / (odd + t)
    return np.where(np.abs(x) < 1, x * (t / (1 + t)), x - np.tanh(x))


@in_float64
def tanhshrink_backward(dy: Any, x: Any) -> Any:
    """dy * tanh(x)**2."""
    return dy * np.tanh(x) ** 2
