"""Batch normalisation in halves, so that statistics can be combined across processes or chunks.

    stats = merge_batch_stats(*(batch_norm_stats(x) for x in shards))          # one exchange
    y = batch_norm_apply(x, stats, gamma, beta)
    grad_stats = merge_batch_stats(*(batch_norm_backward_stats(...) ...))      # another
    dx, dgamma, dbeta = batch_norm_backward_apply(dy, x, stats, grad_stats, gamma, beta)

Merging is Chan, Golub & LeVeque's formula (1983).
"""

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from ..typing import ActivationLike, Out
from ._arrays import checked_output, result_for, returned, working
from ._statistics import MEAN, REST, RSTD, VARIANCE, from_moments
from .batch import arguments, cast_like, planned


class BatchStats(NamedTuple):
    """Number of values a channel, their mean and the sum of their squared deviations: float64, one a channel.

    Those of several shards are put together by `merge_batch_stats`.

    Attributes
    ----------
    count : int
        Number of values a channel.
    mean : ndarray of shape (C,)
        Mean of each channel.
    m2 : ndarray of shape (C,)
        Sum of the squared deviations from it.

    Examples
    --------
    >>> import fastnn as fnn
    >>> stats = fnn.batch_norm_stats([[1.0], [3.0]])
    >>> stats.mean, stats.m2
    (array([2.]), array([2.]))
    """

    count: int  # type: ignore[assignment]
    mean: np.ndarray
    m2: np.ndarray


class BatchGradStats(NamedTuple):
    """Number of values a channel, sum(dz) and sum(dz * x_hat): float64, one a channel; dz = dy * f'(z).

    Those of several shards are put together by `merge_batch_stats`.

    Attributes
    ----------
    count : int
        Number of values a channel.
    sum_dz : ndarray of shape (C,)
        Sum of dz over each channel.
    sum_dz_xhat : ndarray of shape (C,)
        Sum of dz * x_hat over each channel.

    Examples
    --------
    >>> import fastnn as fnn
    >>> x, dy = [[1.0], [3.0]], [[1.0], [0.5]]
    >>> sums = fnn.batch_norm_backward_stats(dy, x, fnn.batch_norm_stats(x), None, None, eps=0.0)
    >>> sums.sum_dz, sums.sum_dz_xhat
    (array([1.5]), array([-0.5]))
    """

    count: int  # type: ignore[assignment]
    sum_dz: np.ndarray
    sum_dz_xhat: np.ndarray


Stats = TypeVar("Stats", BatchStats, BatchGradStats)
_SUMS = BatchGradStats._fields[1:]


def batch_norm_stats(x: ArrayLike, axis: int = 1) -> BatchStats:
    """Statistics of each channel of x, ready for `merge_batch_stats` with those of other shards.

    Parameters
    ----------
    x : array_like
        Any number of samples; none gives statistics of zeros that merge to nothing.
    axis : int
        The channels' axis.

    Returns
    -------
    BatchStats
        (count, mean, m2), with mean and m2 of shape (C,).

    Raises
    ------
    TypeError, ValueError
        x of an unsuitable dtype, or without such an axis.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> fnn.batch_norm_stats(np.array([[1.0], [3.0]])).m2.tolist()
    [2.0]
    """
    x, axis, _, _ = arguments("batch_norm_stats", x, None, None, axis)
    laid, plan = planned(x, axis)
    if plan.size == 0:
        return BatchStats(0, np.zeros(x.shape[axis]), np.zeros(x.shape[axis]))
    statistics = plan.statistics(laid.array, 0.0)
    with np.errstate(all="ignore"):
        return BatchStats(plan.size, statistics[MEAN] + statistics[REST], statistics[VARIANCE] * plan.size)


