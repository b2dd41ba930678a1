"""Errors in float16 on every input, and in float64 on a sample against arithmetic of arbitrary precision."""

from functools import cache

import numpy as np
from cases import values
from exhaustive_rows import Row, rows
from ulps import spacing, ulp_error

#: Of each exponent and sign of float64; around kinks and zero crossings there are hundreds more.
PER_EXPONENT = 4
#: Of each of these exponents, in which functions do what they are known for.
EXPONENTS, PER_BUSY_EXPONENT = range(-30, 12), 800


@cache
def sample(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(float64 inputs, the exact results in two words).

    Left out are kinks, where a derivative is a convention, and the negative zero, which mpmath does not have.
    """
    row, rng = rows("fastnn")[name], np.random.default_rng(0)
    x = values(np.float64, PER_EXPONENT, [*row.kinks, *(place for place, _ in row.crossings)])
    busy = np.repeat(EXPONENTS, PER_BUSY_EXPONENT)
    x = np.concatenate([x, np.ldexp(rng.uniform(1, 2, busy.size), busy) * rng.choice([-1, 1], busy.size)])
    kept = np.isfinite(x) & (np.abs(x) <= row.limit) & ~np.isin(x, row.kinks) & ~((x == 0) & np.signbit(x))
    return x[kept], row.precise(x[kept])


def errors(row: Row, dtype: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(inputs but NaN, errors in ulps of `dtype`); None where the library has no such loop."""
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16) if dtype == "float16" else sample(row.name)[0]
    x = x[~np.isnan(x) & (np.abs(x.astype(np.float64)) <= row.limit)]
    with np.errstate(all="ignore"):
        try:
            actual = np.asarray(row.value(x))
        except (NotImplementedError, RuntimeError, TypeError):
            return None
        if actual.dtype != dtype:
            return None
        exact = row.exact(x.astype(np.float64)) if dtype == "float16" else sample(row.name)[1]
        error, distance = _distance(actual, exact)
    for place, width in row.crossings:
        near = np.abs(x.astype(np.float64) - place) < width
        error[near & (distance <= row.crossing_bound * float(np.finfo(dtype).eps))] = 0.0
    return x, error


def _distance(actual: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(in ulps, absolute), from one float64 number or from two words each."""
    if exact.ndim == 1:
        return ulp_error(actual, exact), np.abs(actual - exact)
    high, low = exact.T
    distance = np.abs((actual - high) - low)
    finite = np.isfinite(actual) & np.isfinite(high)
    return np.where(finite, distance / spacing(high, actual.dtype), ulp_error(actual, high)), distance


def number(value: float) -> float | str:
    """JSON has no infinities."""
    return float(value) if np.isfinite(value) else str(value)


def summary(row: Row, dtype: str) -> dict | None:
    """What a table says of the errors."""
    found = errors(row, dtype)
    if found is None:
        return None
    x, error = found
    worst = int(error.argmax())
    return {
        "max_ulp": number(error[worst]),
        "at": number(x[worst]),
        "mean_ulp": number(error.mean()),
        "median_ulp": float(np.median(error)),
        "above_half": float((error > 0.5).mean()),
        "inputs": error.size,
    }
