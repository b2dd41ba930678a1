"""The compiled side of an optimiser's step: one pass over all parameters of a model that have a step in common.

A rule's formula is written for one number of each: `formula(param, grad, states, numbers) -> (param, states)`, states
and numbers (what the hyperparameters and the step number come to) being tuples. A kernel applies it to 16 at a time,
with what all rules have in common around it: scale and clip of the gradient and decay before, averaging and clearing
after.

The parameters are rows of a table. They are cut into chunks by their sizes alone, a large one at fixed places, small
ones packed together, so that a model of 2,000 small arrays is one launch of as many jobs as one large array.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np

from .._engine.fused import Kernel, phases
from .._engine.launch_layout import GRADIENT, PARAMETER, SIZE
from .._engine.primitives import fma, select, to_f64
from .._engine.vectors import (
    LANES,
    Several,
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

# Words of a parameter's row, after those that `locate` knows. EACH is a factor of its gradient, TRUST one of its step;
# its sums of squares are SEGMENTS pairs from the pair SEGMENT on. Addresses of the state arrays follow.
EMA, EACH, TRUST, SEGMENT, SEGMENTS, STATES = 4, 5, 6, 7, 8, 9
#: The address of what a rule with kernels of its own keeps beside that.
INFO = 12
WIDTH = 16

# Words of a chunk: its first parameter, the element there, how many elements in all, the segment that it begins with.
FIRST, BEGIN, COUNT, PIECE = 0, 1, 2, 3
CHUNK_WIDTH = 4

# Words of the context; the rule's own numbers follow. A negative SCALE maximizes. SHRINK and SHIFT are lr times
# weight_decay and l1 where these are decoupled, SHARE is the part of the parameter that enters its average, LIMIT the
# largest norm of one parameter's gradient.
TABLE, CHUNKS, PARTIALS, OPTIONS = 1, 2, 3, 4
SCALE, CLIP, DECAY, L1, SHRINK, SHIFT, SHARE, LIMIT = 5, 6, 7, 8, 9, 10, 11, 12
NUMBERS = 13

# Bits of OPTIONS: which of the common operations there are.
SCALED, EACH_SCALED, DECAYED, SHRUNK, SHRUNK_AFTER, AVERAGED, COPIED, CLEARED = (1 << k for k in range(8))


def _number(base, index):
    return splat(working.number(real(base, index)))


def nothing():
    """A vector of zeros, of the dtype that the formulas work in."""
    return splat(working.number(to_f64(0.0)))


def _signed(value, p):
    """value * sign(p)."""
    zero = nothing()
    return select(p > zero, value, select(p < zero, zero - value, zero))


def _conditioned(g, options, context, row):
    if options & EACH_SCALED:
        g = g * _number(row, EACH)
    if options & SCALED:
        clip = _number(context, CLIP)
        g = g * _number(context, SCALE)
        g = select(g > clip, clip, select(g < -clip, -clip, g))
    return g


def _decayed(g, p, options, context):
    if options & DECAYED:
        g = g + (_number(context, DECAY) * p + _signed(_number(context, L1), p))
    return g


def _shrunk(p, context):
    return p - (_number(context, SHRINK) * p + _signed(_number(context, SHIFT), p))


def _average(ema_at, p, i, count, options, context):
    ema = stored.load_part(ema_at, i, count)
    stored.store_part(ema_at, i, p if options & COPIED else ema + _number(context, SHARE) * (p - ema), count)


def _job(visit, numbers):
    """visit(context, row, segment, begin, end, options, numbers) for every piece of a parameter in a chunk."""

    def job(context, index):
        options, own = word(context, OPTIONS), numbers.numbers(context, NUMBERS)
        chunk = word(context, CHUNKS) + 8 * CHUNK_WIDTH * index
        k, begin, left, segment = word(chunk, FIRST), word(chunk, BEGIN), word(chunk, COUNT), word(chunk, PIECE)
        while left > 0:
            row = word(context, TABLE) + 8 * WIDTH * k
            end = min(begin + left, word(row, SIZE))
            visit(context, row, segment, begin, end, options, own)
            left -= end - begin
            begin = 0
            k += 1
            segment += 1
        return 0

    return job


def taken(context, row, p_at, g_at, i, count, options):
    """A parameter, and its gradient as the rule sees it."""
    p, g = stored.load_part(p_at, i, count), stored.load_part(g_at, i, count)
    g = _decayed(_conditioned(g, options, context, row), p, options, context)
    if options & SHRUNK:
        p = _shrunk(p, context)
    return p, g


def given_back(context, row, p_at, g_at, i, count, options, p):
    """Write what a rule made of a parameter."""
    if options & SHRUNK_AFTER:
        p = _shrunk(p, context)
    stored.store_part(p_at, i, p, count)
    if options & AVERAGED:
        _average(word(row, EMA), p, i, count, options, context)
    if options & CLEARED:
        stored.store_part(g_at, i, nothing(), count)


def _update_job(formula, states, numbers):
    """formula(param, grad, states, numbers, row) of every element, and all that is common to the rules."""

    def some(context, row, p_at, g_at, states_at, i, count, options, own):
        p, g = taken(context, row, p_at, g_at, i, count, options)
        p, new = formula(p, g, states.load_part(states_at, i, count), own, row)
        states.store_part(states_at, i, states.normal(new), count)
        given_back(context, row, p_at, g_at, i, count, options, p)

    def visit(context, row, segment, begin, end, options, own):
        p_at, g_at, states_at = word(row, PARAMETER), word(row, GRADIENT), states.addresses(row, STATES)
        whole = end - (end - begin) % LANES
        for i in range(begin, whole, LANES):
            some(context, row, p_at, g_at, states_at, i, LANES, options, own)
        if whole < end:
            some(context, row, p_at, g_at, states_at, whole, end - whole, options, own)

    return _job(visit, numbers)


def _measure_job(formula, states, numbers):
    """Sums of squares of a and b, formula(param, grad before decay, grad, states, numbers) -> (a, b, states)."""

    def some(context, row, p_at, g_at, states_at, i, count, options, own):
        p, g = stored.load_part(p_at, i, count), stored.load_part(g_at, i, count)
        g = _conditioned(g, options, context, row)
        a, b, new = formula(p, g, _decayed(g, p, options, context), states.load_part(states_at, i, count), own)
        states.store_part(states_at, i, states.normal(new), count)
        zero = splat(to_f64(0.0))
        a, b = select(below(count), wide(a), zero), select(below(count), wide(b), zero)
        return a * a, b * b

    def visit(context, row, segment, begin, end, options, own):
        p_at, g_at, states_at = word(row, PARAMETER), word(row, GRADIENT), states.addresses(row, STATES)
        whole = end - (end - begin) % LANES
        s = splat(to_f64(0.0))
        t = splat(to_f64(0.0))
        for i in range(begin, whole, LANES):
            a, b = some(context, row, p_at, g_at, states_at, i, LANES, options, own)
            s, t = s + a, t + b
        if whole < end:
            a, b = some(context, row, p_at, g_at, states_at, whole, end - whole, options, own)
            s, t = s + a, t + b
        put_real(word(context, PARTIALS), 2 * segment, total(s))
        put_real(word(context, PARTIALS), 2 * segment + 1, total(t))

    return _job(visit, numbers)


def _sums(context, row):
    """A parameter's two sums of squares."""
    partials, segment = word(context, PARTIALS), word(row, SEGMENT)
    s, t = to_f64(0.0), to_f64(0.0)
    for k in range(segment, segment + word(row, SEGMENTS)):
        s, t = s + real(partials, 2 * k), t + real(partials, 2 * k + 1)
    return s, t


