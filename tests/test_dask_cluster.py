"""fastnn on a cluster of two worker processes: functions, transformers and formulas of one's own travel there."""

import os
import subprocess
import sys
import textwrap

import dask.array as da
import distributed
import numpy as np
import pytest

import fastnn as fnn
from fastnn.compat import dask as lazy

#: Seconds after which a test on a slow machine is given up.
PATIENCE = 120


@pytest.fixture(scope="module")
def client():
    """Two worker processes with one thread each."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, memory_limit=0, silence_logs=50, host="127.0.0.1") as cluster,
        distributed.Client(cluster, timeout=PATIENCE) as client,
    ):
        client.wait_for_workers(2, timeout=PATIENCE)
        yield client


def computed(client, *lazily):
    return client.gather(client.compute(list(lazily)), errors="raise")


@pytest.fixture
def images():
    x = np.random.default_rng(0).standard_normal((60, 8, 5)).astype("f4")
    return 3 * x + np.linspace(-5, 5, 5, dtype="f4")


@pytest.mark.parametrize(
    "transformer",
    [
        fnn.preprocess.Standardizer(eps=0.1),
        fnn.preprocess.MeanImage(),
        fnn.preprocess.ChannelMean(scale=True, axis=-1),
        fnn.preprocess.PCA(3),
        fnn.preprocess.Whiten("zca"),
    ],
    ids=lambda t: type(t).__name__,
)
def test_transformers_learn_on_the_workers(client, images, transformer):
    x = da.from_array(images, chunks=(7, 8, 5))
    whole = type(transformer)(**transformer.get_params()).fit(images)
    assert lazy.fit(transformer, x) is transformer
    assert (transformer.n_samples_seen_, transformer.n_features_in_) == (60, whole.n_features_in_)
    np.testing.assert_allclose(transformer.mean_, whole.mean_, rtol=1e-13, atol=1e-14)
    y = lazy.transform(transformer, x)
    expected = whole.transform(images)
    assert (y.shape, y.dtype, y.chunks[0]) == (expected.shape, np.float32, x.chunks[0])
    (found,) = computed(client, y)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-4)
    (back,) = computed(client, lazy.inverse_transform(transformer, y))
    np.testing.assert_allclose(back, whole.inverse_transform(expected), atol=2e-4)


def test_both_workers_learn(client):
    """The mean of the blocks' homes lies between those of the two workers."""
    homes = sorted(client.run(os.getpid).values())
    x = da.zeros((64, 8, 5), chunks=(4, 8, 5)).map_blocks(_with_home, dtype="f8", meta=np.empty((0, 0, 0)))
    fitted = lazy.fit(fnn.preprocess.Standardizer(), x)
    assert fitted.n_samples_seen_ == 64
    assert homes[0] < fitted.mean_.max() < homes[1]


def _with_home(block):
    """The block, each value the number of the process that has it."""
    return np.full(block.shape, float(os.getpid()))


def test_a_network_layer(client):
    """Norm, activation, dropout, loss and the gradients of all on the workers, as on one machine."""
    rng = np.random.default_rng(0)
    whole, weights = rng.standard_normal((90, 20)).astype("f4"), rng.standard_normal((20, 4)).astype("f4")
    labels = rng.integers(0, 4, 90)
    gamma, beta = np.ones(4, "f4"), np.zeros(4, "f4")

    def step(fnn, x, labels):
        z, norm = fnn.batch_norm_forward(x @ weights, gamma, beta)
        y, drop = fnn.dropout_forward(fnn.gelu(z), 0.2, rng=0)
        loss, dy = fnn.softmax_cross_entropy(y, labels)
        dz = fnn.gelu_backward(fnn.dropout_backward(dy, drop), z)
        return loss, *fnn.batch_norm_backward(dz, norm)

    expected = step(fnn, whole, labels)
    x = da.from_array(whole, chunks=(25, 20))
    for found, known in zip(computed(client, *step(lazy, x, da.from_array(labels, 25))), expected, strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-6)


