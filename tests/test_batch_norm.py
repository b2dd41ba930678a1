"""Batch norm against the reference, its running statistics, inference, hard data and edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from norms import BOUNDS, LAYOUTS, affine, check, epsilons, error, layouts, problem, scales, seeds, stored_as
from test_reference import assert_gradients
from ulps import same_bits

import fastnn as fnn
from fastnn import reference

VARIANTS = [("f2", None), ("f4", None), ("f8", None), ("f4", "relu"), ("f8", "tanh"), ("f4", ("leaky_relu", 0.3))]
variants = st.sampled_from(VARIANTS)
#: Shape, axis: columns (one part and several, whole and broken vectors) and runs (many groups, and few cut into parts).
SHAPES = [
    ((2, 3), 1),
    ((128, 16), 1),
    ((3000, 40), 1),
    ((70_000, 1), 1),
    ((2, 5000), 1),
    ((16, 12, 11, 33), -1),
    ((20, 5, 300), 1),
    ((8, 64, 14, 14), 1),
    ((64, 3, 40, 40), 1),
    ((2, 3, 200, 150), 1),
    ((1, 2, 70_001), 1),
    ((3000, 3), 0),
]


@st.composite
def shapes_and_axes(draw):
    """Two to five axes, at least two values a channel."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=2, max_size=5)))
    axis = draw(st.integers(0, len(shape) - 1))
    if math.prod(shape) == shape[axis]:
        shape = tuple(n if k == axis else n + 1 for k, n in enumerate(shape))
    return shape, axis - len(shape) if draw(st.booleans()) else axis


@settings(max_examples=150)
@given(shapes_and_axes(), variants, affine, epsilons, seeds, layouts, layouts)
def test_forward_and_backward_equal_the_reference(shape_and_axis, variant, affine, eps, seed, x_layout, dy_layout):
    (shape, axis), (dtype, activation) = shape_and_axis, variant
    given_ = problem("batch_norm", shape, dtype, seed, affine, axis=axis, eps=eps, activation=activation)
    check(stored_as(given_, x_layout, dy_layout))


@pytest.mark.parametrize(("dtype", "activation"), VARIANTS)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_every_way_of_cutting_up(shape, axis, dtype, activation):
    check(problem("batch_norm", shape, dtype, axis=axis, activation=activation))


@settings(max_examples=100)
@given(
    st.sampled_from([0.1, 1.0, 0.37, 0.0, -0.5, 1.5]),
    st.booleans(),
    st.sampled_from(["f2", "f4", "f8"]),
    st.sampled_from(["f2", "f4", "f8"]),
    st.sampled_from(["C", "sliced", "reversed", "unaligned"]),
    seeds,
)
def test_running_statistics(momentum, unbiased, dtype, running_dtype, layout, seed):
    given_ = problem("batch_norm", (7, 5, 3), dtype, seed, momentum=momentum, unbiased_running_var=unbiased)
    running = [LAYOUTS[layout](np.linspace(low, 2, 5).astype(running_dtype)) for low in (-1, 1)]
    expected = [r.astype("f8") for r in running]
    reference.batch_norm_forward(given_.x, None, None, *expected, **given_.options)
    y, _ = fnn.batch_norm_forward(given_.x, given_.gamma, given_.beta, *running, **given_.options)
    assert same_bits(y, given_.with_(momentum=0.1).forward()[0])
    bound = 8 if running_dtype == "f8" else 0.51
    for actual, wanted in zip(running, expected, strict=True):
        assert actual.dtype == running_dtype
        assert error(actual, wanted, np.max(np.abs(wanted)) + 2) <= bound


def test_statistics_of_known_numbers():
    running_mean, running_var = np.zeros(1), np.ones(1)
    fnn.batch_norm_forward([[1.0], [3.0]], None, None, running_mean, running_var, momentum=0.25)
    assert running_mean[0] == 0.5
    assert running_var[0] == 0.75 + 0.25 * 2  # variance over n - 1
    fnn.batch_norm_forward([[1.0], [3.0]], None, None, None, running_var, momentum=1, unbiased_running_var=False)
    assert running_var[0] == 1
    fnn.batch_norm_forward([[1.0], [3.0]], None, None, running_mean, running_var, momentum=0)
    assert (running_mean[0], running_var[0]) == (0.5, 1)


