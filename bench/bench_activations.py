"""Activations: forward (out=, fresh, in place) and backward, against every library that is installed.

    pytest bench/bench_activations.py                              everything: hours
    pytest bench/bench_activations.py -k "gelu and 1e6"            some of it
    pytest bench/bench_activations.py --profile=report             what the report is made of
    pytest bench/bench_activations.py --benchmark-json=times.json
"""

import numpy as np
import pytest
from cases import CASES

from fastnn.benchmark import peers
from fastnn.benchmark.activations import activation
from fastnn.benchmark.work import DIRECTIONS, FROM_OUTPUT


def _rows():
    for case in CASES.values():
        for shape in case.shapes:
            for dtype in ("float32", "float64"):
                for direction in DIRECTIONS:
                    if direction != FROM_OUTPUT or case.from_output:
                        label = f"{case.name}-{direction}-{dtype}-{np.prod(shape):.0e}".replace("e+0", "e")
                        yield pytest.param(case, direction, dtype, shape, id=label)


@pytest.mark.parametrize(("case", "direction", "dtype", "shape"), list(_rows()))
def test_activation(measure, case, direction, dtype, shape):
    work, ours = activation(case.name, direction, dtype, shape, 2)
    theirs = peers.ways(work)
    peers.check(theirs, ours())
    measure(work, {"fastnn": ours} | theirs)
