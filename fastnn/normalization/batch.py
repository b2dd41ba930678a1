"""Batch normalisation over all axes but one (Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167).

    x_hat = (x - mean) * rstd,   rstd = 1 / sqrt(var + eps),   y = f(gamma * x_hat + beta)

mean and var are one value a channel. They are computed in float64, the variance from the deviations, so that an
offset of many standard deviations does not cancel it away; x - mean is taken in float64 for the same reason.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._engine import check


@dataclass(frozen=True, slots=True, eq=False)
class BatchNormCache:
    """What `batch_norm_backward` needs: references to the inputs, and two numbers a channel."""

    x: np.ndarray
    gamma: np.ndarray | None
    beta: np.ndarray | None
    mean: np.ndarray
    rstd: np.ndarray
    axis: int
    activation: check.Activation | None


def _reduced_axes(x: np.ndarray, axis: int) -> tuple[int, ...]:
    return tuple(k for k in range(x.ndim) if k != axis)


def _along(values: np.ndarray, x: np.ndarray, axis: int) -> np.ndarray:
    """One value a channel, in float64 and shaped to broadcast over x."""
    return values.astype(np.float64, copy=False).reshape([-1 if k == axis else 1 for k in range(x.ndim)])


def _statistics(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(mean, biased variance) of each channel in float64.

    The deviations' own mean is what rounding left in the first mean; taking it out makes the two-pass
    variance exact to rounding (Chan, Golub & LeVeque 1983).
    """
    axes = _reduced_axes(x, axis)
    mean = np.asarray(np.mean(x, axis=axes, dtype=np.float64))
    deviation = x - _along(mean, x, axis)
    rest = np.mean(deviation, axis=axes)
    return mean + rest, np.mean(np.square(deviation), axis=axes) - np.square(rest)


def _normalised(x: np.ndarray, mean: np.ndarray, rstd: np.ndarray, axis: int) -> np.ndarray:
    return (x - _along(mean, x, axis)) * _along(rstd, x, axis)


def _affine(x_hat: np.ndarray, gamma: np.ndarray | None, beta: np.ndarray | None, axis: int) -> np.ndarray:
    scaled = x_hat if gamma is None else x_hat * _along(gamma, x_hat, axis)
    return scaled if beta is None else scaled + _along(beta, x_hat, axis)


def _working(x: np.ndarray) -> np.dtype:
    """What the activation is computed in: x's dtype, float32 for float16."""
    return np.promote_types(x.dtype, np.float32)


def _write(target: np.ndarray, z: np.ndarray, activation: check.Activation | None, x: np.ndarray) -> np.ndarray:
    np.copyto(target, z if activation is None else activation.forward(z.astype(_working(x))), casting="same_kind")
    return target


def _input(function: str, x: Any, axis: Any) -> tuple[np.ndarray, int]:
    x = check.real_array(function, "x", x)
    return x, check.axis_of(function, axis, x)


def _per_channel(function: str, argument: str, value: Any, x: np.ndarray, axis: int) -> np.ndarray | None:
    if value is None:
        return None
    value = check.real_array(function, argument, value)
    return check.same_shape(function, argument, value, (x.shape[axis],), f"to match axis {axis} of x")


def _running(function: str, argument: str, value: Any, x: np.ndarray, axis: int) -> np.ndarray | None:
    if value is None:
        return None
    return check.updated_array(function, argument, value, (x.shape[axis],), f"to match axis {axis} of x")


def _update_running(running: np.ndarray | None, batch: np.ndarray, momentum: float) -> None:
    if running is not None:
        running[...] = (1 - momentum) * running.astype(np.float64) + momentum * batch


def batch_norm_forward(
    x: Any,
    gamma: Any,
    beta: Any,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
    axis: int = 1,
    activation: Any = None,
    unbiased_running_var: bool = True,
    out: Any = None,
) -> tuple[np.ndarray, BatchNormCache]:
    """Normalise each channel by the batch's own mean and variance: ``y = f(gamma * x_hat + beta)``.

    Parameters
    ----------
    x : array_like
        2-D (N, C) up to 5-D; `axis` is the channels' axis, at least 2 values to a channel.
    gamma, beta : array_like of shape (C,) or None
        Scale and offset; None leaves that step out.
    running_mean, running_var : ndarray of shape (C,), optional
        Updated in place: ``running = (1 - momentum) * running + momentum * batch``.
    momentum : float
        Weight of the NEW statistics.
    eps : float
        Added to the variance, >= 0.
    axis : int
        The channels' axis: 1 for channels first, -1 for channels last.
    activation : optional
        f: a name or function of `fastnn.activations`, or a tuple (name, parameter).
    unbiased_running_var : bool
        Whether running_var receives the variance over n - 1 (y always uses that over n).
    out : ndarray, optional
        Receives y; must not overlap x, which backward reads.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : BatchNormCache
        For `batch_norm_backward`; holds references, so leave the inputs alone until then.

    Raises
    ------
    ValueError
        Wrong shapes or axis, fewer than 2 values to a channel, eps < 0, an unknown activation, out overlapping x.
    TypeError
        An argument of an unsuitable type.
    """
    name = "batch_norm_forward"
    x, axis = _input(name, x, axis)
    gamma, beta = _per_channel(name, "gamma", gamma, x, axis), _per_channel(name, "beta", beta, x, axis)
    running_mean = _running(name, "running_mean", running_mean, x, axis)
    running_var = _running(name, "running_var", running_var, x, axis)
    momentum, eps = check.number(name, "momentum", momentum), check.number(name, "eps", eps, low=0)
    pair = check.activation(name, activation, _working(x))
    target = check.output(name, out, x.shape, x.dtype)
    check.apart(name, target, x=x, gamma=gamma, beta=beta)
    count = int(np.prod([x.shape[k] for k in _reduced_axes(x, axis)]))
    if count < 2:
        raise ValueError(f"{name}: x has shape {x.shape}, i.e. {count} values a channel of axis {axis}, expected >= 2")

    with np.errstate(all="ignore"):
        mean, var = _statistics(x, axis)
        rstd = 1 / np.sqrt(var + eps)
        y = _write(target, _affine(_normalised(x, mean, rstd, axis), gamma, beta, axis), pair, x)
        _update_running(running_mean, mean, momentum)
        _update_running(running_var, var * (count / (count - 1)) if unbiased_running_var else var, momentum)
    return y, BatchNormCache(x, gamma, beta, mean, rstd, axis, pair)


