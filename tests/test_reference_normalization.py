"""The reference normalisations against numeric derivatives, exact arithmetic, each other and known values."""

import math
from fractions import Fraction

import numpy as np
import pytest
from test_reference import assert_gradients

from fastnn import reference

ACTIVATIONS = [None, "tanh", ("leaky_relu", 0.2)]

#: The shape of x, axis.
LAYERS = [((4, 5), -1), ((3, 4, 2), 1), ((2, 3, 4), (1, 2)), ((2, 3, 2, 2), (-3, -2, -1)), ((3, 4), (-1,)), ((5,), 0)]

#: The shape of x, the groups, axis.
GROUPS = [((3, 6), 2, 1), ((2, 4, 3), 1, 1), ((2, 3, 4), 4, -1), ((2, 3, 6, 2), 3, 2), ((2, 2, 2, 4), 2, -1)]


def problem(rng, shape, parameter_shape):
    """x, dy, gamma and beta."""
    x, dy = rng.standard_normal(shape) * 2 + 1, rng.standard_normal(shape)
    return x, dy, rng.uniform(0.5, 2, parameter_shape), rng.standard_normal(parameter_shape)


def check_gradients(forward, backward, dy, arguments):
    """The gradients by all arguments (None has none) are the numeric ones of sum(dy * y)."""
    gradients = backward(dy, forward(*arguments)[1])
    assert [g is None for g in gradients] == [a is None for a in arguments]
    assert all(g.shape == a.shape for g, a in zip(gradients, arguments, strict=True) if a is not None)
    pairs = [(g, a) for g, a in zip(gradients, arguments, strict=True) if a is not None]
    assert_gradients(lambda: (dy * forward(*arguments)[0]).sum(), pairs)


def over(shape, axis):
    """The shape of the axes that layer norm normalises."""
    return tuple(shape[k] for k in (axis if isinstance(axis, tuple) else (axis,)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "axis"), LAYERS)
def test_layer_norm_gradients(shape, axis, activation, rng):
    x, dy, gamma, beta = problem(rng, shape, over(shape, axis))

    def forward(x, gamma, beta):
        return reference.layer_norm_forward(x, gamma, beta, axis=axis, eps=0.1, activation=activation)

    for arguments in ((x, gamma, beta), (x, None, beta), (x, gamma, None), (x, None, None)):
        check_gradients(forward, reference.layer_norm_backward, dy, arguments)


@pytest.mark.parametrize(("shape", "axis"), LAYERS)
def test_rms_norm_gradients(shape, axis, rng):
    x, dy, gamma, _ = problem(rng, shape, over(shape, axis))
    for arguments in ((x, gamma), (x, None)):
        check_gradients(
            lambda x, gamma: reference.rms_norm_forward(x, gamma, axis=axis, eps=0.1),
            reference.rms_norm_backward,
            dy,
            arguments,
        )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "groups", "axis"), GROUPS)
def test_group_norm_gradients(shape, groups, axis, activation, rng):
    x, dy, gamma, beta = problem(rng, shape, shape[axis])

    def forward(x, gamma, beta):
        return reference.group_norm_forward(x, gamma, beta, groups=groups, axis=axis, eps=0.1, activation=activation)

    for arguments in ((x, gamma, beta), (x, None, beta), (x, gamma, None), (x, None, None)):
        check_gradients(forward, reference.group_norm_backward, dy, arguments)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "axis"), [((2, 3, 5), 1), ((2, 4, 2, 3), -1)])
def test_instance_norm_gradients(shape, axis, activation, rng):
    x, dy, gamma, beta = problem(rng, shape, shape[axis])

    def forward(x, gamma, beta):
        return reference.instance_norm_forward(x, gamma, beta, axis=axis, eps=0.1, activation=activation)

    for arguments in ((x, gamma, beta), (x, None, None)):
        check_gradients(forward, reference.instance_norm_backward, dy, arguments)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "axis"), [((6, 3), 1), ((3, 2, 2, 2), 1), ((2, 3, 4), -1), ((3, 5), 0)])
