"""The jobs behind the dropouts.

Each chunk is a run of elements of x in C order, as the random bits are. The words of a context begin with x, y and the
number of elements.
"""

import math

import numpy as np

from .._engine.fused import Kernel
from .._engine.pairs import Pair, horner
from .._engine.philox import BLOCK, random_words
from .._engine.primitives import fma, select, to_f64
from .._engine.simd_math import log, log1p, sin
from .._engine.vectors import (
    LANES,
    Lanewise,
    Stack,
    any_lane,
    fence,
    first_shorts,
    last_shorts,
    load_mask,
    real,
    shorts,
    splat,
    store_mask,
    stored,
    wide,
    word,
    words,
)

#: Elements to a chunk: some microseconds of work.
CHUNK = 128 * BLOCK

#: Elements of a mask that take half a word each from a block of them, and those done in a step.
_SHORTS = 2 * BLOCK
_STEP = 2 * _SHORTS
_STAGED = Stack(8 * (_STEP + LANES))

_TWO_PI = 2 * math.pi
# sin(2 pi a) / a as a polynomial of a**2, |a| <= 1/4 (minimax): 2**-27
_sine_over_a = horner(
    6.2831854820251465, -41.341678619384766, 81.60223388671875, -76.57498931884766, 39.71091842651367
)  # fmt: skip


def _part(count, k):
    """How many lanes of the k-th of several vectors are among the first `count` elements."""
    return min(max(count - LANES * k, 0), LANES)


def _after(count, k):
    """How many of the first `count` elements the first k vectors leave."""
    return max(count - LANES * k, 0)


def _by_steps(numbers, body, step):
    """The job that calls body(x, y, seed, numbers(context), i, count) for `step` elements from i on, then for the rest.

    x, y and the seed are words 1, 2 and 4, what `numbers` reads comes after them.
    """

    def job(context, index):
        x, y, seed, parameters = word(context, 1), word(context, 2), word(context, 4), numbers(context)
        start = index * CHUNK
        end = min(start + CHUNK, word(context, 3))
        whole = end - (end - start) % step
        for i in range(start, whole, step):
            body(x, y, seed, parameters, i, step)
        if end > whole:
            body(x, y, seed, parameters, whole, end - whole)
        return 0

    return job


def _streamed(numbers, body):
    """`_by_steps` of _STEP with y written past the caches, which saves reading it before it is written.

    Only whole lines can be, and y seldom begins with one: a step's values are staged, after the LANES before them,
    the last of which still have to be written.
    """

    def job(context, index):
        x, y, seed, parameters = word(context, 1), word(context, 2), word(context, 4), numbers(context)
        start = index * CHUNK
        end = min(start + CHUNK, word(context, 3))
        whole = end - (end - start) % _STEP
        staged, size = _STAGED(), stored.size()
        head = (-(y + start * size) & (min(64, LANES * size) - 1)) // size  # values up to the first line
        for i in range(start, whole, _STEP):
            stored.store(staged, 0, stored.load(staged, _STEP))
            body(x, staged + (LANES - i) * size, seed, parameters, i, _STEP)
            if i == start:
                stored.store_part(y, start, stored.load(staged, LANES), head)
            else:
                stored.stream(y, i + head - LANES, stored.load(staged, head))
            for k in range(LANES, _STEP, LANES):
                stored.stream(y, i + head - LANES + k, stored.load(staged, head + k))
        if whole > start:
            rest = LANES - head
            stored.store_part(y, whole - rest, stored.load_part(staged, _STEP + head, rest), rest)
        if end > whole:
            body(x, y, seed, parameters, whole, end - whole)
        fence()
        return 0

    return job


# --- each element by itself ------------------------------------------------------------------------------------------


def _threshold(context):
    """(upper half, lower half, whether the lower one counts) of the number that an element's bits reach if kept."""
    threshold = word(context, 5)
    return shorts(threshold >> 16), shorts(threshold), threshold % 65536 != 0


def _affine_numbers(context):
    """The threshold and (factor, offset, dropped): y = factor * x + offset where kept, `dropped` elsewhere."""
    factor, offset = splat(stored.number(real(context, 6))), splat(stored.number(real(context, 7)))
    return _threshold(context), (factor, offset, splat(stored.number(real(context, 8))))


