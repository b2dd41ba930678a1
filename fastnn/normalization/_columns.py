"""Statistics down the columns of a matrix: batch norm of (N, C) and with the channels last, LANES columns at a time.

PARTS parts share the ROWS rows among them: first the sums of all parts, then the statistics, then y. A pass goes along
BLOCK rows at a time, so that what belongs to a column (its sums, its mean) is loaded once for all of them, and memory
is read in order. Blocks of columns, read twice, do not stay in any cache if a row is a power of two long, as it mostly
is: all their lines fall into a few of its sets ((4096, 1024) by 32 columns: 11.5 ms; this way: {time}).
"""

import functools
from typing import NamedTuple

from .._engine.fused import Kernel
from .._engine.primitives import select, to_f64
from .._engine.vectors import LANES, Lanewise, Memory, real, splat, stored, wide, word, working
from ._passes import add_shifted, gradients, no_sums, normalise
from ._statistics import MEAN, REST, RSTD, VARIANCE, inverse_root

# Words of the context, the same for every job here. Y is what apply writes: y, or dx.
X, DY, Y, GAMMA, BETA, STATISTICS, SUMS, TOTALS = 1, 2, 3, 4, 5, 6, 7, 8
ROWS, COLUMNS, PARTS, WIDTH, EPS, COUNT, PARAMETER = 9, 10, 11, 12, 13, 14, 15

#: Rows of a block.
BLOCK = 8

double = Memory("double")


def down(body):
    """A pass over `count` columns of the rows from `begin` to `end`."""

    def loop(context, begin, end, column, count, constants, sums):
        columns = word(context, COLUMNS)
        for row in range(begin, end):
            sums = body(row * columns + column, count, False, constants, sums)
        return sums

    return loop


