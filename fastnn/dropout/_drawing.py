"""What the dropouts share: the seed that a call draws, the cache that it leaves, and the passes over x or dy."""

import math
import os
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from .._engine.fused import Kernel, launch
from .._engine.geometry import contiguous
from ._kernels import AFFINE, CHUNK, COLUMNS, GAUSSIAN, MASK, RUNS, STREAMED

_SEEDS = 2**63
_LEVELS = 2**32

#: The output of SELU at -infinity, which alpha dropout puts in the place of what it drops.
_SELU_LIMIT = -1.7580993408473766

#: Picoseconds an element on one thread.
_DRAWN, _COPIED, _NORMAL = 220, 100, 3500

#: Bytes of y from which on it is written past the caches: on two threads, 64 MB took 3.5 ms without and 2.8 ms with it,
#: 32 MB took the same, 8 MB took longer with it.
_STREAM = 48 << 20


class DropoutCache(NamedTuple):
    """All that a mask depends on; a few bytes whatever the size of x."""

    kind: str
    seed: int
    p: float
    shape: tuple[int, ...]
    #: Of the bits: one for each index of axis 0 and of this one; None for one an element.
    axis: int | None


def forward(function: str, kind: str, x: Any, p: Any, rng: Any, out: Any, axis: Any = None) -> tuple[Any, DropoutCache]:
    """(y, cache) of a dropout."""
    x = check.real_array(function, "x", x)
    p = check.number(function, "p", p, 0, 1)
    if kind == "gaussian_dropout" and p == 1:
        raise ValueError(f"{function}: p is {p:g}, expected a number from 0 to less than 1")
    if axis is not None and (kind != "drop_path" or x.ndim):
        axis = check.axis_of(function, axis, x)
    target = None if out is None else check.output(function, out, x.shape, x.dtype)
    cache = DropoutCache(kind, _seed(function, rng), p, x.shape, axis)
    return _computed(cache, x, target, True), cache


def backward(function: str, kind: str, dy: Any, cache: Any, out: Any) -> Any:
    """The gradient with respect to x."""
    cache = checked(function, cache, kind)
    dy = check.real_array(function, "dy", dy)
    check.same_shape(function, "dy", dy, cache.shape, "as x had")
    target = None if out is None else check.output(function, out, dy.shape, dy.dtype)
    return _computed(cache, dy, target, False)


def checked(function: str, cache: Any, kind: str | None = None) -> DropoutCache:
    """`cache`, which must be that of a dropout: of this kind, or of any for None."""
    if type(cache) is DropoutCache and kind in (None, cache.kind):
        return cache
    given = f"that of {cache.kind}_forward" if type(cache) is DropoutCache else f"a {type(cache).__name__}"
    raise TypeError(f"{function}: cache is {given}, expected what {kind or 'dropout'}_forward returned")


def mask(cache: DropoutCache) -> np.ndarray:
    """True where kept, in x's shape."""
    if cache.kind == "gaussian_dropout":
        return np.full(cache.shape, True)
    samples, _, channels, _ = _grouped(cache)
    bits = _bits(cache, samples * channels)
    if bits.size == math.prod(cache.shape):
        return bits.reshape(cache.shape)
    drawn = [n if k in (0, cache.axis) else 1 for k, n in enumerate(cache.shape)]
    return np.broadcast_to(bits.reshape(drawn), cache.shape).copy()


def _seed(function: str, rng: Any) -> int:
    """A number below 2**63; of a generator one draw, whatever is done with it."""
    if rng is None:
        return int.from_bytes(os.urandom(8), "little") >> 1
    if type(rng) is int and rng >= 0:
        return _first_draw(rng)
    return _draw(check.generator(function, rng))


@lru_cache(256)
def _first_draw(seed: int) -> int:
    """What a new generator of that seed draws; making one takes 10 us."""
    return _draw(np.random.default_rng(seed))


def _draw(generator: np.random.Generator) -> int:
    return int(generator.integers(_SEEDS))


