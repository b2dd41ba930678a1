"""Norms, softmax, losses and dropout against torch and NumPy.

    pytest bench/bench_fused.py                        everything: some minutes
    pytest bench/bench_fused.py -k "layer_norm"        some of it

Every row checks its result, then times all candidates in interleaved rounds. "copy" is np.copyto of x on one thread,
and is there to compare with.
"""

import numpy as np
import peers_fused
import pytest
from fused_cases import FUSED, results

import fastnn as fnn
from fastnn import reference


def _rows():
    for case in FUSED.values():
        for shape in case.shapes:
            for dtype in ("float32", "float64"):
                yield pytest.param(case, dtype, shape, id=f"{case.name}-{dtype}-{'x'.join(map(str, shape))}")


@pytest.mark.parametrize(("case", "dtype", "shape"), list(_rows()))
def test_fused(report, case, dtype, shape):
    _, given = case.prepared(fnn, np.random.default_rng(0), shape, dtype)
    _check(case, np.dtype(dtype).type)
    out = np.empty_like(given["x"])
    calls = {"fastnn": lambda: case.call(fnn, given), "copy": lambda: np.copyto(out, given["x"])}
    calls |= peers_fused.numpy_ways(case.name, given) | peers_fused.torch_ways(case.name, given)
    report("fused", dtype, shape, (case.moved, calls))


def _check(case, dtype):
    """Right on a small shape: the tests proper are elsewhere, this only keeps a benchmark from timing nonsense."""
    if case.has_reference:
        arrays, given = case.prepared(fnn, np.random.default_rng(0), case.small[0], dtype)
        expected = results(case.call(reference, arrays | case.prepare(reference, arrays)))
        for a, e in zip(results(case.call(fnn, given)), expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=0, atol=64 * np.finfo(dtype).eps * max(1, np.abs(e).max()))