def test_batch_norm_gradients(shape, axis, activation, rng):
    x, dy, gamma, beta = problem(rng, shape, shape[axis])
    mean, var = rng.standard_normal(shape[axis]), rng.uniform(0.5, 2, shape[axis])
    options = {"axis": axis, "eps": 0.1, "activation": activation}

    def training(x, gamma, beta):
        return reference.batch_norm_forward(x, gamma, beta, **options)

    def inference(x, gamma, beta):
        return reference.batch_norm_inference(x, gamma, beta, mean, var, **options), (x, gamma, beta)

    def inference_backward(dy, cache):
        return reference.batch_norm_inference_backward(dy, *cache, mean, var, **options)

    for arguments in ((x, gamma, beta), (x, None, beta), (x, gamma, None), (x, None, None)):
        check_gradients(training, reference.batch_norm_backward, dy, arguments)
        check_gradients(inference, inference_backward, dy, arguments)


def test_known_values():
    x, normalized = np.array([[1.0, 2.0, 6.0]]), np.array([[-2.0, -1.0, 3.0]]) / np.sqrt(6)
    y, _ = reference.layer_norm_forward(x, [1.0, 2.0, 0.5], [0.0, 1.0, 0.0], eps=4 / 3)
    np.testing.assert_allclose(y, normalized * [1.0, 2.0, 0.5] + [0.0, 1.0, 0.0], rtol=1e-15)
    y, _ = reference.layer_norm_forward(x, eps=4 / 3, activation="relu")
    np.testing.assert_allclose(y, [[0.0, 0.0, 3 / np.sqrt(6)]], rtol=1e-15)
    y, _ = reference.rms_norm_forward([3.0, -5.0], [1.0, 2.0], eps=8.0)
    np.testing.assert_allclose(y, [0.6, -2.0], rtol=1e-15)
    y, _ = reference.group_norm_forward([[1.0, 3.0, 10.0, 14.0]], [1.0, 1.0, 1.0, 2.0], groups=2, eps=0)
    assert y.tolist() == [[-1.0, 1.0, -1.0, 2.0]]
    y, _ = reference.instance_norm_forward([[[1.0, 3.0], [10.0, 14.0]]], None, [0.0, 5.0], eps=0)
    assert y.tolist() == [[[-1.0, 1.0], [4.0, 6.0]]]


def test_default_eps():
    x = np.array([[1e-3, -1e-3]])
    for forward in (reference.layer_norm_forward, lambda x: reference.group_norm_forward(x, groups=1)):
        np.testing.assert_allclose(forward(x)[0], x / np.sqrt(1.1e-5), rtol=1e-14)
    np.testing.assert_allclose(reference.rms_norm_forward(x)[0], x / np.sqrt(2e-6), rtol=1e-14)


def test_an_int_axis_is_that_axis_alone(rng):
    x, dy, gamma, beta = problem(rng, (3, 4, 2), 4)
    y, cache = reference.layer_norm_forward(x, gamma, beta, axis=1)
    last, last_cache = reference.layer_norm_forward(x.swapaxes(1, 2), gamma, beta)
    np.testing.assert_allclose(y, last.swapaxes(1, 2), rtol=1e-14)
    dx, dgamma, _ = reference.layer_norm_backward(dy, cache)
    last_dx, last_dgamma, _ = reference.layer_norm_backward(dy.swapaxes(1, 2), last_cache)
    np.testing.assert_allclose(dx, last_dx.swapaxes(1, 2), rtol=1e-12)
    np.testing.assert_allclose(dgamma, last_dgamma, rtol=1e-12)


def test_the_normalisations_agree_where_they_coincide(rng):
    x, _, gamma, beta = problem(rng, (1, 3, 8), 3)
    expected, _ = reference.batch_norm_forward(x, gamma, beta)
    np.testing.assert_allclose(reference.instance_norm_forward(x, gamma, beta)[0], expected, rtol=1e-14)
    x = rng.standard_normal((4, 3, 5))
    expected, _ = reference.layer_norm_forward(x, axis=(1, 2))
    np.testing.assert_allclose(reference.group_norm_forward(x, groups=1)[0], expected, rtol=1e-14)
    centred = x - x.mean(-1, keepdims=True)
    expected, _ = reference.layer_norm_forward(x, eps=1e-3)
    np.testing.assert_allclose(reference.rms_norm_forward(centred, eps=1e-3)[0], expected, rtol=1e-12, atol=1e-15)


