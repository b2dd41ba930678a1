"""Groups made of contiguous runs of values that share one gamma and beta: batch norm with the channels first,
group and instance norm.

Group g consists of RUNS runs of LENGTH values: run r begins at g * GROUP_STEP + r * RUN_STEP. Its sums are taken in
PARTS parts, each a range of the group's units (a run cut into PIECES pieces of PIECE values) with one channel's gamma
and beta: g % CYCLE * CHANNELS + part * OWN. In group norm each run is a part and has its own channel; in batch norm
there is more than one part only where there are too few channels to share out among threads.

Forward reads a group twice, the second time from L2 as long as it fits there, and writes it once; backward reads two
arrays twice and writes one.
"""

import functools
from typing import NamedTuple

from .._engine.fused import Kernel
from .._engine.primitives import fma, to_f64
from .._engine.vectors import LANES, fence, put_real, real, splat, stored, total, word, working
from ._passes import add_shifted, gradients, no_sums, normalise
from ._statistics import MEAN, REST, RSTD, finish, pivot, statistic

# Words of the context, the same for every job here. Y is what apply writes: y, or dx.
X, DY, Y, GAMMA, BETA, STATISTICS, SUMS = 1, 2, 3, 4, 5, 6, 7
GROUPS, RUNS, LENGTH, GROUP_STEP, RUN_STEP = 8, 9, 10, 11, 12
CYCLE, CHANNELS, OWN, PARTS, PIECES, PIECE = 13, 14, 15, 16, 17, 18
TOGETHER, STREAM, EPS, COUNT, PARAMETER = 19, 20, 21, 22, 23


def over_part(body, reverse=False):
    """A pass over a part's values: sums = body(i, count, streams, constants, sums) for the `count` values from i on.

    The second pass over a group goes in reverse, so that it begins with what the caches still hold.
    """

    def loop(context, group, part, constants, sums, streams):
        pieces, piece, runs = word(context, PIECES), word(context, PIECE), word(context, RUNS)
        units, parts = runs * pieces, word(context, PARTS)
        first, last = part * units // parts, (part + 1) * units // parts
        for k in range(first, last):
            unit = first + (last - 1 - k) if reverse else k
            begun = unit % pieces * piece
            start = group * word(context, GROUP_STEP) + unit // pieces * word(context, RUN_STEP) + begun
            n = min(piece, word(context, LENGTH) - begun)
            if streams:
                head = min(n, to_line(word(context, Y), start))
                sums = body(start, head, False, constants, sums)
                start, n = start + head, n - head
            whole = n - n % LANES
            for i in range(start, start + whole, LANES):
                sums = body(i, LANES, streams, constants, sums)
            if whole < n:
                sums = body(start + whole, n - whole, False, constants, sums)
        return sums

    return loop


def to_line(y, start):
    """Values from y[start] up to an address that whole vectors can be streamed to."""
    return (-(y + start * stored.size()) & (min(64, LANES * stored.size()) - 1)) // stored.size()


def parameters(context, group, part):
    """(mean, rest of the mean, gamma * rstd, beta) of a part, as vectors."""
    statistics, groups = word(context, STATISTICS), word(context, GROUPS)
    channel = group % word(context, CYCLE) * word(context, CHANNELS) + part * word(context, OWN)
    scale, shift = statistic(statistics, groups, RSTD, group), working.number(to_f64(0.0))
    if word(context, GAMMA):
        scale *= to_f64(working.get(word(context, GAMMA), channel))
    if word(context, BETA):
        shift = working.get(word(context, BETA), channel)
    mean = working.number(statistic(statistics, groups, MEAN, group))
    rest = working.number(statistic(statistics, groups, REST, group))
    return splat(mean), splat(rest), splat(working.number(scale)), splat(shift)


def put_sums(context, group, part, sums):
    """Keep a part's two sums."""
    s, q = sums
    at = 2 * (group * word(context, PARTS) + part)
    put_real(word(context, SUMS), at, total(s))
    put_real(word(context, SUMS), at + 1, total(q))


# --- statistics ------------------------------------------------------------------------------------------------------


_shifted_sums = over_part(add_shifted)


def sums_of_part(context, group, part):
    """Keep sum(x - k) and sum((x - k)^2) of a part, k being the group's first value."""
    k = splat(pivot(word(context, X), group * word(context, GROUP_STEP)))
    put_sums(context, group, part, _shifted_sums(context, group, part, (word(context, X), k), no_sums(), False))


