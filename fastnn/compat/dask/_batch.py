"""Batch normalisation over all chunks: the statistics of each, merged as a tree, are those of the whole array.

Statistics travel as arrays (..., channels, 3) of (count, mean, m2); the channels may be in several chunks too.
"""

from dataclasses import dataclass
from typing import Any

import dask
import numpy as np

from ..._engine import check
from ...normalization import batch, synchronized
from ...normalization.synchronized import BatchGradStats, BatchStats, merge_batch_stats
from ._blocks import (
    LazyCache,
    Result,
    as_dask,
    beside,
    blocks,
    da,
    float_dtype,
    has_unknown,
    known,
    on_dask,
    others,
    stand_in,
    summed,
)

_ANY = "Any chunks will do."


@dataclass(frozen=True)
class BatchNormCache(LazyCache):
    """What `batch_norm_backward` needs: the lazy inputs; `stats` holds the statistics of the batch."""

    x: Any
    stats: BatchStats
    gamma: Any
    beta: Any
    options: dict[str, Any]


# --- in halves -------------------------------------------------------------------------------------------------------


@on_dask(synchronized.batch_norm_stats, f"{_ANY} count is lazy too where lengths are unknown.")
def batch_norm_stats(x, axis):
    name = "batch_norm_stats"
    place = check.axis_of(name, axis, x)
    check.real_array(name, "x", stand_in(x, []))
    rest = others(x, [place])
    index = tuple(range(x.ndim))
    partial = da.blockwise(
        _stats_of_block, (*index, x.ndim), x, index, axis=place, token=name, new_axes={x.ndim: 3},
        adjust_chunks=dict.fromkeys(rest, 1), dtype=np.float64, meta=np.empty((0,) * (x.ndim + 1)),
    )  # fmt: skip
    merged = da.reduction(partial, _merged, _merged, axis=rest, dtype=np.float64, meta=np.empty((0, 0)))
    count = merged[0, 0] if has_unknown(x) else x.size // max(x.shape[place], 1)
    return BatchStats(count, merged[:, 1], merged[:, 2])


def _stats_of_block(x: np.ndarray, *, axis: int) -> np.ndarray:
    count, mean, m2 = synchronized.batch_norm_stats(x, axis)
    shape = [n if k == axis else 1 for k, n in enumerate(x.shape)]
    return np.stack([np.full(mean.shape, float(count)), mean, m2], -1).reshape(*shape, 3)


