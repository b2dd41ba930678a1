"""A training step of cs231n's fully connected network: the course's formulas in NumPy against `fastnn.compat.cs231n`.

    pytest bench/bench_cs231n.py

Images of CIFAR-10's size, batch norm and dropout after every hidden layer, the solver's loop around it: a batch drawn
from the images, the loss and its gradients, the update rule for each array. "products" are the matrix products alone,
which both leave to NumPy's BLAS: no layer around them can make a step shorter than that.
"""

from itertools import pairwise

import cs231n_course as course
import numpy as np
import pytest
from cs231n_networks import FullyConnectedNet, steps
from selection import work_of

from fastnn.compat.cs231n import layers, optim

SHAPE, IMAGES, KEEP = (3, 32, 32), 2000, 0.75
HIDDEN = {"5 layers": (100, 100, 100, 100, 100), "3 layers": (100, 100, 100)}


def training(layers, rules, rule, hidden, batch, dtype, keep=KEEP):
    """A step of the solver, as a call."""
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((IMAGES, *SHAPE)).astype(dtype), rng.integers(0, 10, IMAGES)
    model = FullyConnectedNet(layers, SHAPE, hidden, keep=keep, dtype=dtype)
    config = {"learning_rate": 1e-3}
    endless = steps(model, getattr(rules, rule), config, images, labels, batch, np.random.default_rng(1))
    return lambda: next(endless)


def products(hidden, batch, dtype):
    """The matrix products of a step, forward and backward."""
    sizes = [int(np.prod(SHAPE)), *hidden, 10]
    rng = np.random.default_rng(0)
    layers = [
        [rng.standard_normal(shape).astype(dtype) for shape in ((batch, n), (n, m), (batch, m))]
        for n, m in pairwise(sizes)
    ]

    def run():
        for x, w, dout in layers:
            x @ w
            x.T @ dout
            dout @ w.T

    return run


@pytest.mark.parametrize("rule", ["adam", "sgd_momentum"])
def test_first_losses_agree(rule):
    mine, other = (
        training(module, rules, rule, HIDDEN["3 layers"], 50, "f8", keep=1)
        for module, rules in ((layers, optim), (course, course))
    )
    np.testing.assert_allclose([mine() for _ in range(10)], [other() for _ in range(10)], rtol=1e-6)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("batch", [100, 50])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", ["adam", "sgd_momentum"])
def test_step(measure, rule, dtype, batch, hidden):
    calls = {
        "fastnn": training(layers, optim, rule, HIDDEN[hidden], batch, dtype),
        "numpy": training(course, course, rule, HIDDEN[hidden], batch, dtype),
    }
    function = f"cs231n step, {hidden}, {rule}"
    work = work_of("training", function, dtype, (batch, *SHAPE), 1)
    measure(work, calls, {"products": products(HIDDEN[hidden], batch, dtype)})