def _trust_job(context, index):
    """The trust ratio c A / (B + k A + e) of a parameter, A and B being its norms; 1 where either is 0."""
    row = word(context, TABLE) + 8 * WIDTH * index
    s, t = _sums(context, row)
    a, b = sqrt(s), sqrt(t)
    c, k, e = real(context, NUMBERS), real(context, NUMBERS + 1), real(context, NUMBERS + 2)
    put_real(row, TRUST, c * a / (b + k * a + e) if a > 0 and b > 0 else to_f64(1.0))
    return 0


def _exact_norm(context, row, options):
    """The norm of a gradient whose squares are too large or too small for float64."""
    top, s = to_f64(0.0), splat(to_f64(0.0))
    for i in range(0, word(row, SIZE), LANES):
        top = max(top, largest(magnitude(_scaled(context, row, i, min(LANES, word(row, SIZE) - i), options))))
    if top == 0 or top - top != 0:  # nothing, or infinite
        return top
    for i in range(0, word(row, SIZE), LANES):
        g = _scaled(context, row, i, min(LANES, word(row, SIZE) - i), options) / splat(top)
        s = s + g * g
    return top * sqrt(total(s))


def _each_job(context, index):
    """The factor that brings a parameter's gradient down to the norm LIMIT."""
    row = word(context, TABLE) + 8 * WIDTH * index
    s, limit = _sums(context, row)[0], real(context, LIMIT)
    least = to_f64(2.0**-100) * to_f64(2.0**-100) * to_f64(2.0**-100)  # a literal is of the kernel's dtype
    norm = sqrt(s) if least < s and s * least < 1 else _exact_norm(context, row, word(context, OPTIONS))
    put_real(row, EACH, limit / norm if not norm < limit and norm != 0 else to_f64(1.0))
    return 0


