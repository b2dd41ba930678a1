"""Norms, softmax, losses and dropout, against every library that is installed.

    pytest bench/bench_fused.py                        everything: half an hour
    pytest bench/bench_fused.py -k "layer_norm"        some of it

Every row checks the results of all candidates, then times them in interleaved rounds. "copy" is np.copyto of x on one
thread, and is there to compare with.
"""

import math

import numpy as np
import pytest
from fused_cases import FUSED, results
from selection import ALL, THREADS, row

import fastnn as fnn
from fastnn import reference
from fastnn.benchmark import peers


def _rows():
    for case in FUSED.values():
        smallest = min(case.shapes, key=math.prod)
        for shape in case.shapes:
            for dtype in ("float32", "float64"):
                for threads in THREADS:
                    for direction in case.directions:
                        plain = (dtype, threads) == ("float32", ALL) and direction == case.directions[0]
                        yield row(
                            *(case, direction, dtype, shape, threads),
                            label=f"{case.name}-{direction}-{dtype}-{'x'.join(map(str, shape))}-{threads}",
                            report=plain and math.prod(shape) >= 1000,
                            smoke=plain and shape == smallest,
                        )


@pytest.mark.parametrize(("case", "direction", "dtype", "shape", "threads"), list(_rows()))
def test_fused(measure, case, direction, dtype, shape, threads):
    work, ours = case.work(direction, dtype, shape, threads)
    theirs = peers.ways(work)
    _check(case, np.dtype(dtype).type)
    peers.check(theirs, work, ours())
    x = work.arrays["x"]
    out = np.empty_like(x)
    measure(work, {"fastnn": ours} | theirs, {"copy": lambda: np.copyto(out, x)})


def _check(case, dtype):
    """Right on a small shape: the tests proper are elsewhere, this only keeps a benchmark from timing nonsense."""
    if case.has_reference:
        arrays, given = case.prepared(fnn, np.random.default_rng(0), case.small[0], dtype)
        expected = results(case.call(reference, arrays | case.prepare(reference, arrays)))
        for a, e in zip(results(case.call(fnn, given)), expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=0, atol=64 * np.finfo(dtype).eps * max(1, np.abs(e).max()))