def _affine(x, y, numbers, i, count, kept):
    factor, offset, dropped = numbers
    value = fma(stored.load_part(x, i, count), factor, offset)
    stored.store_part(y, i, select(kept, value, dropped), count)


def _no_numbers(context):
    return _threshold(context), 0


def _mask(x, y, numbers, i, count, kept):
    store_mask(y, i, kept, count)


def _kept(threshold, upper, lower):
    """Where the bits, of which these are the halves, reach the threshold."""
    at_upper, at_lower, _ = threshold
    return (upper > at_upper) | ((upper == at_upper) & (lower >= at_lower))


def _least(a, b):
    return select(a < b, a, b)


def _distance(threshold, pairs):
    """0 where the upper half of one of two elements is the threshold's, so that the lower one decides."""
    at_upper, _, _ = threshold
    return _least(first_shorts(pairs) ^ at_upper, last_shorts(pairs) ^ at_upper)


def _least_distance(threshold, block):
    a, b, c, d = block
    first = _least(_distance(threshold, a), _distance(threshold, b))
    return _least(first, _least(_distance(threshold, c), _distance(threshold, d)))


def _by_shorts(place):
    """The body over _STEP elements that calls place(x, y, numbers, i, count, kept) for each vector of them."""

    def two(x, y, parameters, i, count, upper, lower):
        threshold, numbers = parameters
        kept = _kept(threshold, first_shorts(upper), first_shorts(lower))
        place(x, y, numbers, i, _part(count, 0), kept)
        kept = _kept(threshold, last_shorts(upper), last_shorts(lower))
        place(x, y, numbers, i + LANES, _part(count, 1), kept)

    def eight(x, y, parameters, i, count, upper, lower):
        (a, b, c, d), (e, f, g, h) = upper, lower
        two(x, y, parameters, i, count, a, e)
        two(x, y, parameters, i + 2 * LANES, _after(count, 2), b, f)
        two(x, y, parameters, i + 4 * LANES, _after(count, 4), c, g)
        two(x, y, parameters, i + 6 * LANES, _after(count, 6), d, h)

    def body(x, y, seed, parameters, i, count):
        block = i // _SHORTS
        threshold, _ = parameters
        _, _, lower_counts = threshold
        upper, next_upper = random_words(seed, block, 0, block + 1, 0)
        distance = _least(_least_distance(threshold, upper), _least_distance(threshold, next_upper))
        if lower_counts and any_lane(distance == shorts(0)):
            lower, next_lower = random_words(seed, block, 1, block + 1, 1)
            eight(x, y, parameters, i, count, upper, lower)
            eight(x, y, parameters, i + _SHORTS, _after(count, 8), next_upper, next_lower)
        else:
            most = words(-1)  # a constant that any lower half of a threshold allows: one comparison is left of two
            lower = most, most, most, most
            eight(x, y, parameters, i, count, upper, lower)
            eight(x, y, parameters, i + _SHORTS, _after(count, 8), next_upper, lower)

    return body


def _double(number):
    return splat(to_f64(number))


def _uniforms(bits):
    """u = (bits + 1/2) / 2**32, less 1 where it is nearer 1: exact, and in relative terms still so in float32."""
    u = fma(wide(bits), _double(2.0**-32), _double(2.0**-33))
    return stored.narrowed(select(u < _double(0.5), u, u - _double(1.0)))


def _turns(bits):
    """a with sin(2 pi a) = cos(2 pi u), |a| <= 1/4."""
    a = fma(wide(bits), _double(2.0**-32), _double(2.0**-33)) - _double(0.5)
    return stored.narrowed(select(a < _double(0.0), -a, a) - _double(0.25))


def _log_f32(u):
    return log(u) if u > 0.0 else log1p(u)


def _log_f64(u):
    return log(u if u > 0.0 else 1.0 + u)


def _sine_f32(a):
    return a * _sine_over_a(a * a)


def _sine_f64(a):
    return sin(_TWO_PI * a)