def finish_group(context, group):
    """From the parts' sums, in their order, the group's statistics."""
    s = q = to_f64(0.0)
    for part in range(word(context, PARTS)):
        at = 2 * (group * word(context, PARTS) + part)
        s += real(word(context, SUMS), at)
        q += real(word(context, SUMS), at + 1)
    count = real(context, COUNT)
    k = pivot(word(context, X), group * word(context, GROUP_STEP))
    finish(word(context, STATISTICS), word(context, GROUPS), group, count, k, s, q, real(context, EPS))


# --- the two passes as jobs ------------------------------------------------------------------------------------------


class Passes(NamedTuple):
    """Launch `whole` over chunks of TOGETHER groups, or `sums` and `apply` one after the other over all parts."""

    whole: Kernel
    sums: Kernel
    apply: Kernel


def _passes(name, sums_of, finish_of, apply_to):
    def whole(context, index):
        together, parts = word(context, TOGETHER), word(context, PARTS)
        for group in range(index * together, min((index + 1) * together, word(context, GROUPS))):
            for part in range(parts):
                sums_of(context, group, part)
            finish_of(context, group)
            for part in range(parts):
                apply_to(context, group, parts - 1 - part)
        if word(context, STREAM):
            fence()
        return 0

    def sums(context, index):
        sums_of(context, index // word(context, PARTS), index % word(context, PARTS))
        return 0

    def apply(context, index):
        apply_to(context, index // word(context, PARTS), index % word(context, PARTS))
        if word(context, STREAM):
            fence()
        return 0

    return Passes(Kernel(f"{name}", whole), Kernel(f"{name}_sums", sums), Kernel(f"{name}_apply", apply))


def _finish(context, index):
    finish_group(context, index)
    return 0


def _sums(context, index):
    sums_of_part(context, index // word(context, PARTS), index % word(context, PARTS))
    return 0


SUMS_KERNEL, FINISH_KERNEL = Kernel("runs_shifted_sums", _sums), Kernel("runs_finish", _finish)


@functools.cache
def forward(activate):
    """y = f((x - mean) * scale + beta) for an activation's formula f(z, parameter)."""
    loop = over_part(normalise(activate), reverse=True)

    def apply(context, group, part):
        mean, rest, scale, shift = parameters(context, group, part)
        parameter = working.number(real(context, PARAMETER))
        constants = word(context, X), word(context, Y), mean, rest, scale, shift, parameter
        if word(context, STREAM):
            loop(context, group, part, constants, no_sums(), True)
        else:
            loop(context, group, part, constants, no_sums(), False)

    return _passes(f"runs_{activate.__name__}", sums_of_part, finish_group, apply)


@functools.cache
def backward(product):
    """Sums of dz and dz * (x - mean), and dx, for a formula of (dy, z, parameter) that gives dz = dy * f'(z)."""
    add, write_gradient = gradients(product)
    sum_loop, gradient_loop = over_part(add), over_part(write_gradient, reverse=True)

    def inputs(context, group, part):
        mean, rest, scale, shift = parameters(context, group, part)
        parameter = working.number(real(context, PARAMETER))
        return (word(context, X), word(context, DY), mean, rest, scale, shift, parameter), scale

    def sums_of(context, group, part):
        of_part, _ = inputs(context, group, part)
        put_sums(context, group, part, sum_loop(context, group, part, of_part, no_sums(), False))

    def nothing(context, group):
        """Each part adds up the sums of all, in the same order."""

    def apply(context, group, part):
        s = q = to_f64(0.0)
        for k in range(word(context, PARTS)):
            channel = group % word(context, CYCLE) * word(context, CHANNELS) + k * word(context, OWN)
            at, gamma = 2 * (group * word(context, PARTS) + k), to_f64(1.0)
            if word(context, GAMMA):
                gamma = to_f64(working.get(word(context, GAMMA), channel))
            s = fma(gamma, real(word(context, SUMS), at), s)
            q = fma(gamma, real(word(context, SUMS), at + 1), q)
        count = real(context, COUNT)
        rstd = statistic(word(context, STATISTICS), word(context, GROUPS), RSTD, group)
        offset, slope_d = (
            splat(working.number(-(rstd * s) / count)),
            splat(working.number(rstd * rstd * rstd * q / count)),
        )
        of_part, scale = inputs(context, group, part)
        constants = of_part, word(context, Y), scale, offset, slope_d
        if word(context, STREAM):
            gradient_loop(context, group, part, constants, no_sums(), True)
        else:
            gradient_loop(context, group, part, constants, no_sums(), False)

    return _passes(f"runs_{product.__name__}", sums_of, nothing, apply)
