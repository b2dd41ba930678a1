"""The pass over memory behind `fastnn.monitor.tensor_stats`.

Each chunk sums x - K and its square in float64, K being its own first value, so that a large mean cancels nothing (see
`normalization._statistics`). What is rare is only noticed in that loop: a NaN or infinity by a sum that is none, a zero
or subnormal number by the least magnitude. The chunk, in the caches by then, is read again for it.

Chunks are cut by the size alone and merged in their order (Chan, Golub & LeVeque 1979): the same bits for any number
of threads.
"""

from math import inf

import numpy as np

from .._engine import geometry
from .._engine.fused import Kernel, launch, phases
from .._engine.primitives import fma, select, to_f64
from .._engine.vectors import (
    LANES,
    below,
    largest,
    magnitude,
    put_real,
    real,
    splat,
    stored,
    total,
    wide,
    word,
    working,
)  # fmt: skip

# Words of the context. TINY is the smallest normal number of the stored dtype.
X, PARTS, CHUNKS, COUNT, CHUNK, TINY, SCALE = 1, 2, 3, 4, 5, 6, 7

# Numbers of a part, and of all parts merged. The mean is PIVOT + SHIFT; these and M2, the sum of squared deviations
# from it, are of the values times SCALE. FINITE and the last four are counts.
FINITE, PIVOT, SHIFT, M2, LOW, HIGH, ZERO, NAN, INFINITE, SUBNORMAL = range(10)
WIDTH = 10

#: Elements read in a nanosecond on one core.
_PER_NS = 8

#: As for norms: sums of squares between these have neither overflowed nor lost what is too small to square; float64
#: values with others are read again, scaled by _SCALE or its inverse.
_LEAST, _MOST = 1e-200, 1e300
_SCALE = 2.0**600
_TINY = {char: float(np.finfo(char).tiny) for char in "efd"}


def _loaded(x, i, count, filler):
    """`count` values from the i-th on; the filler in the other lanes."""
    values = stored.load_part(x, i, count)
    return select(below(count), values, filler) if count < LANES else values


def _along(body):
    """sums = body(x, i, count, constants, sums) over the values from begin to end."""

    def loop(x, begin, end, constants, sums):
        whole = end - (end - begin) % LANES
        for i in range(begin, whole, LANES):
            sums = body(x, i, LANES, constants, sums)
        if whole < end:
            sums = body(x, whole, end - whole, constants, sums)
        return sums

    return loop


def _add(x, i, count, constants, sums):
    (first, k), (s, q, low, high, least) = constants, sums
    a = _loaded(x, i, count, first)
    d, size = wide(a) - k, magnitude(a)
    low, high = select(a < low, a, low), select(a > high, a, high)
    return s + d, fma(d, d, q), low, high, select(size < least, size, least)


def _add_finite(x, i, count, constants, sums):
    (filler, k, scale), (s, q, low, high, nans, infinite) = constants, sums
    a = _loaded(x, i, count, filler)
    zero, nothing = filler - filler, k - k
    one = splat(working.number(to_f64(1.0)))
    finite = a - a == zero
    d = select(finite, wide(a) * scale - k, nothing)
    low, high = select(finite & (a < low), a, low), select(finite & (a > high), a, high)
    nans = nans + select(a != a, one, zero)
    infinite = infinite + select(finite | (a != a), zero, one)
    return s + d, fma(d, d, q), low, high, nans, infinite


def _add_small(x, i, count, constants, counts):
    (one, tiny), (zeros, small) = constants, counts
    size, zero = magnitude(_loaded(x, i, count, one)), one - one
    return zeros + select(size == zero, one, zero), small + select(size < tiny, one, zero)


_moments, _finite_moments, _small = _along(_add), _along(_add_finite), _along(_add_small)


def _first_finite(x, begin, end):
    for i in range(begin, end):
        value = stored.get(x, i)
        if value - value == 0:
            return value
    return working.number(to_f64(0.0))


def _put_moments(part, n, k, shift, m2, low, high):
    put_real(part, FINITE, n)
    put_real(part, PIVOT, k)
    put_real(part, SHIFT, shift)
    put_real(part, M2, m2)
    put_real(part, LOW, low)
    put_real(part, HIGH, high)


def _put_sums(part, n, k, s, q, low, high):
    shift = s / n
    m2 = q - s * shift
    m2 = to_f64(0.0) if m2 < 0 else m2  # what rounding left of 0; NaN of squares that overflowed stays
    _put_moments(part, n, k, shift, m2, to_f64(-largest(-low)), to_f64(largest(high)))