_log_uniform, _sine_of_turn = Pair(_log_f32, _log_f64), Pair(_sine_f32, _sine_f64)


def _normal_factor(u, a, strength):
    """1 + strength * z with z normal (Box & Muller 1958)."""
    return fma(strength, np.sqrt(-2.0 * _log_uniform(u)) * _sine_of_turn(a), 1.0)


_normal_factors = Lanewise(_normal_factor)


def _strength(context):
    return stored.number(real(context, 5))


def _scaled(x, y, strength, i, count, first, second):
    factors = _normal_factors(_uniforms(first), _turns(second), strength)
    stored.store_part(y, i, stored.load_part(x, i, count) * factors, count)


def _gaussian(x, y, seed, strength, i, count):
    block = i // BLOCK
    (a, b, c, d), (e, f, g, h) = random_words(seed, block, 0, block, 1)
    _scaled(x, y, strength, i, _part(count, 0), a, e)
    _scaled(x, y, strength, i + LANES, _part(count, 1), b, f)
    _scaled(x, y, strength, i + 2 * LANES, _part(count, 2), c, g)
    _scaled(x, y, strength, i + 3 * LANES, _part(count, 3), d, h)


# --- many elements to a bit of the mask ------------------------------------------------------------------------------


def _scale_run(x, y, i, end, factor):
    whole = end - (end - i) % LANES
    for k in range(i, whole, LANES):
        stored.store(y, k, stored.load(x, k) * factor)
    stored.store_part(y, whole, stored.load_part(x, whole, end - whole) * factor, end - whole)


def _clear_run(y, i, end, zero):
    whole = end - (end - i) % LANES
    for k in range(i, whole, LANES):
        stored.store(y, k, zero)
    stored.store_part(y, whole, zero, end - whole)


def _runs(context, index):
    """x of shape (samples, middle, channels, length), a bit to a channel of a sample."""
    x, y, mask, factor = word(context, 1), word(context, 2), word(context, 4), splat(stored.number(real(context, 5)))
    middle, channels, length = word(context, 6), word(context, 7), word(context, 8)
    zero = factor - factor
    i, end = index * CHUNK, min((index + 1) * CHUNK, word(context, 3))
    while i < end:
        run = i // length
        stop = min((run + 1) * length, end)
        if any_lane(load_mask(mask, run // (middle * channels) * channels + run % channels, 1)):
            _scale_run(x, y, i, stop, factor)
        else:
            _clear_run(y, i, stop, zero)
        i = stop
    return 0


def _scale_some(x, y, i, count, mask, place, factor):
    value = stored.load_part(x, i, count) * factor
    stored.store_part(y, i, select(load_mask(mask, place, count), value, factor - factor), count)


def _columns(context, index):
    """x of shape (samples, middle, channels), a bit to a channel of a sample."""
    x, y, mask, factor = word(context, 1), word(context, 2), word(context, 4), splat(stored.number(real(context, 5)))
    middle, channels = word(context, 6), word(context, 7)
    i, end = index * CHUNK, min((index + 1) * CHUNK, word(context, 3))
    while i < end:
        row = i // channels
        stop = min((row + 1) * channels, end)
        whole = stop - (stop - i) % LANES
        ahead = (row // middle - row) * channels  # from an element's place in x to that of its bit
        for k in range(i, whole, LANES):
            _scale_some(x, y, k, LANES, mask, k + ahead, factor)
        if stop > whole:
            _scale_some(x, y, whole, stop - whole, mask, whole + ahead, factor)
        i = stop
    return 0


_affine_body = _by_shorts(_affine)

AFFINE = Kernel("dropout", _by_steps(_affine_numbers, _affine_body, _STEP))
STREAMED = Kernel("dropout_streamed", _streamed(_affine_numbers, _affine_body))
MASK = Kernel("dropout_mask", _by_steps(_no_numbers, _by_shorts(_mask), _STEP))
GAUSSIAN = Kernel("gaussian_dropout", _by_steps(_strength, _gaussian, BLOCK))
RUNS = Kernel("dropout_of_runs", _runs)
COLUMNS = Kernel("dropout_of_columns", _columns)