def _computed(cache: DropoutCache, x: np.ndarray, target: np.ndarray | None, is_forward: bool) -> Any:
    """The result in `target`, which may have any dtype and layout and may overlap x, or in a new array."""
    source = contiguous(x)
    if target is not None and _direct(source, target):
        _compute(cache, source, target, is_forward)
        return target
    result = np.empty(source.shape, source.dtype)
    _compute(cache, source, result, is_forward)
    if target is None:
        return result if result.ndim else result[()]
    with np.errstate(all="ignore"):
        np.copyto(target, result, casting="same_kind")
    return target


def _direct(source: np.ndarray, target: np.ndarray) -> bool:
    """Whether a kernel may write to `target`: elements of `source` not yet read are not overwritten."""
    if target is source:
        return True
    if not (target.flags.carray and target.dtype == source.dtype):
        return False
    return not np.may_share_memory(source, target) or source.ctypes.data == target.ctypes.data


def _compute(cache: DropoutCache, x: np.ndarray, y: np.ndarray, is_forward: bool) -> None:
    """Both contiguous."""
    kind, seed, p, _, axis = cache
    if p == 0:
        np.copyto(y, x)
        return
    if kind == "gaussian_dropout":
        _run(GAUSSIAN, _NORMAL, x, y, seed, math.sqrt(p / (1 - p)))
        return
    threshold, factor, offset, dropped = _affine(kind, p, is_forward)
    if threshold == _LEVELS:
        y.fill(dropped)
    elif axis is None:
        streams = y.nbytes >= _STREAM and y.ctypes.data != x.ctypes.data  # in place, the caches hold y's lines
        _run(STREAMED if streams else AFFINE, _DRAWN, x, y, seed, threshold, factor, offset, dropped)
    else:
        _by_group(cache, x, y, threshold, factor)


@lru_cache(256)
def _affine(kind: str, p: float, is_forward: bool) -> tuple[int, float, float, float]:
    """(threshold, factor, offset, dropped).

    y = factor * x + offset where the bits reach the threshold, `dropped` elsewhere. The offset of -0 keeps the sign of
    zeros.
    """
    threshold = round(p * _LEVELS)
    if p == 1:
        return threshold, 0.0, -0.0, 0.0
    if kind != "alpha_dropout":
        return threshold, 1 / (1 - p), -0.0, 0.0
    factor = 1 / math.sqrt((1 - p) * (1 + p * _SELU_LIMIT**2))
    if is_forward:
        return threshold, factor, -factor * _SELU_LIMIT * p, factor * _SELU_LIMIT * (1 - p)
    return threshold, factor, -0.0, 0.0


def _by_group(cache: DropoutCache, x: np.ndarray, y: np.ndarray, threshold: int, factor: float) -> None:
    samples, middle, channels, length = _grouped(cache)
    if middle == length == 1:
        _run(AFFINE, _DRAWN, x, y, cache.seed, threshold, factor, -0.0, 0.0)
        return
    bits = _bits(cache, samples * channels)
    _run(COLUMNS if length == 1 else RUNS, _COPIED, x, y, bits, factor, middle, channels, length)


def _grouped(cache: DropoutCache) -> tuple[int, int, int, int]:
    """(samples, middle, channels, length): x's shape with the axes between and after those of the bits made one."""
    shape, axis = cache.shape, cache.axis
    if axis is None or not shape:
        return math.prod(shape), 1, 1, 1
    if axis == 0:
        return shape[0], 1, 1, math.prod(shape[1:])
    return shape[0], math.prod(shape[1:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _bits(cache: DropoutCache, size: int) -> np.ndarray:
    bits = np.empty(size, np.bool_)
    threshold = round(cache.p * _LEVELS)
    if threshold == _LEVELS:
        bits.fill(False)
    else:
        launch(MASK["f"], -(-size // CHUNK), _DRAWN * size // 1000, None, bits, size, cache.seed, threshold)
    return bits


def _run(kernel: Kernel, work: int, x: np.ndarray, y: np.ndarray, *arguments: Any) -> None:
    size = x.size
    launch(kernel[x.dtype.char], -(-size // CHUNK), work * size // 1000, x, y, size, *arguments)
