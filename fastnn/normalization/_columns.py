"""Statistics down the columns of a matrix: batch norm of (N, C) and with the channels last, LANES columns at a time.

PARTS parts share the ROWS rows among them: first the sums of all parts, then what belongs to each column, then y. Sums
go along BLOCK rows at a time, so that a column's are loaded and stored once for all of them, and are sums of blocks'
sums: in float64 the error of a single chain grew to 107 ulps at 4,700 rows. y is written row by row.

Rows are often a power of two long, and then a column's lines fall into a few sets of every cache. Blocks of columns,
read twice, stay in none of them ((4096, 1024) by 32 columns: 11.5 ms), and more than 8 lines of one column at a time do
not even stay in L1 (writing y 8 rows at a time: 1.2 ms instead of 0.5).
"""

import functools
from typing import NamedTuple

from .._engine.fused import Kernel
from .._engine.primitives import select, to_f64
from .._engine.vectors import LANES, Lanewise, Memory, fence, real, splat, stored, wide, word, working
from ._passes import add_shifted, gradients, no_sums, normalise
from ._statistics import MEAN, REST, RSTD, VARIANCE, inverse_root

# Words of the context, the same for every job here. Y is what apply writes: y, or dx.
X, DY, Y, GAMMA, BETA, STATISTICS, SUMS, TOTALS, APPLIED = 1, 2, 3, 4, 5, 6, 7, 8, 9
ROWS, COLUMNS, PARTS, WIDTH, STREAM, EPS, COUNT, PARAMETER = 10, 11, 12, 13, 14, 15, 16, 17

#: What the pass that writes y or dx needs of a column, each an array over the columns in the working dtype (APPLIED):
#: mean, its rest, gamma * rstd, beta, and for dx the offset and the slope in x - mean.
KINDS = 6

#: Rows of a block: 8 lines of all arrays together. Where y or dx is written, no more than SPAN values together.
BLOCK, BLOCK_BACKWARD, APPLY, APPLY_BACKWARD = 8, 4, 4, 2
SPAN = 2048

double = Memory("double")


def down(body):
    """A pass over `count` columns of the rows from `begin` to `end`."""

    def loop(context, begin, end, column, count, constants, sums):
        columns = word(context, COLUMNS)
        for row in range(begin, end):
            sums = body(row * columns + column, count, False, constants, sums)
        return sums

    return loop


