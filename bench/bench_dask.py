"""gelu of a Dask array against map_blocks written by hand, and batch norm and softmax through `fastnn.compat.dask`.

    pytest bench/bench_dask.py

All on the threaded scheduler, whose tasks call fastnn from several threads at once: "one thread" limits each of those
calls to the thread that makes it, which is what docs/howto/dask.md advises on. "in memory" is the call without Dask.
"""

import numpy as np
import pytest
from selection import work_of

import fastnn as fnn

dask = pytest.importorskip("dask", reason="of the extra fastnn[dask]")
da = pytest.importorskip("dask.array", reason="of the extra fastnn[dask]")
special = pytest.importorskip("scipy.special", reason="of the extra fastnn[test]")

SHAPE, CHUNKS = (4000, 4000), (1000, 4000)


def scipy_gelu(x):
    return np.float32(0.5) * x * (1 + special.erf(x * np.float32(0.5**0.5)))


def by_blocks(function, x):
    return x.map_blocks(function, dtype=x.dtype, meta=np.empty((0, 0), x.dtype))


def computing(lazily):
    """A call that computes the array, in the scheduler's threads, and leaves the blocks where they are."""
    return lambda: dask.threaded.get(dict(lazily.__dask_graph__()), lazily.__dask_keys__())


def in_one_thread(call):
    def limited():
        with fnn.threads(1):
            return call()

    return limited


@pytest.fixture
def x():
    """Its blocks are in memory, so that gelu alone is timed."""
    whole = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    return whole, da.from_array(whole, chunks=CHUNKS).persist(scheduler="synchronous")


def test_gelu(measure, x):
    whole, lazily = x
    ours, by_hand = computing(fnn.gelu(lazily)), computing(by_blocks(fnn.gelu, lazily))
    np.testing.assert_array_equal(ours()[0][0], fnn.gelu(whole[:1000]))
    calls = {"fastnn": ours, "scipy": computing(by_blocks(scipy_gelu, lazily))}
    yardsticks = {"map_blocks": by_hand, "one thread": in_one_thread(ours), "in memory": lambda: fnn.gelu(whole)}
    measure(work_of("dask", "gelu", "float32", SHAPE, 2), calls, yardsticks)


def test_softmax(measure, x):
    from fastnn.compat import dask as lazy

    whole, lazily = x
    calls = {"fastnn": computing(lazy.softmax(lazily))}
    by_hand = computing(by_blocks(fnn.softmax, lazily))
    yardsticks = {"map_blocks": by_hand, "in memory": lambda: fnn.softmax(whole)}
    measure(work_of("dask", "softmax", "float32", SHAPE, 2), calls, yardsticks)


def test_batch_norm(measure, x):
    from fastnn.compat import dask as lazy

    whole, lazily = x
    calls = {"fastnn": computing(lazy.batch_norm_forward(lazily, None, None)[0])}
    yardsticks = {"in memory": lambda: fnn.batch_norm_forward(whole, None, None)[0]}
    measure(work_of("dask", "batch_norm_forward", "float32", SHAPE, 2), calls, yardsticks)
