"""Statistics along the rows of a matrix, with a gamma and beta for each element of a row: layer and RMS norm, and
group norm with few values to a channel.

Row r of LENGTH values has the parameters that begin at r % CYCLE * LENGTH. A row stays in L1 or L2 between its passes.
Each of backward's PARTS parts has sums for dgamma and dbeta of its own, float64 and in L1, which the pass that writes
dx adds to; they are added up at the end.
"""

import functools

from .._engine.fused import Kernel
from .._engine.primitives import fma, to_f64
from .._engine.vectors import LANES, Lanewise, Memory, real, splat, stored, total, wide, word, working
from ._passes import add_shifted, no_sums, within
from ._statistics import MEAN, REST, RSTD, finish, inverse_root, pivot, put_statistic, statistic

# Words of the context, the same for every job here. Y is what apply writes: y, or dx.
X, DY, Y, GAMMA, BETA, STATISTICS, SUMS, TOTALS = 1, 2, 3, 4, 5, 6, 7, 8
ROWS, LENGTH, CYCLE, PARTS, EPS, PARAMETER = 9, 10, 11, 12, 13, 14

#: Columns whose sums over all parts are a chunk of work.
TOTALS_WIDTH = 128

double = Memory("double")


def along(body):
    """A pass over LENGTH values: sums = body(i, start, count, constants, sums) for `count` values from start + i on."""

    def loop(length, start, constants, sums):
        whole = length - length % LANES
        for i in range(0, whole, LANES):
            sums = body(i, start, LANES, constants, sums)
        if whole < length:
            sums = body(whole, start, length - whole, constants, sums)
        return sums

    return loop


def rows_of(context, part):
    """First and last row of a part."""
    rows, parts = word(context, ROWS), word(context, PARTS)
    return part * rows // parts, (part + 1) * rows // parts


def of_row(context, row):
    """(mean, rest of the mean, rstd) as vectors."""
    statistics, rows = word(context, STATISTICS), word(context, ROWS)
    return (
        splat(working.number(statistic(statistics, rows, MEAN, row))),
        splat(working.number(statistic(statistics, rows, REST, row))),
        splat(working.number(statistic(statistics, rows, RSTD, row))),
    )


def parameters_of_row(context, row):
    """Addresses of a row's gamma and beta, 0 for none."""
    offset = row % word(context, CYCLE) * word(context, LENGTH) * working.size()
    gamma = word(context, GAMMA) + offset if word(context, GAMMA) else 0
    beta = word(context, BETA) + offset if word(context, BETA) else 0
    return gamma, beta


def affine(d, i, count, scale, gamma, beta):
    """The activation's input: gamma * x_hat + beta, with gamma and beta as far as there are any."""
    z = d * scale
    if gamma and beta:
        return fma(z, working.load_part(gamma, i, count), working.load_part(beta, i, count))
    if gamma:
        z = z * working.load_part(gamma, i, count)
    if beta:
        z = z + working.load_part(beta, i, count)
    return z


# --- forward ---------------------------------------------------------------------------------------------------------


def _shifted(i, start, count, constants, sums):
    return add_shifted(start + i, count, False, constants, sums)


def _squares(i, start, count, x, sums):
    s, q = sums
    v = wide(stored.load_part(x, start + i, count))
    return s, fma(v, v, q)


_shifted_sums, _square_sums = along(_shifted), along(_squares)


def _moments(context, row):
    """Mean and variance of a row."""
    x, length, start = word(context, X), word(context, LENGTH), row * word(context, LENGTH)
    k = pivot(x, start)
    s, q = _shifted_sums(length, start, (x, splat(k)), no_sums())
    count, eps = to_f64(length), real(context, EPS)
    finish(word(context, STATISTICS), word(context, ROWS), row, count, k, total(s), total(q), eps)


def _mean_square(context, row):
    """Mean square of a row, with a mean of 0."""
    statistics, rows, length = word(context, STATISTICS), word(context, ROWS), word(context, LENGTH)
    _, q = _square_sums(length, row * length, word(context, X), no_sums())
    rstd = inverse_root(total(q) / to_f64(length) + real(context, EPS))
    put_statistic(statistics, rows, MEAN, row, to_f64(0.0))
    put_statistic(statistics, rows, REST, row, to_f64(0.0))
    put_statistic(statistics, rows, RSTD, row, rstd)


