"""The kernels of softmax, log_softmax, logsumexp and their gradients.

Each reduces lines to a float64 sum and then looks at their elements again, which are in cache by then. Long lines are
done in three launches instead: blocks of them are reduced, the blocks' results merged, and the blocks finished.
"""

from collections.abc import Callable
from math import inf

import numpy as np

from .._engine import simd_math as m
from .._engine.exponentials import SUM, TOP, exponential, own, reducing, relating, set_scale
from .._engine.geometry import around
from .._engine.line_passes import SLOT, Layout, keep, strips_of
from .._engine.lines import OWN, LineKernel
from .._engine.primitives import fma
from .._engine.vectors import LANES, Lanewise, double, stored, wide, word, working

#: Words of the context: two inputs (the second only for gradients), the output; arrays of each line's largest element
#: and sum, where those of blocks are kept.
_X, _Y, _OUT, _TOPS, _SUMS = range(OWN, OWN + 5)
#: Slots that passes see as their fourth and fifth parameter: a float64 in two words, or two values.
_HIGH, _LOW = 3 * SLOT, 4 * SLOT

exp, log = Lanewise(m.exp), Lanewise(m.log)


def _reciprocal(s):
    return 1.0 / s


def _log_sum(top, relative):
    """logsumexp: top + log(sum(exp(x - top)))."""
    y = top if abs(top) == inf else top + m.log(relative)
    return y if relative == relative else relative


_reciprocal_of, _log_sum_of = Lanewise(_reciprocal), Lanewise(_log_sum)


def _set_two_words(slots, place, value):
    high = working.narrowed(value)
    working.store(slots + _HIGH, place, high)
    working.store(slots + _LOW, place, working.narrowed(value - wide(high)))


# --- softmax and its relatives: TOP and SUM, that of the scaled exponentials -> output --------------------------------


def _write_softmax(layout: Layout) -> Callable:
    def body(context, i, k, kept, count, parameters):
        _, _, _, high, low = parameters
        e = exponential(word(context, _X), i, kept, count, parameters)
        stored.store_part(word(context, _OUT), i, fma(e, high, e * low), count)

    write_all = layout.map(body)

    def write(context, at, slots, kept):
        _, _, _, count = at
        for v in range(strips_of(count)):
            _set_two_words(slots, v * LANES, _reciprocal_of(double.load(slots + SUM, v * LANES)))
        write_all(context, at, slots, kept)

    return write


def _write_log_softmax(layout: Layout) -> Callable:
    def body(context, i, k, kept, count, parameters):
        # Two subtractions: of x - top nothing is lost where it matters, top + log(sum) would round to the size of top.
        _, _, _, top, log_sum = parameters
        y = (stored.load_part(word(context, _X), i, count) - top) - log_sum
        stored.store_part(word(context, _OUT), i, y, count)

    write_all = layout.map(body)

    def write(context, at, slots, kept):
        _, _, _, count = at
        for v in range(strips_of(count)):
            top = working.load(slots + TOP, v * LANES)
            relative = double.load(slots + SUM, v * LANES) / own(top, slots, v * LANES)
            working.store(slots + _HIGH, v * LANES, top)
            working.store(slots + _LOW, v * LANES, working.narrowed(log(relative)))
        write_all(context, at, slots, kept)

    return write


def _whole(write: Callable, keeps: bool) -> Callable:
    """From the elements of lines to their output in one go."""

    def make(layout: Layout) -> Callable:
        reduce, write_of = reducing(layout, _X, _OUT), write(layout)

        def group(context, at, place, part, slots):
            kept = keep(at) if keeps else 0
            reduce(context, at, slots, kept)
            write_of(context, at, slots, kept)
            return 0.0

        return group

    return make


