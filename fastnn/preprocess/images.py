"""uint8 images to normalised floats in one pass.

A channel has no more than 256 results. They are computed once, in float64, and the pass over the images looks them up:
as exact as can be, and cheaper than the arithmetic. It goes by strides, so that no layout needs a copy.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._engine import check
from .._engine.fused import Kernel, launch
from .._engine.geometry import CHUNK
from .._engine.vectors import stored, word
from ..typing import Out

LAYOUTS = ("nhwc->nchw", "nhwc->nhwc", "nchw->nchw")
_LEVELS = 256

#: ns a value takes on one core.
_WORK = 0.5

# Words of the context. Steps, of an image, a channel, a row and a pixel, are bytes in X and elements in Y; END is where
# the memory of X does, PIECE how many pixels of a row are done channel by channel.
X, Y, TABLES, END = 1, 2, 3, 4
CHANNELS, ROWS, LENGTH, PIECE, PIECES, UNITS, TOGETHER = 5, 6, 7, 8, 9, 10, 11
X_STEPS, Y_STEPS = 12, 16
IMAGE, CHANNEL, ROW, PIXEL = 0, 1, 2, 3


def _byte(address):
    """The byte there, which LLVM loads alone: nothing else is needed of the word."""
    return word(address, 0) & 255


def _byte_near_end(address):
    """The same from the word around it, which lies in memory with it; the one that begins there may not."""
    return word(address & -8, 0) >> 8 * (address & 7) & 255


def _start(context, steps, image, channel, row, pixel):
    """Where a pixel's value is, in bytes or elements."""
    return (
        image * word(context, steps + IMAGE)
        + channel * word(context, steps + CHANNEL)
        + row * word(context, steps + ROW)
        + pixel * word(context, steps + PIXEL)
    )


def _convert(context, image, row, begin, count):
    """`count` pixels of a row, one channel after the other."""
    y, x_step, y_step = word(context, Y), word(context, X_STEPS + PIXEL), word(context, Y_STEPS + PIXEL)
    for channel in range(word(context, CHANNELS)):
        x = word(context, X) + _start(context, X_STEPS, image, channel, row, begin)
        to = _start(context, Y_STEPS, image, channel, row, begin)
        table = word(context, TABLES) + channel * _LEVELS * stored.size()
        if max(x, x + (count - 1) * x_step) + 8 <= word(context, END):
            for k in range(count):
                stored.put(y, to + k * y_step, stored.get(table, _byte(x + k * x_step)))
        else:
            for k in range(count):
                stored.put(y, to + k * y_step, stored.get(table, _byte_near_end(x + k * x_step)))


