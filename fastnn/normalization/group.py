"""Group norm (Wu & He 2018, https://arxiv.org/abs/1803.08494) and instance norm (Ulyanov, Vedaldi & Lempitsky 2016,
https://arxiv.org/abs/1607.08022): each sample by the statistics of groups of its channels, or of each channel.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from ..typing import ActivationLike, Out
from . import layer
from ._arrays import checked_output, reordered, result_for, returned, working
from ._plans import runs_plan
from .batch import BatchNormCache, arguments, cast_like, norm_backward

#: Values of one channel of a sample from which on they are a run of their own. Shorter ones are treated as the elements
#: of a row, each with its channel's gamma and beta.
_RUN = 24


class GroupNormCache(NamedTuple):
    """What the backward pass needs: references to the inputs, and a few numbers a group."""

    function: str
    norm: Any
    gamma: np.ndarray | None
    beta: np.ndarray | None


def _forward(function: str, x, gamma, beta, groups, eps, axis, activation, out) -> tuple[np.ndarray, GroupNormCache]:
    name = f"{function}_forward"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    if axis == 0:
        raise ValueError(f"{name}: axis is 0, that of the samples, expected the channels' axis of x of shape {x.shape}")
    channels = x.shape[axis]
    groups = channels if groups is None else _groups(name, groups, channels)
    eps, act = check.number(name, "eps", eps, low=0), check.activation(name, activation)
    target = checked_output(name, out, x, x=x, gamma=gamma, beta=beta)
    order = (0, axis, *(k for k in range(1, x.ndim) if k != axis))
    laid = reordered(x, order)
    samples, values = x.shape[0], math.prod(laid.array.shape[2:])
    if values < _RUN or x.size == 0:
        spread_gamma, spread_beta = (None if p is None else np.repeat(p, values) for p in (gamma, beta))
        length = channels // groups * values if groups else 0
        norm: Any
        y, norm = layer.forward(function, laid, target, x.shape, length, groups, spread_gamma, spread_beta, eps, act)
    else:
        plan = _plan(samples, channels, groups, values)
        y = result_for(target, laid)
        statistics = plan.forward(laid.array, y, working(gamma, x), working(beta, x), eps, act)
        norm = BatchNormCache(laid, x.shape, gamma, beta, statistics, plan, act)
        y = returned(y, target, laid)
    return y, GroupNormCache(function, norm, gamma, beta)


def _plan(samples: int, channels: int, groups: int, values: int) -> Any:
    """A group is a run for each of its channels; with one channel it is one run."""
    own = channels // groups
    if own == 1:
        return runs_plan(samples * channels, 1, values, values, 0, channels, 1, 0)
    return runs_plan(samples * groups, own, values, own * values, values, groups, own, 1)


def _groups(function: str, groups: Any, channels: int) -> int:
    count = check.integer(function, "groups", groups)
    if count < 1 or channels % count:
        raise ValueError(f"{function}: groups is {count}, expected a divisor of the {channels} channels of x")
    return count


def _backward(function: str, dy: Any, cache: GroupNormCache) -> tuple[np.ndarray, Any, Any]:
    name = f"{function}_backward"
    if type(cache) is not GroupNormCache or cache.function != function:
        given = f"{cache.function}'s" if type(cache) is GroupNormCache else f"a {type(cache).__name__}"
        raise TypeError(f"{name}: cache is {given}, expected what {function}_forward returned")
    if isinstance(cache.norm, BatchNormCache):
        return norm_backward(name, f"{function}_forward", dy, cache.norm)
    dx, totals = layer.backward(function, dy, cache.norm)
    if totals is None:
        return dx, None, None
    return dx, _gathered(totals[1], cache.gamma), _gathered(totals[0], cache.beta)


def _gathered(values: np.ndarray, parameter: np.ndarray | None) -> np.ndarray | None:
    """A gradient like its parameter, one value a channel, from one for each of the channel's values."""
    if parameter is None:
        return None
    with np.errstate(all="ignore"):
        return cast_like(values.reshape(parameter.size, values.size // max(parameter.size, 1)).sum(1), parameter)


def group_norm_forward(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    groups: int,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
    out: Out = None,
) -> tuple[np.ndarray, GroupNormCache]:
    """Normalise groups of each sample's channels by their own statistics: ``y = f(gamma * x_hat + beta)``.

    ``x_hat = (x - mean) / sqrt(var + eps)``, mean and (biased) variance over the C / groups channels of a group and all
    their positions, in float64.

    Parameters
    ----------
    x : array_like
        (N, C, ...): samples first, channels along `axis`.
    gamma, beta : array_like of shape (C,), optional
        Scale and offset of each channel; None leaves that step out.
    groups : int
        Number of groups; must divide C. 1 normalises each sample as a whole.
    eps : float
        Added to the variance, >= 0.
    axis : int
        The channels' axis, not 0.
    activation : optional
        f: a name or function of `fastnn.activations`, or a tuple (name, parameter).
    out : ndarray, optional
        Receives y; must not overlap x, which backward reads.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : GroupNormCache
        For `group_norm_backward`; holds references, so leave the inputs alone until then.

    Raises
    ------
    ValueError
        Wrong shapes or axis, groups that do not divide the channels, eps < 0, an unknown activation, out overlapping x.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Wu & He, "Group normalization", ECCV 2018.

    Examples
    --------
    >>> import fastnn as fnn
    >>> y, _ = fnn.group_norm_forward([[1.0, 3.0, 10.0, 30.0]], groups=2, eps=1e-12)
    >>> y.round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    if groups is None:
        raise TypeError("group_norm_forward: groups is None, expected an integer")
    return _forward("group_norm", x, gamma, beta, groups, eps, axis, activation, out)


def group_norm_backward(
    dy: ArrayLike, cache: GroupNormCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of `group_norm_forward`.

    With ``g = dy * f'(z)``, ``h = g * gamma``, means over a group's values and sums over a channel's::

        dbeta = sum(g),   dgamma = sum(g * x_hat),   dx = rstd * (h - mean(h) - x_hat * mean(h * x_hat))

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : GroupNormCache
        From `group_norm_forward`.

    Returns
    -------
    dx, dgamma, dbeta
        Of the shape and dtype of x, gamma and beta; None for a gamma or beta that was None.

    Raises
    ------
    ValueError
        dy of another shape than x.
    TypeError
        A cache that is not group norm's.

    Examples
    --------
    >>> import fastnn as fnn
    >>> _, cache = fnn.group_norm_forward([[1.0, 3.0, 10.0, 30.0]], groups=2)
    >>> dx, _, _ = fnn.group_norm_backward([[1.0, 1.0, 2.0, 2.0]], cache)
    >>> bool((abs(dx) < 1e-12).all())
    True
    """
    return _backward("group_norm", dy, cache)


def instance_norm_forward(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
    out: Out = None,
) -> tuple[np.ndarray, GroupNormCache]:
    """Normalise each channel of each sample by its own statistics: `group_norm_forward` with a group for each channel.

    Parameters
    ----------
    x, gamma, beta, eps, axis, activation, out
        As in `group_norm_forward`.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : GroupNormCache
        For `instance_norm_backward`; holds references, so leave the inputs alone until then.

    Raises
    ------
    ValueError, TypeError
        As `group_norm_forward`.

    References
    ----------
    Ulyanov, Vedaldi & Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.

    Examples
    --------
    >>> import fastnn as fnn
    >>> y, _ = fnn.instance_norm_forward([[[1.0, 3.0], [10.0, 30.0]]], eps=1e-12)
    >>> y.round(3).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    return _forward("instance_norm", x, gamma, beta, None, eps, axis, activation, out)


def instance_norm_backward(
    dy: ArrayLike, cache: GroupNormCache
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of `instance_norm_forward`: those of `group_norm_backward` with a group for each channel.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : GroupNormCache
        From `instance_norm_forward`.

    Returns
    -------
    dx, dgamma, dbeta
        Of the shape and dtype of x, gamma and beta; None for a gamma or beta that was None.

    Raises
    ------
    ValueError, TypeError
        As `group_norm_backward`.

    Examples
    --------
    >>> import fastnn as fnn
    >>> _, cache = fnn.instance_norm_forward([[[1.0, 3.0]]])
    >>> fnn.instance_norm_backward([[[1.0, 1.0]]], cache)[0].tolist()
    [[[0.0, 0.0]]]
    """
    return _backward("instance_norm", dy, cache)