@functools.cache
def forward(activate, centred):
    """y = f(gamma * (x - mean) * rstd + beta), or that without the mean, for an activation f(z, parameter)."""
    f = Lanewise(activate)
    moments = _moments if centred else _mean_square

    def write_row(i, start, count, constants, sums):
        x, y, gamma, beta, mean, rest, rstd, parameter = constants
        d = (stored.load_part(x, start + i, count) - mean) - rest
        stored.store_part(y, start + i, f(affine(d, i, count, rstd, gamma, beta), parameter), count)
        return sums

    apply = along(write_row)

    def job(context, index):
        first, last = rows_of(context, index)
        length, parameter = word(context, LENGTH), working.number(real(context, PARAMETER))
        for row in range(first, last):
            moments(context, row)
            mean, rest, rstd = of_row(context, row)
            gamma, beta = parameters_of_row(context, row)
            constants = word(context, X), word(context, Y), gamma, beta, mean, rest, rstd, parameter
            apply(length, row * length, constants, no_sums())
        return 0

    return Kernel(f"rows_{activate.__name__}{'' if centred else '_rms'}", job)


# --- backward --------------------------------------------------------------------------------------------------------


@functools.cache
def backward(product, centred):
    """dx, dgamma and dbeta for a formula of (dy, z, parameter) that gives dz = dy * f'(z)."""
    slope = Lanewise(product)

    def before_activation(i, start, count, constants):
        """(dz, x - mean): z is computed again rather than kept."""
        x, dy, gamma, beta, parameter, mean, rest, rstd = constants
        d = (stored.load_part(x, start + i, count) - mean) - rest
        z = affine(d, i, count, rstd, gamma, beta)
        return slope(stored.load_part(dy, start + i, count), z, parameter), d

    def scaled(g, i, count, gamma):
        return g * working.load_part(gamma, i, count) if gamma else g

    def add(i, start, count, constants, sums):
        inputs, gamma = constants
        (g, d), (s, q) = before_activation(i, start, count, inputs), sums
        h = within(count, wide(scaled(g, i, count, gamma)))
        return s + h, fma(h, within(count, wide(d)), q)

    def add_to(sums, i, count, term):
        double.store_part(sums, i, double.load_part(sums, i, count) + term, count)

    def write_gradient(i, start, count, constants, sums):
        inputs, gamma, y, rstd, offset, slope_d, for_beta, for_gamma = constants
        g, d = before_activation(i, start, count, inputs)
        stored.store_part(y, start + i, fma(scaled(g, i, count, gamma), rstd, offset) - d * slope_d, count)
        if for_beta:
            add_to(for_beta, i, count, wide(g))
            add_to(for_gamma, i, count, wide(g) * wide(d * rstd))
        return sums

    sum_along, gradient_along = along(add), along(write_gradient)

    def places_of_sums(context, part, row):
        """Addresses of the sums for a row's dbeta and dgamma, 0 if they are not wanted."""
        length, cycle = word(context, LENGTH), word(context, CYCLE)
        if not word(context, SUMS):
            return 0, 0
        for_beta = word(context, SUMS) + 8 * (2 * part * length * cycle + row % cycle * length)
        return for_beta, for_beta + 8 * length * cycle

    def rows(context, index):
        first, last = rows_of(context, index)
        length, parameter = word(context, LENGTH), working.number(real(context, PARAMETER))
        n = to_f64(length)
        for row in range(first, last):
            gamma, beta = parameters_of_row(context, row)
            mean, rest, rstd = of_row(context, row)
            inputs = word(context, X), word(context, DY), gamma, beta, parameter, mean, rest, rstd
            s, q = sum_along(length, row * length, (inputs, gamma), no_sums())
            r = statistic(word(context, STATISTICS), word(context, ROWS), RSTD, row)
            offset = splat(working.number(-(r * total(s)) / n if centred else to_f64(0.0)))
            slope_d = splat(working.number(r * r * r * total(q) / n))
            for_beta, for_gamma = places_of_sums(context, index, row)
            constants = inputs, gamma, word(context, Y), rstd, offset, slope_d, for_beta, for_gamma
            gradient_along(length, row * length, constants, no_sums())
        return 0

    return Kernel(f"rows_{product.__name__}{'' if centred else '_rms'}", rows)


def _add_parts(context, i, count):
    s, q = no_sums()
    length = word(context, LENGTH)
    for part in range(word(context, PARTS)):
        at = 2 * part * length + i
        s = s + double.load_part(word(context, SUMS), at, count)
        q = q + double.load_part(word(context, SUMS), at + length, count)
    double.store_part(word(context, TOTALS), i, s, count)
    double.store_part(word(context, TOTALS), length + i, q, count)


def _totals(context, index):
    first, last = index * TOTALS_WIDTH, min((index + 1) * TOTALS_WIDTH, word(context, LENGTH))
    whole = first + (last - first) // LANES * LANES
    for i in range(first, whole, LANES):
        _add_parts(context, i, LANES)
    if whole < last:
        _add_parts(context, whole, last - whole)
    return 0


TOTALS_KERNEL = Kernel("rows_totals", _totals)
