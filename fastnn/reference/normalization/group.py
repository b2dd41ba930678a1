"""Group normalisation (Wu and He 2018) and instance normalisation (Ulyanov, Vedaldi and Lempitsky 2016)."""

from typing import Any

import numpy as np

from . import _standardize as core


@np.errstate(all="ignore")
def group_norm_forward(
    x: Any, gamma: Any = None, beta: Any = None, *, groups: Any, eps: Any = 1e-5, axis: Any = 1, activation: Any = None
) -> Any:
    """(y, cache) with y = f(gamma * (x - mean) / sqrt(var + eps) + beta).

    Statistics of each sample (axis 0) over each of `groups` equal runs of channels and all other axes; gamma and
    beta have one value per channel.
    """
    x = np.asarray(x, np.float64)
    axis %= x.ndim
    split = x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])
    others = tuple(k for k in range(split.ndim) if k not in (0, axis))
    y, cache = core.normalize_forward(split, gamma, beta, others, (axis, axis + 1), eps, activation)
    return y.reshape(x.shape), cache


@np.errstate(all="ignore")
def group_norm_backward(dy: Any, cache: Any) -> Any:
    """(dx, dgamma, dbeta)."""
    x_hat = cache[0]
    dx, dgamma, dbeta = core.normalize_backward(np.reshape(dy, x_hat.shape), cache)
    return dx.reshape(np.shape(dy)), *(None if sums is None else sums.ravel() for sums in (dgamma, dbeta))


def instance_norm_forward(
    x: Any, gamma: Any = None, beta: Any = None, *, eps: Any = 1e-5, axis: Any = 1, activation: Any = None
) -> Any:
    """(y, cache) of group_norm_forward with every channel a group of its own."""
    channels = np.shape(x)[axis]
    return group_norm_forward(x, gamma, beta, groups=channels, eps=eps, axis=axis, activation=activation)


def instance_norm_backward(dy: Any, cache: Any) -> Any:
    """(dx, dgamma, dbeta)."""
    return group_norm_backward(dy, cache)
