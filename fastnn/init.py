"""Initial weights.

Every function is ``f(shape, ..., *, rng=None, dtype=np.float32, layout="in_out")``. `layout` says which axes are
fan-in and fan-out: "in_out" for the W of ``x @ W``, "out_in" for ``x @ W.T`` (torch's Linear), "conv" for
(out, in, *kernel). Numbers are drawn in float64 and rounded, so that a seed means the same weights in every dtype.
"""

import math
from typing import Any

import numpy as np

from ._engine import check

LAYOUTS = ("in_out", "out_in", "conv")

#: Standard deviation of a standard normal cut off at -2 and 2.
_TRUNCATED_STD = 0.87962566103423978


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


def zeros(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """All 0, for biases; rng and layout are accepted so that every initialiser is called alike."""
    shape, _, dtype = _prepared("zeros", shape, rng, dtype, layout)
    return np.zeros(shape, dtype)


def constant(
    shape: Any, value: float = 0.0, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """All `value`."""
    shape, _, dtype = _prepared("constant", shape, rng, dtype, layout)
    return np.full(shape, check.number("constant", "value", value), dtype)


def normal(
    shape: Any, std: float = 0.01, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Normal with mean 0 and standard deviation `std`."""
    shape, generator, dtype = _prepared("normal", shape, rng, dtype, layout)
    std = check.number("normal", "std", std, low=0)
    return (std * generator.standard_normal(shape)).astype(dtype)


def uniform(
    shape: Any,
    low: float = -0.05,
    high: float = 0.05,
    *,
    rng: Any = None,
    dtype: Any = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """Uniform from `low` to `high`."""
    shape, generator, dtype = _prepared("uniform", shape, rng, dtype, layout)
    low = check.number("uniform", "low", low)
    high = check.number("uniform", "high", high, low=low)
    return generator.uniform(low, high, shape).astype(dtype)


def truncated_normal(
    shape: Any, std: float = 0.01, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Normal, drawn again beyond two of its standard deviations, scaled so that `std` is that of the result."""
    shape, generator, dtype = _prepared("truncated_normal", shape, rng, dtype, layout)
    return (check.number("truncated_normal", "std", std, low=0) * _truncated(shape, generator)).astype(dtype)


def _truncated(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Truncated at +-2 before the scaling; variance 1."""
    values = generator.standard_normal(shape)
    beyond = np.abs(values) > 2
    while beyond.any():
        values[beyond] = generator.standard_normal(np.count_nonzero(beyond))
        beyond = np.abs(values) > 2
    return values / _TRUNCATED_STD


def variance_scaling(
    shape: Any,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    *,
    rng: Any = None,
    dtype: Any = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """Mean 0 and variance ``scale / fan``.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    scale : float
        1 keeps the variance through a linear layer, 2 through a linear layer and ReLU.
    mode : {"fan_in", "fan_out", "fan_avg"}
        Which fan; fan_avg is their mean.
    distribution : {"normal", "truncated_normal", "uniform"}
        All three have that variance.
    """
    return _scaled("variance_scaling", shape, scale, mode, distribution, rng, dtype, layout)


def _scaled(
    name: str, shape: Any, scale: float, mode: str, distribution: str, rng: Any, dtype: Any, layout: str
) -> np.ndarray:
    shape, generator, dtype = _prepared(name, shape, rng, dtype, layout)
    scale = check.number(name, "scale", scale, low=0)
    check.one_of(name, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
    check.one_of(name, "distribution", distribution, ("normal", "truncated_normal", "uniform"))
    fan_in, fan_out = _fans(name, shape, layout)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = math.sqrt(scale / max(fan, 1))
    if distribution == "uniform":
        bound = math.sqrt(3) * std
        return generator.uniform(-bound, bound, shape).astype(dtype)
    draw = _truncated(shape, generator) if distribution == "truncated_normal" else generator.standard_normal(shape)
    return (std * draw).astype(dtype)


def xavier_uniform(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """Uniform with variance ``2 / (fan_in + fan_out)`` (Glorot & Bengio 2010)."""
    return _scaled("xavier_uniform", shape, 1, "fan_avg", "uniform", rng, dtype, layout)


def xavier_normal(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """Normal with variance ``2 / (fan_in + fan_out)`` (Glorot & Bengio 2010).

    Lecture notes that write Xavier as ``randn(fan_in, fan_out) / sqrt(fan_in)`` mean `lecun_normal`.
    """
    return _scaled("xavier_normal", shape, 1, "fan_avg", "normal", rng, dtype, layout)


def he_uniform(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """Uniform with variance ``2 / fan_in`` (He et al. 2015)."""
    return _scaled("he_uniform", shape, 2, "fan_in", "uniform", rng, dtype, layout)


def he_normal(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """Normal with variance ``2 / fan_in``, for layers followed by ReLU (He et al. 2015).

    Lecture notes write it as Xavier for ReLU: ``randn(fan_in, fan_out) / sqrt(fan_in / 2)``.
    """
    return _scaled("he_normal", shape, 2, "fan_in", "normal", rng, dtype, layout)


def lecun_uniform(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """Uniform with variance ``1 / fan_in`` (LeCun et al. 1998)."""
    return _scaled("lecun_uniform", shape, 1, "fan_in", "uniform", rng, dtype, layout)


def lecun_normal(shape: Any, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out") -> np.ndarray:
    """Normal with variance ``1 / fan_in`` (LeCun et al. 1998).

    Lecture notes call it Xavier, ``randn(fan_in, fan_out) / sqrt(fan_in)``, and its form for ReLU, with fan_in / 2, is
    `he_normal`: the first keeps the scale of activations through layers of tanh, the second through layers of ReLU.
    """
    return _scaled("lecun_normal", shape, 1, "fan_in", "normal", rng, dtype, layout)


def orthogonal(
    shape: Any, gain: float = 1.0, *, rng: Any = None, dtype: Any = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """`gain` times a random orthogonal matrix (Saxe et al. 2014); rows or columns are orthonormal, the fewer ones.

    A kernel's weights are taken as the matrix (out, in * kernel).
    """
    shape, generator, dtype = _prepared("orthogonal", shape, rng, dtype, layout)
    gain = check.number("orthogonal", "gain", gain)
    _fans("orthogonal", shape, layout)
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.copysign(1, np.diag(r))  # without the signs of r, q is not uniform over the orthogonal matrices
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)