def test_every_activation_reaches_the_workers(client):
    x = np.linspace(-4, 4, 40, dtype="f4").reshape(10, 4)
    names = [n for n in fnn.activations.NAMES if n not in ("prelu", "threshold")]
    found = computed(client, *(getattr(fnn, n)(da.from_array(x, chunks=5)) for n in names))
    for name, y in zip(names, found, strict=True):
        np.testing.assert_array_equal(y, getattr(fnn, name)(x), err_msg=name)


def test_a_failure_on_a_worker_is_that_of_the_function(client):
    wrong = lazy.nll_loss(da.zeros((4, 3), chunks=2).rechunk({1: -1}), np.array([0, 1, 2, 3]), return_grad=False)
    with pytest.raises(ValueError, match="nll_loss: labels holds 3, expected classes 0 to 2"):
        computed(client, wrong)


def test_errors_of_fit():
    x = da.ones((10, 4), chunks=(5, 2))
    with pytest.raises(ValueError, match=r"Standardizer.fit: x has 2 chunks along axis 1, .*x\.rechunk\(\{1: -1\}\)"):
        lazy.fit(fnn.preprocess.Standardizer(), x)
    with pytest.raises(ValueError, match=r"PCA.transform: x has 2 chunks along axis 1"):
        lazy.transform(fnn.preprocess.PCA().fit(np.eye(4)), x)
    with pytest.raises(ValueError, match=r"Standardizer.fit: x has shape \(0, 4\), expected at least one sample"):
        lazy.fit(fnn.preprocess.Standardizer(), da.ones((0, 4)))
    with pytest.raises(TypeError, match=r"fit: transformer is a ABCMeta, expected one of fastnn\.preprocess"):
        lazy.fit(fnn.preprocess.Standardizer, x)
    with pytest.raises(fnn.preprocess.NotFittedError, match=r"Standardizer.transform: nothing has been learnt"):
        lazy.transform(fnn.preprocess.Standardizer(), da.ones((4, 2)))


def test_blocks_without_samples_change_nothing():
    x = np.random.default_rng(0).standard_normal((9, 3))
    fitted = lazy.fit(fnn.preprocess.Standardizer(), da.from_array(x, chunks=((0, 4, 0, 5), 3)))
    np.testing.assert_allclose(fitted.var_, x.var(0), rtol=1e-14)
    assert fitted.n_samples_seen_ == 9
    assert lazy.fit(fnn.preprocess.MeanImage(), x).n_samples_seen_ == 9


SCRIPT = """
import dask.array as da, numpy as np, distributed, fastnn as fnn
from fastnn import vmath
from fastnn.compat import dask as lazy

@fnn.elementwise(derivative=lambda x: 1.0 + vmath.sin(2.0 * x))
def snake(x):
    return x + vmath.sin(x) * vmath.sin(x)

@fnn.elementwise
def scaled(x, factor=2.0):
    return factor * x

if __name__ == "__main__":
    options = dict(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0)
    with distributed.LocalCluster(**options, host="127.0.0.1") as cluster, distributed.Client(cluster):
        x = np.linspace(-3, 3, 60, dtype="f4").reshape(10, 6)
        lazily = da.from_array(x, chunks=(4, 6))
        y, cache = lazy.layer_norm_forward(lazily, activation=snake)
        pairs = [
            (snake(lazily), snake(x)),
            (fnn.activation(snake)[1](lazily, lazily), fnn.activation(snake)[1](x, x)),
            (scaled(lazily), 2 * x),
            (scaled(lazily, 3.0), 3 * x),
            (lazily.map_blocks(lambda b: snake(b) + 1, dtype="f4"), snake(x) + 1),
            (y, fnn.layer_norm_forward(x, activation=snake)[0]),
            (lazy.bias_activation(lazily, x[0], snake), fnn.bias_activation(x, x[0], snake)),
        ]
        for found, expected in pairs:
            np.testing.assert_array_equal(found.compute(), expected)
    print("done")
"""


def test_formulas_of_a_script_reach_the_workers(tmp_path):
    """Defined in the module that is run, which is another one on the workers."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    assert done.stdout.strip() == "done", done.stderr[-3000:]