def _job(context, index):
    together, piece, pieces = word(context, TOGETHER), word(context, PIECE), word(context, PIECES)
    rows = word(context, ROWS)
    for unit in range(index * together, min((index + 1) * together, word(context, UNITS))):
        begin = unit % pieces * piece
        row = unit // pieces
        _convert(context, row // rows, row % rows, begin, min(piece, word(context, LENGTH) - begin))
    return 0


_KERNEL = Kernel("to_float", _job)


class _Planes(NamedTuple):
    """Images as (image, channel, row, pixel), with the steps between these in `unit` bytes."""

    array: np.ndarray
    unit: int

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(stride // self.unit for stride in self.array.strides)

    @property
    def rows_follow(self) -> bool:
        """Whether all rows of an image are one long row."""
        return self.array.strides[ROW] == self.array.shape[PIXEL] * self.array.strides[PIXEL]


def to_float(
    images: ArrayLike,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
    *,
    layout: str = "nhwc->nchw",
    out: Out = None,
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """Images of bytes as normalised floats: ``(images / 255 - mean) / std``, in one pass.

    Computed in float64 and rounded once.

    Parameters
    ----------
    images : array_like of uint8
        Images (N, H, W, C) or (N, C, H, W), as `layout` says, or one image without the first axis; of any strides.
    mean, std : float or array_like of shape (C,)
        What to subtract from and to divide numbers from 0 to 1 by; std > 0.
    layout : {"nhwc->nchw", "nhwc->nhwc", "nchw->nchw"}
        The order of axes that images have, and that the result is to have.
    out : ndarray, optional
        Receives the result.
    dtype : dtype
        float16, float32 or float64.

    Returns
    -------
    ndarray
        Of `dtype`.

    Raises
    ------
    ValueError
        Images of another number of axes; mean or std of another shape or not finite, std <= 0; an unknown layout; out
        of another shape.
    TypeError
        Images of another dtype than uint8, or another `dtype` than those.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.preprocess import to_float
    >>> to_float(np.array([[[[0, 255]]]], np.uint8), mean=0.5, std=[0.5, 0.25]).ravel().tolist()
    [-1.0, 2.0]
    """
    name = "to_float"
    images = _images(name, images)
    source, _, result = check.one_of(name, "layout", layout, LAYOUTS).partition("->")
    dtype = np.dtype(dtype)
    if dtype.type not in (np.float16, np.float32, np.float64) or not dtype.isnative:
        raise TypeError(f"{name}: dtype is {dtype}, expected native float16, float32 or float64")
    x = _planes(images, source)
    mean, std = (_numbers(name, k, v, x.shape[CHANNEL]) for k, v in (("mean", mean), ("std", std)))
    if min(std, default=1.0) <= 0:
        raise ValueError(f"{name}: std is {min(std):g}, expected numbers > 0")
    shape = images.shape
    if source != result:
        *first, height, width, channels = shape
        shape = (*first, channels, height, width)
    target = check.output(name, out, shape, dtype)
    direct = target.dtype == dtype and target.flags.aligned and not np.may_share_memory(target, images)
    y = np.asarray(target) if direct else np.empty(shape, dtype)
    if y.size:
        _run(x, _planes(y, result), _tables(mean, std, x.shape[CHANNEL], dtype))
    if not direct:
        np.copyto(target, y, casting="same_kind")
    return target


def _images(name: str, images: Any) -> np.ndarray:
    array = np.asarray(images)
    if array.dtype != np.uint8:
        raise TypeError(f"{name}: images has dtype {array.dtype}, expected uint8")
    if array.ndim not in (3, 4):
        raise ValueError(f"{name}: images has shape {array.shape}, expected 4 axes, or 3 for one image")
    return array


def _planes(images: np.ndarray, layout: str) -> np.ndarray:
    """A view as (image, channel, row, pixel)."""
    images = images if images.ndim == 4 else images[None]
    return images if layout == "nchw" else images.transpose(0, 3, 1, 2)


def _numbers(name: str, argument: str, value: Any, channels: int) -> tuple[float, ...]:
    """`value` as finite floats, one for all channels or one for each."""
    array = check.real_array(name, argument, value)
    if array.shape not in ((), (1,), (channels,)):
        raise ValueError(
            f"{name}: {argument} has shape {array.shape}, expected a number or ({channels},) for so many channels"
        )
    numbers = tuple(map(float, array.ravel()))
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name}: {argument} has NaNs or infinities, expected finite numbers")
    return numbers


@functools.lru_cache(64)
def _tables(mean: tuple[float, ...], std: tuple[float, ...], channels: int, dtype: np.dtype) -> np.ndarray:
    """The result for each channel and byte."""
    with np.errstate(all="ignore"):
        values = (np.arange(_LEVELS) / 255 - np.reshape(mean, (-1, 1))) / np.reshape(std, (-1, 1))
        return np.ascontiguousarray(np.broadcast_to(values, (channels, _LEVELS)), dtype)


def _run(images: np.ndarray, result: np.ndarray, tables: np.ndarray) -> None:
    """Fill `result`; both as (image, channel, row, pixel)."""
    x, y = _Planes(images, 1), _Planes(result, result.itemsize)
    count, channels, rows, length = images.shape
    if x.rows_follow and y.rows_follow:
        rows, length = 1, rows * length
    piece = min(length, max(64, CHUNK // channels))
    pieces = -(-length // piece)
    units, together = count * rows * pieces, max(1, CHUNK // (piece * channels))
    last = sum((size - 1) * max(step, 0) for size, step in zip(images.shape, images.strides, strict=True))
    sizes = channels, rows, length, piece, pieces, units, together
    job, work = _KERNEL[result.dtype.char], int(result.size * _WORK)
    end = images.ctypes.data + last + 1
    launch(job, -(-units // together), work, images, result, tables, end, *sizes, *x.steps, *y.steps)
