"""Dropout: block by block the mask that a NumPy array of the whole shape gets from the same seed."""

import math
from functools import partial
from typing import Any

import numpy as np

from ..._engine import check
from ..._engine.fused import Kernel, launch
from ..._engine.vectors import word
from ...dropout import _drawing, _kernels, channels, elements
from ...dropout._drawing import DropoutCache
from ._blocks import Result, blocks, da, known, on_dask, stand_in
from ._location import located, starts

_SAME_MASK = (
    "Any chunks will do: the mask is that of the same call with a NumPy array. `cache` is the same too: a few bytes,"
    " which NumPy arrays of that shape can be given with."
)

# --- draws -----------------------------------------------------------------------------------------------------------
# Words of the context. TO is where element 0 would be; elements are drawn from FIRST on, which a step begins with.
TO, COUNT, SEED, FIRST = 2, 3, 4, 6


def _range(numbers, body, step):
    """The job of `_kernels` that draws for a range of elements, in place."""

    def job(context, index):
        to, seed, parameters = word(context, TO), word(context, SEED), numbers(context)
        first = word(context, FIRST)
        start = first + index * _kernels.CHUNK
        end = min(start + _kernels.CHUNK, first + word(context, COUNT))
        whole = end - (end - start) % step
        for i in range(start, whole, step):
            body(to, to, seed, parameters, i, step)
        if end > whole:
            body(to, to, seed, parameters, whole, end - whole)
        return 0

    return job


_STEP = _kernels._STEP
_MASK = Kernel("dropout_mask_of_range", _range(_kernels._no_numbers, _kernels._by_shorts(_kernels._mask), _STEP))
_FACTORS = Kernel("gaussian_factors_of_range", _range(_kernels._strength, _kernels._gaussian, _kernels.BLOCK))


def _kept(cache: DropoutCache, first: int, end: int) -> np.ndarray:
    """The mask's elements from `first` to `end`."""
    start = first - first % _STEP
    mask, threshold = np.empty(end - start, np.bool_), round(cache.p * _drawing._LEVELS)
    if threshold == _drawing._LEVELS:
        mask.fill(False)
    else:
        _draw(_MASK["f"], _drawing._DRAWN, mask, cache.seed, threshold, start)
    return mask[first - start :]


def _factors(cache: DropoutCache, dtype: Any, first: int, end: int) -> np.ndarray:
    """What Gaussian dropout multiplies the elements from `first` to `end` by."""
    start = first - first % _STEP
    factors = np.ones(end - start, dtype)
    strength = math.sqrt(cache.p / (1 - cache.p))
    _draw(_FACTORS[factors.dtype.char], _drawing._NORMAL, factors, cache.seed, strength, start)
    return factors[first - start :]