def _merged(partial: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """The statistics of several blocks as those of one."""
    place = next(k for k in range(partial.ndim - 1) if k not in axis)
    channels = partial.shape[place]
    each = np.moveaxis(partial, place, -2).reshape(-1, channels, 3)
    stats = merge_batch_stats(*(BatchStats(int(s[:1, 0].sum()), s[:, 1], s[:, 2]) for s in each))
    result = np.stack([np.full(channels, float(stats.count)), stats.mean, stats.m2], -1)
    return np.expand_dims(result, axis) if keepdims else result


@on_dask(synchronized.batch_norm_apply, _ANY)
def batch_norm_apply(x, stats, gamma, beta, eps, axis, activation):
    name, original = "batch_norm_apply", synchronized.batch_norm_apply
    options = {"eps": eps, "axis": axis, "activation": activation}
    x, place, stats, gamma, beta = _arguments(name, x, stats, gamma, beta, axis)
    dtype = original(stand_in(x, [place]), _known_stats(stats), stand_in(gamma), stand_in(beta), **options).dtype
    operands = [(part, place) for part in (*_parts(stats), gamma, beta)]
    return blocks(_applied, x, _placed(operands), [Result(dtype)], name, options=options)[0]


def _applied(x: Any, count: Any, mean: Any, m2: Any, gamma: Any, beta: Any, *, options: Any) -> Any:
    return synchronized.batch_norm_apply(x, BatchStats(max(int(count), 1), mean, m2), gamma, beta, **options)


@on_dask(synchronized.batch_norm_backward_stats, _ANY)
def batch_norm_backward_stats(dy, x, stats, gamma, beta, eps, axis, activation):
    name, original = "batch_norm_backward_stats", synchronized.batch_norm_backward_stats
    options = {"eps": eps, "axis": axis, "activation": activation}
    x, place, stats, gamma, beta = _arguments(name, x, stats, gamma, beta, axis)
    dy = beside(name, "dy", dy, x, range(x.ndim), "as x has")
    empty = stand_in(dy, [place]), stand_in(x, [place]), _known_stats(stats), stand_in(gamma), stand_in(beta)
    original(*empty, **options)
    operands = [*_placed([(part, place) for part in (*_parts(stats), gamma, beta)]), (dy, range(x.ndim))]
    results = [Result(np.float64, dict.fromkeys(others(x, [place]), 1))] * 2
    partial = blocks(_sums, x, operands, results, name, options=options)
    return BatchGradStats(stats.count, *(summed(p, [place], (x.shape[place],), np.float64) for p in partial))


def _sums(x: Any, count: Any, mean: Any, m2: Any, gamma: Any, beta: Any, dy: Any, *, options: Any) -> Any:
    stats = BatchStats(max(int(count), 1), mean, m2)
    sums = synchronized.batch_norm_backward_stats(dy, x, stats, gamma, beta, **options)
    shape = [n if k == options["axis"] % x.ndim else 1 for k, n in enumerate(x.shape)]
    return sums.sum_dz.reshape(shape), sums.sum_dz_xhat.reshape(shape)


@on_dask(synchronized.batch_norm_backward_apply, _ANY)
def batch_norm_backward_apply(dy, x, stats, grad_stats, gamma, beta, eps, axis, activation):
    name, original = "batch_norm_backward_apply", synchronized.batch_norm_backward_apply
    options = {"eps": eps, "axis": axis, "activation": activation}
    x, place, stats, gamma, beta = _arguments(name, x, stats, gamma, beta, axis)
    dy = beside(name, "dy", dy, x, range(x.ndim), "as x has")
    if not isinstance(grad_stats, BatchGradStats):
        raise TypeError(f"{name}: grad_stats is a {type(grad_stats).__name__}, expected BatchGradStats")
    sums = [
        beside(name, f"grad_stats.{field}", getattr(grad_stats, field), x, [place], f"to match axis {axis} of x")
        for field in BatchGradStats._fields[1:]
    ]
    known_stats = _known_stats(stats)
    sums_count = known_stats.count if isinstance(grad_stats.count, da.Array) else grad_stats.count
    empty_sums = BatchGradStats(sums_count, *map(stand_in, sums))
    empty = stand_in(dy, [place]), stand_in(x, [place]), known_stats, empty_sums, stand_in(gamma), stand_in(beta)
    dx, dgamma, dbeta = original(*empty, **options)
    operands = [*_placed([(p, place) for p in (*_parts(stats), gamma, beta, *sums)]), (dy, range(x.ndim))]
    dx = blocks(_gradient, x, operands, [Result(dx.dtype)], name, options=options)[0]
    gradients = zip((dgamma, dbeta), reversed(sums), strict=True)
    return dx, *(None if like is None else total.astype(like.dtype) for like, total in gradients)


def _gradient(x, count, mean, m2, gamma, beta, sum_dz, sum_dz_xhat, dy, *, options):
    count = max(int(count), 1)
    stats, sums = BatchStats(count, mean, m2), BatchGradStats(count, sum_dz, sum_dz_xhat)
    return synchronized.batch_norm_backward_apply(dy, x, stats, sums, gamma, beta, **options)[0]


# --- as a whole ------------------------------------------------------------------------------------------------------


@on_dask(
    batch.batch_norm_forward,
    f"{_ANY} With running_mean or running_var, which are NumPy arrays, the statistics are computed at the call, one"
    " pass over x; without, nothing is, and `cache.stats` has them, lazily.",
)
def batch_norm_forward(
    x, gamma, beta, running_mean, running_var, momentum, eps, axis, activation, unbiased_running_var
):
    name, x = "batch_norm_forward", as_dask(x)
    place = check.axis_of(name, axis, x)
    known(name, "x", x, [place])
    why, shape = f"to match axis {axis} of x", (x.shape[place],)
    running = {"running_mean": running_mean, "running_var": running_var}
    for argument, value in running.items():
        if value is not None:
            check.updated_array(name, argument, value, shape, why)
    momentum = check.number(name, "momentum", momentum)
    options = {"eps": eps, "axis": axis, "activation": activation}
    stats = batch_norm_stats(x, axis)
    y = batch_norm_apply(x, stats, gamma, beta, **options)
    updates = any(value is not None for value in running.values())
    if updates:
        stats = BatchStats(*dask.compute(*stats))
        y = batch_norm_apply(x, stats, gamma, beta, **options)
    if not isinstance(stats.count, da.Array) and stats.count < 2 and shape[0]:
        values = f"x has shape {x.shape}, i.e. {int(stats.count)} values a channel of axis {axis}"
        raise ValueError(f"{name}: {values}, expected >= 2")
    if updates:
        variance = stats.m2 / (stats.count - bool(unbiased_running_var))
        for value, new in ((running_mean, stats.mean), (running_var, variance)):
            if value is not None:
                value[...] = (1 - momentum) * value.astype(np.float64) + momentum * new
    return y, BatchNormCache(x, stats, gamma, beta, options)


@on_dask(batch.batch_norm_backward, _ANY)
def batch_norm_backward(dy, cache):
    name = "batch_norm_backward"
    if not isinstance(cache, BatchNormCache):
        raise TypeError(
            f"{name}: cache is a {type(cache).__name__}, expected what batch_norm_forward returned for a Dask array"
        )
    arguments = dy, cache.x, cache.stats
    sums = batch_norm_backward_stats(*arguments, cache.gamma, cache.beta, **cache.options)
    return batch_norm_backward_apply(*arguments, sums, cache.gamma, cache.beta, **cache.options)


@on_dask(batch.batch_norm_inference, _ANY)
def batch_norm_inference(x, gamma, beta, running_mean, running_var, eps, axis, activation):
    return _by_known(batch.batch_norm_inference, x, [gamma, beta, running_mean, running_var], eps, axis, activation)


@on_dask(batch.batch_norm_inference_backward, _ANY)
def batch_norm_inference_backward(dy, x, gamma, beta, running_mean, running_var, eps, axis, activation):
    name, x = "batch_norm_inference_backward", as_dask(x)
    given = [gamma, beta, running_mean, running_var]
    y = _by_known(batch.batch_norm_inference, x, given, eps, axis, activation)
    dy, place = beside(name, "dy", dy, x, range(x.ndim), "as x has"), check.axis_of(name, axis, x)
    parameters = _per_channel(name, x, place, axis, gamma=gamma, beta=beta)
    doubles = [None if p is None else p.astype(np.float64) for p in parameters]
    known_ones = _per_channel(name, x, place, axis, running_mean=running_mean, running_var=running_var)
    operands = [*_placed([(p, place) for p in (*doubles, *known_ones)]), (dy, range(x.ndim))]
    results = [Result(y.dtype), *[Result(np.float64, dict.fromkeys(others(x, [place]), 1))] * 2]
    options = {"eps": eps, "axis": axis, "activation": activation}
    dx, *partial = blocks(_known_gradients, x, operands, results, name, options=options)
    sums = zip(parameters, partial, strict=True)
    return dx, *(None if p is None else summed(s, [place], p.shape, float_dtype(p)) for p, s in sums)


def _by_known(original: Any, x: Any, parameters: list[Any], eps: Any, axis: Any, activation: Any) -> Any:
    name, x = original.__name__, as_dask(x)
    place = check.axis_of(name, axis, x)
    names = ("gamma", "beta", "running_mean", "running_var")
    cut = _per_channel(name, x, place, axis, **dict(zip(names, parameters, strict=True)))
    options = {"eps": eps, "axis": axis, "activation": activation}
    dtype = original(stand_in(x, [place]), *map(stand_in, cut), **options).dtype
    return blocks(original, x, _placed([(p, place) for p in cut]), [Result(dtype)], name, **options)[0]


def _known_gradients(x: Any, gamma: Any, beta: Any, mean: Any, var: Any, dy: Any, *, options: Any) -> Any:
    dx, *gradients = batch.batch_norm_inference_backward(dy, x, gamma, beta, mean, var, **options)
    shape = [n if k == options["axis"] % x.ndim else 1 for k, n in enumerate(x.shape)]
    return dx, *(np.zeros(shape) if g is None else g.reshape(shape) for g in gradients)


# --- arguments -------------------------------------------------------------------------------------------------------


def _per_channel(name: str, x: Any, place: int, axis: Any, **values: Any) -> list[Any]:
    """Each of the values, or None, as an array cut like the channels of x."""
    known(name, "x", x, [place])
    why = f"to match axis {axis} of x"
    return [None if v is None else beside(name, argument, v, x, [place], why) for argument, v in values.items()]


def _arguments(name: str, x: Any, stats: Any, gamma: Any, beta: Any, axis: Any) -> tuple[Any, ...]:
    """(x, its channels' axis, statistics, gamma, beta) as Dask arrays."""
    x = as_dask(x)
    place = check.axis_of(name, axis, x)
    if not isinstance(stats, BatchStats):
        raise TypeError(f"{name}: stats is a {type(stats).__name__}, expected BatchStats")
    mean, m2 = _per_channel(name, x, place, axis, **{"stats.mean": stats.mean, "stats.m2": stats.m2})
    gamma, beta = _per_channel(name, x, place, axis, gamma=gamma, beta=beta)
    return x, place, BatchStats(stats.count, mean, m2), gamma, beta


def _parts(stats: BatchStats) -> tuple[Any, Any, Any]:
    return stats.count, stats.mean, stats.m2


def _placed(operands: list[tuple[Any, int]]) -> list[tuple[Any, tuple[int, ...]]]:
    """Operands with the channels' axis, those without any axis aside."""
    return [(operand, (place,) if getattr(operand, "ndim", 0) else ()) for operand, place in operands]


def _known_stats(stats: BatchStats) -> BatchStats:
    """Statistics of the same kind to check the other arguments with; a lazy count is taken to be a good one."""
    count = 1 if isinstance(stats.count, da.Array) else stats.count
    return BatchStats(count, stand_in(stats.mean), stand_in(stats.m2))