@settings(max_examples=80)
@given(shapes_and_axes(), variants, affine, epsilons, seeds, layouts, layouts)
def test_inference_equals_the_reference(shape_and_axis, variant, affine, eps, seed, x_layout, dy_layout):
    (shape, axis), (dtype, activation) = shape_and_axis, variant
    given_ = problem("batch_norm", shape, dtype, seed, affine, axis=axis, eps=eps, activation=activation)
    stored = stored_as(given_, x_layout, dy_layout)
    arguments = stored.x, stored.gamma, stored.beta, *statistics_near(given_, axis)
    y = fnn.batch_norm_inference(*arguments, **stored.options)
    expected = reference.batch_norm_inference(*arguments, **stored.options)
    gradients = fnn.batch_norm_inference_backward(stored.dy, *arguments, **stored.options)
    expected_gradients = reference.batch_norm_inference_backward(stored.dy, *arguments, **stored.options)
    rows = zip((y, *gradients), (expected, *expected_gradients), scales(given_), BOUNDS["batch_norm"], strict=True)
    for actual, wanted, scale, bound in rows:
        assert (actual is None) == (wanted is None)
        if actual is not None:
            assert actual.dtype == dtype
            assert error(actual, wanted, 4 * scale) <= bound.of(dtype)  # the terms are up to four times as large


def statistics_near(given_, axis):
    """A mean and variance that may be a batch's, so that `scales` is of the right size."""
    others = tuple(k for k in range(given_.x.ndim) if k != axis % given_.x.ndim)
    x = given_.x.astype("f8")
    return x.mean(others) + 0.25 * x.std(others), 2 * x.var(others)


@pytest.mark.parametrize("activation", [None, "tanh"])
@pytest.mark.parametrize(("shape", "axis"), [((6, 3), 1), ((2, 3, 4), -1), ((3, 2, 2, 2), 1)])
def test_gradients_of_inference_are_numeric_derivatives(shape, axis, activation):
    given_ = problem("batch_norm", shape, axis=axis, activation=activation)
    arguments = given_.x, given_.gamma, given_.beta, *statistics_near(given_, axis)
    gradients = fnn.batch_norm_inference_backward(given_.dy, *arguments, **given_.options)
    assert_gradients(
        lambda: (given_.dy * fnn.batch_norm_inference(*arguments, **given_.options)).sum(),
        zip(gradients, arguments, strict=False),
    )


@pytest.mark.parametrize("shape", [(5000, 2), (40, 2, 5, 5), (4, 2, 100, 100)])
@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_an_offset_costs_only_the_rounding_of_the_input(shape, offset, rng):
    x = (offset + rng.standard_normal(shape)).astype("f4")
    check(problem("batch_norm", shape, "f4", eps=0.0).with_(x=x))


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


@pytest.mark.parametrize("shape", [(3, 1), (3, 1, 1, 1), (1, 1, 3)])
def test_of_close_numbers(shape):
    y, _ = fnn.batch_norm_forward(np.array([1e6, 1e6 + 1, 1e6 + 2], "f4").reshape(shape), None, None)
    np.testing.assert_allclose(y.ravel(), [-1.2247, 0, 1.2247], atol=1e-4)
    close = (np.float32(-11) + np.float32(3e-6) * np.arange(3, dtype="f4")).reshape(shape)
    for eps in (1e-5, 0.0):
        y, cache = fnn.batch_norm_forward(close, None, None, eps=eps)
        assert np.isfinite(y).all()
        assert np.isfinite(fnn.batch_norm_backward(np.ones(shape), cache)[0]).all()


@pytest.mark.parametrize("shape", [(4724, 4), (2382, 2, 1, 2)])
def test_long_sums_stay_accurate(shape):
    """float64 sums of a single chain of additions were off by 67 and 39 ulps, those of parts are by 25 and 3."""
    for seed in range(6):
        check(problem("batch_norm", shape, "f8", seed=seed), wider=1.5)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 40), (4, 4, 90, 90)])
def test_constant_channels_give_beta(shape, dtype, rng):
    constants = np.array([0.0, 0.1, -1e-30, 1e30], dtype).reshape(1, 4, *[1] * (len(shape) - 2))
    x, beta = np.broadcast_to(constants, shape), rng.standard_normal(4).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        y, cache = fnn.batch_norm_forward(x, rng.standard_normal(4), beta)
        dx, dgamma, _ = fnn.batch_norm_backward(rng.standard_normal(shape), cache)
    assert same_bits(y, np.broadcast_to(beta.reshape(constants.shape), shape))
    assert np.isfinite(dx).all()
    assert not dgamma.any()
    rstd = cache.statistics[-1]
    assert same_bits(rstd, np.full(4, 1 / np.sqrt(1e-5)))


def test_integers_are_computed_in_float64():
    y, cache = fnn.batch_norm_forward([[1, 10], [3, 20]], [1, 2], [0, 1], eps=0)
    assert y.dtype == np.float64
    assert y.tolist() == [[-1.0, -1.0], [1.0, 3.0]]
    dx, dgamma, dbeta = fnn.batch_norm_backward([[1, 0], [2, 3]], cache)
    assert [a.dtype for a in (dx, dgamma, dbeta)] == [np.float64] * 3
    assert dgamma.tolist() == [1.0, 3.0]
    assert dbeta.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0), (2, 0), (2, 0, 4), (0, 0)])
