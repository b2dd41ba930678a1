"""Activations: forward (out=, fresh, in place) and backward, against every library that is installed.

    pytest bench/bench_activations.py                              everything: hours
    pytest bench/bench_activations.py -k "gelu and 1e6"            some of it
    pytest bench/bench_activations.py --profile=report             what the report is made of
    pytest bench/bench_activations.py --benchmark-json=times.json

Every row checks the results of all candidates, then times them in interleaved rounds.
"""

import numpy as np
import pytest
from cases import CASES
from selection import ALL, THREADS, row

import fastnn.reference as reference
from fastnn.benchmark import peers
from fastnn.benchmark.activations import activation, fastnn_call
from fastnn.benchmark.work import BACKWARD, DIRECTIONS, FROM_OUTPUT, OUT

#: (dtype, elements, threads) of the report, forward out= and backward
REPORT = {("float32", n, ALL) for n in (1000, 100_000, 1_000_000, 16_000_000)}
REPORT |= {("float32", 1_000_000, 1), ("float64", 100_000, ALL)}


def _rows():
    for case in CASES.values():
        for shape in case.shapes:
            for dtype in ("float32", "float64"):
                for threads in THREADS:
                    for direction in DIRECTIONS:
                        if direction != FROM_OUTPUT or case.from_output:
                            yield _row(case, direction, dtype, shape, threads)


def _row(case, direction, dtype, shape, threads):
    n = int(np.prod(shape))
    size = f"{n:.0e}".replace("e+0", "e")
    return row(
        *(case, direction, dtype, shape, threads),
        label=f"{case.name}-{direction}-{dtype}-{size}-{threads}",
        report=direction in (OUT, BACKWARD) and (dtype, n, threads) in REPORT,
        smoke=(direction, dtype, n, threads) == (OUT, "float32", 10, ALL),
    )


@pytest.mark.parametrize(("case", "direction", "dtype", "shape", "threads"), list(_rows()))
def test_activation(measure, case, direction, dtype, shape, threads):
    work = activation(case.name, direction, dtype, shape, threads)
    theirs, result = peers.ways(work), fastnn_call(work)()
    _check(case, work, result)
    peers.check(theirs, work, result)
    measure(work, {"fastnn": fastnn_call(work)} | theirs)


def _check(case, work, result):
    """Right to a few ulps: the tests proper are elsewhere, this only keeps a benchmark from timing nonsense."""
    a, sample = work.arrays, slice(0, 10_000)
    if work.direction == FROM_OUTPUT:
        expected = getattr(reference, f"{case.name}_backward_from_output")(
            a["dy"][sample], a["y"][sample], *case.default
        )
    elif work.direction == BACKWARD:
        expected = getattr(reference, f"{case.name}_backward")(a["dy"][sample], a["x"][sample], *case.default)
    else:
        expected = getattr(reference, case.name)(a["x"][sample], *case.default)
    eps = np.finfo(work.dtype).eps
    np.testing.assert_allclose(result[sample], expected, rtol=64 * eps, atol=64 * eps)