def over_part(step):
    """step(context, part, begin, end, column, count) for blocks of rows, and vectors of columns, of a part."""

    def loop(context, part):
        rows, parts, columns = word(context, ROWS), word(context, PARTS), word(context, COLUMNS)
        whole = columns // LANES * LANES
        last = (part + 1) * rows // parts
        for begin in range(part * rows // parts, last, BLOCK):
            end = min(begin + BLOCK, last)
            for column in range(0, whole, LANES):
                step(context, part, begin, end, column, LANES)
            if whole < columns:
                step(context, part, begin, end, whole, columns - whole)

    return loop


def pivots(context, column, count):
    """The first row's values, 0 for NaNs and infinities."""
    k = wide(stored.load_part(word(context, X), column, count))
    zero = splat(to_f64(0.0))
    return select(k - k == zero, k, zero)


def sums_so_far(context, part, begin, column, count):
    """Of the part's rows before `begin`."""
    s, q = no_sums()
    if begin > part * word(context, ROWS) // word(context, PARTS):
        at = 2 * part * word(context, COLUMNS) + column
        s = double.load_part(word(context, SUMS), at, count)
        q = double.load_part(word(context, SUMS), at + word(context, COLUMNS), count)
    return s, q


def put_sums(context, part, column, count, sums):
    s, q = sums
    at = 2 * part * word(context, COLUMNS) + column
    double.store_part(word(context, SUMS), at, s, count)
    double.store_part(word(context, SUMS), at + word(context, COLUMNS), q, count)


def all_sums(context, column, count):
    """The parts' sums added up in their order."""
    s, q = no_sums()
    columns = word(context, COLUMNS)
    for part in range(word(context, PARTS)):
        at = 2 * part * columns + column
        s = s + double.load_part(word(context, SUMS), at, count)
        q = q + double.load_part(word(context, SUMS), at + columns, count)
    return s, q


def statistic(context, which, column, count):
    return double.load_part(word(context, STATISTICS), which * word(context, COLUMNS) + column, count)


def put_statistic(context, which, column, count, value):
    double.store_part(word(context, STATISTICS), which * word(context, COLUMNS) + column, value, count)


def parameters(context, column, count):
    """(mean, rest of the mean, gamma * rstd, beta)."""
    scale, shift = statistic(context, RSTD, column, count), working.narrowed(splat(to_f64(0.0)))
    if word(context, GAMMA):
        scale = scale * wide(working.load_part(word(context, GAMMA), column, count))
    if word(context, BETA):
        shift = working.load_part(word(context, BETA), column, count)
    mean = working.narrowed(statistic(context, MEAN, column, count))
    rest = working.narrowed(statistic(context, REST, column, count))
    return mean, rest, working.narrowed(scale), shift


# --- statistics ------------------------------------------------------------------------------------------------------

_shifted_sums, _inverse_root = down(add_shifted), Lanewise(inverse_root)


def _sums_of(context, part, begin, end, column, count):
    constants = word(context, X), pivots(context, column, count)
    sums = sums_so_far(context, part, begin, column, count)
    put_sums(context, part, column, count, _shifted_sums(context, begin, end, column, count, constants, sums))


def _finish(context, column, count):
    """The columns' statistics from the sums of all parts; see `_statistics.finish`."""
    s, q = all_sums(context, column, count)
    n, k = splat(real(context, COUNT)), pivots(context, column, count)
    shift = s / n
    mean, variance = k + shift, q / n - shift * shift
    variance = select(variance < splat(to_f64(0.0)), splat(to_f64(0.0)), variance)
    high = wide(working.narrowed(mean))
    put_statistic(context, MEAN, column, count, high)
    put_statistic(context, REST, column, count, (k - high) + shift)
    put_statistic(context, VARIANCE, column, count, variance)
    put_statistic(context, RSTD, column, count, _inverse_root(variance + splat(real(context, EPS))))


# --- the passes as jobs ----------------------------------------------------------------------------------------------


class Passes(NamedTuple):
    """Launch `whole` for one part; else `sums` and `apply` over parts, `finish` over blocks of WIDTH columns."""

    whole: Kernel
    sums: Kernel
    finish: Kernel
    apply: Kernel


def _passes(name, sums_of, finish_of, apply_to):
    sums_over, apply_over = over_part(sums_of), over_part(apply_to)

    def finish(context, index):
        first, last = index * word(context, WIDTH), min((index + 1) * word(context, WIDTH), word(context, COLUMNS))
        whole = first + (last - first) // LANES * LANES
        for column in range(first, whole, LANES):
            finish_of(context, column, LANES)
        if whole < last:
            finish_of(context, whole, last - whole)
        return 0

    def whole(context, index):
        sums_over(context, 0)
        finish(context, 0)
        apply_over(context, 0)
        return 0

    def sums(context, index):
        sums_over(context, index)
        return 0

    def apply(context, index):
        apply_over(context, index)
        return 0

    jobs = {"": whole, "_sums": sums, "_finish": finish, "_apply": apply}
    return Passes(*(Kernel(name + suffix, job) for suffix, job in jobs.items()))


@functools.cache
def forward(activate):
    """y = f((x - mean) * scale + beta) for an activation's formula f(z, parameter)."""
    pass_down = down(normalise(activate))

    def apply(context, part, begin, end, column, count):
        mean, rest, scale, shift = parameters(context, column, count)
        parameter = working.number(real(context, PARAMETER))
        constants = word(context, X), word(context, Y), mean, rest, scale, shift, parameter
        pass_down(context, begin, end, column, count, constants, no_sums())

    return _passes(f"columns_{activate.__name__}", _sums_of, _finish, apply)


@functools.cache
def backward(product):
    """Sums of dz and dz * (x - mean), and dx, for a formula of (dy, z, parameter) that gives dz = dy * f'(z)."""
    add, write_gradient = gradients(product)
    sum_down, gradient_down = down(add), down(write_gradient)

    def inputs(context, column, count):
        mean, rest, scale, shift = parameters(context, column, count)
        parameter = working.number(real(context, PARAMETER))
        return (word(context, X), word(context, DY), mean, rest, scale, shift, parameter), scale

    def sums_of(context, part, begin, end, column, count):
        of_columns, _ = inputs(context, column, count)
        sums = sums_so_far(context, part, begin, column, count)
        put_sums(context, part, column, count, sum_down(context, begin, end, column, count, of_columns, sums))

    def finish(context, column, count):
        s, q = all_sums(context, column, count)
        double.store_part(word(context, TOTALS), column, s, count)
        double.store_part(word(context, TOTALS), word(context, COLUMNS) + column, q, count)

    def apply(context, part, begin, end, column, count):
        of_columns, scale = inputs(context, column, count)
        n, rstd = splat(real(context, COUNT)), statistic(context, RSTD, column, count)
        s = double.load_part(word(context, TOTALS), column, count)
        q = double.load_part(word(context, TOTALS), word(context, COLUMNS) + column, count)
        gamma_rstd = rstd
        if word(context, GAMMA):
            gamma_rstd = rstd * wide(working.load_part(word(context, GAMMA), column, count))
        offset, slope_d = working.narrowed(-(gamma_rstd * s) / n), working.narrowed(gamma_rstd * rstd * rstd * q / n)
        constants = of_columns, word(context, Y), scale, offset, slope_d
        gradient_down(context, begin, end, column, count, constants, no_sums())

    return _passes(f"columns_{product.__name__}", sums_of, finish, apply)
