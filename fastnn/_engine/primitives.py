"""The few operations a formula needs beyond Python arithmetic.

Each works on NumPy scalars in plain Python (with the JIT off, and in tests of the formulas); inside
compiled formulas `specialise` replaces it by the intrinsic of the same name in `intrinsics`, one LLVM
instruction that vectorises.
"""

from fractions import Fraction
from math import isfinite

import numpy as np

__all__ = ["f32_bits", "f32_from_bits", "f64_bits", "f64_from_bits", "fma", "select", "to_f32", "to_f64"]


def fma(a, b, c):
    """a * b + c, rounded once; also of vectors."""
    if isinstance(a, np.ndarray):
        return np.array([fma(*lane) for lane in zip(a, b, c, strict=True)], a.dtype)
    kinds = {type(a), type(b), type(c)}  # a Python float among them is a constant, and weak
    kind = np.float32 if np.float32 in kinds and np.float64 not in kinds else np.float64
    if kind is np.float32:  # the float64 product is exact; double rounding of the sum is the rare half-ulp case
        a, b, c = (np.float64(np.float32(v)) for v in (a, b, c))
        return np.float32(a * b + c)
    if isfinite(a) and isfinite(b) and isfinite(c):
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        if exact:
            try:
                return kind(float(exact))
            except OverflowError:
                return kind(np.inf if exact > 0 else -np.inf)
    return kind(a) * kind(b) + kind(c)


def f32_bits(x):
    """The bits of a float32 as an int32."""
    return np.float32(x).view(np.int32)


def f32_from_bits(i):
    """The float32 with these bits (the low 32 of any integer)."""
    return np.uint32(int(i) & 0xFFFFFFFF).view(np.float32)


def f64_bits(x):
    """The bits of a float64 as an int64."""
    return np.float64(x).view(np.int64)


def f64_from_bits(i):
    """The float64 with these bits."""
    return np.uint64(int(i) & 0xFFFFFFFFFFFFFFFF).view(np.float64)


def to_f32(x):
    """Round to float32."""
    return np.float32(x)


def to_f64(x):
    """Widen to float64."""
    return np.float64(x)


def select(condition, a, b):
    """a if condition else b, without a branch: both are computed. Lane by lane for vectors."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, a, b)
    return a if condition else b