def _put_finite(part, x, begin, end, scale):
    """The moments of the finite values, and how many are not."""
    first = _first_finite(x, begin, end)
    k, nothing = to_f64(first) * scale, splat(to_f64(0.0))
    top, none = splat(working.number(to_f64(inf))), splat(working.number(to_f64(0.0)))
    constants, start = (splat(first), splat(k), splat(scale)), (nothing, nothing, top, -top, none, none)
    s, q, low, high, nans, infinite = _finite_moments(x, begin, end, constants, start)
    nan, infinities = to_f64(total(nans)), to_f64(total(infinite))
    _put_sums(part, to_f64(end - begin) - nan - infinities, k, total(s), total(q), low, high)
    put_real(part, NAN, nan)
    put_real(part, INFINITE, infinities)


def _put_small(part, x, begin, end, tiny):
    """How many values are 0, and how many subnormal."""
    none = splat(working.number(to_f64(0.0)))
    constants = splat(working.number(to_f64(1.0))), splat(working.number(tiny))
    zeros, small = _small(x, begin, end, constants, (none, none))
    zero = to_f64(total(zeros))
    put_real(part, ZERO, zero)
    put_real(part, SUBNORMAL, to_f64(total(small)) - zero)


def _part(context, index):
    x, tiny, scale = word(context, X), real(context, TINY), real(context, SCALE)
    begin = index * word(context, CHUNK)
    end = min(begin + word(context, CHUNK), word(context, COUNT))
    part = word(context, PARTS) + 8 * WIDTH * index
    for which in range(ZERO, WIDTH):
        put_real(part, which, to_f64(0.0))
    first = stored.get(x, begin)
    k, nothing, top = to_f64(first), splat(to_f64(0.0)), splat(working.number(to_f64(inf)))
    start = nothing, nothing, top, -top, top
    s, q, low, high, least = _moments(x, begin, end, (splat(first), splat(k)), start)
    squares = total(q)
    if squares - squares == 0 and scale == 1:
        _put_sums(part, to_f64(end - begin), k, total(s), squares, low, high)
    else:
        _put_finite(part, x, begin, end, scale)
    if to_f64(-largest(-least)) < tiny:
        _put_small(part, x, begin, end, tiny)
    return 0


def _merge(context, index):
    """All parts as one, in the place after the last; deviations are from the pivot of the first that has values."""
    parts, chunks = word(context, PARTS), word(context, CHUNKS)
    n, k, s, m2 = to_f64(0.0), to_f64(0.0), to_f64(0.0), to_f64(0.0)
    low, high = to_f64(inf), to_f64(-inf)
    for j in range(chunks):
        part = parts + 8 * WIDTH * j
        count = real(part, FINITE)
        if count > 0:
            k = real(part, PIVOT) if n == 0 else k
            n += count
            s += count * ((real(part, PIVOT) - k) + real(part, SHIFT))
            low, high = min(low, real(part, LOW)), max(high, real(part, HIGH))
    shift = s / n
    for j in range(chunks):
        part = parts + 8 * WIDTH * j
        if real(part, FINITE) > 0:
            d = (real(part, PIVOT) - k) + real(part, SHIFT) - shift
            m2 += real(part, M2) + real(part, FINITE) * d * d
    _put_moments(parts + 8 * WIDTH * chunks, n, k, shift, m2, low, high)
    for which in range(ZERO, WIDTH):
        counted = to_f64(0.0)
        for j in range(chunks):
            counted += real(parts + 8 * WIDTH * j, which)
        put_real(parts + 8 * WIDTH * chunks, which, counted)
    return 0


PART, MERGE = Kernel("tensor_stats", _part), Kernel("tensor_stats_merge", _merge)


def _measured(x: np.ndarray, scale: float) -> list[float]:
    char, chunks = x.dtype.char, -(-x.size // geometry.CHUNK)
    parts = np.empty((chunks + 1, WIDTH))
    jobs, work = phases((PART[char], chunks), (MERGE["d"], 1)), x.size // _PER_NS
    launch(jobs, 2, work, x, parts, chunks, x.size, geometry.CHUNK, _TINY[char], scale)
    return parts[-1].tolist()


def moments(x: np.ndarray) -> tuple[float, ...]:
    """(mean, std, min, max) of the finite values, NaN if there are none, and the numbers of zeros, NaNs, infinities and
    subnormal numbers of a contiguous float16, float32 or float64 array that is not empty.
    """
    scale = 1.0
    numbers = _measured(x, scale)
    if x.dtype.char == "d" and numbers[LOW] < numbers[HIGH] and not _LEAST < numbers[M2] < _MOST:
        scale = _SCALE if numbers[M2] < 1 else 1 / _SCALE  # NaN and infinity are what has overflowed
        numbers = _measured(x, scale)
    n, counts = numbers[FINITE], numbers[ZERO:]
    if n == 0:
        return (np.nan,) * 4 + tuple(counts)
    mean, std = (numbers[PIVOT] + numbers[SHIFT]) / scale, (numbers[M2] / n) ** 0.5 / scale
    return mean, std, numbers[LOW], numbers[HIGH], *counts
