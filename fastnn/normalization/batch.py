"""Batch normalisation over all axes but one (Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167).

    x_hat = (x - mean) * rstd,   rstd = 1 / sqrt(var + eps),   y = f(gamma * x_hat + beta)

mean and var are one value a channel, in float64; see `_statistics` for how, `synchronised` for the same in halves.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fused import launch
from .._engine.geometry import around, contiguous
from .._engine.ufuncs import Activation
from ..typing import ActivationLike, Out
from ._arrays import Laid, checked_output, laid_out, result_for, returned, working
from ._plans import channels_plan
from ._statistics import MEAN, RSTD, UPDATE, VARIANCE, from_moments


class BatchNormCache(NamedTuple):
    """What `batch_norm_backward` needs: references to the inputs, and a few numbers a channel."""

    x: Laid
    shape: tuple[int, ...]
    gamma: np.ndarray | None
    beta: np.ndarray | None
    statistics: np.ndarray
    plan: Any
    activation: Activation


def arguments(
    function: str, x: Any, gamma: Any, beta: Any, axis: Any
) -> tuple[np.ndarray, int, np.ndarray | None, np.ndarray | None]:
    """(x, its axis, gamma, beta), checked."""
    x = check.real_array(function, "x", x)
    axis = check.axis_of(function, axis, x)
    gamma = check.per_channel(function, "gamma", gamma, x.shape, axis)
    return x, axis, gamma, check.per_channel(function, "beta", beta, x.shape, axis)


def planned(x: np.ndarray, axis: int) -> tuple[Laid, Any]:
    """x as it lies in memory and the plan for its channels."""
    laid = laid_out(x)
    place = axis if laid.order is None else laid.order.index(axis)
    return laid, channels_plan(*around(laid.array.shape, place))


def cast_like(values: np.ndarray, parameter: np.ndarray | None) -> np.ndarray | None:
    """A gradient in its parameter's shape and dtype; None for none."""
    return None if parameter is None else values.astype(parameter.dtype).reshape(parameter.shape)


def _running(function: str, argument: str, value: Any, x: np.ndarray, axis: int) -> np.ndarray | None:
    if value is None:
        return None
    return check.updated_array(function, argument, value, (x.shape[axis],), f"to match axis {axis} of x")


def _update_running(running: np.ndarray | None, statistics: np.ndarray, which: int, factor: float, momentum: float):
    """running = (1 - momentum) * running + momentum * factor * batch, in float64, rounded once."""
    if running is None:
        return
    target = contiguous(running)
    launch(UPDATE[target.dtype.char], 1, 0, target, statistics, target.size, which, factor, momentum)
    if target is not running:
        running[...] = target