def over_blocks(step, size):
    """step(context, part, begin, end, column, count) for blocks of `size` rows, and vectors of columns, of a part."""

    def loop(context, part):
        rows, parts, columns = word(context, ROWS), word(context, PARTS), word(context, COLUMNS)
        whole = columns // LANES * LANES
        last = (part + 1) * rows // parts
        for begin in range(part * rows // parts, last, size):
            end = min(begin + size, last)
            for column in range(0, whole, LANES):
                step(context, part, begin, end, column, LANES)
            if whole < columns:
                step(context, part, begin, end, whole, columns - whole)

    return loop


def over_rows(body, inputs, size):
    """body(i, count, streams, constants, sums) for all vectors of a part, up to `size` rows at a time."""

    def rows(context, begin, end, streams):
        columns = word(context, COLUMNS)
        x, dy, y, applied = word(context, X), word(context, DY), word(context, Y), word(context, APPLIED)
        parameter, whole = working.number(real(context, PARAMETER)), columns // LANES * LANES
        for column in range(0, whole, LANES):
            constants = inputs(x, dy, y, applied, columns, column, LANES, parameter)
            for row in range(begin, end):
                body(row * columns + column, LANES, streams, constants, no_sums())
        if whole < columns:
            constants = inputs(x, dy, y, applied, columns, whole, columns - whole, parameter)
            for row in range(begin, end):
                body(row * columns + whole, columns - whole, False, constants, no_sums())

    def loop(context, part):
        all_rows, parts = word(context, ROWS), word(context, PARTS)
        last = (part + 1) * all_rows // parts
        together = max(1, min(size, SPAN // max(word(context, COLUMNS), 1)))
        for begin in range(part * all_rows // parts, last, together):
            if word(context, STREAM):
                rows(context, begin, min(begin + together, last), True)
            else:
                rows(context, begin, min(begin + together, last), False)
        if word(context, STREAM):
            fence()

    return loop


def of_column(applied, columns, column, count):
    """(mean, rest, scale, shift) from APPLIED."""
    return (
        working.load_part(applied, column, count),
        working.load_part(applied, columns + column, count),
        working.load_part(applied, 2 * columns + column, count),
        working.load_part(applied, 3 * columns + column, count),
    )


def pivots(context, column, count):
    """The first row's values, 0 for NaNs and infinities."""
    k = wide(stored.load_part(word(context, X), column, count))
    zero = splat(to_f64(0.0))
    return select(k - k == zero, k, zero)


def add_sums(context, part, begin, column, count, sums):
    """Add those of the block that starts at row `begin` to those of the part's rows before it."""
    s, q = sums
    at = 2 * part * word(context, COLUMNS) + column
    if begin > part * word(context, ROWS) // word(context, PARTS):
        s = s + double.load_part(word(context, SUMS), at, count)
        q = q + double.load_part(word(context, SUMS), at + word(context, COLUMNS), count)
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


def prepare(context, column, count):
    """Fill APPLIED for the forward pass."""
    applied, columns = word(context, APPLIED), word(context, COLUMNS)
    mean, rest, scale, shift = parameters(context, column, count)
    working.store_part(applied, column, mean, count)
    working.store_part(applied, columns + column, rest, count)
    working.store_part(applied, 2 * columns + column, scale, count)
    working.store_part(applied, 3 * columns + column, shift, count)


# --- statistics ------------------------------------------------------------------------------------------------------

_shifted_sums, _inverse_root = down(add_shifted), Lanewise(inverse_root)


def _sums_of(context, part, begin, end, column, count):
    constants = word(context, X), pivots(context, column, count)
    sums = _shifted_sums(context, begin, end, column, count, constants, no_sums())
    add_sums(context, part, begin, column, count, sums)


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
    prepare(context, column, count)


# --- the passes as jobs ----------------------------------------------------------------------------------------------


class Passes(NamedTuple):
    """Launch `whole` for one part; else `sums` and `apply` over parts, `finish` over blocks of WIDTH columns.

    `prepare`, over the same blocks, takes the place of `finish` if the statistics, or sums, come from elsewhere.
    """

    whole: Kernel
    sums: Kernel
    finish: Kernel
    prepare: Kernel
    apply: Kernel


def across(step):
    """A job: step(context, column, count) for a block of WIDTH columns."""

    def job(context, index):
        first, last = index * word(context, WIDTH), min((index + 1) * word(context, WIDTH), word(context, COLUMNS))
        whole = first + (last - first) // LANES * LANES
        for column in range(first, whole, LANES):
            step(context, column, LANES)
        if whole < last:
            step(context, whole, last - whole)
        return 0

    return job


def _passes(name, sums_over, finish_of, prepare_of, apply_over):
    finish = across(finish_of)

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

    jobs = {"": whole, "_sums": sums, "_finish": finish, "_prepare": across(prepare_of), "_apply": apply}
    return Passes(*(Kernel(name + suffix, job) for suffix, job in jobs.items()))


@functools.cache
def forward(activate):
    """y = f((x - mean) * scale + beta) for an activation's formula f(z, parameter)."""

    def inputs(x, dy, y, applied, columns, column, count, parameter):
        mean, rest, scale, shift = of_column(applied, columns, column, count)
        return x, y, mean, rest, scale, shift, parameter

    apply_over = over_rows(normalise(activate), inputs, APPLY)
    return _passes(f"columns_{activate.__name__}", over_blocks(_sums_of, BLOCK), _finish, prepare, apply_over)


@functools.cache
def backward(product):
    """Sums of dz and dz * (x - mean), and dx, for a formula of (dy, z, parameter) that gives dz = dy * f'(z)."""
    add, write_gradient = gradients(product)
    sum_down = down(add)

    def sums_of(context, part, begin, end, column, count):
        mean, rest, scale, shift = parameters(context, column, count)
        parameter = working.number(real(context, PARAMETER))
        constants = word(context, X), word(context, DY), mean, rest, scale, shift, parameter
        sums = sum_down(context, begin, end, column, count, constants, no_sums())
        add_sums(context, part, begin, column, count, sums)

    def prepare_gradient(context, column, count):
        """Fill APPLIED from TOTALS."""
        prepare(context, column, count)
        applied, columns, totals = word(context, APPLIED), word(context, COLUMNS), word(context, TOTALS)
        n, rstd = splat(real(context, COUNT)), statistic(context, RSTD, column, count)
        s, q = double.load_part(totals, column, count), double.load_part(totals, columns + column, count)
        scale = rstd
        if word(context, GAMMA):
            scale = rstd * wide(working.load_part(word(context, GAMMA), column, count))
        working.store_part(applied, 4 * columns + column, working.narrowed(-(scale * s) / n), count)
        working.store_part(applied, 5 * columns + column, working.narrowed(scale * rstd * rstd * q / n), count)

    def finish(context, column, count):
        s, q = all_sums(context, column, count)
        double.store_part(word(context, TOTALS), column, s, count)
        double.store_part(word(context, TOTALS), word(context, COLUMNS) + column, q, count)
        if word(context, Y):
            prepare_gradient(context, column, count)

    def inputs(x, dy, y, applied, columns, column, count, parameter):
        mean, rest, scale, shift = of_column(applied, columns, column, count)
        offset = working.load_part(applied, 4 * columns + column, count)
        slope_d = working.load_part(applied, 5 * columns + column, count)
        return (x, dy, mean, rest, scale, shift, parameter), y, scale, offset, slope_d

    sums_over, apply_over = over_blocks(sums_of, BLOCK_BACKWARD), over_rows(write_gradient, inputs, APPLY_BACKWARD)
    return _passes(f"columns_{product.__name__}", sums_over, finish, prepare_gradient, apply_over)