def _draw(job: Any, work: int, values: np.ndarray, seed: int, parameter: Any, start: int) -> None:
    chunks, address = -(-values.size // _kernels.CHUNK), values.ctypes.data - start * values.itemsize
    launch(job, chunks, work * values.size // 1000, None, address, values.size, seed, parameter, start)


# --- blocks ----------------------------------------------------------------------------------------------------------


def _block(x: Any, *begins: Any, cache: DropoutCache, is_forward: bool) -> Any:
    """The block of y, or of dx where x is dy."""
    x = check.real_array(cache.kind, "x", x)
    if cache.p == 0:
        return x.copy()
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    with np.errstate(all="ignore"):
        if cache.kind == "gaussian_dropout":
            y = wide * located(partial(_factors, cache, wide.dtype), cache.shape, begins, x.shape)
        else:
            y = _masked(wide, _mask_of(cache, begins, x.shape), *_drawing._affine(cache.kind, cache.p, is_forward)[1:])
        return y.astype(x.dtype, copy=False)


def _masked(x: np.ndarray, mask: np.ndarray, factor: float, offset: float, dropped: float) -> np.ndarray:
    """factor * x + offset where the mask is True, else `dropped`."""
    y = np.full(x.shape, dropped, x.dtype)
    np.multiply(x, x.dtype.type(factor), out=y, where=mask)
    if offset:
        np.add(y, x.dtype.type(offset), out=y, where=mask)
    return y


def _mask_of(cache: DropoutCache, begins: Any, lengths: tuple[int, ...]) -> np.ndarray:
    if cache.axis is None:
        return located(partial(_kept, cache), cache.shape, begins, lengths)
    axes = [k for k in dict.fromkeys((0, cache.axis)) if k < len(lengths)]  # drop path takes 0-d arrays too
    drawn = located(partial(_kept, cache), *([part[k] for k in axes] for part in (cache.shape, begins, lengths)))
    shape = [n if k in axes else 1 for k, n in enumerate(lengths)]
    return np.broadcast_to(drawn.reshape(shape), lengths)


def _mask_block(x: Any, *begins: Any, cache: DropoutCache) -> np.ndarray:
    return np.ones(x.shape, np.bool_) if cache.kind == "gaussian_dropout" else _mask_of(cache, begins, x.shape).copy()


# --- functions -------------------------------------------------------------------------------------------------------


def _forward(original: Any, x: Any, p: Any, rng: Any, **axis: Any) -> tuple[Any, DropoutCache]:
    name = original.__name__
    known(name, "x", x, range(x.ndim))
    y, cache = original(stand_in(x, []), p, rng=rng, **axis)
    cache = cache._replace(shape=x.shape)
    return blocks(_block, x, starts(x), [Result(y.dtype)], name, cache=cache, is_forward=True)[0], cache


def _backward(original: Any, dy: Any, cache: Any) -> Any:
    name = original.__name__
    cache = _drawing.checked(name, cache, name.removesuffix("_backward"))
    known(name, "dy", dy, range(dy.ndim))
    check.same_shape(name, "dy", dy, cache.shape, "as x had")
    dtype = check.real_array(name, "dy", stand_in(dy, [])).dtype
    return blocks(_block, dy, starts(dy), [Result(dtype)], name, cache=cache, is_forward=False)[0]


@on_dask(elements.dropout_forward, _SAME_MASK)
def dropout_forward(x, p, rng):
    return _forward(elements.dropout_forward, x, p, rng)


@on_dask(elements.dropout_backward, _SAME_MASK)
def dropout_backward(dy, cache):
    return _backward(elements.dropout_backward, dy, cache)


@on_dask(elements.alpha_dropout_forward, _SAME_MASK)
def alpha_dropout_forward(x, p, rng):
    return _forward(elements.alpha_dropout_forward, x, p, rng)


@on_dask(elements.alpha_dropout_backward, _SAME_MASK)
def alpha_dropout_backward(dy, cache):
    return _backward(elements.alpha_dropout_backward, dy, cache)


@on_dask(elements.gaussian_dropout_forward, _SAME_MASK)
def gaussian_dropout_forward(x, p, rng):
    return _forward(elements.gaussian_dropout_forward, x, p, rng)


@on_dask(elements.gaussian_dropout_backward, _SAME_MASK)
def gaussian_dropout_backward(dy, cache):
    return _backward(elements.gaussian_dropout_backward, dy, cache)


@on_dask(channels.spatial_dropout_forward, _SAME_MASK)
def spatial_dropout_forward(x, p, axis, rng):
    return _forward(channels.spatial_dropout_forward, x, p, rng, axis=axis)


@on_dask(channels.spatial_dropout_backward, _SAME_MASK)
def spatial_dropout_backward(dy, cache):
    return _backward(channels.spatial_dropout_backward, dy, cache)


@on_dask(channels.drop_path_forward, _SAME_MASK)
def drop_path_forward(x, p, rng):
    return _forward(channels.drop_path_forward, x, p, rng)


@on_dask(channels.drop_path_backward, _SAME_MASK)
def drop_path_backward(dy, cache):
    return _backward(channels.drop_path_backward, dy, cache)


def dropout_mask(cache: DropoutCache, chunks: Any = None) -> Any:
    """The mask of a call of any dropout, as a Dask array where `chunks` are given.

    Parameters
    ----------
    cache : DropoutCache
        From the forward pass of any dropout.
    chunks : optional
        As `dask.array` takes them; without, the mask is a NumPy array.

    Returns
    -------
    mask : array of bool
        Of x's shape, True = kept; all True for Gaussian dropout, which drops nothing.

    Raises
    ------
    TypeError
        A cache that is not a dropout's.

    Examples
    --------
    >>> import fastnn as fnn, dask.array as da
    >>> y, cache = fnn.compat.dask.dropout_forward(da.ones(4, chunks=2), 0.5, rng=0)
    >>> fnn.compat.dask.dropout_mask(cache, chunks=1).compute()
    array([ True,  True,  True, False])
    """
    if chunks is None:
        return elements.dropout_mask(cache)
    cache = _drawing.checked("dropout_mask", cache)
    x = da.empty(cache.shape, chunks=chunks, dtype=np.bool_)
    return blocks(_mask_block, x, starts(x), [Result(np.bool_)], "dropout_mask", cache=cache)[0]