def merge_batch_stats(*stats: Stats) -> Stats:
    """Merge the statistics of all shards: of `BatchStats` or of `BatchGradStats`.

    For means m_i of n_i values with sums of squared deviations M_i, and n = sum n_i::

        m = sum(n_i m_i) / n,   M = sum(M_i) + sum(n_i (m_i - m)^2)

    taken pairwise from the left.

    Parameters
    ----------
    *stats : BatchStats or BatchGradStats
        One for each shard, all of one kind.

    Returns
    -------
    BatchStats or BatchGradStats
        As from one array that holds all shards.

    Raises
    ------
    TypeError
        If they are not all of one kind.
    ValueError
        If there are none, or of different numbers of channels.

    References
    ----------
    Chan, Golub and LeVeque, Algorithms for computing the sample variance: analysis and recommendations, The American
    Statistician 1983.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> left, right = fnn.batch_norm_stats(np.zeros((2, 1))), fnn.batch_norm_stats(np.ones((2, 1)))
    >>> fnn.merge_batch_stats(left, right).m2.tolist()
    [1.0]
    """
    name = "merge_batch_stats"
    if not stats:
        raise ValueError(f"{name}: no statistics given, expected at least one")
    kind = type(stats[0])
    if kind not in (BatchStats, BatchGradStats) or any(type(s) is not kind for s in stats):
        kinds = ", ".join(type(s).__name__ for s in stats)
        raise TypeError(f"{name}: {kinds} given, expected all BatchStats or all BatchGradStats")
    if len({np.shape(s[1]) for s in stats}) > 1:
        raise ValueError(f"{name}: shapes {[np.shape(s[1]) for s in stats]} given, expected the same channels in all")
    merged = stats[0]
    with np.errstate(all="ignore"):
        for other in stats[1:]:
            merged = _merge_two(merged, other)
    return merged


def _merge_two(a: Any, b: Any) -> Any:
    count = a.count + b.count
    if isinstance(a, BatchGradStats):
        return BatchGradStats(count, a.sum_dz + b.sum_dz, a.sum_dz_xhat + b.sum_dz_xhat)
    if not b.count:
        return a
    if not a.count:
        return b
    delta = b.mean - a.mean
    mean = a.mean + delta * (b.count / count)
    return BatchStats(count, mean, a.m2 + b.m2 + delta * delta * (a.count * b.count / count))


def _per_channel(function: str, argument: str, value: Any, x: np.ndarray, axis: int) -> np.ndarray:
    """Statistics, which may have been sent from elsewhere, as float64, one for each channel."""
    array = np.asarray(value, np.float64)
    return check.same_shape(function, argument, array, (x.shape[axis],), f"to match axis {axis} of x")


def _statistics(function: str, stats: Any, x: np.ndarray, axis: int, eps: Any) -> np.ndarray:
    if not isinstance(stats, BatchStats):
        raise TypeError(f"{function}: stats is a {type(stats).__name__}, expected BatchStats")
    eps = check.number(function, "eps", eps, low=0)
    mean = _per_channel(function, "stats.mean", stats.mean, x, axis)
    m2 = _per_channel(function, "stats.m2", stats.m2, x, axis)
    if stats.count < 1:
        raise ValueError(f"{function}: stats are of {stats.count} values, expected at least 1")
    return from_moments(mean, m2 / stats.count, eps, x.dtype)


def batch_norm_apply(
    x: ArrayLike,
    stats: BatchStats,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
    out: Out = None,
) -> np.ndarray:
    """``y = f(gamma * (x - mean) * rstd + beta)`` for given statistics.

    Parameters
    ----------
    x, gamma, beta, eps, axis, activation, out
        As `batch_norm_forward` takes them.
    stats : BatchStats
        From `batch_norm_stats` or `merge_batch_stats`.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).

    Raises
    ------
    ValueError
        Wrong shapes or axis, statistics of no value, out overlapping x.
    TypeError
        Statistics of another kind, or an argument of an unsuitable type.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x = np.array([[1.0], [3.0]])
    >>> fnn.batch_norm_apply(x, fnn.batch_norm_stats(x), None, None, eps=0).ravel().tolist()
    [-1.0, 1.0]
    """
    name = "batch_norm_apply"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    statistics = _statistics(name, stats, x, axis, eps)
    act = check.activation(name, activation)
    target = checked_output(name, out, x, x=x, gamma=gamma, beta=beta)
    laid, plan = planned(x, axis)
    y = result_for(target, laid)
    plan.apply(laid.array, y, working(gamma, x), working(beta, x), statistics, act)
    return returned(y, target, laid)


