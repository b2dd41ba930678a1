"""Smooth relatives of relu: softplus, and x times something that rises from 0 to 1."""

import math
from typing import Any

import numpy as np

from .._float64 import in_float64
from .sigmoidal import sigmoid

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _gated(x, gate):
    """x * gate, whose limit at -inf is -0 for every gate here."""
    return np.where(x == -np.inf, -0.0, x * gate)


def _gated_derivative(x, gate, slope):
    """gate + x * slope; at the infinities the exponentially small slope wins."""
    return gate + np.where(np.isinf(x), 0.0, x * slope)


@in_float64
def softplus(x: Any, beta: Any = 1.0) -> Any:
    """log(1 + exp(beta * x)) / beta."""
    return np.where(beta * x > 0, x, 0.0) + np.log1p(np.exp(-np.abs(beta * x))) / beta


@in_float64
def softplus_backward(dy: Any, x: Any, beta: Any = 1.0) -> Any:
    """dy * sigmoid(beta * x)."""
    return dy * sigmoid(beta * x)


@in_float64
def softplus_backward_from_output(dy: Any, y: Any, beta: Any = 1.0) -> Any:
    """dy * (1 - exp(-beta * y))."""
    return dy * -np.expm1(-beta * y)


@in_float64
def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    return _gated(x, sigmoid(x))


@in_float64
def silu_backward(dy: Any, x: Any) -> Any:
    """dy * (sigmoid(x) + x * sigmoid(x) * sigmoid(-x))."""
    return dy * _gated_derivative(x, sigmoid(x), sigmoid(x) * sigmoid(-x))


@in_float64
def hard_swish(x: Any) -> Any:
    """x * min(max(x + 3, 0), 6) / 6."""
    return np.where(x <= -3, -0.0, np.where(x >= 3, x, x * ((x + 3) / 6)))


@in_float64
def hard_swish_backward(dy: Any, x: Any) -> Any:
    """0 where x <= -3, dy where x >= 3, between them dy * (2 * x + 3) / 6."""
    return np.where(x <= -3, 0.0, np.where(x >= 3, dy, dy * ((2 * x + 3) / 6)))


@in_float64
def gelu(x: Any) -> Any:
    """x * Phi(x), Phi(x) = erfc(-x / sqrt(2)) / 2 (Hendrycks and Gimpel 2016)."""
    return _gated(x, 0.5 * _erfc(-x / math.sqrt(2)))


@in_float64
def gelu_backward(dy: Any, x: Any) -> Any:
    """dy * (Phi(x) + x * phi(x)), phi(x) = exp(-x**2 / 2) / sqrt(2 pi)."""
    phi = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * _gated_derivative(x, 0.5 * _erfc(-x / math.sqrt(2)), phi)


def _gelu_tanh_argument(x):
    """2 u and its derivative, for 1 + tanh(u) = 2 * sigmoid(2 u)."""
    scale = 2 * math.sqrt(2 / math.pi)
    return scale * (x + 0.044715 * x**3), scale * (1 + 3 * 0.044715 * x**2)


@in_float64
def gelu_tanh(x: Any) -> Any:
    """x * (1 + tanh(u)) / 2, u = sqrt(2 / pi) * (x + 0.044715 * x**3)."""
    argument, _ = _gelu_tanh_argument(x)
    return _gated(x, sigmoid(argument))


@in_float64
def gelu_tanh_backward(dy: Any, x: Any) -> Any:
    """dy * (s + x * s * (1 - s) * 2 u'), s = (1 + tanh(u)) / 2."""
    argument, slope = _gelu_tanh_argument(x)
    gate_slope = sigmoid(argument) * sigmoid(-argument)
    return dy * _gated_derivative(x, sigmoid(argument), np.where(gate_slope == 0, 0.0, gate_slope * slope))


@in_float64
def quick_gelu(x: Any) -> Any:
    """x * sigmoid(1.702 * x)."""
    return _gated(x, sigmoid(1.702 * x))


@in_float64
def quick_gelu_backward(dy: Any, x: Any) -> Any:
    """dy * (s + 1.702 * x * s * (1 - s)), s = sigmoid(1.702 * x)."""
    return silu_backward(dy, 1.702 * x)


def _mish_gate(x):
    """tanh(softplus(x)) and its derivative as rational functions of z = exp(-|x|)."""
    z = np.exp(-np.abs(x))
    denominator = np.where(x > 0, 1 + 2 * z + 2 * z * z, 2 + 2 * z + z * z)
    gate = np.where(x > 0, 1 + 2 * z, z * (z + 2)) / denominator
    slope = 4 * np.where(x > 0, z * z, z) * (1 + z) / denominator**2
    return gate, slope


@in_float64
def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) = x * n (n + 2) / (n (n + 2) + 2), n = exp(x) (Misra 2019)."""
    gate, _ = _mish_gate(x)
    return _gated(x, gate)


@in_float64
def mish_backward(dy: Any, x: Any) -> Any:
    """dy * (t + x * t'), t = tanh(softplus(x))."""
    return dy * _gated_derivative(x, *_mish_gate(x))


@in_float64
def squareplus(x: Any, b: Any = 4.0) -> Any:
    """(x + sqrt(x**2 + b)) / 2; for x < 0 multiplied by the conjugate, which does not cancel."""
    root = np.hypot(x, np.sqrt(b))
    return np.where(x < 0, 0.5 * (b / (root - x)), 0.5 * x + 0.5 * root)


@in_float64
def squareplus_backward(dy: Any, x: Any, b: Any = 4.0) -> Any:
    """dy * (1 + x / sqrt(x**2 + b)) / 2 = dy * squareplus(x) / sqrt(x**2 + b)."""
    slope = squareplus(x, b) / np.hypot(x, np.sqrt(b))
    return dy * np.where(x == np.inf, 1.0, slope)


swish, swish_backward = silu, silu_backward
hard_silu, hard_silu_backward = hard_swish, hard_swish_backward
