"""The network of `fastnn train`: every stage's gradients by finite differences, every activation with every norm."""

import copy
import itertools

import numpy as np
import pytest

import fastnn as fnn
from fastnn.cli import network, stages, training
from fastnn.cli.data import ImageSet

UNITS, SAMPLES = 6, 5
ACTIVATIONS = network.activations()

_weights = fnn.init.he_normal((UNITS, 4), rng=1)
STAGES = {
    "affine": stages.Affine(_weights, bias=True),
    "affine without bias": stages.Affine(_weights, bias=False),
    "batch norm": stages.BatchNorm(UNITS),
    "batch norm, gelu": stages.BatchNorm(UNITS, "gelu"),
    "layer norm": stages.LayerNorm(UNITS, None),
    "layer norm, tanh": stages.LayerNorm(UNITS, "tanh"),
    "elu": stages.Elementwise("elu"),
    "threshold": stages.Elementwise("threshold", 1.0, 0.0),
    "prelu": stages.PRelu(UNITS),
    "rrelu": stages.RRelu(),
    "maxout of 2": stages.Maxout(2),
    "maxout of 3": stages.Maxout(3),
    "dropout": stages.Dropout(0.4),
}


def in_double(stage):
    """The same stage with float64 parameters, away from the values that they start with."""
    stage, rng = copy.deepcopy(stage), np.random.default_rng(2)
    for name, array in stage.params.items():
        stage.params[name] = array + rng.normal(0, 0.3, array.shape)
    if isinstance(stage, stages.BatchNorm):
        stage.running = tuple(array.astype(np.float64) for array in stage.running)
    return stage


@pytest.mark.parametrize("name", STAGES)
def test_gradients(name, rng):
    stage, h = in_double(STAGES[name]), rng.normal(size=(SAMPLES, UNITS))
    y, cache = stage.forward(h.copy(), np.random.default_rng(3))
    dy = rng.normal(size=y.shape)
    dh, grads = stage.backward(dy.copy(), cache)
    assert grads.keys() == stage.params.keys()

    def loss(changed, of=None):
        varied = copy.deepcopy(stage)
        if of is not None:
            varied.params[of] = changed
        output, _ = varied.forward((h if of else changed).copy(), np.random.default_rng(3))
        return float((output * dy).sum())

    report = fnn.check_gradient(loss, h, dh)
    assert report.ok, report
    for of, grad in grads.items():
        report = fnn.check_gradient(lambda changed, of=of: loss(changed, of), stage.params[of].copy(), grad)
        assert report.ok, report


@pytest.mark.parametrize("name", [name for name in STAGES if "batch" not in name and name not in ("rrelu", "dropout")])
def test_in_use_as_in_training(name, rng):
    h = rng.normal(size=(SAMPLES, UNITS)).astype(np.float32)
    expected, _ = STAGES[name].forward(h, rng)
    np.testing.assert_array_equal(STAGES[name].predict(h), expected, strict=True)


def test_randomness_is_for_training_alone(rng):
    h = rng.normal(size=(SAMPLES, UNITS)).astype(np.float32)
    np.testing.assert_array_equal(stages.Dropout(0.4).predict(h), h)
    slopes = stages.RRelu().predict(h)[h < 0] / h[h < 0]
    np.testing.assert_allclose(slopes, (1 / 8 + 1 / 3) / 2, rtol=1e-6)
    norm = stages.BatchNorm(UNITS)
    norm.running[0][:] = 1
    np.testing.assert_allclose(norm.predict(h), h - 1, rtol=1e-4, atol=1e-5)


def easy(count, rng):
    """Images whose label is the brightest of their first three pixels."""
    images = rng.normal(size=(count, 12)).astype(np.float32)
    labels = images[:, :3].argmax(axis=1)
    images[np.arange(count), labels] += 2
    return ImageSet(images, labels, (3, 4))


