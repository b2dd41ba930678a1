"""exp along a line without overflow, and accurate however far apart the elements are.

exp(x - top) with a rounded difference is off by |x - top| half ulps. Here exp(x) = 2**n exp(r) is split as usual, and
the largest element's own n taken off the exponent: `scaled` is exp(x) 2**(SCALE - n_top), 0.7 to 1.5 times 2**SCALE for
the largest, and normal for all that are not 0 beside it. Only where x is so large that n would be inexact is the
largest element subtracted first, and there differences are exact.
"""

from collections.abc import Callable
from math import inf

from .line_passes import SLOT, Layout, strips_of
from .pairs import Pair
from .primitives import fma, select
from .simd_math.exponential import LOG2E, growth, nearest, power, reduced
from .vectors import LANES, Lanewise, any_lane, double, splat, stored, wide, word, working


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
        n, _ = nearest(top - shift, LOG2E, 0.0)
        return scale - n

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
_shift_of, _low_of, _offset_of = Lanewise(_shift), Lanewise(_low), Lanewise(_offset)

#: Slots of a group: the parameters of `scaled` first, as all passes have them.
_SHIFT, _LOW, _OFFSET = 0, SLOT, 2 * SLOT
TOP, SUM, _NANS = 5 * SLOT, 6 * SLOT, 7 * SLOT
#: The first slot for others.
FREE = 8 * SLOT


def exponential(x, i, kept, count, parameters):
    """The scaled exponentials of a vector of x, kept or computed again."""
    if kept:
        return working.load(kept, 0)
    shift, low, offset, _, _ = parameters
    return scaled_exp(stored.load_part(x, i, count), shift, low, offset)


def own(x, slots, place):
    """The scaled exponential, in float64, of an element of each of LANES lines."""
    shift, low = working.load(slots + _SHIFT, place), working.load(slots + _LOW, place)
    return wide(scaled_exp(x, shift, low, working.load(slots + _OFFSET, place)))


def reducing(layout: Layout, x_word: int, out_word: int = 0) -> Callable:
    """reduce(context, at, slots, kept): fill TOP, SUM with the scaled exponentials', and what `scaled` needs.

    The array is that whose address is a word of the context, and so is that which is written to next.
    """

    def load(context, i, count):
        return stored.load_part(word(context, x_word), i, count)

    def term(context, i, k, kept, count, parameters):
        shift, low, offset, _, _ = parameters
        e = scaled_exp(stored.load_part(word(context, x_word), i, count), shift, low, offset)
        if kept:
            working.store(kept, 0, e)
        return wide(e)

    def ahead(context, i, following):
        stored.prefetch(word(context, x_word), following)
        if out_word:
            stored.prefetch_to_write(word(context, out_word), i)

    fill_tops, fill_sums = layout.largest(load), layout.sum(term, ahead)

    def reduce(context, at, slots, kept):
        _, _, _, count = at
        fill_tops(context, at, slots, slots + TOP, working.number(-inf))
        for v in range(strips_of(count)):
            set_scale(slots, v * LANES)
        fill_sums(context, at, slots, kept, slots + SUM)

    return reduce


def relating(layout: Layout, x_word: int) -> Callable:
    """relative(context, at, slots): after `reduce`, make SUM that of exp(x - TOP); NaN only for lines with a NaN."""

    def nan(context, i, k, kept, count, parameters):
        v = stored.load_part(word(context, x_word), i, count)
        return wide(select(v != v, v, splat(working.number(0.0))))

    fill_nans = layout.sum(nan)

    def relative(context, at, slots):
        _, _, _, count = at
        infinite = False
        for v in range(strips_of(count)):
            place = v * LANES
            s = double.load(slots + SUM, place) / own(working.load(slots + TOP, place), slots, place)
            double.store(slots + SUM, place, s)
            infinite = infinite or any_lane(s != s)
        if infinite:  # infinities leave NaN too
            fill_nans(context, at, slots, 0, slots + _NANS)
            for v in range(strips_of(count)):
                top, s = working.load(slots + TOP, v * LANES), double.load(slots + SUM, v * LANES)
                s = _unless_infinite(wide(top), s, double.load(slots + _NANS, v * LANES))
                double.store(slots + SUM, v * LANES, s)

    return relative


def set_scale(slots, place):
    """What `scaled` needs, from TOP, for LANES lines."""
    top = working.load(slots + TOP, place)
    shift = _shift_of(top)
    working.store(slots + _SHIFT, place, shift)
    working.store(slots + _LOW, place, _low_of(top, shift))
    working.store(slots + _OFFSET, place, _offset_of(top, shift))


def _otherwise(top, s, otherwise):
    return otherwise if abs(top) == inf else s


_unless_infinite = Lanewise(_otherwise)
