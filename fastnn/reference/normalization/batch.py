"""Batch normalisation (Ioffe and Szegedy 2015)."""

import numpy as np

from ..activations import activation as resolve_activation


def batch_norm_forward(
    x,
    gamma,
    beta,
    running_mean=None,
    running_var=None,
    *,
    momentum=0.1,
    eps=1e-5,
    axis=1,
    activation=None,
    unbiased_running_var=True,
):
    """(y, cache) with y = f(gamma * (x - mean) / sqrt(var + eps) + beta), statistics of each channel of x.

    running = (1 - momentum) * running + momentum * batch, in place.
    """
    x = np.asarray(x, np.float64)
    others = _other_axes(x, axis)
    mean = x.mean(others)
    var = ((x - _channels(mean, x, axis)) ** 2).mean(others)
    count = x.size // x.shape[axis]
    if running_mean is not None:
        running_mean[...] = (1 - momentum) * running_mean + momentum * mean
    if running_var is not None:
        correction = count / (count - 1) if unbiased_running_var else 1.0
        running_var[...] = (1 - momentum) * running_var + momentum * var * correction
    y = batch_norm_inference(x, gamma, beta, mean, var, eps=eps, axis=axis, activation=activation)
    return y, (x, gamma, beta, mean, var, eps, axis, activation)


def batch_norm_backward(dy, cache):
    """(dx, dgamma, dbeta), the mean and the variance being functions of x."""
    x, gamma, beta, mean, var, eps, axis, activation = cache
    normalized, dz, dgamma, dbeta = _before_activation(dy, x, gamma, beta, mean, var, eps, axis, activation)
    scale = _scale(gamma, var, eps)
    count = x.size // x.shape[axis]
    mean_dz, mean_product = _channels(dbeta / count, x, axis), _channels(dgamma / count, x, axis)
    dx = _channels(scale, x, axis) * (dz - mean_dz - normalized * mean_product)
    return dx, None if gamma is None else dgamma, None if beta is None else dbeta


def batch_norm_inference(x, gamma, beta, running_mean, running_var, *, eps=1e-5, axis=1, activation=None):
    """f(gamma * (x - running_mean) / sqrt(running_var + eps) + beta)."""
    f, _ = resolve_activation(activation)
    return f(_affine(np.asarray(x, np.float64), gamma, beta, running_mean, running_var, eps, axis)[1])


def batch_norm_inference_backward(dy, x, gamma, beta, running_mean, running_var, *, eps=1e-5, axis=1, activation=None):
    """(dx, dgamma, dbeta), the mean and the variance being constants."""
    x = np.asarray(x, np.float64)
    _, dz, dgamma, dbeta = _before_activation(dy, x, gamma, beta, running_mean, running_var, eps, axis, activation)
    dx = dz * _channels(_scale(gamma, running_var, eps), x, axis)
    return dx, None if gamma is None else dgamma, None if beta is None else dbeta


def _affine(x, gamma, beta, mean, var, eps, axis):
    """(normalized x, gamma * normalized x + beta)."""
    normalized = (x - _channels(mean, x, axis)) / np.sqrt(_channels(var, x, axis) + eps)
    z = normalized if gamma is None else normalized * _channels(gamma, x, axis)
    return normalized, z if beta is None else z + _channels(beta, x, axis)


def _before_activation(dy, x, gamma, beta, mean, var, eps, axis, activation):
    """(normalized x, dz, dgamma, dbeta) with dz the gradient at the activation's input."""
    _, f_backward = resolve_activation(activation)
    normalized, z = _affine(x, gamma, beta, mean, var, eps, axis)
    dz = f_backward(np.asarray(dy, np.float64), z)
    others = _other_axes(x, axis)
    return normalized, dz, (dz * normalized).sum(others), dz.sum(others)


def _scale(gamma, var, eps):
    return (1.0 if gamma is None else np.asarray(gamma, np.float64)) / np.sqrt(np.asarray(var, np.float64) + eps)


def _other_axes(x, axis):
    return tuple(k for k in range(x.ndim) if k != axis % x.ndim)


def _channels(values, x, axis):
    """`values`, one per channel, shaped to broadcast along `axis` of x."""
    return np.asarray(values, np.float64).reshape([-1 if k == axis % x.ndim else 1 for k in range(x.ndim)])