def _scaled(context, row, i, count, options):
    """Gradients with the common scale, in float64."""
    g = stored.load_part(word(row, GRADIENT), i, count)
    return wide(g * _number(context, SCALE) if options & SCALED else g)


def _norm_visit(context, row, segment, begin, end, options, own):
    s = splat(to_f64(0.0))
    t = splat(to_f64(0.0))
    pairs = end - (end - begin) % (2 * LANES)
    for i in range(begin, pairs, 2 * LANES):
        a = _scaled(context, row, i, LANES, options)
        b = _scaled(context, row, i + LANES, LANES, options)
        s, t = fma(a, a, s), fma(b, b, t)
    for i in range(pairs, end, LANES):
        a = _scaled(context, row, i, min(LANES, end - i), options)
        s = fma(a, a, s)
    put_real(word(context, PARTIALS), 2 * segment, total(s + t))


def _adjust_visit(context, row, segment, begin, end, options, own):
    g_at = word(row, GRADIENT)
    for i in range(begin, end, LANES):
        count = min(LANES, end - i)
        stored.store_part(g_at, i, _conditioned(stored.load_part(g_at, i, count), options, context, row), count)


#: Sums of squares of the gradients, and what scales and clips them in place.
NORM = Kernel("optim_norm", _job(_norm_visit, Several(0)))
ADJUST = Kernel("optim_adjust", _job(_adjust_visit, Several(0)))
EACH_FACTOR, TRUST_RATIO = Kernel("optim_each", _each_job), Kernel("optim_trust", _trust_job)


class Update:
    """A rule's kernels.

    The class attribute `alone` says that they take one parameter at a time, `rows` that they need it in C order.

    Parameters
    ----------
    name : str
        Names the kernels.
    formula : callable
        As in the text above; of a layerwise rule with the trust ratio as a fifth argument.
    states : tuple of str
        Names of the state arrays, at most three.
    numbers : int
        How many numbers the formula gets.
    measure : callable, optional
        Makes the rule layerwise: measure(param, grad before decay, grad, states, numbers) -> (a, b, states), whose
        norms over a parameter make its trust ratio (see `_trust_job`, the first three numbers).
    work : float
        ns an element on one core.
    """

    alone = rows = False

    def __init__(
        self,
        name: str,
        formula: Callable,
        states: tuple[str, ...],
        numbers: int,
        measure: Callable | None = None,
        work: float = 0.4,
    ):
        self.name, self.states, self.work = name, states, work
        several, own = Several(len(states)), Several(numbers)

        def plain(p, g, states, numbers, row):
            return formula(p, g, states, numbers)

        def trusting(p, g, states, numbers, row):
            return formula(p, g, states, numbers, _number(row, TRUST))

        self.kernel = Kernel(f"optim_{name}", _update_job(trusting if measure else plain, several, own))
        self.measure = Kernel(f"optim_{name}_measure", _measure_job(measure, several, own)) if measure else None

    def jobs(self, cohort: Any, each_scaled: bool) -> tuple[Any, int]:
        """The first two arguments of the launch that takes a cohort's step."""
        char, pieces = cohort.char, cohort.pieces
        found = [(NORM[char], pieces), (EACH_FACTOR[char], len(cohort.slots))] if each_scaled else []
        found += self.phases(cohort)
        return found[0] if len(found) == 1 else (phases(*found), len(found))

    def phases(self, cohort: Any) -> list[tuple[Any, int]]:
        """The jobs of the rule itself, each with its number of chunks."""
        char, pieces = cohort.char, cohort.pieces
        if self.measure is None:
            return [(self.kernel[char], pieces)]
        return [(self.measure[char], pieces), (TRUST_RATIO[char], len(cohort.slots)), (self.kernel[char], pieces)]

    def prepare(self, table: np.ndarray, slots: list[Any]) -> Any:
        """Fill in the INFO of every row; what it points to, to be kept."""
