"""Networks trained as in the assignments, with the course's formulas and with fastnn.compat.cs231n: the same losses.

The dropout of both gets the same masks: one function draws them for both networks.
"""

import cs231n_course as course
import numpy as np
import pytest
from cs231n_networks import ConvNet, FullyConnectedNet, train

from fastnn.compat.cs231n import layers, optim

RULES = {
    "sgd": {"learning_rate": 1e-1},
    "sgd_momentum": {"learning_rate": 3e-2},
    "rmsprop": {"learning_rate": 3e-3},
    "adam": {"learning_rate": 1e-2},
}


class SharedMasks:
    """A module of layers with a dropout whose masks are the same for every module."""

    def __init__(self, module):
        self.module, self.rng = module, np.random.default_rng(5)

    def __getattr__(self, name):
        return getattr(self.module, name)

    def dropout_forward(self, x, dropout_param):
        out, (_, mask) = self.module.dropout_forward(x, dropout_param)
        if mask is not None:
            p = dropout_param["p"]
            mask = ((self.rng.random(x.shape) < p) / p).astype(x.dtype)
            out = x * mask
        return out, (dropout_param, mask)


def images_and_labels(shape, samples=120):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, samples)
    return rng.standard_normal((10, *shape))[labels] + rng.standard_normal((samples, *shape)), labels


def losses_of(module, rules, net, rule, dtype="f8", **options):
    """(the losses, accuracy in test mode) of ten epochs."""
    x, y = images_and_labels((3, 8, 8))
    model = net(SharedMasks(module), (3, 8, 8), dtype=dtype, **options)
    losses = train(model, getattr(rules, rule), dict(RULES[rule]), x.astype(dtype), y, batch=30, epochs=10)
    return losses, (model.loss(x.astype(dtype)).argmax(axis=1) == y).mean()


@pytest.mark.parametrize("keep", [1.0, 0.7])
@pytest.mark.parametrize("norm", [None, "batchnorm", "layernorm"])
@pytest.mark.parametrize("rule", RULES)
def test_fully_connected_net(rule, norm, keep):
    options = {"net": FullyConnectedNet, "rule": rule, "norm": norm, "keep": keep}
    losses, accuracy = losses_of(layers, optim, **options)
    expected, exact_accuracy = losses_of(course, course, **options)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert losses[-1] < losses[0] / 2
    assert accuracy == exact_accuracy > 0.8


@pytest.mark.parametrize("rule", RULES)
def test_conv_net(rule):
    losses, accuracy = losses_of(layers, optim, ConvNet, rule)
    expected, exact_accuracy = losses_of(course, course, ConvNet, rule)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert losses[-1] < losses[0] / 2
    assert accuracy == exact_accuracy > 0.8


@pytest.mark.parametrize("net", [FullyConnectedNet, ConvNet])
def test_float32_all_the_way(net):
    losses, _ = losses_of(layers, optim, net, "sgd_momentum", "f4")
    expected, _ = losses_of(layers, optim, net, "sgd_momentum")
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    assert all(loss.dtype == "f4" for loss in losses)
