"""Initial weights: moments, fans, layouts, seeds."""

import numpy as np
import pytest

import fastnn as fnn

#: name -> variance from (fan_in, fan_out)
SCALED = {
    "xavier_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "xavier_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "lecun_uniform": lambda fan_in, fan_out: 1 / fan_in,
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "variance_scaling": lambda fan_in, fan_out: 1 / fan_in,
}
#: (shape, layout, fan_in, fan_out)
LAYOUTS = [
    ((400, 200), "in_out", 400, 200),
    ((400, 200), "out_in", 200, 400),
    ((50, 20, 9, 8), "conv", 20 * 72, 50 * 72),
]


def assert_moments(weights, variance):
    """Mean 0 and `variance` within five standard errors (of the normal, the widest)."""
    n = weights.size
    assert abs(weights.mean(dtype=float)) < 5 * np.sqrt(variance / n)
    assert abs(weights.var(dtype=float) / variance - 1) < 5 * np.sqrt(2 / n)


@pytest.mark.parametrize(("shape", "layout", "fan_in", "fan_out"), LAYOUTS)
@pytest.mark.parametrize("name", SCALED)
def test_variance_follows_the_fans(name, shape, layout, fan_in, fan_out):
    weights = getattr(fnn.init, name)(shape, rng=0, layout=layout)
    variance = SCALED[name](fan_in, fan_out)
    assert weights.shape == shape
    assert weights.dtype == np.float32
    assert_moments(weights, variance)
    bound = {"uniform": np.sqrt(3 * variance), "scaling": 2 * np.sqrt(variance) / 0.8796}.get(name.split("_")[-1])
    if bound:
        assert 0.99 * bound < np.abs(weights).max() < 1.0001 * bound
    else:
        assert np.abs(weights).max() > 3.5 * np.sqrt(variance)


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 300), ("fan_out", 500), ("fan_avg", 400)])
def test_variance_scaling(distribution, mode, fan):
    assert_moments(fnn.init.variance_scaling((300, 500), 3.0, mode, distribution, rng=2), 3 / fan)


def test_plain_distributions():
    assert_moments(fnn.init.normal((500, 300), rng=1), 0.01**2)
    assert_moments(fnn.init.normal(90_000, std=2, rng=1), 4)
    assert_moments(fnn.init.truncated_normal((500, 300), 0.5, rng=1), 0.25)
    weights = fnn.init.uniform((500, 300), 1, 3, rng=1)
    assert 1 <= weights.min() < 1.001
    assert 2.999 < weights.max() <= 3
    assert_moments(weights - np.float32(2), 1 / 3)
    np.testing.assert_array_equal(fnn.init.constant((2, 2), 7), np.full((2, 2), 7, "f4"))
    np.testing.assert_array_equal(fnn.init.zeros(3), np.zeros(3, "f4"))


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (25, 25)])
def test_orthogonal(shape):
    q = fnn.init.orthogonal(shape, 2.0, rng=3, dtype=np.float64)
    gram = q @ q.T if shape[0] <= shape[1] else q.T @ q
    np.testing.assert_allclose(gram, 4 * np.eye(min(shape)), atol=1e-13)


@pytest.mark.parametrize("name", [*SCALED, "normal", "uniform", "truncated_normal", "orthogonal"])
def test_a_seed_means_the_same_weights_in_every_dtype(name):
    f = getattr(fnn.init, name)
    double = f((6, 5), rng=4, dtype=np.float64)
    np.testing.assert_array_equal(f((6, 5), rng=4), double.astype("f4"))
    np.testing.assert_array_equal(f((6, 5), rng=np.random.default_rng(4), dtype="f2"), double.astype("f2"))
    generator = np.random.default_rng(4)
    assert (f((6, 5), rng=generator) != f((6, 5), rng=generator)).any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": 5}, ValueError, r"he_normal: shape is \(5,\), expected two sizes"),
        ({"shape": (2, 3, 4)}, ValueError, "expected two sizes"),
        ({"shape": (2, -3)}, ValueError, "expected sizes >= 0"),
        ({"shape": (2, 3.0)}, TypeError, "shape is 3.0"),
        ({"layout": "oi"}, ValueError, "layout is 'oi', expected one of in_out, out_in, conv"),
        ({"dtype": int}, TypeError, "dtype is int64"),
        ({"rng": "x"}, TypeError, "rng is 'x'"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        fnn.init.he_normal(**{"shape": (2, 3), **arguments})


@pytest.mark.parametrize("shape", [(10, 6, 3, 3), (60, 2, 3, 3)])
def test_orthogonal_kernels(shape):
    """As the matrix (out, in * kernel)."""
    q = fnn.init.orthogonal(shape, rng=3, dtype=np.float64, layout="conv").reshape(shape[0], -1)
    gram = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-13)


def scale_after_ten_layers(activation, initialise):
    """Standard deviation of the tenth layer's output over that of the first."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((500, 400))
    scales = []
    for _ in range(10):
        x = activation(x @ initialise((400, 400), rng=rng, dtype=np.float64))
        scales.append(x.std())
    return scales[-1] / scales[0]


def test_xavier_keeps_the_scale_of_tanh_layers():
    for initialise in (fnn.init.lecun_normal, fnn.init.xavier_normal, fnn.init.xavier_uniform):
        assert 0.3 < scale_after_ten_layers(fnn.tanh, initialise) < 1


def test_he_keeps_the_scale_of_relu_layers():
    for initialise in (fnn.init.he_normal, fnn.init.he_uniform):
        assert 0.5 < scale_after_ten_layers(fnn.relu, initialise) < 2
    assert scale_after_ten_layers(fnn.relu, fnn.init.lecun_normal) < 0.1  # each ReLU halves the variance


@pytest.mark.parametrize("activation", [fnn.tanh, fnn.relu])
def test_a_deviation_of_001_loses_the_signal(activation):
    assert scale_after_ten_layers(activation, fnn.init.normal) < 1e-5


def test_a_deviation_of_1_saturates_tanh_and_explodes_relu():
    def ones(shape, **keywords):
        return fnn.init.normal(shape, 1.0, **keywords)

    assert scale_after_ten_layers(fnn.relu, ones) > 1e8
    weights = ones((400, 400), rng=1)
    y = fnn.tanh(np.random.default_rng(2).standard_normal((500, 400)) @ weights)
    assert np.mean(np.abs(y) > 0.99) > 0.8
