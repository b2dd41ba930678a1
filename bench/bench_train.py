"""An epoch of the default network of `fastnn train` against the same network in eager torch.

    pytest bench/bench_train.py

Same weights, same batches in the same order, same arithmetic: without dropout, whose masks are each one's own, the
losses of the first steps must agree to rounding before anything is timed. Matrix products are NumPy's here and torch's
there, on all threads.
"""

import numpy as np
import pytest
from selection import work_of

from fastnn.benchmark.libraries import load
from fastnn.cli.network import Network, Settings
from fastnn.cli.training import Plan, batches, make_optimizer, parted

torch = load("torch")

SIZES, BATCH, IMAGES, LR = (784, 256, 128, 10), 64, 4000, 5e-3


def images_and_labels():
    rng = np.random.default_rng(0)
    return rng.standard_normal((IMAGES, SIZES[0]), np.float32), rng.integers(0, SIZES[-1], IMAGES)


def ours(dropout):
    """step(images, labels) -> loss"""
    network = Network(Settings(SIZES, dropout=dropout), np.random.default_rng(1))
    optimizer = make_optimizer(network, Plan(lr=LR, schedule="constant"), 1)
    rng = np.random.default_rng(2)

    def step(images, labels):
        loss, grads, _ = network.loss_and_gradients(images, labels, rng)
        optimizer.step(list(parted(grads)))
        return loss

    step.network = network
    return step


def theirs(network, dropout, fused):
    """The same in torch, from the same weights."""
    nn, layers = torch.nn, []
    weights = [layer["W"] for layer in network.params if "W" in layer]
    for k, values in enumerate(weights):
        last = k == len(weights) - 1
        linear = nn.Linear(*values.shape, bias=last)
        linear.weight.data = torch.from_numpy(values.T.copy())
        layers.append(linear)
        if last:
            linear.bias.data.zero_()
        else:
            layers += [nn.BatchNorm1d(values.shape[1]), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
    model = nn.Sequential(*layers).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=fused)

    def step(images, labels):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def epoch(step, images, labels, order):
    for part in batches(len(order), BATCH):
        step(images[order[part]], labels[order[part]])


@pytest.mark.skipif(torch is None, reason="torch is what it is compared with")
def test_first_losses_agree():
    images, labels = images_and_labels()
    mine = ours(0.0)
    other = theirs(mine.network, 0.0, fused=True)
    for part in batches(len(images), BATCH)[:10]:
        a, b = (step(images[part], labels[part]) for step in (mine, other))
        assert a == pytest.approx(b, rel=1e-5)


@pytest.mark.parametrize("dropout", [0.3, 0.0])
def test_epoch(measure, dropout):
    images, labels = images_and_labels()
    order = np.random.default_rng(3).permutation(IMAGES)
    mine = ours(dropout)
    calls = {"fastnn": lambda: epoch(mine, images, labels, order)}
    if torch is not None:
        for name, fused in (("torch", False), ("torch fused", True)):
            other = theirs(mine.network, dropout, fused)
            calls[name] = lambda other=other: epoch(other, images, labels, order)
    measure(work_of("training", f"epoch, dropout {dropout}", "float32", (IMAGES, SIZES[0]), 1), calls)
