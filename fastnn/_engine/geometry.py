"""How the jobs' arrays lie in memory: contiguous, cut by the shape alone."""

import math

import numpy as np

#: Elements a chunk of a launch has at least: some microseconds of work, so that handing it out costs nothing.
CHUNK = 1 << 14

#: Bytes of an output from which on it is written past the caches.
LARGE = 8 << 20


def contiguous(array: np.ndarray, dtype=None) -> np.ndarray:
    """`array` in C order, aligned and of dtype; itself where it is so already."""
    if array.flags.carray and (dtype is None or array.dtype == dtype):  # itself at once; read-only ones go on
        return array
    return np.require(array, dtype, ["C", "A"])


def around(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """(elements before, along and after an axis) of a C-contiguous array."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def rows_per_chunk(rows: int, length: int) -> int:
    """Rows of `length` elements that make a chunk."""
    return max(1, min(rows, CHUNK // max(length, 1)))


def empty_lines(shape: tuple[int, ...], dtype) -> np.ndarray:
    """np.empty for large arrays, beginning at a cache line.

    NumPy's own begin 16 bytes past one, where whole lines cannot be written past the caches.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)
