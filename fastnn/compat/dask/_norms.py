"""Norms of single samples: layer, RMS, group and instance norm.

The cache holds the lazy inputs; backward computes the statistics again from x, which it reads anyway, so that nothing
else is kept in memory or sent between workers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._engine import check
from ...normalization import group, layer
from ._blocks import (
    LazyCache,
    Result,
    as_dask,
    beside,
    blocks,
    float_dtype,
    known,
    on_dask,
    one_chunk,
    others,
    stand_in,
    summed,
)


@dataclass(frozen=True)
class NormCache(LazyCache):
    """What a backward pass needs: the lazy inputs, and how they were normalised."""

    forward: Callable[..., Any]
    x: Any
    parameters: tuple[Any, ...]
    #: The axes of x that the parameters have.
    own: tuple[int, ...]
    options: dict[str, Any]


def _forward(forward: Callable[..., Any], x: Any, parameters: Sequence[Any], core, own, **options) -> Any:
    """(y, cache) of a norm over the axes `core` of x."""
    name, x = forward.__name__, as_dask(x)
    one_chunk(name, "x", x, core)
    known(name, "x", x, own)
    given = [as_dask(p) for p in parameters]
    y, _ = forward(stand_in(x, {*core, *own}), *map(stand_in, given), **options)
    cut = tuple(None if p is None else beside(name, "gamma or beta", p, x, own, "to match x") for p in given)
    cache = NormCache(forward, x, cut, tuple(own), options)
    operands = [(p, own) for p in cut]
    return blocks(_normalised, x, operands, [Result(y.dtype)], name, forward=forward, options=options)[0], cache


def _normalised(x: Any, *parameters: Any, forward: Any, options: dict[str, Any]) -> Any:
    return forward(x, *parameters, **options)[0]


def _backward(forward: Callable[..., Any], backward: Callable[..., Any], dy: Any, cache: Any) -> tuple[Any, ...]:
    """(dx, gradients of the parameters)."""
    name = backward.__name__
    if not isinstance(cache, NormCache) or cache.forward is not forward:
        given = f"that of {cache.forward.__name__}" if isinstance(cache, NormCache) else f"a {type(cache).__name__}"
        raise TypeError(f"{name}: cache is {given}, expected what {forward.__name__} returned for a Dask array")
    x, own = cache.x, cache.own
    dy = beside(name, "dy", dy, x, range(x.ndim), "as x had")
    check.real_array(name, "dy", stand_in(dy, []))
    present = [p for p in cache.parameters if p is not None]
    results = [Result(float_dtype(x)), *[Result(np.float64, dict.fromkeys(others(x, own), 1)) for _ in present]]
    operands = [(dy, range(x.ndim)), *[(p, own) for p in cache.parameters]]
    call = {"forward": forward, "backward": backward, "own": own, "options": cache.options}
    dx, *partial = blocks(_gradients, x, operands, results, name, **call)
    sums = iter(partial)
    return dx, *[None if p is None else summed(next(sums), own, p.shape, float_dtype(p)) for p in cache.parameters]


def _gradients(x: Any, dy: Any, *parameters: Any, forward: Any, backward: Any, own: Any, options: Any) -> Any:
    """dx of a block and the gradients, float64, of those parameters that there are."""
    _, cache = forward(x, *[None if p is None else p.astype(np.float64) for p in parameters], **options)
    dx, *gradients = backward(dy, cache)
    shape = [n if k in own else 1 for k, n in enumerate(x.shape)]
    sums = [g.reshape(shape) for g in gradients if g is not None]
    return (dx, *sums) if sums else dx


_ROWS = "The normalised axes must be in one chunk."


@on_dask(layer.layer_norm_forward, _ROWS)
def layer_norm_forward(x, gamma, beta, axis, eps, activation):
    axes = _axes("layer_norm_forward", x, axis)
    options = {"axis": axis, "eps": eps, "activation": activation}
    return _forward(layer.layer_norm_forward, x, (gamma, beta), axes, axes, **options)


@on_dask(layer.layer_norm_backward, _ROWS)
def layer_norm_backward(dy, cache):
    return _backward(layer.layer_norm_forward, layer.layer_norm_backward, dy, cache)


@on_dask(layer.rms_norm_forward, _ROWS)
def rms_norm_forward(x, gamma, axis, eps):
    axes = _axes("rms_norm_forward", x, axis)
    return _forward(layer.rms_norm_forward, x, (gamma,), axes, axes, axis=axis, eps=eps)


@on_dask(layer.rms_norm_backward, _ROWS)
def rms_norm_backward(dy, cache):
    return _backward(layer.rms_norm_forward, layer.rms_norm_backward, dy, cache)


def _axes(name: str, x: Any, axis: Any) -> tuple[int, ...]:
    return tuple(check.axis_of(name, k, x) for k in (axis if isinstance(axis, tuple) else (axis,)))


_SAMPLES = "All axes but that of the samples must be in one chunk."


@on_dask(group.group_norm_forward, _SAMPLES)
def group_norm_forward(x, gamma, beta, groups, eps, axis, activation):
    place = check.axis_of("group_norm_forward", axis, x)
    options = {"groups": groups, "eps": eps, "axis": axis, "activation": activation}
    return _forward(group.group_norm_forward, x, (gamma, beta), others(x, [0]), [place], **options)


@on_dask(group.group_norm_backward, _SAMPLES)
def group_norm_backward(dy, cache):
    return _backward(group.group_norm_forward, group.group_norm_backward, dy, cache)


_POSITIONS = "All axes but those of the samples and the channels must be in one chunk."


@on_dask(group.instance_norm_forward, _POSITIONS)
def instance_norm_forward(x, gamma, beta, eps, axis, activation):
    place = check.axis_of("instance_norm_forward", axis, x)
    options = {"eps": eps, "axis": axis, "activation": activation}
    return _forward(group.instance_norm_forward, x, (gamma, beta), others(x, [0, place]), [place], **options)


@on_dask(group.instance_norm_backward, _POSITIONS)
def instance_norm_backward(dy, cache):
    return _backward(group.instance_norm_forward, group.instance_norm_backward, dy, cache)
