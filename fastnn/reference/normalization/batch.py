"""Batch normalisation (Ioffe and Szegedy 2015), whole and in steps with statistics that merge (Chan et al. 1983)."""

from typing import Any, NamedTuple

import numpy as np

from . import _standardize as core


class BatchStats(NamedTuple):
    """Of each channel: the number of values, their mean, the sum of their squared deviations from it."""

    count: int  # type: ignore[assignment]  # hides tuple.count, as the name that users see
    mean: Any
    m2: Any


class BatchGradStats(NamedTuple):
    """Of each channel: the number of values, the sum of dz and of dz * x_hat, dz the gradient at the activation."""

    count: int  # type: ignore[assignment]  # hides tuple.count, as the name that users see
    sum_dz: Any
    sum_dz_xhat: Any


@np.errstate(all="ignore")
def batch_norm_forward(
    x: Any,
    gamma: Any,
    beta: Any,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    momentum: Any = 0.1,
    eps: Any = 1e-5,
    axis: Any = 1,
    activation: Any = None,
    unbiased_running_var: Any = True,
) -> Any:
    """(y, cache) with y = f(gamma * (x - mean) / sqrt(var + eps) + beta), statistics of each channel of x.

    running = (1 - momentum) * running + momentum * batch, in place.
    """
    x = np.asarray(x, np.float64)
    count, mean, m2 = batch_norm_stats(x, axis)
    if running_mean is not None:
        running_mean[...] = (1 - momentum) * running_mean + momentum * mean
    if running_var is not None:
        var = m2 / (count - 1 if unbiased_running_var else count)
        running_var[...] = (1 - momentum) * running_var + momentum * var
    channel, others = _channel_and_other_axes(x, axis)
    return core.normalize_forward(x, gamma, beta, others, channel, eps, activation)


@np.errstate(all="ignore")
def batch_norm_backward(dy: Any, cache: Any) -> Any:
    """(dx, dgamma, dbeta), the mean and the variance being functions of x."""
    return core.normalize_backward(dy, cache)


@np.errstate(all="ignore")
def batch_norm_inference(
    x: Any,
    gamma: Any,
    beta: Any,
    running_mean: Any,
    running_var: Any,
    *,
    eps: Any = 1e-5,
    axis: Any = 1,
    activation: Any = None,
) -> Any:
    """f(gamma * (x - running_mean) / sqrt(running_var + eps) + beta)."""
    x = np.asarray(x, np.float64)
    channel, _ = _channel_and_other_axes(x, axis)
    x_hat, _ = _standardized_by(x, running_mean, running_var, eps, channel)
    return core.affine_activation(x_hat, gamma, beta, channel, activation)


@np.errstate(all="ignore")
def batch_norm_inference_backward(
    dy: Any,
    x: Any,
    gamma: Any,
    beta: Any,
    running_mean: Any,
    running_var: Any,
    *,
    eps: Any = 1e-5,
    axis: Any = 1,
    activation: Any = None,
) -> Any:
    """(dx, dgamma, dbeta), the mean and the variance being constants."""
    x = np.asarray(x, np.float64)
    channel, _ = _channel_and_other_axes(x, axis)
    x_hat, std = _standardized_by(x, running_mean, running_var, eps, channel)
    dz, dgamma, dbeta = core.affine_activation_backward(dy, x_hat, gamma, beta, channel, activation)
    return core.scaled(dz, gamma, channel) / std, core.unless_none(gamma, dgamma), core.unless_none(beta, dbeta)


@np.errstate(all="ignore")
def batch_norm_stats(x: Any, axis: Any = 1) -> Any:
    """The BatchStats of x; those of no values are zeros."""
    x = np.asarray(x, np.float64)
    _, others = _channel_and_other_axes(x, axis)
    mean, deviation = core.centre(x, others)
    return BatchStats(_count(x, axis), mean.ravel(), core.total(deviation**2, others).ravel())


@np.errstate(all="ignore")
def merge_batch_stats(*stats: Any) -> Any:
    """The BatchStats, or BatchGradStats, of the data of all of `stats` together."""
    count = sum(part.count for part in stats)
    if isinstance(stats[0], BatchGradStats):
        return BatchGradStats(count, sum(part.sum_dz for part in stats), sum(part.sum_dz_xhat for part in stats))
    mean = sum(part.count * part.mean for part in stats) / max(count, 1)
    return BatchStats(count, mean, sum(part.m2 + part.count * (part.mean - mean) ** 2 for part in stats))


def batch_norm_apply(
    x: Any, stats: Any, gamma: Any, beta: Any, *, eps: Any = 1e-5, axis: Any = 1, activation: Any = None
) -> Any:
    """y of batch_norm_forward with the statistics `stats`, those of all the data that x is a part of."""
    return batch_norm_inference(x, gamma, beta, stats.mean, _variance(stats), eps=eps, axis=axis, activation=activation)


@np.errstate(all="ignore")
def batch_norm_backward_stats(
    dy: Any, x: Any, stats: Any, gamma: Any, beta: Any, *, eps: Any = 1e-5, axis: Any = 1, activation: Any = None
) -> Any:
    """The BatchGradStats of x, a part of the data of `stats`."""
    x = np.asarray(x, np.float64)
    channel, _ = _channel_and_other_axes(x, axis)
    x_hat, _ = _standardized_by(x, stats.mean, _variance(stats), eps, channel)
    _, sum_dz_xhat, sum_dz = core.affine_activation_backward(dy, x_hat, gamma, beta, channel, activation)
    return BatchGradStats(_count(x, axis), sum_dz, sum_dz_xhat)


@np.errstate(all="ignore")
def batch_norm_backward_apply(
    dy: Any,
    x: Any,
    stats: Any,
    grad_stats: Any,
    gamma: Any,
    beta: Any,
    *,
    eps: Any = 1e-5,
    axis: Any = 1,
    activation: Any = None,
) -> Any:
    """(dx, dgamma, dbeta): dx of the part x, dgamma and dbeta of all the data that `grad_stats` is of."""
    x = np.asarray(x, np.float64)
    channel, _ = _channel_and_other_axes(x, axis)
    x_hat, std = _standardized_by(x, stats.mean, _variance(stats), eps, channel)
    dz, _, _ = core.affine_activation_backward(dy, x_hat, gamma, beta, channel, activation)
    mean_dz, mean_dz_xhat = (
        core.along(np.asarray(sums) / stats.count, x, channel) for sums in (grad_stats.sum_dz, grad_stats.sum_dz_xhat)
    )
    dx = core.scaled(dz - mean_dz - x_hat * mean_dz_xhat, gamma, channel) / std
    return dx, core.unless_none(gamma, grad_stats.sum_dz_xhat), core.unless_none(beta, grad_stats.sum_dz)


def _standardized_by(x, mean, var, eps, channel):
    """(x_hat, std) by statistics that are given."""
    std = np.sqrt(core.along(var, x, channel) + eps)
    return (x - core.along(mean, x, channel)) / std, std


def _variance(stats):
    return np.asarray(stats.m2) / max(stats.count, 1)


def _channel_and_other_axes(x, axis):
    axis %= x.ndim
    return (axis,), tuple(k for k in range(x.ndim) if k != axis)


def _count(x, axis):
    """Values a channel."""
    return x.size // max(x.shape[axis], 1)
