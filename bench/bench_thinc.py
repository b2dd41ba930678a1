"""fastnn.compat.thinc against thinc's own NumpyOps, LayerNorm and Adam.

    pytest bench/bench_thinc.py

Forward and backward of layer norm, gelu and mish on (256, 768) float32, as the layers of a transformer's width call
them, and Adam on a million parameters: the whole of the optimiser's step, with clipping and averages as by default,
and the operation `ops.adam` alone.
"""

import numpy as np
import pytest
from selection import work_of

thinc = pytest.importorskip("thinc.api", reason="the extra 'thinc' is not installed")

from fastnn.compat.thinc import Adam, FastnnOps, LayerNorm  # noqa: E402 - imports thinc

SHAPE = (256, 768)
PARAMETERS = 1_000_000


def normal(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize("name", ["gelu", "mish"])
def test_activation(measure, name):
    x, dy = normal(SHAPE, 0), normal(SHAPE, 1)

    def both(ops):
        forward, backward = getattr(ops, name), getattr(ops, f"backprop_{name}")
        return lambda: (forward(x), backward(dy, x))

    calls = {"fastnn": both(FastnnOps()), "thinc": both(thinc.NumpyOps())}
    measure(work_of("thinc", f"{name}, forward and backward", "float32", SHAPE, 5), calls)


@pytest.mark.parametrize("name", ["layer_norm"])
def test_layer(measure, name):
    x, dy = normal(SHAPE, 0), normal(SHAPE, 1)

    def both(make, ops):
        with thinc.use_ops(ops):
            model = make(SHAPE[1]).initialize(X=x)

        def call():
            y, backprop = model(x, is_train=True)
            return y, backprop(dy)

        return call

    calls = {"fastnn": both(LayerNorm, "fastnn"), "thinc": both(thinc.LayerNorm, "numpy")}
    measure(work_of("thinc", f"{name}, forward and backward", "float32", SHAPE, 6), calls)


@pytest.mark.parametrize("size", [96, 10_000, PARAMETERS], ids="Adam-{}".format)
def test_optimiser(measure, size):
    def step(make):
        weights, gradient, optimizer = normal(size, 0), normal(size, 1), make(1e-4)
        given = gradient.copy()

        def call():
            np.copyto(gradient, given)  # it is cleared by the step
            optimizer((1, "W"), weights, gradient)

        return call

    calls = {"fastnn": step(Adam), "thinc": step(thinc.Adam)}
    measure(work_of("thinc", "Adam", "float32", (size,), 10), calls)


@pytest.mark.parametrize("name", ["adam"], ids="ops.{}".format)
def test_operation(measure, name):
    def step(ops):
        weights, gradient, mom1 = (normal(PARAMETERS, seed) for seed in range(3))
        mom2, given = np.square(mom1), gradient.copy()

        def call():
            np.copyto(gradient, given)
            getattr(ops, name)(weights, gradient, mom1, mom2, 0.9, 0.999, 1e-8, 1e-4)

        return call

    calls = {"fastnn": step(FastnnOps()), "thinc": step(thinc.NumpyOps())}
    measure(work_of("thinc", f"ops.{name}", "float32", (PARAMETERS,), 8), calls)


@pytest.mark.parametrize("pieces", [2, 3], ids="maxout-{}".format)
def test_maxout(measure, pieces):
    x = normal((*SHAPE, pieces), 0)
    calls = {"fastnn": lambda: FastnnOps().maxout(x), "thinc": lambda: thinc.NumpyOps().maxout(x)}
    measure(work_of("thinc", f"maxout, {pieces} pieces", "float32", x.shape, 2), calls)
