"""Activations: forward (out=, fresh, in place) and backward against NumPy and torch.

    pytest bench/bench_activations.py                      everything: an hour
    pytest bench/bench_activations.py -k "gelu and 1e6"    some of it
    pytest bench/bench_activations.py --benchmark-json=activations.json

Every row checks its result, then times all candidates in interleaved rounds.
"""

import numpy as np
import peers
import pytest
from cases import CASES

import fastnn as fnn
import fastnn.reference as reference

DIRECTIONS = ("out", "fresh", "in_place", "backward", "backward_from_output")


def _rows():
    for case in CASES.values():
        for shape in case.shapes:
            for dtype in ("float32", "float64"):
                for direction in DIRECTIONS:
                    if direction != "backward_from_output" or case.from_output:
                        label = f"{case.name}-{direction}-{dtype}-{np.prod(shape):.0e}".replace("e+0", "e")
                        yield pytest.param(case, direction, dtype, shape, id=label)


def _check(actual, expected, dtype):
    """Right to a few ulps: the tests proper are elsewhere, this only keeps a benchmark from timing nonsense."""
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize(("case", "direction", "dtype", "shape"), list(_rows()))
def test_activation(report, case, direction, dtype, shape):
    rng = np.random.default_rng(0)
    # inputs as a network has them: unit normal, both signs
    x, dy = rng.standard_normal(shape, dtype), rng.standard_normal(shape, dtype)
    out = np.empty_like(x)
    report(direction, dtype, shape, _candidates(case, direction, x, dy, out))


def _candidates(case, direction, x, dy, out):
    """(operands read or written, {candidate: call}); the result is checked here."""
    f, parameters, dtype = getattr(fnn, case.name), _required(case), x.dtype
    sample = slice(0, 10_000)
    expected = getattr(reference, case.name)(x[sample], *case.default)
    torch_x, torch_dy, torch_out = peers.tensors(x, dy, out) if peers.available() else (None, None, None)
    theirs = {}
    if direction == "out":
        _check(f(x, *parameters, out=out)[sample], expected, dtype)
        ours, numpy, operands = lambda: f(x, *parameters, out=out), lambda: case.numpy(x), 2
        theirs = peers.forward(case.name, torch_x, torch_out) if peers.available() else {}
    elif direction == "fresh":
        _check(f(x, *parameters)[sample], expected, dtype)
        ours, numpy, operands = lambda: f(x, *parameters), lambda: case.numpy(x), 2
        theirs = peers.fresh(case.name, case.torch, torch_x) if peers.available() else {}
    elif direction == "in_place":
        # repeated in place the data tends to a fixed point: every candidate works on its own, restored each round
        z = x.copy()
        _check(f(z, *parameters, out=z)[sample], expected, dtype)
        ours, numpy, operands = lambda: f(z, *parameters, out=z), None, 2
        theirs = peers.in_place(case.name, peers.tensors(x.copy())[0]) if peers.available() else {}
    else:
        backward = getattr(fnn, f"{case.name}_{direction}")
        from_output = direction == "backward_from_output"
        kept = f(x, *parameters) if from_output else x
        check = getattr(reference, f"{case.name}_{direction}")(dy[sample], kept[sample], *case.default)
        _check(backward(dy, kept, *parameters, out=out)[sample], check, dtype)
        ours, numpy, operands = lambda: backward(dy, kept, *parameters, out=out), None, 3
        if peers.available():
            ways = peers.backward_from_output if from_output else peers.backward
            theirs = ways(case.name, torch_dy, peers.tensors(kept)[0], torch_out)
    calls = {"fastnn": ours} | ({"numpy": numpy} if numpy else {})
    return operands, calls | {f"torch.{name}": call for name, call in theirs.items()}


def _required(case):
    """Parameters to pass: none where fastnn has defaults."""
    return case.default if case.name == "threshold" else ()
