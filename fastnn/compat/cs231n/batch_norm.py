"""Batch normalisation of features and of channels."""

from typing import Any

import numpy as np

from ..._engine import check
from ...normalization.batch import batch_norm_backward, batch_norm_forward, batch_norm_inference
from ...normalization.group import instance_norm_backward, instance_norm_forward
from ._norms import NormCache, gradients, images, matrix, parameters


def batch_norm(
    function: str, x: np.ndarray, gamma: Any, beta: Any, bn_param: dict[str, Any], activation: str | None = None
) -> tuple[np.ndarray, NormCache | None]:
    """(f(batch norm of x), cache) for an activation f, channels along axis 1."""
    mode = check.one_of(function, 'bn_param["mode"]', bn_param["mode"], ("train", "test"))
    gamma, beta = parameters(function, gamma, beta)
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean, var = (_running(function, bn_param, key, x) for key in ("running_mean", "running_var"))
    arguments = x, gamma.ravel(), beta.ravel()
    inner: Any
    cache = None
    if mode == "test":
        out = batch_norm_inference(*arguments, mean, var, eps=eps, activation=activation)
    elif x.size == x.shape[1]:  # one value a channel, of variance 0, which fastnn's batch norm refuses
        out, inner = instance_norm_forward(*arguments, eps=eps, activation=activation)
        cache = NormCache(instance_norm_backward, inner, gamma.shape, beta.shape)
        mean = momentum * mean + (1 - momentum) * x.ravel()
        var = momentum * var
    else:
        out, inner = batch_norm_forward(
            *arguments, mean, var, momentum=1 - momentum, eps=eps, activation=activation, unbiased_running_var=False
        )
        cache = NormCache(batch_norm_backward, inner, gamma.shape, beta.shape)
    bn_param["running_mean"], bn_param["running_var"] = mean, var
    return out, cache


def _running(function: str, bn_param: dict[str, Any], key: str, x: np.ndarray) -> np.ndarray:
    """A running statistic to be updated in place: zeros at first, then a copy, as the caller may have kept it."""
    value = bn_param.get(key)
    return np.zeros(x.shape[1], x.dtype) if value is None else np.array(check.real_array(function, key, value))


def batchnorm_forward(x: Any, gamma: Any, beta: Any, bn_param: dict[str, Any]) -> tuple[np.ndarray, NormCache | None]:
    """Batch norm of each feature: ``out = gamma * (x - mean) / sqrt(var + eps) + beta``.

    In training by the batch's own mean and (biased) variance, and
    ``running = momentum * running + (1 - momentum) * batch``; in test mode by the running statistics.

    Parameters
    ----------
    x : array_like of shape (N, D)
        One sample has variance 0: out is beta.
    gamma, beta : array_like of D numbers
    bn_param : dict
        "mode", "train" or "test"; optionally "eps" (1e-5), "momentum" (0.9), the weight of the OLD statistics, and
        "running_mean" and "running_var" (zeros), which are replaced by new arrays.

    Returns
    -------
    out : ndarray of shape (N, D)
        Of x's dtype.
    cache : NormCache or None
        For `batchnorm_backward`; None in test mode. It holds x, which must be the same when the gradient is taken.

    Raises
    ------
    ValueError
        An unknown mode, shapes that do not go together, no sample in training.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> bn_param = {"mode": "train"}
    >>> out, cache = layers.batchnorm_forward([[1.0], [3.0]], np.ones(1), np.zeros(1), bn_param)
    >>> print(out.ravel().round(3), bn_param["running_mean"].round(3), bn_param["running_var"].round(3))
    [-1.  1.] [0.2] [0.1]
    """
    return batch_norm("batchnorm_forward", matrix("batchnorm_forward", x), gamma, beta, bn_param)


def batchnorm_backward(dout: Any, cache: NormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `batchnorm_forward` in training; `batchnorm_backward_alt` is another name of it.

    With ``x_hat = (x - mean) / sqrt(var + eps)`` and sums and means over the samples::

        dbeta = sum(dout),   dgamma = sum(dout * x_hat)
        dx = gamma / sqrt(var + eps) * (dout - mean(dout) - x_hat * mean(dout * x_hat))

    Parameters
    ----------
    dout : array_like of shape (N, D)
        Gradient of the loss with respect to out.
    cache : NormCache
        From `batchnorm_forward`.

    Returns
    -------
    dx, dgamma, dbeta : ndarray
        Of the shapes of x, gamma and beta.

    Raises
    ------
    ValueError
        dout of another shape than out.
    TypeError
        The cache of test mode, or of another layer.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> out, cache = layers.batchnorm_forward([[1.0], [3.0]], np.ones(1), np.zeros(1), {"mode": "train"})
    >>> dx, dgamma, dbeta = layers.batchnorm_backward([[1.0], [2.0]], cache)
    >>> print(dx.round(3).ravel() + 0.0, dgamma.round(3), dbeta)
    [0. 0.] [1.] [3.]
    """
    return gradients("batchnorm_backward", dout, cache)


batchnorm_backward_alt = batchnorm_backward


def spatial_batchnorm_forward(
    x: Any, gamma: Any, beta: Any, bn_param: dict[str, Any]
) -> tuple[np.ndarray, NormCache | None]:
    """Batch norm of each channel, over the samples and their positions; otherwise as `batchnorm_forward`.

    Parameters
    ----------
    x : array_like of shape (N, C, H, W)
    gamma, beta : array_like of C numbers
        Of shape (C,), (1, C, 1, 1) or any other.
    bn_param : dict
        As for `batchnorm_forward`.

    Returns
    -------
    out : ndarray of shape (N, C, H, W)
    cache : NormCache or None
        For `spatial_batchnorm_backward`; None in test mode.

    Raises
    ------
    ValueError
        As `batchnorm_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x = np.array([1.0, 3.0]).reshape(1, 1, 1, 2)
    >>> layers.spatial_batchnorm_forward(x, np.ones(1), np.zeros(1), {"mode": "train"})[0].round(3)
    array([[[[-1.,  1.]]]])
    """
    name = "spatial_batchnorm_forward"
    return batch_norm(name, images(name, x), gamma, beta, bn_param)


def spatial_batchnorm_backward(dout: Any, cache: NormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `spatial_batchnorm_forward` in training; see `batchnorm_backward`.

    Parameters
    ----------
    dout : array_like of shape (N, C, H, W)
        Gradient of the loss with respect to out.
    cache : NormCache
        From `spatial_batchnorm_forward`.

    Returns
    -------
    dx, dgamma, dbeta : ndarray
        Of the shapes of x, gamma and beta.

    Raises
    ------
    ValueError, TypeError
        As `batchnorm_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x = np.array([1.0, 3.0]).reshape(1, 1, 1, 2)
    >>> out, cache = layers.spatial_batchnorm_forward(x, np.ones((1, 1, 1, 1)), np.zeros(1), {"mode": "train"})
    >>> layers.spatial_batchnorm_backward(np.ones_like(x), cache)[1:]
    (array([[[[0.]]]]), array([2.]))
    """
    return gradients("spatial_batchnorm_backward", dout, cache)
