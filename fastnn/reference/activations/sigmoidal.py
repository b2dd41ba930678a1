"""Units that saturate: sigmoid, tanh, softsign and their piecewise linear stand-ins."""

from typing import Any

import numpy as np

from .._float64 import in_float64, unless_nan


@in_float64
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), through exp(-|x|), which cannot overflow."""
    z = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, z) / (1 + z)


@in_float64
def sigmoid_backward(dy: Any, x: Any) -> Any:
    """dy * sigmoid(x) * sigmoid(-x)."""
    z = np.exp(-np.abs(x))
    return dy * (z / (1 + z) ** 2)


@in_float64
def sigmoid_backward_from_output(dy: Any, y: Any) -> Any:
    """dy * y * (1 - y)."""
    return dy * (y * (1 - y))


@in_float64
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) = -log(1 + exp(-x))."""
    return -(np.maximum(-x, 0) + np.log1p(np.exp(-np.abs(x))))


@in_float64
def log_sigmoid_backward(dy: Any, x: Any) -> Any:
    """dy * sigmoid(-x)."""
    return dy * sigmoid(-x)


@in_float64
def hard_sigmoid(x: Any) -> Any:
    """clip(x / 6 + 1/2, 0, 1); x + 3 is exact next to -3, where x / 6 + 1/2 cancels."""
    return np.clip((x + 3) / 6, 0, 1)


@in_float64
def hard_sigmoid_backward(dy: Any, x: Any) -> Any:
    """dy / 6 where -3 < x < 3, else 0."""
    return unless_nan(x, np.where((x <= -3) | (x >= 3), 0.0, dy / 6))


@in_float64
def tanh(x: Any) -> Any:
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    return np.tanh(x)


@in_float64
def tanh_backward(dy: Any, x: Any) -> Any:
    """dy / cosh(x)**2, through exp(-2|x|): 1 - tanh(x)**2 would cancel in the tails."""
    z = np.exp(-2 * np.abs(x))
    return dy * (4 * z / (1 + z) ** 2)


@in_float64
def tanh_backward_from_output(dy: Any, y: Any) -> Any:
    """dy * (1 - y**2)."""
    return dy * ((1 - y) * (1 + y))


@in_float64
def hard_tanh(x: Any, min_val: Any = -1.0, max_val: Any = 1.0) -> Any:
    """clip(x, min_val, max_val)."""
    return np.where(x <= min_val, min_val, np.where(x >= max_val, max_val, x))


@in_float64
def hard_tanh_backward(dy: Any, x: Any, min_val: Any = -1.0, max_val: Any = 1.0) -> Any:
    """dy where min_val < x < max_val, else 0."""
    return unless_nan(x, np.where((x <= min_val) | (x >= max_val), 0.0, dy))


@in_float64
def hard_tanh_backward_from_output(dy: Any, y: Any, min_val: Any = -1.0, max_val: Any = 1.0) -> Any:
    """dy where min_val < y < max_val, else 0."""
    return unless_nan(y, np.where((y <= min_val) | (y >= max_val), 0.0, dy))


@in_float64
def softsign(x: Any) -> Any:
    """x / (1 + |x|), +-1 at the infinities."""
    return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


@in_float64
def softsign_backward(dy: Any, x: Any) -> Any:
    """dy / (1 + |x|)**2; dividing twice, as the square may overflow."""
    return dy / (1 + np.abs(x)) / (1 + np.abs(x))


@in_float64
def softsign_backward_from_output(dy: Any, y: Any) -> Any:
    """dy * (1 - |y|)**2."""
    return dy * (1 - np.abs(y)) ** 2
