"""Piecewise linear and piecewise exponential units: relu and its relatives.

Every comparison is written so that a NaN takes the branch that keeps it; a gradient at NaN is NaN.
"""

from typing import Any

import numpy as np

from .._float64 import in_float64, unless_nan

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@in_float64
def relu(x: Any) -> Any:
    """max(x, 0), with +0 for -0."""
    return np.where(x <= 0, 0.0, x)


@in_float64
def relu_backward(dy: Any, x: Any) -> Any:
    """dy where x > 0, else 0."""
    return unless_nan(x, np.where(x <= 0, 0.0, dy))


@in_float64
def relu_backward_from_output(dy: Any, y: Any) -> Any:
    """dy where y > 0, else 0."""
    return unless_nan(y, np.where(y <= 0, 0.0, dy))


@in_float64
def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return np.where(x <= 0, 0.0, np.where(x >= 6, 6.0, x))


@in_float64
def relu6_backward(dy: Any, x: Any) -> Any:
    """dy where 0 < x < 6, else 0."""
    return unless_nan(x, np.where((x <= 0) | (x >= 6), 0.0, dy))


@in_float64
def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Any:
    """x where x > 0, else negative_slope * x."""
    return np.where(x > 0, x, negative_slope * x)


@in_float64
def leaky_relu_backward(dy: Any, x: Any, negative_slope: Any = 0.01) -> Any:
    """dy where x > 0, else negative_slope * dy."""
    return unless_nan(x, np.where(x > 0, dy, negative_slope * dy))


@in_float64
def leaky_relu_backward_from_output(dy: Any, y: Any, negative_slope: Any = 0.01) -> Any:
    """As leaky_relu_backward: y has the sign of x when negative_slope > 0."""
    return unless_nan(y, np.where(y > 0, dy, negative_slope * dy))


@in_float64
def threshold(x: Any, threshold: Any, value: Any) -> Any:
    """value where x <= threshold, else x."""
    return np.where(x <= threshold, value, x)


@in_float64
def threshold_backward(dy: Any, x: Any, threshold: Any, value: Any) -> Any:
    """dy where x > threshold, else 0; value does not matter."""
    return unless_nan(x, np.where(x <= threshold, 0.0, dy))


@in_float64
def elu(x: Any, alpha: Any = 1.0) -> Any:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return np.where(x > 0, x, alpha * np.expm1(x))


@in_float64
def elu_backward(dy: Any, x: Any, alpha: Any = 1.0) -> Any:
    """dy where x > 0, else dy * alpha * exp(x)."""
    return np.where(x > 0, dy, dy * (alpha * np.exp(x)))


@in_float64
def elu_backward_from_output(dy: Any, y: Any, alpha: Any = 1.0) -> Any:
    """dy where y > 0, else dy * (y + alpha), for alpha > 0."""
    return np.where(y > 0, dy, dy * (y + alpha))


@in_float64
def selu(x: Any) -> Any:
    """scale * elu(x, alpha), the constants that keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))


@in_float64
def selu_backward(dy: Any, x: Any) -> Any:
    """dy * scale where x > 0, else dy * scale * alpha * exp(x)."""
    return dy * (SELU_SCALE * np.where(x > 0, 1.0, SELU_ALPHA * np.exp(x)))


@in_float64
def selu_backward_from_output(dy: Any, y: Any) -> Any:
    """dy * scale where y > 0, else dy * (y + scale * alpha)."""
    return dy * np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)


@in_float64
def celu(x: Any, alpha: Any = 1.0) -> Any:
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1))."""
    return np.where(x > 0, x, alpha * np.expm1(x / alpha))


@in_float64
def celu_backward(dy: Any, x: Any, alpha: Any = 1.0) -> Any:
    """dy where x > 0, else dy * exp(x / alpha)."""
    return np.where(x > 0, dy, dy * np.exp(x / alpha))


@in_float64
def celu_backward_from_output(dy: Any, y: Any, alpha: Any = 1.0) -> Any:
    """dy where y > 0, else dy * (y + alpha) / alpha, for alpha > 0."""
    return np.where(y > 0, dy, dy * ((y + alpha) / alpha))