def _log_sum_exp(layout: Layout) -> Callable:
    reduce, relative = reducing(layout, _X), relating(layout, _X)

    def group(context, at, place, part, slots):
        _, _, _, count = at
        reduce(context, at, slots, 0)
        relative(context, at, slots)
        for v in range(strips_of(count)):
            first = v * LANES
            y = _log_sum_of(wide(working.load(slots + TOP, first)), double.load(slots + SUM, first))
            stored.store_part(word(context, _OUT), place + first, working.narrowed(y), min(LANES, count - first))
        return 0.0

    return group


def _reduced(layout: Layout) -> Callable:
    """The largest elements of blocks and their sums relative to those."""
    reduce, relative = reducing(layout, _X), relating(layout, _X)

    def group(context, at, place, part, slots):
        _, _, _, count = at
        reduce(context, at, slots, 0)
        relative(context, at, slots)
        for v in range(strips_of(count)):
            first = v * LANES
            inside = min(LANES, count - first)
            double.store_part(word(context, _TOPS), part + first, wide(working.load(slots + TOP, first)), inside)
            double.store_part(word(context, _SUMS), part + first, double.load(slots + SUM, first), inside)
        return 0.0

    return group


def _finished(write: Callable) -> Callable:
    """The output of blocks, from what their lines were reduced to."""

    def make(layout: Layout) -> Callable:
        write_of = write(layout)

        def group(context, at, place, part, slots):
            _, _, _, count = at
            for v in range(strips_of(count)):
                first = v * LANES
                inside = min(LANES, count - first)
                top = working.narrowed(double.load_part(word(context, _TOPS), place + first, inside))
                working.store(slots + TOP, first, top)
                set_scale(slots, first)
                s = double.load_part(word(context, _SUMS), place + first, inside)
                double.store(slots + SUM, first, s * own(top, slots, first))
            write_of(context, at, slots, 0)
            return 0.0

        return group

    return make


# --- gradients: a sum -> dx -------------------------------------------------------------------------------------------


def _product(context, i, count):
    """Terms of softmax's sum."""
    return stored.load_part(word(context, _X), i, count) * stored.load_part(word(context, _Y), i, count)


def _first(context, i, count):
    """Terms of log_softmax's sum."""
    return stored.load_part(word(context, _X), i, count)


def _softmax_gradient(context, i, k, kept, count, parameters):
    _, _, _, s, _ = parameters
    dy, y = stored.load_part(word(context, _X), i, count), stored.load_part(word(context, _Y), i, count)
    stored.store_part(word(context, _OUT), i, y * (dy - s), count)


def _log_softmax_gradient(context, i, k, kept, count, parameters):
    _, _, _, s, _ = parameters
    dy, y = stored.load_part(word(context, _X), i, count), stored.load_part(word(context, _Y), i, count)
    stored.store_part(word(context, _OUT), i, fma(-exp(y), s, dy), count)


def _set_sums(slots, count):
    for v in range(strips_of(count)):
        working.store(slots + _HIGH, v * LANES, working.narrowed(double.load(slots + SUM, v * LANES)))


def _whole_gradient(term: Callable, gradient: Callable) -> Callable:
    def make(layout: Layout) -> Callable:
        fill_sums, write_all = layout.sum_pairs(term), layout.map(gradient)

        def group(context, at, place, part, slots):
            _, _, _, count = at
            fill_sums(context, at, slots, 0, slots + SUM)
            _set_sums(slots, count)
            write_all(context, at, slots, 0)
            return 0.0

        return group

    return make


def _reduced_gradient(term: Callable) -> Callable:
    def make(layout: Layout) -> Callable:
        fill_sums = layout.sum_pairs(term)

        def group(context, at, place, part, slots):
            _, _, _, count = at
            fill_sums(context, at, slots, 0, slots + SUM)
            for v in range(strips_of(count)):
                first = v * LANES
                s = double.load(slots + SUM, first)
                double.store_part(word(context, _SUMS), part + first, s, min(LANES, count - first))
            return 0.0

        return group

    return make


