"""What the normalisations share: sums and statistics over any axes, and the affine map with its activation."""

import math
from typing import Any

import numpy as np

from ..activations import activation as resolve_activation


def total(values: Any, axes: Any) -> Any:
    """The sum over `axes`, which stay as axes of length 1.

    They are made contiguous first: only along contiguous memory does NumPy add pairwise, with an error that
    grows with the logarithm of the length.
    """
    kept = [k for k in range(values.ndim) if k not in axes]
    rows = np.ascontiguousarray(values.transpose(*kept, *axes))
    rows = rows.reshape(*(values.shape[k] for k in kept), math.prod(values.shape[k] for k in axes))
    return rows.sum(-1).reshape([1 if k in axes else n for k, n in enumerate(values.shape)])


def mean(values: Any, axes: Any) -> Any:
    """The mean over `axes`, which stay as axes of length 1; 0 over nothing."""
    return total(values, axes) / max(math.prod(values.shape[k] for k in axes), 1)


def centre(x: Any, axes: Any) -> Any:
    """(mean, x - mean) over `axes`.

    The mean is rounded to a place of its own size, which for a mean far from 0 is not small beside the
    deviations: their mean is that error, and taking it out leaves the deviations exact to their own last place.
    """
    first = mean(x, axes)
    deviation = x - first
    rest = mean(deviation, axes)
    return first + rest, deviation - rest


def standardize(x: Any, axes: Any, eps: Any) -> Any:
    """(x_hat, std) with std = sqrt(var + eps), the variance biased."""
    _, deviation = centre(x, axes)
    std = np.sqrt(mean(deviation**2, axes) + eps)
    return deviation / std, std


def standardize_backward(dx_hat: Any, x_hat: Any, std: Any, axes: Any) -> Any:
    """Gradient by x of `standardize`."""
    return (dx_hat - mean(dx_hat, axes) - x_hat * mean(dx_hat * x_hat, axes)) / std


def along(values: Any, x: Any, axes: Any) -> Any:
    """`values`, one per index of `axes` of x, in float64 and shaped to broadcast over x."""
    return np.asarray(values, np.float64).reshape([n if k in axes else 1 for k, n in enumerate(x.shape)])


def scaled(values: Any, gamma: Any, axes: Any) -> Any:
    """gamma * values, gamma along `axes`; None is 1."""
    return values if gamma is None else values * along(gamma, values, axes)


def affine_activation(x_hat: Any, gamma: Any, beta: Any, axes: Any, activation: Any) -> Any:
    """f(gamma * x_hat + beta)."""
    f, _ = resolve_activation(activation)
    return f(_affine(x_hat, gamma, beta, axes))


def affine_activation_backward(dy: Any, x_hat: Any, gamma: Any, beta: Any, axes: Any, activation: Any) -> Any:
    """(dz, sum of dz * x_hat, sum of dz), z being the activation's argument; the sums have the shape of `axes`."""
    _, f_backward = resolve_activation(activation)
    dz = f_backward(np.asarray(dy, np.float64), _affine(x_hat, gamma, beta, axes))
    shape = [x_hat.shape[k] for k in axes]
    others = tuple(k for k in range(x_hat.ndim) if k not in axes)
    return dz, total(dz * x_hat, others).reshape(shape), total(dz, others).reshape(shape)


def _affine(x_hat, gamma, beta, axes):
    z = scaled(x_hat, gamma, axes)
    return z if beta is None else z + along(beta, x_hat, axes)


def unless_none(parameter: Any, gradient: Any) -> Any:
    """`gradient`, or None where there is no parameter."""
    return None if parameter is None else gradient


def normalize_forward(x: Any, gamma: Any, beta: Any, axes: Any, parameter_axes: Any, eps: Any, activation: Any) -> Any:
    """(y, cache) with y = f(gamma * x_hat + beta), statistics over `axes`, gamma and beta along `parameter_axes`."""
    x_hat, std = standardize(x, axes, eps)
    y = affine_activation(x_hat, gamma, beta, parameter_axes, activation)
    return y, (x_hat, std, gamma, beta, axes, parameter_axes, activation)


def normalize_backward(dy: Any, cache: Any) -> Any:
    """(dx, dgamma, dbeta) of `normalize_forward`."""
    x_hat, std, gamma, beta, axes, parameter_axes, activation = cache
    dz, dgamma, dbeta = affine_activation_backward(dy, x_hat, gamma, beta, parameter_axes, activation)
    dx = standardize_backward(scaled(dz, gamma, parameter_axes), x_hat, std, axes)
    return dx, unless_none(gamma, dgamma), unless_none(beta, dbeta)
