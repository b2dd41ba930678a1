"""What the two passes of batch, group and instance norm do with one vector of values, wherever it lies.

The functions here are the bodies of loops: `sums = body(i, count, streams, constants, sums)` works on the `count`
values from index i on and returns the sums so far.
"""

from .._engine.primitives import fma, select, to_f64
from .._engine.vectors import LANES, Lanewise, below, splat, stored, wide


def no_sums():
    """Sums of nothing, to begin with."""
    return splat(to_f64(0.0)), splat(to_f64(0.0))


def within(count, vector):
    """0 in the lanes that are no values."""
    return select(below(count), vector, splat(to_f64(0.0))) if count < LANES else vector


def write(y, i, value, count, streams):
    """Store `count` lanes, past the caches if `streams`."""
    if streams:
        stored.stream(y, i, value)
    else:
        stored.store_part(y, i, value, count)


def add_shifted(i, count, streams, constants, sums):
    """Sums of x - k and its square."""
    (x, k), (s, q) = constants, sums
    d = within(count, wide(stored.load_part(x, i, count)) - k)
    return s + d, fma(d, d, q)


def normalise(activate):
    """y = f((x - mean) * scale + shift) for an activation's formula f(z, parameter); scale is gamma * rstd."""
    f = Lanewise(activate)

    def body(i, count, streams, constants, sums):
        x, y, mean, rest, scale, shift, parameter = constants
        d = (stored.load_part(x, i, count) - mean) - rest
        write(y, i, f(fma(d, scale, shift), parameter), count, streams)
        return sums

    return body


def gradients(product):
    """(sums of dz and dz * (x - mean); dx) for a formula of (dy, z, parameter) that gives dz = dy * f'(z)."""
    slope = Lanewise(product)

    def before_activation(i, count, constants):
        """(dz, x - mean): z is computed again rather than kept."""
        x, dy, mean, rest, scale, shift, parameter = constants
        d = (stored.load_part(x, i, count) - mean) - rest
        return slope(stored.load_part(dy, i, count), fma(d, scale, shift), parameter), d

    def add(i, count, streams, constants, sums):
        (g, d), (s, q) = before_activation(i, count, constants), sums
        g = within(count, wide(g))
        return s + g, fma(g, within(count, wide(d)), q)

    def write_gradient(i, count, streams, constants, sums):
        inputs, y, scale, offset, slope_d = constants
        g, d = before_activation(i, count, inputs)
        write(y, i, fma(g, scale, offset) - d * slope_d, count, streams)
        return sums

    return add, write_gradient
