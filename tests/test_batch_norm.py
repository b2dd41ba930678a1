"""Batch norm against the float64 reference and numeric derivatives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn as fnn
from fastnn import reference

TOLERANCE = {np.dtype("f2"): 2e-3, np.dtype("f4"): 1e-6, np.dtype("f8"): 1e-13}


def close(actual, expected, dtype):
    """Within a few roundings of `dtype`, relative to the largest expected value."""
    scale = max(float(np.max(np.abs(expected), initial=0)), 1.0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[np.dtype(dtype)] * scale)


def problem(seed, shape, axis, dtype):
    rng = np.random.default_rng(seed)
    channels = shape[axis]
    x = (rng.standard_normal(shape) * 3 + 2).astype(dtype)
    gamma, beta = (rng.standard_normal(channels).astype(dtype) for _ in range(2))
    return x, gamma, beta, rng.standard_normal(shape).astype(dtype)


@st.composite
def shapes(draw):
    shape = draw(st.lists(st.integers(2, 5), min_size=2, max_size=5))
    return tuple(shape), draw(st.integers(-len(shape), len(shape) - 1))


@given(
    shapes(),
    st.integers(0, 1000),
    st.sampled_from(["f2", "f4", "f8"]),
    st.sampled_from([0.1, 1.0, 0.37, 0.0]),
    st.sampled_from([1e-5, 1e-3, 0.5]),
    st.booleans(),
    st.sampled_from([None, "relu", "tanh", ("leaky_relu", 0.3)]),
    st.booleans(),
)
def test_forward_and_backward_equal_the_reference(drawn, seed, dtype, momentum, eps, unbiased, activation, affine):
    shape, axis = drawn
    x, gamma, beta, dy = problem(seed, shape, axis, dtype)
    gamma, beta = (gamma, beta) if affine else (None, None)
    running = np.linspace(-1, 1, shape[axis]), np.linspace(1, 2, shape[axis])
    expected_running = running[0].copy(), running[1].copy()
    options = {"momentum": momentum, "eps": eps, "axis": axis, "unbiased_running_var": unbiased}

    y, cache = fnn.batch_norm_forward(x, gamma, beta, *running, activation=activation, **options)
    expected, expected_cache = reference.batch_norm_forward(
        x, gamma, beta, *expected_running, activation=activation, **options
    )
    assert y.dtype == x.dtype
    close(y, expected, dtype)
    close(running[0], expected_running[0], "f8")
    close(running[1], expected_running[1], "f8")
    gradients = fnn.batch_norm_backward(dy, cache)
    for actual, wanted in zip(gradients, reference.batch_norm_backward(dy, expected_cache), strict=True):
        if wanted is None:
            assert actual is None
        else:
            assert actual.dtype == x.dtype
            close(actual, wanted, dtype)


@pytest.mark.parametrize("activation", [None, "tanh"])
@pytest.mark.parametrize(("shape", "axis"), [((6, 3), 1), ((2, 3, 4), -1), ((3, 2, 2, 2), 1)])
def test_gradients_are_numeric_derivatives(shape, axis, activation):
    x, gamma, beta, dy = problem(1, shape, axis, "f8")

    def loss(x, gamma, beta):
        return np.sum(dy * fnn.batch_norm_forward(x, gamma, beta, axis=axis, activation=activation)[0])

    _, cache = fnn.batch_norm_forward(x, gamma, beta, axis=axis, activation=activation)
    for k, analytic in enumerate(fnn.batch_norm_backward(dy, cache)):
        numeric = np.zeros_like(analytic)
        for index in np.ndindex(analytic.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [x.copy(), gamma.copy(), beta.copy()]
                moved[k][index] += step
                values.append(loss(*moved))
            numeric[index] = (values[0] - values[1]) / 2e-5
        np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-8)


@given(shapes(), st.integers(0, 1000), st.sampled_from(["f4", "f8"]), st.sampled_from([None, "sigmoid"]))
def test_inference_equals_the_reference(drawn, seed, dtype, activation):
    shape, axis = drawn
    x, gamma, beta, _ = problem(seed, shape, axis, dtype)
    mean, var = np.linspace(-1, 1, shape[axis]), np.linspace(0.1, 3, shape[axis])
    y = fnn.batch_norm_inference(x, gamma, beta, mean, var, axis=axis, eps=0.1, activation=activation)
    close(
        y, reference.batch_norm_inference(x, gamma, beta, mean, var, axis=axis, eps=0.1, activation=activation), dtype
    )


def test_an_offset_of_ten_thousand_deviations_costs_nothing():
    rng = np.random.default_rng(0)
    x = (1e4 + rng.standard_normal((512, 7))).astype("f4")
    y, _ = fnn.batch_norm_forward(x, None, None, eps=0)
    exact = x.astype("f8") - x.astype("f8").mean(0)
    np.testing.assert_allclose(y, exact / np.sqrt((exact**2).mean(0)), rtol=0, atol=3e-7)


@pytest.mark.parametrize("offset", [1e9, 1e12])
def test_rounding_of_the_mean_is_taken_out_in_float64(offset):
    x = offset + np.random.default_rng(0).standard_normal((5000, 2))
    running_mean, running_var = np.zeros(2), np.zeros(2)
    fnn.batch_norm_forward(x, None, None, running_mean, running_var, momentum=1, unbiased_running_var=False)
    for k in range(2):
        deviations = x[:, k] - offset  # exact
        rest = math.fsum(deviations) / 5000
        assert abs(running_mean[k] - offset - rest) <= np.spacing(offset)
        assert running_var[k] == pytest.approx(math.fsum((deviations - rest) ** 2) / 5000, rel=1e-11)


def test_statistics_of_known_numbers():
    running_mean, running_var = np.zeros(1), np.ones(1)
    fnn.batch_norm_forward([[1.0], [3.0]], None, None, running_mean, running_var, momentum=0.25)
    assert running_mean[0] == 0.5
    assert running_var[0] == 0.75 + 0.25 * 2  # variance over n - 1
    fnn.batch_norm_forward([[1.0], [3.0]], None, None, None, running_var, momentum=1, unbiased_running_var=False)
    assert running_var[0] == 1


def test_out_views_and_inputs_are_respected():
    x, gamma, beta, dy = problem(3, (6, 4), 1, "f4")
    base = np.full((12, 4), np.nan, "f4")
    kept = x.copy(), gamma.copy(), beta.copy(), dy.copy()
    y, cache = fnn.batch_norm_forward(x, gamma, beta, out=base[::2])
    assert y.base is base
    assert np.isnan(base[1::2]).all()
    wide, wide_cache = fnn.batch_norm_forward(np.asfortranarray(x), gamma, beta, out=(np.empty((6, 4)),))
    assert wide.dtype == np.float64
    close(wide, y, "f4")
    dx = dy.copy()
    assert fnn.batch_norm_backward(dx, cache, out=dx)[0] is dx
    close(dx, fnn.batch_norm_backward(dy, wide_cache)[0], "f4")
    for array, before in zip((x, gamma, beta, dy), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_integers_are_computed_in_float64_and_nan_stays_in_its_channel():
    y, _ = fnn.batch_norm_forward(np.arange(8).reshape(4, 2), None, None)
    assert y.dtype == np.float64
    x = np.ones((4, 3), "f4")
    x[0, 0], x[0, 1] = np.nan, np.inf
    with np.errstate(all="raise"):
        y, _ = fnn.batch_norm_forward(x, None, None)
    assert np.isnan(y[:, :2]).all()
    np.testing.assert_array_equal(y[:, 2], 0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"gamma": np.ones(3)},
            ValueError,
            r"batch_norm_forward: gamma has shape \(3,\), expected \(4,\) to match axis 1",
        ),
        ({"beta": np.ones((4, 1))}, ValueError, "beta has shape"),
        ({"running_mean": np.zeros(5)}, ValueError, "running_mean has shape"),
        ({"running_mean": [0.0] * 4}, TypeError, "running_mean is a list"),
        ({"running_var": np.zeros(4, int)}, TypeError, "running_var has dtype int64"),
        ({"axis": 2}, ValueError, "axis is 2, expected -2 to 1"),
        ({"axis": 1.0}, TypeError, "axis is 1.0"),
        ({"eps": -1}, ValueError, "eps is -1"),
        ({"momentum": np.nan}, ValueError, "momentum is nan"),
        ({"momentum": None}, TypeError, "momentum is None"),
        ({"activation": "rulu"}, ValueError, "activation is 'rulu'"),
        ({"activation": 3}, TypeError, "activation is 3"),
        ({"x": np.ones((1, 4))}, ValueError, "1 values a channel"),
        ({"x": np.ones((4, 4), complex)}, TypeError, "x has dtype complex128"),
        ({"out": np.ones((4, 6))}, ValueError, "out has shape"),
        ({"out": np.ones((6, 4), int)}, TypeError, "out has dtype int64"),
    ],
)
def test_errors_come_before_anything_is_written(change, error, message):
    running = {"running_mean": np.zeros(4), "running_var": np.ones(4)}
    arguments = {"x": np.ones((6, 4), "f4"), "gamma": np.ones(4), "beta": np.ones(4), **running, **change}
    with pytest.raises(error, match=message):
        fnn.batch_norm_forward(**arguments)
    np.testing.assert_array_equal(running["running_mean"], 0)
    np.testing.assert_array_equal(running["running_var"], 1)


def test_out_may_not_overlap_what_backward_reads():
    x = np.random.default_rng(0).standard_normal((6, 4))
    for out in (x, x[::-1]):
        with pytest.raises(ValueError, match="out overlaps x"):
            fnn.batch_norm_forward(x, None, None, out=out)
    _, cache = fnn.batch_norm_forward(x, None, None)
    with pytest.raises(ValueError, match="out overlaps x"):
        fnn.batch_norm_backward(np.ones((6, 4)), cache, out=x)
    with pytest.raises(ValueError, match="dy has shape"):
        fnn.batch_norm_backward(np.ones((4, 6)), cache)
    with pytest.raises(TypeError, match="cache is a tuple"):
        fnn.batch_norm_backward(x, (x,))


def test_inference_of_no_samples_and_without_statistics():
    y = fnn.batch_norm_inference(np.ones((0, 3), "f4"), None, None, np.zeros(3), np.ones(3))
    assert y.shape == (0, 3)
    with pytest.raises(TypeError, match="running_var is None"):
        fnn.batch_norm_inference(np.ones((2, 3)), None, None, np.zeros(3), None)