def batch_norm_forward(
    x: ArrayLike,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
    unbiased_running_var: bool = True,
    out: Out = None,
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

    References
    ----------
    Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate shift,
    ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> y, cache = fnn.batch_norm_forward(x, [1.0, 2.0], [0.0, 5.0], eps=0.0)
    >>> y
    array([[-1.,  3.],
           [ 1.,  7.]])
    """
    name = "batch_norm_forward"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    running_mean = _running(name, "running_mean", running_mean, x, axis)
    running_var = _running(name, "running_var", running_var, x, axis)
    momentum, eps = check.number(name, "momentum", momentum), check.number(name, "eps", eps, low=0)
    act = check.activation(name, activation)
    target = checked_output(name, out, x, x=x, gamma=gamma, beta=beta)
    laid, plan = planned(x, axis)
    if plan.size < 2:
        raise ValueError(
            f"{name}: x has shape {x.shape}, i.e. {plan.size} values a channel of axis {axis}, expected >= 2"
        )

    y, gamma_, beta_ = result_for(target, laid), working(gamma, x), working(beta, x)
    statistics = plan.forward(laid.array, y, gamma_, beta_, eps, act)
    _update_running(running_mean, statistics, MEAN, 1.0, momentum)
    bessel = plan.size / (plan.size - 1) if unbiased_running_var else 1.0
    _update_running(running_var, statistics, VARIANCE, bessel, momentum)
    return returned(y, target, laid), BatchNormCache(laid, x.shape, gamma, beta, statistics, plan, act)


def batch_norm_backward(
    dy: ArrayLike, cache: BatchNormCache, *, out: Out = None
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

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x = np.array([[0.0], [1.0], [3.0]])
    >>> y, cache = fnn.batch_norm_forward(x, [1.0], [0.0])
    >>> dx, dgamma, dbeta = fnn.batch_norm_backward([[1.0], [0.0], [0.0]], cache)
    >>> dx.ravel().round(4), dgamma.round(4), dbeta
    (array([ 0.2291, -0.3436,  0.1145]), array([-1.069]), array([1.]))
    """
    return norm_backward("batch_norm_backward", "batch_norm_forward", dy, cache, out)


def norm_backward(function: str, forward: str, dy: Any, cache: BatchNormCache, out: Any = None) -> tuple:
    """(dx, dgamma, dbeta) from what a forward pass over a plan has kept."""
    if type(cache) is not BatchNormCache:
        raise TypeError(f"{function}: cache is a {type(cache).__name__}, expected what {forward} returned")
    dy = check.same_shape(function, "dy", check.real_array(function, "dy", dy), cache.shape, "as x had")
    x = cache.x.array
    if out is not None:
        out = check.output(function, out, cache.shape, x.dtype)
        check.apart(function, out, x=x, gamma=cache.gamma, beta=cache.beta)
    dy = cache.x.like(dy, x.dtype)
    dx = result_for(out, cache.x, dy)
    gamma, beta = working(cache.gamma, x), working(cache.beta, x)
    with np.errstate(all="ignore"):
        dbeta, dgamma = cache.plan.backward(dy, x, dx, gamma, beta, cache.statistics, cache.activation)
        return returned(dx, out, cache.x), cast_like(dgamma, cache.gamma), cast_like(dbeta, cache.beta)


def _known_statistics(
    function: str, x: np.ndarray, axis: int, running_mean: Any, running_var: Any, eps: float
) -> np.ndarray:
    mean = check.per_channel(function, "running_mean", running_mean, x.shape, axis)
    var = check.per_channel(function, "running_var", running_var, x.shape, axis)
    if mean is None or var is None:
        raise TypeError(f"{function}: {'running_mean' if mean is None else 'running_var'} is None, expected an array")
    return from_moments(mean, var, eps, x.dtype)


def batch_norm_inference(
    x: ArrayLike,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    running_mean: ArrayLike,
    running_var: ArrayLike,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
    out: Out = None,
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

    References
    ----------
    Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate shift,
    ICML 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> fnn.batch_norm_inference([[5.0]], None, None, [1.0], [4.0], eps=0.0)
    array([[2.]])
    """
    name = "batch_norm_inference"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    eps = check.number(name, "eps", eps, low=0)
    statistics = _known_statistics(name, x, axis, running_mean, running_var, eps)
    act = check.activation(name, activation)
    target = checked_output(name, out, x, x=x, gamma=gamma, beta=beta)
    laid, plan = planned(x, axis)
    y = result_for(target, laid)
    plan.apply(laid.array, y, working(gamma, x), working(beta, x), statistics, act)
    return returned(y, target, laid)


def batch_norm_inference_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    running_mean: ArrayLike,
    running_var: ArrayLike,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of `batch_norm_inference`, the statistics being constants.

    With ``g = dy * f'(z)`` and sums over a channel's values::

        dx = gamma * rstd * g,   dgamma = sum(g * x_hat),   dbeta = sum(g)

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    x, gamma, beta, running_mean, running_var, eps, axis, activation
        As given to `batch_norm_inference`.

    Returns
    -------
    dx, dgamma, dbeta
        Of the shape and dtype of x, gamma and beta; None for a gamma or beta that was None.

    Raises
    ------
    ValueError, TypeError
        As `batch_norm_inference`; also if dy's shape is not x's.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x = np.array([[1.0], [3.0]])
    >>> dx, _, _ = fnn.batch_norm_inference_backward(np.ones((2, 1)), x, None, None, [0.0], [4.0], eps=0)
    >>> dx.ravel().tolist()
    [0.5, 0.5]
    """
    name = "batch_norm_inference_backward"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    dy = check.same_shape(name, "dy", check.real_array(name, "dy", dy), x.shape, "as x has")
    eps = check.number(name, "eps", eps, low=0)
    statistics = _known_statistics(name, x, axis, running_mean, running_var, eps)
    act = check.activation(name, activation)
    laid, plan = planned(x, axis)
    dx, dy = result_for(None, laid), laid.like(dy, x.dtype)
    inputs = working(gamma, x), working(beta, x), statistics, act
    with np.errstate(all="ignore"):
        sums = plan.sums(dy, laid.array, *inputs)
        plan.gradient(dy, laid.array, dx, *inputs, np.zeros_like(sums), 1)
        dgamma = cast_like(sums[1] * statistics[RSTD], gamma)
        return returned(dx, None, laid), dgamma, cast_like(sums[0], beta)
