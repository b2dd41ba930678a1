"""Arguments that all initialisers have, and the fans of a shape."""

import math
from typing import Any

import numpy as np

from .._engine import check

LAYOUTS = ("in_out", "out_in", "conv")


def _prepared(name: str, shape: Any, rng: Any, dtype: Any, layout: str) -> tuple[tuple[int, ...], Any, np.dtype]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    sizes = tuple(check.integer(name, "shape", size) for size in sizes)
    if any(size < 0 for size in sizes):
        raise ValueError(f"{name}: shape is {sizes}, expected sizes >= 0")
    dtype = np.dtype(dtype)
    if dtype.type not in (np.float16, np.float32, np.float64):
        raise TypeError(f"{name}: dtype is {dtype}, expected float16, float32 or float64")
    check.one_of(name, "layout", layout, LAYOUTS)
    return sizes, check.generator(name, rng), dtype


def _fans(name: str, shape: tuple[int, ...], layout: str) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs an output sums over, and the reverse."""
    if len(shape) < 2 or (len(shape) > 2 and layout != "conv"):
        expected = "(out, in, *kernel)" if layout == "conv" else "two sizes (a kernel's weights have layout='conv')"
        raise ValueError(f"{name}: shape is {shape}, expected {expected} for layout={layout!r}")
    if layout == "in_out":
        return shape[0], shape[1]
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel
