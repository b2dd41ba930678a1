"""Passes over the elements of a group of lines (see `lines`): over rows, and over columns."""

from collections.abc import Callable
from typing import NamedTuple

from .primitives import select, to_f64
from .vectors import (
    LANES,
    Stack,
    below,
    double,
    lane_numbers,
    largest,
    low_half,
    put_real,
    real,
    splat,
    total,
    wide,
    words,
    working,
)

#: Vectors of a panel at most.
STRIPS = 8
#: Bytes of a slot: a float64 for each line, and two cache lines, as slots are not to share their place in the cache.
SLOT = 8 * LANES * STRIPS + 128
SLOTS = 16 * SLOT
#: Bytes of results that a group keeps on the stack for a second look.
_KEPT_BYTES = 1 << 15
_KEPT = Stack(_KEPT_BYTES)
_OTHER = Stack(SLOT)


class Layout(NamedTuple):
    """Passes over the elements of a group, and where they lie.

    A pass is made of `body(context, i, k, kept, count, parameters)` for `count` elements from the i-th on, the k-th of
    their lines (the k-th vector of a row), with a vector of each of the first slots. `kept` is the address of a vector
    that belongs to these elements as long as the group is worked on, or 0 if there are too many. Before it is
    `ahead(context, i, following)`, `following` being where the next group will be, to prefetch what that needs.
    """

    largest: Callable  #: (body) -> pass that fills a slot with the largest value of each line, NaNs aside
    sum: Callable  #: (body, ahead) -> pass that fills a slot with the sum of float64 values of each line
    sum_pairs: Callable  #: (body) the same of values in the working dtype, of which two at a time are added in that
    map: Callable  #: (body) -> pass that has no result
    element: Callable  #: (at, line, k) -> index of the k-th element of a line of the group
    classes: Callable  #: (base, k, count) -> the k-th vector of an array with a float64 for each step
    position: Callable  #: (k) -> the numbers of the elements of a k-th vector, as float64


def keep(at):
    """Where a group keeps a vector for each of its own, or 0."""
    _, stride, steps, count = at
    vectors = count * (steps // LANES + 1) if stride == 0 else steps * strips_of(count)
    address = _KEPT()
    return address if vectors * LANES * working.size() <= _KEPT_BYTES else 0


def strips_of(count):
    """Vectors that `count` lines fill."""
    return (count + LANES - 1) // LANES


def _vector(kept, number):
    return kept + number * LANES * working.size() if kept else 0


# --- rows -------------------------------------------------------------------------------------------------------------


def _row_parameters(slots, r):
    return (
        splat(working.get(slots, r)),
        splat(working.get(slots + SLOT, r)),
        splat(working.get(slots + 2 * SLOT, r)),
        splat(working.get(slots + 3 * SLOT, r)),
        splat(working.get(slots + 4 * SLOT, r)),
    )


def _larger(v, top):
    return select(v > top, v, top)


def _largest_of_rows(body):
    def run(context, at, slots, result, lowest):
        start, _, steps, count = at
        whole, rest = steps // LANES, steps % LANES
        for r in range(count):
            i, none = start + r * steps, splat(lowest)
            top, second = none, none  # two, as each comparison waits for the one before
            for k in range(0, whole - whole % 2, 2):
                top = _larger(body(context, i + k * LANES, LANES), top)
                second = _larger(body(context, i + k * LANES + LANES, LANES), second)
            if whole % 2:
                top = _larger(body(context, i + whole * LANES - LANES, LANES), top)
            if rest:
                second = _larger(select(below(rest), body(context, i + whole * LANES, rest), none), second)
            working.put(result, r, largest(_larger(second, top)))

    return run


def _nothing(context, i, following):
    pass


def _sum_of_rows(body, ahead=_nothing):
    def run(context, at, slots, kept, result):
        start, _, steps, count = at
        whole, rest = steps // LANES, steps % LANES
        zero = splat(to_f64(0.0))
        for r in range(count):
            parameters, i, first, s = _row_parameters(slots, r), start + r * steps, r * (whole + 1), zero
            for k in range(whole):
                ahead(context, i + k * LANES, i + k * LANES + count * steps)
                s = s + body(context, i + k * LANES, k, _vector(kept, first + k), LANES, parameters)
            if rest:
                last = body(context, i + whole * LANES, whole, _vector(kept, first + whole), rest, parameters)
                s = s + select(below(rest), last, zero)
            put_real(result, r, total(s))

    return run


def _sum_of_row_pairs(body):
    def run(context, at, slots, kept, result):
        start, _, steps, count = at
        whole, rest = steps // LANES, steps % LANES
        zero = splat(to_f64(0.0))
        for r in range(count):
            i, s = start + r * steps, zero
            for k in range(0, whole - whole % 2, 2):
                place = i + k * LANES
                s = s + wide(body(context, place, LANES) + body(context, place + LANES, LANES))
            if whole % 2:
                s = s + wide(body(context, i + (whole - 1) * LANES, LANES))
            if rest:
                s = s + wide(body(context, i + whole * LANES, rest))
            put_real(result, r, total(s))

    return run


def _map_of_rows(body):
    def run(context, at, slots, kept):
        start, _, steps, count = at
        whole, rest = steps // LANES, steps % LANES
        for r in range(count):
            parameters, i, first = _row_parameters(slots, r), start + r * steps, r * (whole + 1)
            for k in range(whole):
                body(context, i + k * LANES, k, _vector(kept, first + k), LANES, parameters)
            if rest:
                body(context, i + whole * LANES, whole, _vector(kept, first + whole), rest, parameters)

    return run


def _row_element(at, line, k):
    start, _, steps, _ = at
    return start + line * steps + k


def _row_classes(base, k, count):
    return double.load_part(base, k * LANES, count)


def _row_position(k):
    return wide(low_half(lane_numbers()) + words(k * LANES))


ROWS = Layout(
    _largest_of_rows, _sum_of_rows, _sum_of_row_pairs, _map_of_rows, _row_element, _row_classes, _row_position
)  # fmt: skip


# --- columns ----------------------------------------------------------------------------------------------------------


def _strip_parameters(slots, v):
    return (
        working.load(slots, v * LANES),
        working.load(slots + SLOT, v * LANES),
        working.load(slots + 2 * SLOT, v * LANES),
        working.load(slots + 3 * SLOT, v * LANES),
        working.load(slots + 4 * SLOT, v * LANES),
    )


def _largest_of_columns(body):
    def run(context, at, slots, result, lowest):
        start, stride, steps, count = at
        whole, rest, none = count // LANES, count % LANES, splat(lowest)
        # From one slot into another and back: a store where v is larger, which the compiler makes of it else, cannot be
        # forwarded to the next step's load.
        other = _OTHER()
        source, target = (result, other) if steps % 2 else (other, result)
        for v in range(strips_of(count)):
            working.store(target, v * LANES, none)
            working.store(source, v * LANES, none)
        for k in range(steps):
            i = start + k * stride
            source, target = target, source
            for v in range(whole):
                top = _larger(body(context, i + v * LANES, LANES), working.load(source, v * LANES))
                working.store(target, v * LANES, top)
            if rest:
                top = _larger(body(context, i + whole * LANES, rest), working.load(source, whole * LANES))
                working.store(target, whole * LANES, top)

    return run


def _sum_of_columns(body, ahead=_nothing):
    def run(context, at, slots, kept, result):
        start, stride, steps, count = at
        whole, rest, strips, zero = count // LANES, count % LANES, strips_of(count), splat(to_f64(0.0))
        for v in range(strips):
            double.store(result, v * LANES, zero)
        for k in range(steps):
            i, first = start + k * stride, k * strips
            for v in range(whole):
                ahead(context, i + v * LANES, i + v * LANES + count)
                value = body(context, i + v * LANES, k, _vector(kept, first + v), LANES, _strip_parameters(slots, v))
                double.store(result, v * LANES, double.load(result, v * LANES) + value)
            if rest:
                place, parameters = whole * LANES, _strip_parameters(slots, whole)
                value = body(context, i + place, k, _vector(kept, first + whole), rest, parameters)
                double.store(result, place, double.load(result, place) + value)

    return run


def _sum_of_column_pairs(body):
    def add(context, i, stride, count, result, place, two):
        value = body(context, i, count)
        if two:
            value = value + body(context, i + stride, count)
        double.store(result, place, double.load(result, place) + wide(value))

    def run(context, at, slots, kept, result):
        start, stride, steps, count = at
        whole, rest, zero = count // LANES, count % LANES, splat(to_f64(0.0))
        for v in range(strips_of(count)):
            double.store(result, v * LANES, zero)
        for k in range(0, steps, 2):
            i, two = start + k * stride, k + 1 < steps
            for v in range(whole):
                add(context, i + v * LANES, stride, LANES, result, v * LANES, two)
            if rest:
                add(context, i + whole * LANES, stride, rest, result, whole * LANES, two)

    return run


def _map_of_columns(body):
    def run(context, at, slots, kept):
        start, stride, steps, count = at
        whole, rest, strips = count // LANES, count % LANES, strips_of(count)
        for k in range(steps):
            i, first = start + k * stride, k * strips
            for v in range(whole):
                body(context, i + v * LANES, k, _vector(kept, first + v), LANES, _strip_parameters(slots, v))
            if rest:
                parameters = _strip_parameters(slots, whole)
                body(context, i + whole * LANES, k, _vector(kept, first + whole), rest, parameters)

    return run


def _column_element(at, line, k):
    start, stride, _, _ = at
    return start + line + k * stride


def _column_class(base, k, count):
    return splat(real(base, k))


def _column_position(k):
    return wide(words(k))


COLUMNS = Layout(
    _largest_of_columns, _sum_of_columns, _sum_of_column_pairs, _map_of_columns, _column_element, _column_class,
    _column_position,
)  # fmt: skip
