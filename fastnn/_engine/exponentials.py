"""exp along a line without overflow, and accurate however far apart the elements are.

exp(x - top) with a rounded difference is off by |x - top| half ulps. Here exp(x) = 2**n exp(r) is split as usual, and
the largest element's own n taken off the exponent: `scaled` is exp(x) 2**(SCALE - n_top), 0.7 to 1.5 times 2**SCALE for
the largest, and normal for all that are not 0 beside it. Only where x is so large that n would be inexact is the
largest element subtracted first, and there differences are exact.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from .lines import Layout
from .pairs import Pair
from .primitives import fma, select
from .simd_math.exponential import LOG2E, growth, nearest, power, reduced
from .vectors import LANES, Lanewise, Stack, below, splat, stored, wide, working

#: Bytes of a line's exponentials that are kept on the stack for a second look; those of longer lines are recomputed.
_HELD = 1 << 15
held_exponentials = Stack(_HELD)


def _far(limit):
    def shift(top):
        """What to subtract from the elements of a line first."""
        return top if abs(top) > limit else 0.0

    return shift


def _within(distance):
    def low(top, shift):
        """Where exp is 0 beside the largest element's."""
        return (top - shift) - distance

    return low


def _scaling(scale):
    def offset(top, shift):
        """What goes onto the exponents."""
        return scale - nearest(top - shift, LOG2E, 0.0)[0]

    return offset


_shift = Pair(_far(2.0**20), _far(2.0**40))
_low = Pair(_within(110.0), _within(760.0))
_offset = Pair(_scaling(64.0), _scaling(512.0))


def scaled(x, shift, low, offset):
    """exp(x - shift) 2**offset."""
    v = x - shift
    v = low if v < low else v
    r, shifted = reduced(v, offset)
    scale = power(shifted)
    return fma(scale, growth(r), scale)


scaled_exp = Lanewise(scaled)
#: Elements ahead that columns are prefetched: the next strip, whose lines no processor guesses from strides.
AHEAD = LANES


def lane_tops(x, at):
    """The largest element of each lane, NaNs aside; -inf where there is none."""
    start, stride, steps, count, rest = at
    lowest = splat(working.number(-inf))
    top = lowest
    for k in range(steps):
        if stride != LANES:
            stored.prefetch(x, start + k * stride + AHEAD)
        v = stored.load_part(x, start + k * stride, count)
        top = select(v > top, v, top)
    if rest:
        v = select(below(rest), stored.load_part(x, start + steps * stride, rest), lowest)
        top = select(v > top, v, top)
    return top


def buffer_for(steps):
    """Where the exponentials of a line are kept; 0 if they are too many."""
    buffer = held_exponentials()
    return buffer if (steps + 1) * LANES * working.size() <= _HELD else 0


def lane_sums(x, at, buffer, shift, low, offset):
    """The float64 sum of each lane's exponentials, which are kept in `buffer` unless it is 0."""
    start, stride, steps, count, rest = at
    zero = splat(working.number(0.0))
    s = wide(zero)
    for k in range(steps):
        e = scaled_exp(stored.load_part(x, start + k * stride, count), shift, low, offset)
        if buffer:
            working.store(buffer, k * LANES, e)
        s = s + wide(e)
    if rest:
        e = scaled_exp(stored.load_part(x, start + steps * stride, rest), shift, low, offset)
        if buffer:
            working.store(buffer, steps * LANES, e)
        s = s + wide(select(below(rest), e, zero))
    return s


def exponential(x, i, buffer, k, count, shift, low, offset):
    """The scaled exponentials of the k-th vector of a line, kept or computed again."""
    if buffer:
        return working.load(buffer, k * LANES)
    return scaled_exp(stored.load_part(x, i, count), shift, low, offset)


def _nans(x, at):
    """0 for each lane, NaN for those that have one."""
    start, stride, steps, count, rest = at
    found = splat(working.number(0.0))
    for k in range(steps):
        v = stored.load_part(x, start + k * stride, count)
        found = select(v != v, v, found)
    if rest:
        v = stored.load_part(x, start + steps * stride, rest)
        found = select(v != v, v, found)
    return found


class OfLine(NamedTuple):
    """Functions of a line."""

    scaling: Callable  #: (shift, low, offset) as vectors, from the largest element
    own: Callable  #: the scaled exponential of an element, float64, from the element and the largest one
    relative: Callable  #: sum(exp(x - top)) from x, at, top and the sum of the scaled ones; NaN only if x has a NaN


def of_line(layout: Layout) -> OfLine:
    """The functions for rows or for columns."""
    shift_of, low_of, offset_of = (layout.of_line(formula) for formula in (_shift, _low, _offset))
    spread, widened, scaled_of = layout.spread, layout.wide, layout.of_line(scaled)
    any_of, total_of, unless_infinite = layout.any, layout.total, layout.of_line_double(_unless_infinite)

    def scaling(top):
        shift = shift_of(top)
        return spread(shift), spread(low_of(top, shift)), spread(offset_of(top, shift))

    def own(x, top):
        shift = shift_of(top)
        return widened(scaled_of(x, shift, low_of(top, shift), offset_of(top, shift)))

    def relative(x, at, top, s):
        ratio = s / own(top, top)
        if any_of(ratio != ratio):  # infinities leave NaN too
            ratio = unless_infinite(widened(top), ratio, widened(total_of(_nans(x, at))))
        return ratio

    return OfLine(scaling, own, relative)


def _unless_infinite(top, ratio, otherwise):
    return otherwise if abs(top) == inf else ratio