def exact_normalization(row):
    """(mean, sum of squared deviations, normalised row) of float64 numbers, in rational arithmetic."""
    numbers = [Fraction(v) for v in row.tolist()]
    mean = sum(numbers) / len(numbers)
    m2 = sum((v - mean) ** 2 for v in numbers)
    std = math.sqrt(m2 / len(numbers))
    return float(mean), float(m2), np.array([float(v - mean) / std for v in numbers])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("offset", [1e4, 1e6, 1e8, 1e12])
def test_a_mean_far_from_zero_costs_nothing(offset, dtype, rng):
    x = (offset + rng.standard_normal(4999) * max(1.0, 2 * np.spacing(np.dtype(dtype).type(offset)))).astype(dtype)
    mean, m2, expected = exact_normalization(x)
    stats = reference.batch_norm_stats(x[:, None])
    assert stats.mean[0] == mean
    assert stats.m2[0] == pytest.approx(m2, rel=1e-14)
    for y, _ in (
        reference.batch_norm_forward(x[:, None], None, None, eps=0),
        reference.layer_norm_forward(x, eps=0),
        reference.group_norm_forward(x[None, :], groups=1, eps=0),
    ):
        np.testing.assert_allclose(y.ravel(), expected, rtol=1e-13, atol=1e-15)


def test_long_sums_are_pairwise(rng):
    """Along the outer axis NumPy itself adds one by one, with an error that grows with the length."""
    x = rng.uniform(0, 1, (200_000, 2))
    stats = reference.batch_norm_stats(x)
    for k in range(2):
        mean = math.fsum(x[:, k]) / len(x)
        assert stats.mean[k] == pytest.approx(mean, rel=3e-16)
        assert stats.m2[k] == pytest.approx(math.fsum((x[:, k] - mean) ** 2), rel=1e-14)


def test_running_statistics_are_those_of_the_batch(rng):
    x = rng.standard_normal((5, 3, 4)) * 3 + 7
    for unbiased in (True, False):
        running_mean, running_var = np.ones(3), np.full(3, 2.0)
        reference.batch_norm_forward(
            x, None, None, running_mean, running_var, momentum=0.25, unbiased_running_var=unbiased
        )
        np.testing.assert_allclose(running_mean, 0.75 + 0.25 * x.mean((0, 2)), rtol=1e-14)
        np.testing.assert_allclose(running_var, 1.5 + 0.25 * x.var((0, 2), ddof=int(unbiased)), rtol=1e-14)


def shards(x, axis):
    """x in three parts of unlike lengths, one of them empty, along an axis other than `axis`."""
    return np.split(x, [2, 2], axis=1 if axis == 0 else 0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("shape", "axis"), [((7, 3), 1), ((5, 2, 4), -1), ((3, 6), 0), ((4, 2, 3, 2), 1)])
def test_statistics_of_shards_give_the_result_of_the_whole(shape, axis, activation, rng):
    x, dy, gamma, beta = problem(rng, shape, shape[axis])
    options = {"axis": axis, "eps": 0.1, "activation": activation}
    y, cache = reference.batch_norm_forward(x, gamma, beta, **options)
    whole, parts = reference.batch_norm_stats(x, axis), shards(x, axis)
    stats = reference.merge_batch_stats(*(reference.batch_norm_stats(part, axis) for part in parts))
    assert stats.count == whole.count == x.size // shape[axis]
    np.testing.assert_allclose([stats.mean, stats.m2], [whole.mean, whole.m2], rtol=1e-13)
    joined = np.concatenate(
        [reference.batch_norm_apply(part, stats, gamma, beta, **options) for part in parts],
        axis=1 if axis == 0 else 0,
    )
    np.testing.assert_allclose(joined, y, rtol=1e-12, atol=1e-14)

    pairs = list(zip(shards(dy, axis), parts, strict=True))
    grad_stats = reference.merge_batch_stats(
        *(reference.batch_norm_backward_stats(dy, x, stats, gamma, beta, **options) for dy, x in pairs)
    )
    assert grad_stats.count == whole.count
    gradients = [
        reference.batch_norm_backward_apply(dy, x, stats, grad_stats, gamma, beta, **options) for dy, x in pairs
    ]
    dx, dgamma, dbeta = reference.batch_norm_backward(dy, cache)
    joined = np.concatenate([part for part, _, _ in gradients], axis=1 if axis == 0 else 0)
    np.testing.assert_allclose(joined, dx, rtol=1e-11, atol=1e-13)
    for _, part_dgamma, part_dbeta in gradients:
        np.testing.assert_allclose(part_dgamma, dgamma, rtol=1e-12)
        np.testing.assert_allclose(part_dbeta, dbeta, rtol=1e-12)