@pytest.mark.parametrize("norm", network.NORMS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_trains_with_every_norm(name, norm, rng):
    data = easy(64, rng)
    net = network.Network(network.Settings((12, 8, 8, 3), name, norm, dropout=0.1), np.random.default_rng(4))
    before = copy.deepcopy(net.params)
    run = training.Run(net, data, None, training.Plan(lr=0.01, schedule="constant", epochs=12, batch_size=32), rng)
    first, *_, last = run.epochs()
    assert last.loss < first.loss
    for layer, earlier in zip(net.params, before, strict=True):
        for key, array in layer.items():
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert (array != earlier[key]).any(), key
    assert net.predict(data.images).shape == (64, 3)
    assert [h.shape for h in net.activations(data.images)] == [(64, 8)] * 2


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "rrelu"])
def test_a_network_without_randomness_predicts_what_it_trains_with(name, norm, rng):
    net = network.Network(network.Settings((12, 8, 3), name, norm), np.random.default_rng(4))
    images = easy(10, rng).images
    np.testing.assert_array_equal(net.predict(images), net.forward(images, rng)[0], strict=True)


def test_gradients_of_a_whole_network(rng):
    data = easy(20, rng)
    net = network.Network(network.Settings((12, 8, 8, 3), "gelu", "batch", dropout=0.2), np.random.default_rng(4))
    net.widen()
    images = data.images.astype(np.float64)
    _, grads, _ = net.loss_and_gradients(images, data.labels, np.random.default_rng(5))
    for layer, parts in zip(net.params, grads, strict=True):
        for key, grad in parts.items():
            kept = layer[key].copy()

            def loss(changed, array=layer[key]):
                array[...] = changed
                return net.loss_and_gradients(images, data.labels, np.random.default_rng(5))[0]

            report = fnn.check_gradient(loss, kept.copy(), grad)
            assert report.ok, (key, report)
            layer[key][...] = kept


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
@pytest.mark.parametrize("most", [0, 1, 2])
def test_shifted_images_are_whole_but_for_their_rim(shape, most, rng):
    rows = rng.random((200, int(np.prod(shape)))).astype(np.float32)
    moved = training.shifted(rows, shape, most, rng)
    assert (moved.shape, moved.dtype) == (rows.shape, rows.dtype)
    seen = set()
    for image, other in zip(rows.reshape(-1, *shape), moved.reshape(-1, *shape), strict=True):
        places = []
        for down, across in itertools.product(range(-most, most + 1), repeat=2):
            at = np.clip(np.arange(6) + down, 0, 5)[:, None], np.clip(np.arange(5) + across, 0, 4)
            if np.array_equal(image[at], other):
                places.append((down, across))
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == (2 * most + 1) ** 2


@pytest.mark.parametrize("count", [2, 63, 64, 65, 66, 128, 129, 130, 1000])
def test_batches_cover_all_and_none_is_a_single_image(count):
    parts = training.batches(count, 64)
    assert [k for part in parts for k in range(count)[part]] == list(range(count))
    assert all(2 <= part.stop - part.start <= 65 for part in parts)


@pytest.mark.parametrize("name", training.SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 5, 300])
def test_schedules_stay_within_the_rate(name, steps):
    schedule = training.SCHEDULES[name](0.3, steps)
    rates = [schedule(step) for step in range(steps)]
    assert all(0 <= rate <= 0.3 * (1 + 1e-12) for rate in rates)
    if steps == 300:
        assert max(rates) == pytest.approx(0.3)
        assert (rates[-1] < 0.11) == (name != "constant")


def test_the_penalty_is_that_of_the_weights_alone(rng):
    net = network.Network(network.Settings((12, 8, 3), "prelu", l2=0.5, l1=0.25), rng)
    weights = [layer["W"].astype(np.float64) for layer in net.params if "W" in layer]
    assert len(weights) == 2
    expected = sum(fnn.l2_penalty(w, 0.5)[0] + fnn.l1_penalty(w, 0.25)[0] for w in weights)
    assert net.penalty() == pytest.approx(expected, rel=1e-12)
    assert network.Network(network.Settings((12, 8, 3)), rng).penalty() == 0
