"""Layer normalisation (Ba, Kiros and Hinton 2016) and RMS normalisation (Zhang and Sennrich 2019)."""

from typing import Any

import numpy as np

from . import _standardize as core


@np.errstate(all="ignore")
def layer_norm_forward(
    x: Any, gamma: Any = None, beta: Any = None, *, axis: Any = -1, eps: Any = 1e-5, activation: Any = None
) -> Any:
    """(y, cache) with y = f(gamma * (x - mean) / sqrt(var + eps) + beta), statistics over `axis`.

    axis is one axis or a tuple of the trailing ones; gamma and beta have the shape of those axes.
    """
    x = np.asarray(x, np.float64)
    axes = _axes(x, axis)
    return core.normalize_forward(x, gamma, beta, axes, axes, eps, activation)


@np.errstate(all="ignore")
def layer_norm_backward(dy: Any, cache: Any) -> Any:
    """(dx, dgamma, dbeta)."""
    return core.normalize_backward(dy, cache)


@np.errstate(all="ignore")
def rms_norm_forward(x: Any, gamma: Any = None, *, axis: Any = -1, eps: Any = 1e-6) -> Any:
    """(y, cache) with y = gamma * x / sqrt(mean(x**2) + eps), the mean over `axis` as in layer_norm_forward."""
    x = np.asarray(x, np.float64)
    axes = _axes(x, axis)
    rms = np.sqrt(core.mean(x**2, axes) + eps)
    x_hat = x / rms
    return core.scaled(x_hat, gamma, axes), (x_hat, rms, gamma, axes)


@np.errstate(all="ignore")
def rms_norm_backward(dy: Any, cache: Any) -> Any:
    """(dx, dgamma)."""
    x_hat, rms, gamma, axes = cache
    dy, dgamma, _ = core.affine_activation_backward(dy, x_hat, gamma, None, axes, None)
    dx_hat = core.scaled(dy, gamma, axes)
    dx = (dx_hat - x_hat * core.mean(dx_hat * x_hat, axes)) / rms
    return dx, core.unless_none(gamma, dgamma)


def _axes(x, axis):
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(k % x.ndim for k in axes))