def batch_norm_backward(
    dy: Any, cache: BatchNormCache, *, out: Any = None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of `batch_norm_forward`.

    With ``g = dy * f'(z)`` and sums and means over a channel's n values::

        dbeta = sum(g),   dgamma = sum(g * x_hat)
        dx = gamma * rstd * (g - mean(g) - x_hat * mean(g * x_hat))

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : BatchNormCache
        From `batch_norm_forward`.
    out : ndarray, optional
        Receives dx; may be dy itself, but must not overlap x.

    Returns
    -------
    dx, dgamma, dbeta
        Of the shape and dtype of x, gamma and beta; None for a gamma or beta that was None.

    Raises
    ------
    ValueError
        dy or out of another shape than x, out overlapping x.
    TypeError
        A cache that is not batch norm's, or an argument of an unsuitable type.
    """
    name = "batch_norm_backward"
    if not isinstance(cache, BatchNormCache):
        raise TypeError(f"{name}: cache is a {type(cache).__name__}, expected what batch_norm_forward returned")
    x, axis = cache.x, cache.axis
    dy = check.same_shape(name, "dy", check.real_array(name, "dy", dy), x.shape, "as x had")
    target = check.output(name, out, x.shape, x.dtype)
    check.apart(name, target, x=x, gamma=cache.gamma, beta=cache.beta)

    with np.errstate(all="ignore"):
        x_hat = _normalised(x, cache.mean, cache.rstd, axis)
        g = dy.astype(np.float64)
        if cache.activation is not None:
            z = _affine(x_hat, cache.gamma, cache.beta, axis).astype(_working(x))
            g = cache.activation.backward(dy.astype(_working(x)), z).astype(np.float64)
        axes = _reduced_axes(x, axis)
        dbeta, dgamma = np.sum(g, axis=axes), np.sum(g * x_hat, axis=axes)
        count = g.size / max(dbeta.size, 1)
        dx = g - _along(dbeta / count, x, axis) - x_hat * _along(dgamma / count, x, axis)
        factor = cache.rstd if cache.gamma is None else cache.rstd * cache.gamma
        np.copyto(target, dx * _along(factor, x, axis), casting="same_kind")
        return (
            target,
            None if cache.gamma is None else dgamma.astype(cache.gamma.dtype),
            None if cache.beta is None else dbeta.astype(cache.beta.dtype),
        )


def batch_norm_inference(
    x: Any,
    gamma: Any,
    beta: Any,
    running_mean: Any,
    running_var: Any,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: Any = None,
    out: Any = None,
) -> np.ndarray:
    """Normalise by known statistics: ``y = f(gamma * (x - running_mean) / sqrt(running_var + eps) + beta)``.

    Parameters
    ----------
    x : array_like
        Any number of samples, none included; `axis` is the channels' axis.
    gamma, beta : array_like of shape (C,) or None
        Scale and offset; None leaves that step out.
    running_mean, running_var : array_like of shape (C,)
        The statistics; only read.
    eps, axis, activation
        As in `batch_norm_forward`.
    out : ndarray, optional
        Receives y; must not overlap x.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).

    Raises
    ------
    ValueError
        Wrong shapes or axis, eps < 0, an unknown activation, out overlapping x.
    TypeError
        An argument of an unsuitable type.
    """
    name = "batch_norm_inference"
    x, axis = _input(name, x, axis)
    gamma, beta = _per_channel(name, "gamma", gamma, x, axis), _per_channel(name, "beta", beta, x, axis)
    mean = _per_channel(name, "running_mean", running_mean, x, axis)
    var = _per_channel(name, "running_var", running_var, x, axis)
    if mean is None or var is None:
        raise TypeError(f"{name}: {'running_mean' if mean is None else 'running_var'} is None, expected an array")
    eps = check.number(name, "eps", eps, low=0)
    pair = check.activation(name, activation, _working(x))
    target = check.output(name, out, x.shape, x.dtype)
    check.apart(name, target, x=x)
    with np.errstate(all="ignore"):
        rstd = 1 / np.sqrt(var.astype(np.float64) + eps)
        return _write(target, _affine(_normalised(x, mean, rstd, axis), gamma, beta, axis), pair, x)
