"""Batch norm over the ranks of COMM_WORLD gives what the reference gives for the whole batch."""

import itertools

import numpy as np
from norms import VARIANTS, check, problem
from ulps import assert_within

from fastnn import reference
from fastnn.compat import mpi

COMM = mpi.MPI.COMM_WORLD
SHAPES = [((40, 7), 1), ((6, 3, 15, 8), 1), ((9, 5, 4, 12), -1)]


def cuts(count):
    """Where the rows of rank 1 and those after it begin: even, uneven, and with a first or last rank without any."""
    ranks = COMM.size
    yield [count * rank // ranks for rank in range(1, ranks)]
    yield list(range(1, ranks))
    yield [0, *range(2, ranks)]
    yield [count] * (ranks - 1)


def same_on_all_ranks(*arrays):
    every = COMM.allgather([array.tobytes() for array in arrays])
    assert all(other == every[0] for other in every)


def whole(array):
    """The rows of all ranks."""
    return np.concatenate(COMM.allgather(array))


def summed(gradient):
    """What the ranks' shares of a gradient add up to."""
    if gradient is None:
        return None
    return np.sum(COMM.allgather(gradient.astype("f8")), axis=0).astype(gradient.dtype)


def run(given, where):
    """All results of the whole batch, rank by rank computed for its rows between the cuts."""
    x, dy = (np.split(array, where)[COMM.rank] for array in (given.x, given.dy))
    channels = given.x.shape[given.options["axis"]]
    running = np.linspace(-1, 1, channels).astype("f4"), np.linspace(1, 2, channels)
    y, cache = mpi.batch_norm_forward(x, given.gamma, given.beta, *running, momentum=0.3, **given.options)
    assert y.shape == x.shape
    dx, dgamma, dbeta = mpi.batch_norm_backward(dy, cache)
    same_on_all_ranks(*running, cache.stats.mean, cache.stats.m2)
    check(given, (whole(y), whole(dx), summed(dgamma), summed(dbeta)), wider=2 if given.x.dtype == "f8" else 1)
    expected = np.linspace(-1, 1, channels).astype("f4").astype("f8"), np.linspace(1, 2, channels)
    reference.batch_norm_forward(given.x, None, None, *expected, momentum=0.3, **given.options)
    assert_within(running[0], expected[0], 1, absolute=1e-7)
    assert_within(running[1], expected[1], 50)  # the variance of a few values is exact to as many ulps as they are


done = 0
for (dtype, activation), (shape, axis) in itertools.product(VARIANTS, SHAPES):
    for where in cuts(shape[0]):
        run(problem("batch_norm", shape, dtype, done, axis=axis, activation=activation), where)
        done += 1
for affine in [(True, False), (False, True), (False, False)]:
    run(problem("batch_norm", (40, 7), "f4", affine=affine, axis=1, eps=0.5), [3, *range(4, COMM.size + 2)])
    done += 1
if COMM.rank == 0:
    print(f"{done} batches")
