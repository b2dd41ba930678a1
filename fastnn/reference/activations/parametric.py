"""Leaky rectifiers whose slope is learned or drawn."""

from typing import Any

import numpy as np

from .rectified import leaky_relu, leaky_relu_backward


def prelu(x: Any, alpha: Any, axis: Any = 1) -> Any:
    """x where x > 0, else alpha * x; alpha of size 1, or one value per channel of `axis`."""
    x = np.asarray(x, np.float64)
    return leaky_relu(x, _along_channels(alpha, x, axis))


def prelu_backward(dy: Any, x: Any, alpha: Any, axis: Any = 1) -> Any:
    """(dx, dalpha): as leaky_relu_backward, and the sum of dy * x over the elements with x <= 0."""
    dy, x, alpha = (np.asarray(a, np.float64) for a in (dy, x, alpha))
    dx = leaky_relu_backward(dy, x, _along_channels(alpha, x, axis))
    terms = np.where(x > 0, 0.0, dy * x)
    others = None if alpha.size == 1 else tuple(k for k in range(x.ndim) if k != axis % x.ndim)
    return dx, terms.sum(axis=others).reshape(alpha.shape)[()]


def _along_channels(alpha, x, axis):
    alpha = np.asarray(alpha, np.float64)
    if alpha.size == 1:
        return alpha.reshape(())
    return alpha.reshape([-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])


def rrelu(x: Any, lower: Any = 1 / 8, upper: Any = 1 / 3, *, training: Any = False, rng: Any = None) -> Any:
    """leaky_relu with the slope (lower + upper) / 2, or in training with one drawn per element."""
    if training:
        return rrelu_forward(x, lower, upper, rng=rng)[0]
    return leaky_relu(x, (lower + upper) / 2)


def rrelu_forward(x: Any, lower: Any = 1 / 8, upper: Any = 1 / 3, *, rng: Any = None) -> Any:
    """(y, cache) of leaky_relu with slopes uniform in [lower, upper); its random numbers are NumPy's own."""
    slopes = np.random.default_rng(rng).uniform(lower, upper, np.shape(x))
    return leaky_relu(x, slopes), (x, slopes)


def rrelu_backward(dy: Any, cache: Any) -> Any:
    """As leaky_relu_backward, with the slopes of the forward pass."""
    x, slopes = cache
    return leaky_relu_backward(dy, x, slopes)