def test_inference_of_nothing(shape):
    channels = shape[1]
    x, gamma, mean, var = np.empty(shape, "f4"), np.ones(channels, "f4"), np.zeros(channels), np.ones(channels)
    assert same_bits(fnn.batch_norm_inference(x, gamma, gamma, mean, var), x)
    dx, dgamma, dbeta = fnn.batch_norm_inference_backward(x, x, gamma, gamma, mean, var)
    assert same_bits(dx, x)
    assert same_bits(dgamma, np.zeros(channels, "f4"))
    assert same_bits(dbeta, np.zeros(channels, "f4"))


@pytest.mark.parametrize("shape", [(2, 0), (2, 0, 4)])
def test_no_channels(shape):
    x, none = np.empty(shape, "f4"), np.empty(0, "f4")
    y, cache = fnn.batch_norm_forward(x, none, none, none.copy(), none.copy())
    assert same_bits(y, x)
    for actual, expected in zip(fnn.batch_norm_backward(x, cache), (x, none, none), strict=True):
        assert same_bits(actual, expected)


ONE = {"gamma": np.ones(4), "beta": np.ones(4)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gamma": np.ones(3)}, ValueError, r"gamma has shape \(3,\), expected \(4,\) to match axis 1"),
        ({"gamma": 1.0}, ValueError, r"gamma has shape \(\)"),
        ({"gamma": np.ones(4) + 1j}, TypeError, "gamma has dtype complex128"),
        ({"gamma": "flat"}, TypeError, "gamma has dtype <U4"),
        ({"beta": np.ones((4, 1))}, ValueError, "beta has shape"),
        ({"beta": [None] * 4}, TypeError, "beta has dtype object"),
        ({"running_mean": np.zeros(5)}, ValueError, "running_mean has shape"),
        ({"running_mean": [0.0] * 4}, TypeError, "running_mean is a list"),
        ({"running_mean": np.broadcast_to(0.0, 4)}, ValueError, "running_mean is read-only"),
        ({"running_var": np.zeros(4, int)}, TypeError, "running_var has dtype int64"),
        ({"running_var": np.zeros(4, ">f8")}, TypeError, "running_var has dtype >f8"),
        ({"running_var": np.zeros((4, 1))}, ValueError, "running_var has shape"),
        ({"axis": 2}, ValueError, "axis is 2, expected -2 to 1"),
        ({"axis": 1.0}, TypeError, "axis is 1.0"),
        ({"axis": None}, TypeError, "axis is None"),
        ({"momentum": np.nan}, ValueError, "momentum is nan"),
        ({"momentum": -np.inf}, ValueError, "momentum is -inf"),
        ({"momentum": None}, TypeError, "momentum is None"),
        ({"x": np.ones((1, 4)), "out": None}, ValueError, "1 values a channel"),
        ({"x": np.ones((0, 4)), "out": None}, ValueError, "0 values a channel"),
        ({"x": np.ones(4)}, ValueError, "axis is 1, expected -1 to 0"),
        ({"x": 3.0}, ValueError, "x is 0-d"),
    ],
)
def test_errors_come_before_anything_is_written(change, error, message):
    running = {"running_mean": np.zeros(4), "running_var": np.ones(4)}
    out = np.full((6, 4), np.nan, "f4")
    arguments = {"x": np.ones((6, 4), "f4"), **ONE, **running, "out": out, **change}
    with pytest.raises(error, match=f"batch_norm_forward: .*{message}"):
        fnn.batch_norm_forward(**arguments)
    assert not running["running_mean"].any()
    assert running["running_var"].tolist() == [1] * 4
    assert np.isnan(out).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"running_mean": None}, TypeError, "running_mean is None"),
        ({"running_var": None}, TypeError, "running_var is None"),
        ({"running_var": np.ones(5)}, ValueError, "running_var has shape"),
        ({"running_mean": ["a"] * 4}, TypeError, "running_mean has dtype"),
        ({"gamma": np.ones(3)}, ValueError, r"gamma has shape \(3,\)"),
        ({"axis": -3}, ValueError, "axis is -3"),
        ({"eps": -1e-5}, ValueError, "eps is -1e-05"),
        ({"activation": "rulu"}, ValueError, "activation is 'rulu'"),
    ],
)
def test_errors_of_inference(change, error, message):
    arguments = {"x": np.ones((6, 4)), **ONE, "running_mean": np.ones(4), "running_var": np.ones(4), **change}
    with pytest.raises(error, match=f"batch_norm_inference: {message}"):
        fnn.batch_norm_inference(**arguments)
    with pytest.raises(error, match=f"batch_norm_inference_backward: {message}"):
        fnn.batch_norm_inference_backward(np.ones((6, 4)), **arguments)
    with pytest.raises(ValueError, match="batch_norm_inference_backward: dy has shape"):
        fnn.batch_norm_inference_backward(np.ones((4, 6)), **{**arguments, "gamma": None, "axis": 1})