def batch_norm_backward_stats(
    dy: ArrayLike,
    x: ArrayLike,
    stats: BatchStats,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
) -> BatchGradStats:
    """The sums that the gradient of `batch_norm_apply` needs from all shards: of ``dz = dy * f'(z)``, ``dz * x_hat``.

    They are also this shard's dbeta and dgamma. The next step is `merge_batch_stats`.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    x, stats, gamma, beta, eps, axis, activation
        As given to `batch_norm_apply`.

    Returns
    -------
    BatchGradStats

    Raises
    ------
    ValueError, TypeError
        As `batch_norm_apply`; also if dy's shape is not x's.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x = np.array([[1.0], [3.0]])
    >>> fnn.batch_norm_backward_stats(x, x, fnn.batch_norm_stats(x), None, None, eps=0).sum_dz_xhat.tolist()
    [2.0]
    """
    name = "batch_norm_backward_stats"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    dy = check.same_shape(name, "dy", check.real_array(name, "dy", dy), x.shape, "as x has")
    statistics = _statistics(name, stats, x, axis, eps)
    act = check.activation(name, activation)
    laid, plan = planned(x, axis)
    with np.errstate(all="ignore"):
        sums = plan.sums(laid.like(dy, x.dtype), laid.array, working(gamma, x), working(beta, x), statistics, act)
        return BatchGradStats(plan.size, sums[0], sums[1] * statistics[RSTD])


def batch_norm_backward_apply(
    dy: ArrayLike,
    x: ArrayLike,
    stats: BatchStats,
    grad_stats: BatchGradStats,
    gamma: ArrayLike | None,
    beta: ArrayLike | None,
    *,
    eps: float = 1e-5,
    axis: int = 1,
    activation: ActivationLike | None = None,
    out: Out = None,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of normalisation by the merged statistics of all shards, as of `batch_norm_forward` on all together.

    Parameters
    ----------
    dy, x, stats, gamma, beta, eps, axis, activation
        As given to `batch_norm_backward_stats`.
    grad_stats : BatchGradStats
        Merged over the same shards as `stats`.
    out : ndarray, optional
        Receives dx; may be dy itself, but must not overlap x.

    Returns
    -------
    dx : ndarray
        This shard's gradient.
    dgamma, dbeta : ndarray or None
        The sums over ALL shards, already merged: not to be added up over processes again.

    Raises
    ------
    ValueError, TypeError
        As `batch_norm_backward_stats`; also if `grad_stats` is of another kind or number of values than `stats`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x, dy = np.array([[1.0], [3.0]]), np.array([[1.0], [0.0]])
    >>> stats = fnn.batch_norm_stats(x)
    >>> sums = fnn.batch_norm_backward_stats(dy, x, stats, None, None, eps=0)
    >>> fnn.batch_norm_backward_apply(dy, x, stats, sums, None, None, eps=0)[0].ravel().tolist()
    [0.0, 0.0]
    """
    name = "batch_norm_backward_apply"
    x, axis, gamma, beta = arguments(name, x, gamma, beta, axis)
    dy = check.same_shape(name, "dy", check.real_array(name, "dy", dy), x.shape, "as x has")
    statistics = _statistics(name, stats, x, axis, eps)
    if not isinstance(grad_stats, BatchGradStats):
        raise TypeError(f"{name}: grad_stats is a {type(grad_stats).__name__}, expected BatchGradStats")
    if grad_stats.count != stats.count:
        raise ValueError(f"{name}: grad_stats are of {grad_stats.count} values, expected {stats.count} as stats")
    sum_dz, sum_dz_xhat = (_per_channel(name, f"grad_stats.{s}", getattr(grad_stats, s), x, axis) for s in _SUMS)
    act = check.activation(name, activation)
    laid, plan = planned(x, axis)
    if out is not None:
        out = check.output(name, out, x.shape, x.dtype)
        check.apart(name, out, x=x, gamma=gamma, beta=beta)
    dy = laid.like(dy, x.dtype)
    dx = result_for(out, laid, dy)
    with np.errstate(all="ignore"):
        sums = np.stack([sum_dz, sum_dz_xhat / statistics[RSTD]])
        inputs = working(gamma, x), working(beta, x), statistics, act
        plan.gradient(dy, laid.array, dx, *inputs, sums, grad_stats.count)
        dgamma, dbeta = cast_like(sum_dz_xhat, gamma), cast_like(sum_dz, beta)
    return returned(dx, out, laid), dgamma, dbeta
