"""How the arrays of a norm are brought into the form that kernels take, and results back."""

from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from .._engine.geometry import LARGE, contiguous, empty_lines


class Laid(NamedTuple):
    """An array in C order, the order of axes that made it so (None: as it was), and whether that took a copy."""

    array: np.ndarray
    order: tuple[int, ...] | None
    copied: bool = False

    def like(self, other: np.ndarray, dtype: Any) -> np.ndarray:
        """Another array of the same shape, in the same order and of dtype."""
        return contiguous(other if self.order is None else other.transpose(self.order), dtype)


#: The axes as they are, by number of them.
_ORDERS = [tuple(range(ndim)) for ndim in range(65)]


def reordered(x: np.ndarray, order: tuple[int, ...]) -> Laid:
    """x with its axes in the given order."""
    if order == _ORDERS[x.ndim]:
        return Laid(contiguous(x), None)
    moved = x.transpose(order)
    return Laid(contiguous(moved), order, not moved.flags.c_contiguous)


def laid_out(x: np.ndarray) -> Laid:
    """x as it lies in memory if it is dense in any order of its axes, else a copy."""
    if x.flags.c_contiguous:
        return Laid(contiguous(x), None)
    order = tuple(sorted(range(x.ndim), key=lambda k: -abs(x.strides[k])))
    moved = x.transpose(order)
    if moved.flags.c_contiguous:
        return Laid(contiguous(moved), order)
    return Laid(contiguous(x), None)


def result_for(out: np.ndarray | None, laid: Laid, dy: np.ndarray | None = None) -> np.ndarray:
    """The contiguous array that a kernel writes: out's own memory where that will do.

    It may be that of `dy`, laid out like x, but must not overlap it otherwise.
    """
    x = laid.array
    if out is not None and out.dtype == x.dtype and out.dtype.isnative:
        moved = np.asarray(out if laid.order is None else out.transpose(laid.order))
        apart = dy is None or not np.may_share_memory(moved, dy) or moved.ctypes.data == dy.ctypes.data
        if moved.flags.carray and apart:
            return moved
    return np.empty(x.shape, x.dtype) if x.nbytes < LARGE else empty_lines(x.shape, x.dtype)


def returned(result: np.ndarray, out: np.ndarray | None, laid: Laid) -> np.ndarray:
    """What the caller gets: `out`, filled, or the new array with the axes as they were."""
    if laid.order is not None:
        back = [0] * len(laid.order)
        for place, axis in enumerate(laid.order):
            back[axis] = place
        result = result.transpose(back)
    if out is None:
        return np.ascontiguousarray(result) if laid.copied else result
    if not np.may_share_memory(out, result):
        np.copyto(out, result, casting="same_kind")
    return out


def checked_output(function: str, out: Any, like: np.ndarray, **inputs: np.ndarray | None) -> np.ndarray | None:
    """`out` as an array that overlaps none of `inputs`, or None."""
    if out is None:
        return None
    target = check.output(function, out, like.shape, like.dtype)
    check.apart(function, target, **inputs)
    return target


def working(array: np.ndarray | None, x: np.ndarray) -> np.ndarray | None:
    """gamma or beta as kernels read it: contiguous, in the dtype that x is computed in."""
    if array is None or (array.dtype is x.dtype and array.flags.carray and x.dtype.char != "e"):
        return array
    return contiguous(array, np.float64 if x.dtype == np.float64 else np.float32)
