"""Large arrays in memory that is used again.

At every step a solver drops its weights, gradients and averages for new ones of the same sizes. The C library gives
blocks of such sizes back to the system, so that every page of the new ones is a fault: for 300,000 float64, Adam with
its three new arrays took 2.6 ms, and 0.27 ms in memory that was there.
"""

import math
from typing import Any

import numpy as np

#: Bytes of an array that it is worth while for, and of all that wait to be used again.
_SMALLEST, _LARGEST, _HELD = 1 << 17, 16 << 20, 64 << 20

#: size -> blocks of that many bytes, and a cache line more, that no array is in.
_FREE: dict[int, list[np.ndarray]] = {}


class _Block:
    """What the arrays over some memory have as their base; after the last of them the memory is free."""

    def __init__(self, memory: np.ndarray, shape: tuple[int, ...], dtype: np.dtype):
        address = memory.ctypes.data
        self.memory = memory
        self.__array_interface__ = {
            "data": (address + -address % 64, False),  # vectors should not lie across two cache lines
            "shape": shape,
            "typestr": dtype.str,
            "version": 3,
        }

    def __del__(self, free: dict[int, list[np.ndarray]] = _FREE) -> None:
        if sum(size * len(blocks) for size, blocks in list(free.items())) < _HELD:
            free.setdefault(self.memory.size - 64, []).append(self.memory)


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """As np.empty."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if not _SMALLEST <= size <= _LARGEST:
        return np.empty(shape, dtype)
    try:
        memory = _FREE[size].pop()
    except (KeyError, IndexError):
        memory = np.empty(size + 64, np.uint8)
    return np.asarray(_Block(memory, shape, dtype))


def empty_like(array: np.ndarray) -> np.ndarray:
    """As np.empty_like, of an array in C order."""
    return np.empty_like(array) if array.nbytes < _SMALLEST else empty(array.shape, array.dtype)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b for matrices."""
    shape, dtype = (len(a), b.shape[1]), np.result_type(a, b)
    return a @ b if math.prod(shape) * dtype.itemsize < _SMALLEST else np.matmul(a, b, out=empty(shape, dtype))
