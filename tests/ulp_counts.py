"""Errors of millions of float32 results at once, in ulps, counted as `ulps.ulp_error` measures them."""

from typing import NamedTuple

import numba
import numpy as np

#: Bins of the histogram, from which the median comes: 1/256 ulp wide, the last for all larger errors.
BINS, BIN = 1024, 1 / 256
#: 1 / (last place of a float32 number), by its exponent from -126 to 127
PER_PLACE = np.ldexp(1.0, 23 - np.arange(-126, 128))


class Counts(NamedTuple):
    """What is known of a set of errors; sets add up.

    NaN inputs are counted apart: what a derivative is there is a convention, in which libraries differ.
    """

    largest: float
    at: float
    total: float
    above_half: int
    count: int
    nan_mismatches: int  #: NaN inputs for which one side alone is NaN
    histogram: np.ndarray

    def __add__(self, other):  # type: ignore[override]
        top = self if not other.largest > self.largest else other
        sums = [mine + theirs for mine, theirs in zip(self[2:], other[2:], strict=True)]
        return Counts(top.largest, top.at, *sums)

    @property
    def median(self) -> float:
        """Middle of the bin that holds the median; 0 if at least half of the results are exact."""
        index = int(np.searchsorted(np.cumsum(self.histogram), self.count / 2))
        return 0.0 if index == 0 else (index - 0.5) * BIN


def count(x, actual, expected, crossings=(), crossing_bound=0.0, limit=np.inf) -> Counts:
    """Errors of float32 results against float64 ones.

    Inputs beyond `limit` are left out. Within (place, width) of a crossing, an error of at most
    `crossing_bound` eps is none.
    """
    histogram = np.zeros(BINS, np.int64)
    places = np.array(crossings, np.float64).reshape(-1, 2)
    allowed = crossing_bound * float(np.finfo(np.float32).eps)
    bits = expected.view(np.int64)
    return Counts(*_count(x, actual, expected, bits, places, allowed, limit, histogram), histogram)


@numba.njit(nogil=True, error_model="numpy")
def _count(x, actual, expected, bits, crossings, allowed, limit, histogram):
    largest, at, total, above, n, nan_mismatches = -1.0, np.nan, 0.0, 0, 0, 0
    overflow = 2.0**128
    for i in range(x.size):
        if abs(x[i]) > limit:
            continue
        a, e = np.float64(actual[i]), expected[i]
        if np.isnan(x[i]):
            nan_mismatches += np.isnan(a) != np.isnan(e)
            continue
        n += 1
        error = 0.0
        if a != e and not (np.isnan(a) and np.isnan(e)):
            if np.isnan(a) or np.isnan(e) or (np.isinf(e) and not np.isinf(a)):
                error = np.inf
            else:
                exponent = min(max(((bits[i] >> 52) & 0x7FF) - 1023, -126), 127)
                distance = abs(min(max(a, -overflow), overflow) - min(max(e, -overflow), overflow))
                error = distance * PER_PLACE[exponent + 126]
                for k in range(crossings.shape[0]):
                    if abs(np.float64(x[i]) - crossings[k, 0]) < crossings[k, 1] and distance <= allowed:
                        error = 0.0
        if error > largest:
            largest, at = error, np.float64(x[i])
        total += error
        above += error > 0.5
        # bin 0 is for exact results, to which those far below an ulp's 256th do not belong
        histogram[0 if error == 0.0 else min(int(min(error, 1e6) / BIN) + 1, BINS - 1)] += 1
    return largest, at, total, above, n, nan_mismatches