def test_apply_without_parameters_has_no_gradients_for_them(rng):
    x, dy = rng.standard_normal((2, 5, 3))
    stats = reference.batch_norm_stats(x)
    grad_stats = reference.batch_norm_backward_stats(dy, x, stats, None, None)
    assert isinstance(grad_stats, reference.BatchGradStats)
    np.testing.assert_allclose(grad_stats.sum_dz, dy.sum(0), rtol=1e-13)
    dx, dgamma, dbeta = reference.batch_norm_backward_apply(dy, x, stats, grad_stats, None, None)
    assert dgamma is dbeta is None
    expected, _, _ = reference.batch_norm_backward(dy, reference.batch_norm_forward(x, None, None)[1])
    np.testing.assert_allclose(dx, expected, rtol=1e-11, atol=1e-14)


def test_merging_known_values():
    parts = [reference.batch_norm_stats(np.array([values]).T) for values in ([1.0, 3.0], [8.0], [])]
    assert [part.count for part in parts] == [2, 1, 0]
    count, mean, m2 = reference.merge_batch_stats(*parts)
    assert (count, mean.tolist(), m2.tolist()) == (3, [4.0], [26.0])
    count, mean, m2 = reference.merge_batch_stats(parts[2], parts[2])
    assert (count, mean.tolist(), m2.tolist()) == (0, [0.0], [0.0])
    one, other = (
        reference.BatchGradStats(2, np.ones(1), np.ones(1)),
        reference.BatchGradStats(3, np.array([2.0]), np.array([-4.0])),
    )
    count, sum_dz, sum_dz_xhat = reference.merge_batch_stats(one, other)
    assert (count, sum_dz.tolist(), sum_dz_xhat.tolist()) == (5, [3.0], [-3.0])


@pytest.mark.parametrize("offset", [1e4, 1e8, 1e12])
def test_merging_does_not_cancel(offset, rng):
    x = offset + rng.standard_normal((999, 1))
    mean, m2, _ = exact_normalization(x.ravel())
    merged = reference.merge_batch_stats(*(reference.batch_norm_stats(part) for part in np.split(x, [10, 400, 401])))
    assert abs(merged.mean[0] - mean) <= 2 * np.spacing(offset)
    # A part's mean, and with it m2, is known to half a place of the mean only.
    assert merged.m2[0] == pytest.approx(m2, rel=1e-14 + np.spacing(offset))


def test_nan_and_infinity_stay_in_their_row_without_a_warning():
    x = np.array([[1.0, np.nan, 2.0], [np.inf, 1.0, 1.0], [3.0, 5.0, 7.0]])
    expected = [[np.nan] * 3, [np.nan] * 3, [-1.0, 0.0, 1.0]] / np.sqrt(2 / 3)
    np.testing.assert_allclose(reference.layer_norm_forward(x, eps=0)[0], expected)
    np.testing.assert_allclose(reference.group_norm_forward(x, groups=1, eps=0)[0], expected)
    np.testing.assert_allclose(reference.batch_norm_forward(x.T, None, None, eps=0)[0].T, expected)
    y, cache = reference.rms_norm_forward(x, eps=0)
    np.testing.assert_allclose(y[1:], [[np.nan, 0.0, 0.0], x[2] / np.sqrt(83 / 3)])
    assert np.isfinite(reference.rms_norm_backward(np.ones((3, 3)), cache)[0][2]).all()


def test_empty_inputs():
    for x, shape in ((np.ones((0, 3)), (3,)), (np.ones((2, 0)), (0,))):
        y, cache = reference.layer_norm_forward(x, np.ones(shape), np.ones(shape))
        assert y.shape == x.shape
        assert [g.shape for g in reference.layer_norm_backward(x, cache)] == [x.shape, shape, shape]
        assert reference.rms_norm_forward(x)[0].shape == x.shape
    y, cache = reference.group_norm_forward(np.ones((0, 4, 3)), np.ones(4), groups=2)
    dx, dgamma, _ = reference.group_norm_backward(y, cache)
    assert dx.shape == (0, 4, 3)
    assert dgamma.tolist() == [0.0] * 4
