"""Distances in units in the last place."""

import numpy as np


def spacing(value, dtype):
    """The size of the last place of `dtype` at each (float64) value; at and beyond overflow that of the largest."""
    info = np.finfo(dtype)
    _, exponent = np.frexp(np.where(np.isfinite(value), np.abs(value), 0.0))
    return np.ldexp(1.0, np.clip(exponent - 1, info.minexp, info.maxexp - 1) - info.nmant)


def ulp_error(actual, expected, dtype=None):
    """|actual - expected| in units of the last place of `dtype` (default: actual's) at the float64 `expected`.

    Subnormals count in the smallest subnormal. Overflow is the next number after the largest one, so an expected
    value past the largest matches inf exactly and the largest within 1. NaN where only one side has it, or a
    finite number for an infinite one, is an error of inf. The signs of zeros are not compared.
    """
    actual = np.asarray(actual)
    dtype = np.dtype(dtype or actual.dtype)
    actual, expected = np.broadcast_arrays(actual.astype(np.float64), np.asarray(expected, np.float64))
    unit = spacing(expected, dtype)
    scale = np.where(unit > 1, 0.25, 1.0)  # keeps 2**1024, float64's overflow, inside float64
    with np.errstate(all="ignore"):
        overflow = np.ldexp(scale, np.finfo(dtype).maxexp)
        scaled = [np.clip(side * scale, -overflow, overflow) for side in (actual, expected)]
        error = np.abs(scaled[0] - scaled[1]) / (unit * scale)
    both_nan = np.isnan(actual) & np.isnan(expected)
    error = np.where(both_nan | (actual == expected), 0.0, error)
    impossible = (np.isnan(actual) != np.isnan(expected)) | (np.isinf(expected) & ~np.isinf(actual))
    return np.where(impossible, np.inf, error)[()]


def same_bits(a, b):
    """Whether two arrays agree in dtype, shape and every bit, all NaNs counting as one."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return bool(np.all(((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))))


def assert_within(actual, expected, bound, absolute=0.0, inputs=()):
    """Every error is at most `bound` ulps of actual's dtype, or at most `absolute`; the report shows the worst."""
    error = np.atleast_1d(ulp_error(actual, expected))
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(np.asarray(actual, np.float64) - expected) <= absolute
    error = np.where(close, 0.0, error)
    if error.size and not error.max() <= bound:
        worst = np.unravel_index(error.argmax(), error.shape)
        at = [float(np.broadcast_to(a, error.shape)[worst]) for a in inputs]
        pair = [float(np.broadcast_to(a, error.shape)[worst]) for a in (actual, expected)]
        wrong = int((error > bound).sum())
        raise AssertionError(
            f"{error[worst]:.3f} ulps of {np.asarray(actual).dtype}, allowed {bound}, at {at}: "
            f"got {pair[0]!r}, expected {pair[1]!r}; {wrong} of {error.size} beyond the bound"
        )