def _finished_gradient(gradient: Callable) -> Callable:
    def make(layout: Layout) -> Callable:
        write_all = layout.map(gradient)

        def group(context, at, place, part, slots):
            _, _, _, count = at
            for v in range(strips_of(count)):
                first = v * LANES
                s = double.load_part(word(context, _SUMS), place + first, min(LANES, count - first))
                double.store(slots + SUM, first, s)
            _set_sums(slots, count)
            write_all(context, at, slots, 0)
            return 0.0

        return group

    return make


# --- the kernels ------------------------------------------------------------------------------------------------------

log_sum_exp = LineKernel("log_sum_exp", _log_sum_exp, element=0.3, line=10)
_reduce = LineKernel("exponential_sum", _reduced, element=0.3, line=10)

#: Elements of a row above which it is cut into blocks, and of a block, which stays in L2 for the second look at it; the
#: same of columns, if there are not so many of them that every core has some.
_ROW, _COLUMN, _MANY = (1 << 15, 1 << 14), (1 << 11, 1 << 8), 1 << 9


def block_of(x: np.ndarray, axis: int) -> int:
    """Elements of a block of a line; 0 if lines are not cut."""
    length = x.shape[axis]
    rows = axis == x.ndim - 1
    above, block = _ROW if rows else _COLUMN
    return block if length > above and (rows or x.size < _MANY * length) else 0


def reduced_blocks(x: np.ndarray, axis: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """(the largest element, the sum of exp relative to it) of each line, one after the other."""
    outer, length, inner = around(x.shape, axis)
    tops = np.empty((outer, -(-length // block), inner))
    sums = np.empty_like(tops)
    _reduce(x, axis, x, None, None, tops, sums, block=block)
    with np.errstate(all="ignore"):
        top = np.max(tops, axis=1, keepdims=True)
        sums *= np.where(tops == top, 1.0, np.exp(tops - top))  # a difference of infinities is NaN
        return top.ravel(), np.add.reduce(sums, axis=1).ravel()


class Normalising:
    """softmax or log_softmax."""

    def __init__(self, name: str, write: Callable, keeps: bool):
        self.whole = LineKernel(name, _whole(write, keeps), element=0.4, line=10)
        self.finish = LineKernel(f"{name}_of_block", _finished(write), element=0.3, line=10)

    def __call__(self, x: np.ndarray, axis: int, out: np.ndarray) -> None:
        block = block_of(x, axis)
        if block:
            self.finish(x, axis, x, None, out, *reduced_blocks(x, axis, block), block=block)
        else:
            self.whole(x, axis, x, None, out)


class Gradient:
    """Of softmax or log_softmax."""

    def __init__(self, name: str, term: Callable, gradient: Callable):
        self.whole = LineKernel(f"{name}_gradient", _whole_gradient(term, gradient), element=0.2, line=8)
        self.reduce = LineKernel(f"{name}_gradient_sum", _reduced_gradient(term), element=0.1, line=8)
        self.finish = LineKernel(f"{name}_gradient_of_block", _finished_gradient(gradient), element=0.2, line=8)

    def __call__(self, dy: np.ndarray, y: np.ndarray, axis: int, out: np.ndarray) -> None:
        block = block_of(y, axis)
        if not block:
            self.whole(y, axis, dy, y, out)
            return
        outer, length, inner = around(y.shape, axis)
        sums = np.empty((outer, -(-length // block), inner))
        self.reduce(y, axis, dy, y, None, None, sums, block=block)
        with np.errstate(all="ignore"):
            merged = np.add.reduce(sums, axis=1)
        self.finish(y, axis, dy, y, out, None, merged, block=block)


softmax_lines = Normalising("softmax", _write_softmax, keeps=True)
log_softmax_lines = Normalising("log_softmax", _write_log_softmax, keeps=False)
softmax_gradient = Gradient("softmax", _product, _softmax_gradient)
log_softmax_gradient = Gradient("log_softmax", _first, _log_softmax_gradient)
