"""The layers of fastnn.compat.cs231n against the course's formulas in NumPy and against numeric gradients."""

import cs231n_course as course
import numpy as np
import pytest

from fastnn.compat.cs231n import fast_layers, layer_utils, layers

CONV, POOL = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}

#: layer -> (shapes of the arrays that it takes, what else it takes)
LAYERS = {
    "affine": ([(4, 2, 3), (6, 5), (5,)], ()),
    "relu": ([(4, 5)], ()),
    "batchnorm": ([(4, 5), (5,), (5,)], ({"mode": "train"},)),
    "layernorm": ([(4, 5), (5,), (5,)], ({},)),
    "spatial_batchnorm": ([(2, 3, 4, 5), (3,), (3,)], ({"mode": "train", "eps": 1e-3, "momentum": 0.6},)),
    "spatial_groupnorm": ([(2, 6, 4, 5), (1, 6, 1, 1), (1, 6, 1, 1)], (2, {})),
    "conv_naive": ([(2, 3, 7, 6), (4, 3, 3, 2), (4,)], (CONV,)),
    "max_pool_naive": ([(2, 3, 6, 5)], (POOL,)),
    "affine_relu": ([(4, 2, 3), (6, 5), (5,)], ()),
    "affine_bn_relu": ([(4, 2, 3), (6, 5), (5,), (5,), (5,)], ({"mode": "train"},)),
    "conv_relu": ([(2, 3, 7, 6), (4, 3, 3, 3), (4,)], ({"stride": 2, "pad": 1},)),
    "conv_bn_relu": ([(2, 3, 7, 6), (4, 3, 3, 3), (4,), (4,), (4,)], (CONV, {"mode": "train"})),
    "conv_relu_pool": ([(2, 3, 7, 6), (4, 3, 3, 3), (4,)], (CONV, POOL)),
}
every_layer = pytest.mark.parametrize("name", LAYERS)
TOLERANCE = {"f4": 1e-4, "f8": 1e-11}


def arrays_for(name, rng, dtype="f8"):
    shapes, rest = LAYERS[name]
    rest = tuple(dict(each) if isinstance(each, dict) else each for each in rest)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes], rest


def both_ways(module, name):
    """A layer's (forward, backward)."""
    stem, naive, _ = name.partition("_naive")
    return (getattr(module, f"{stem}_{way}{naive}") for way in ("forward", "backward"))


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def numeric_gradient(f, x, dout, h=1e-5):
    """As the course's eval_numerical_gradient_array: x is changed in place and put back between calls of f."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        before = x[index]
        x[index] = before + h
        up = f()
        x[index] = before - h
        down = f()
        x[index] = before
        gradient[index] = ((up - down) * dout).sum() / (2 * h)
    return gradient


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@every_layer
def test_a_layer_is_the_formula(name, dtype, rng):
    arrays, rest = arrays_for(name, rng, dtype)
    expected_rest = arrays_for(name, rng)[1]
    forward, backward = both_ways(layers, name)
    course_forward, course_backward = both_ways(course, name)
    out, cache = forward(*arrays, *rest)
    in_double = [a.astype("f8") for a in arrays]
    expected, course_cache = course_forward(*in_double, *expected_rest)
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)
    dout = rng.standard_normal(out.shape).astype(dtype)
    found = as_tuple(backward(dout, cache))
    gradients = as_tuple(course_backward(dout.astype("f8"), course_cache))
    for gradient, exact, array in zip(found, gradients, arrays, strict=True):
        np.testing.assert_allclose(gradient, exact, rtol=tolerance, atol=tolerance * max(1, np.abs(exact).max()))
        assert gradient.shape == array.shape
        assert gradient.dtype == array.dtype
    assert out.dtype == arrays[0].dtype
    for ours, theirs in zip(rest, expected_rest, strict=True):
        assert ours.keys() == theirs.keys() if isinstance(ours, dict) else ours == theirs
        for key in ("running_mean", "running_var"):
            if isinstance(ours, dict) and key in ours:
                np.testing.assert_allclose(ours[key], theirs[key], rtol=tolerance, atol=tolerance)


@every_layer
def test_gradients_are_the_numeric_ones(name, rng):
    arrays, rest = arrays_for(name, rng)
    forward, backward = both_ways(layers, name)
    out, cache = forward(*arrays, *rest)
    dout = rng.standard_normal(out.shape)
    numeric = [numeric_gradient(lambda: forward(*arrays, *rest)[0], array, dout) for array in arrays]
    # the cache is from before the perturbations, which have been taken back
    for gradient, expected in zip(as_tuple(backward(dout, cache)), numeric, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@every_layer
def test_inputs_are_left_as_they_were(name, rng):
    arrays, rest = arrays_for(name, rng)
    before = [array.copy() for array in arrays]
    forward, backward = both_ways(layers, name)
    out, cache = forward(*arrays, *rest)
    dout = rng.standard_normal(out.shape)
    kept_dout, kept_out = dout.copy(), out.copy()
    first = as_tuple(backward(dout, cache))
    second = as_tuple(backward(dout, cache))
    for array, value in zip([*arrays, dout, out, *first], [*before, kept_dout, kept_out, *second], strict=True):
        np.testing.assert_array_equal(array, value)


def test_all_names_of_the_course_are_there():
    for name in vars(course):
        if name.endswith(("forward", "backward", "loss", "naive", "alt")) and not name.startswith("_"):
            assert callable(getattr(layers, name)), name
    assert layers.batchnorm_backward_alt is layers.batchnorm_backward
    assert fast_layers.conv_forward_fast is fast_layers.conv_forward_im2col is layers.conv_forward
    assert fast_layers.conv_backward_fast is layers.conv_backward_naive is layers.conv_backward
    assert fast_layers.max_pool_forward_fast is layers.max_pool_forward_naive is layers.max_pool_forward
    assert fast_layers.max_pool_backward_fast is layers.max_pool_backward_naive is layers.max_pool_backward
    assert layer_utils.conv_relu_forward is layers.conv_relu_forward
    assert set(fast_layers.__all__) < set(layers.__all__) == set(layer_utils.__all__)


def test_a_bias_of_any_shape(rng):
    x, w, b = (rng.standard_normal(shape) for shape in ((5, 6), (6, 5), (5, 1)))
    out, cache = layers.affine_forward(x, w, b)
    np.testing.assert_allclose(out, x @ w + b.T, rtol=1e-12)
    assert layers.affine_backward(out, cache)[2].shape == b.shape
    out, cache = layers.conv_forward(x.reshape(5, 6, 1, 1), w.T.reshape(5, 6, 1, 1), b, {"stride": 1, "pad": 0})
    np.testing.assert_allclose(out[..., 0, 0], x @ w + b.T, rtol=1e-12)
    assert layers.conv_backward(out, cache)[2].shape == b.shape


# --- losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax_loss", "svm_loss"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("labels", ["i8", "u1"])
def test_losses(name, dtype, labels, rng):
    x, y = 3 * rng.standard_normal((50, 10)).astype(dtype), rng.integers(0, 10, 50).astype(labels)
    loss, dx = getattr(layers, name)(x, y)
    expected, gradient = getattr(course, name)(x.astype("f8"), y)
    np.testing.assert_allclose(loss, expected, rtol=TOLERANCE[dtype])
    np.testing.assert_allclose(dx, gradient, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] / 50)
    assert loss.dtype == dx.dtype == dtype


def test_a_hinge_at_zero_has_no_gradient():
    _, dx = layers.svm_loss([[1.0, 0.0]], [0])
    np.testing.assert_array_equal(dx, 0)


# --- norms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batchnorm", "layernorm", "spatial_batchnorm", "spatial_groupnorm"])
@pytest.mark.parametrize("layout", ["integers", "(1, C, 1, 1)"])
def test_gamma_and_beta_of_any_kind(name, layout, rng):
    (x, _, _), rest = arrays_for(name, rng)
    channels = x.shape[1]
    gamma, beta = np.arange(1, channels + 1), np.arange(channels)
    plain = gamma.astype("f8"), beta.astype("f8")
    if layout != "integers":
        gamma, beta = (a.reshape(1, channels, 1, 1).astype("f8") for a in (gamma, beta))
    forward, backward = both_ways(layers, name)
    out, cache = forward(x, gamma, beta, *rest)
    expected, plain_cache = forward(x, *plain, *arrays_for(name, rng)[1])
    np.testing.assert_array_equal(out, expected)
    dout = rng.standard_normal(x.shape)
    dx, dgamma, dbeta = backward(dout, cache)
    exact = backward(dout, plain_cache)
    assert dgamma.shape == dbeta.shape == gamma.shape
    for found, gradient in zip((dx, dgamma, dbeta), exact, strict=True):
        np.testing.assert_array_equal(found.ravel(), gradient.ravel())
        assert found.dtype == "f8"


def test_running_statistics_over_steps(rng):
    gamma, beta = np.ones(5), np.zeros(5)
    ours, theirs = {"mode": "train", "momentum": 0.7}, {"mode": "train", "momentum": 0.7}
    for size in (4, 1, 7):  # a batch of one has variance 0
        x = 3 + 2 * rng.standard_normal((size, 5))
        layers.batchnorm_forward(x, gamma, beta, ours)
        course.batchnorm_forward(x, gamma, beta, theirs)
        for key in ("running_mean", "running_var"):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-13)
    ours["mode"] = theirs["mode"] = "test"
    kept = ours["running_mean"].copy()
    out, cache = layers.batchnorm_forward(x, gamma, beta, ours)
    np.testing.assert_allclose(out, course.batchnorm_forward(x, gamma, beta, theirs)[0], rtol=1e-12)
    np.testing.assert_array_equal(ours["running_mean"], kept)
    assert cache is None


def test_running_statistics_are_new_arrays_each_time(rng):
    bn_param = {"mode": "train", "running_mean": np.arange(5), "running_var": np.ones(5)}
    before = dict(bn_param)
    layers.batchnorm_forward(rng.standard_normal((4, 5)), np.ones(5), np.zeros(5), bn_param)
    np.testing.assert_array_equal(before["running_mean"], np.arange(5))
    np.testing.assert_array_equal(before["running_var"], 1)
    assert (bn_param["running_mean"] != before["running_mean"]).all()


@pytest.mark.parametrize("activation", [False, True])
def test_test_mode_without_running_statistics(activation, rng):
    (x, gamma, beta), _ = arrays_for("batchnorm", rng)
    ours, theirs = {"mode": "test"}, {"mode": "test"}
    expected = course.batchnorm_forward(x, gamma, beta, theirs)[0]
    if activation:
        out = layers.affine_bn_relu_forward(x, np.eye(5), np.zeros(5), gamma, beta, ours)[0]
        expected = np.maximum(expected, 0)
    else:
        out = layers.batchnorm_forward(x, gamma, beta, ours)[0]
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    np.testing.assert_array_equal(ours["running_mean"], np.zeros(5))
    np.testing.assert_array_equal(ours["running_var"], np.zeros(5))


@pytest.mark.parametrize(("name", "shape"), [("batchnorm", (1, 5)), ("spatial_batchnorm", (1, 5, 1, 1))])
def test_a_batch_of_one(name, shape, rng):
    x, gamma, beta, dout = (rng.standard_normal(s) for s in (shape, (5,), (5,), shape))
    bn_param = {"mode": "train"}
    forward, backward = both_ways(layers, name)
    out, cache = forward(x, gamma, beta, bn_param)
    np.testing.assert_array_equal(out.ravel(), beta)
    dx, dgamma, dbeta = backward(dout, cache)
    np.testing.assert_allclose(dx, np.zeros(shape), atol=1e-12)
    np.testing.assert_array_equal(dgamma, np.zeros(5))
    np.testing.assert_array_equal(dbeta, dout.ravel())
    np.testing.assert_allclose(bn_param["running_mean"], 0.1 * x.ravel(), rtol=1e-14)
    np.testing.assert_array_equal(bn_param["running_var"], 0)


# --- dropout ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.2, 0.75, 1.0])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_p_is_the_probability_to_keep(p, dtype, rng):
    x = rng.standard_normal((200, 300)).astype(dtype)
    out, cache = layers.dropout_forward(x, {"mode": "train", "p": p, "seed": 3})
    kept = out != 0
    assert abs(kept.mean() - p) <= 4 * np.sqrt(p * (1 - p) / x.size)
    np.testing.assert_allclose(out[kept], x[kept] / p, rtol=2 * np.finfo(dtype).eps)
    dout = rng.standard_normal(x.shape).astype(dtype)
    dx = layers.dropout_backward(dout, cache)
    np.testing.assert_allclose(dx, np.where(kept, dout / p, 0), rtol=2 * np.finfo(dtype).eps)
    assert out.dtype == dx.dtype == dtype


def test_masks_follow_numpy_random_seed():
    x, param = np.ones((50, 50)), {"mode": "train", "p": 0.5}

    def masks(count):
        return [layers.dropout_forward(x, param)[0] for _ in range(count)]

    np.random.seed(7)  # noqa: NPY002 (that is what a notebook calls)
    first, second = masks(2)
    np.random.seed(7)  # noqa: NPY002
    again = masks(2)
    np.testing.assert_array_equal([first, second], again)
    assert (first != second).any()


def test_a_seed_gives_the_same_mask_at_every_call():
    x, param = np.ones((50, 50)), {"mode": "train", "p": 0.5, "seed": 1}
    one, other = (layers.dropout_forward(x, param)[0] for _ in range(2))
    different = layers.dropout_forward(x, {**param, "seed": 2})[0]
    np.testing.assert_array_equal(one, other)
    assert (one != different).any()


def test_dropout_in_test_mode(rng):
    x = rng.standard_normal((4, 5))
    out, cache = layers.dropout_forward(x, {"mode": "test", "p": 0.5})
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(layers.dropout_backward(x, cache), x)


# --- convolution and pooling -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("pad", [0, 1, 2])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 2), (5, 6)])
def test_convolutions(stride, pad, height, width, rng):
    """Also where stride does not divide the image: what no window reaches has no gradient."""
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 7, 8), (4, 3, height, width), (4,)))
    param = {"stride": stride, "pad": pad}
    out, cache = layers.conv_forward(x, w, b, param)
    expected, course_cache = course.conv_forward_naive(x, w, b, param)
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)
    dout = rng.standard_normal(out.shape)
    gradients = course.conv_backward_naive(dout, course_cache)
    for found, exact in zip(layers.conv_backward(dout, cache), gradients, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (3, 2), (7, 8)])
def test_pools(stride, height, width, rng):
    x = rng.integers(0, 4, (2, 3, 7, 8)).astype("f8")  # with ties
    param = {"pool_height": height, "pool_width": width, "stride": stride}
    out, cache = layers.max_pool_forward(x, param)
    expected, course_cache = course.max_pool_forward_naive(x, param)
    np.testing.assert_array_equal(out, expected)
    dout = rng.standard_normal(out.shape)
    dx = layers.max_pool_backward(dout, cache)
    np.testing.assert_allclose(dx, course.max_pool_backward_naive(dout, course_cache), rtol=1e-13, atol=1e-15)


def test_pools_of_nan_and_infinities():
    x = np.array([[np.nan, 1.0], [-np.inf, np.nan], [-np.inf, -np.inf], [2.0, np.inf]]).reshape(4, 1, 1, 2)
    param = {"pool_height": 1, "pool_width": 2, "stride": 1}
    out, cache = layers.max_pool_forward(x, param)
    np.testing.assert_array_equal(out.ravel(), [np.nan, np.nan, -np.inf, np.inf])
    dx = layers.max_pool_backward(np.ones((4, 1, 1, 1)), cache)
    np.testing.assert_array_equal(dx.reshape(4, 2), [[1, 0], [0, 1], [1, 0], [0, 1]])


def test_pooling_before_the_relu_is_pooling_after_it(rng):
    """Windows without a positive value have no gradient in either order, ties go to the first in both."""
    x, w, b = rng.integers(-3, 3, (2, 3, 8, 8)), np.ones((4, 3, 1, 1)), np.arange(-6, 6, 3)
    arguments = x.astype("f8"), w, b.astype("f8"), {"stride": 1, "pad": 0}, POOL
    out, cache = layers.conv_relu_pool_forward(*arguments)
    expected, course_cache = course.conv_relu_pool_forward(*arguments)
    assert 0 < (out == 0).sum() < out.size
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    gradients = course.conv_relu_pool_backward(out + 1, course_cache)
    for found, exact in zip(layers.conv_relu_pool_backward(out + 1, cache), gradients, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-12)


# --- what cannot be computed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.affine_forward(_ones(2, 3), _ones(4, 5), _ones(5)), ValueError, "x has shape .2, 3., expected"),
        (lambda: layers.affine_forward(_ones(2, 3), _ones(3), _ones(5)), ValueError, "w has shape .3,., expected"),
        (lambda: layers.affine_forward(_ones(2, 3), _ones(3, 5), _ones(4)), ValueError, "b has shape .4,., expected"),
        (lambda: layers.affine_forward(1j * _ones(2, 3), _ones(3, 5), _ones(5)), TypeError, "x has dtype complex128"),
        (lambda: layers.batchnorm_forward(_ones(2, 3), _ones(3), _ones(3), {"mode": "x"}), ValueError, "mode.* is 'x'"),
        (lambda: layers.batchnorm_forward(_ones(2), _ones(2), _ones(2), {"mode": "train"}), ValueError, r"\(N, D\)"),
        (lambda: layers.batchnorm_forward(_ones(2, 3), _ones(4), _ones(3), {"mode": "train"}), ValueError, "gamma has"),
        (lambda: layers.batchnorm_backward(_ones(2, 3), None), TypeError, "cache is a NoneType, expected"),
        (lambda: layers.layernorm_forward(_ones(2, 3), _ones(2), _ones(3), {}), ValueError, "gamma has shape"),
        (lambda: layers.spatial_groupnorm_forward(_ones(2, 3, 2, 2), _ones(3), _ones(3), 2, {}), ValueError, "groups"),
        (lambda: layers.spatial_batchnorm_forward(_ones(2, 3), _ones(3), _ones(3), {"mode": "train"}), ValueError, "H"),
        (lambda: layers.dropout_forward(_ones(2, 3), {"mode": "x", "p": 0.5}), ValueError, "mode.* is 'x'"),
        (lambda: layers.dropout_forward(_ones(2, 3), {"mode": "train", "p": 1.5}), ValueError, "p.* is 1.5"),
        (lambda: layers.dropout_forward(_ones(2, 3), {"mode": "train", "p": 0}), ValueError, "p.* is 0"),
        (lambda: layers.conv_forward(_ones(2, 3, 4), _ones(1, 3, 2, 2), _ones(1), CONV), ValueError, "x has shape"),
        (lambda: layers.conv_forward(_ones(2, 3, 4, 4), _ones(1, 2, 2, 2), _ones(1), CONV), ValueError, "w has shape"),
        (lambda: layers.conv_forward(_ones(2, 3, 4, 4), _ones(1, 3, 2, 2), _ones(2), CONV), ValueError, "b has shape"),
        (lambda: layers.conv_forward(_ones(2, 3, 4, 4), _ones(1, 3, 7, 2), _ones(1), CONV), ValueError, "window is 7"),
        (
            lambda: layers.conv_forward(_ones(2, 3, 4, 4), _ones(1, 3, 2, 2), _ones(1), {"stride": 0, "pad": 1}),
            ValueError,
            "stride is 0",
        ),
        (
            lambda: layers.conv_forward(_ones(2, 3, 4, 4), _ones(1, 3, 2, 2), _ones(1), {"stride": 1, "pad": -1}),
            ValueError,
            "pad is -1",
        ),
        (lambda: layers.max_pool_forward(_ones(2, 3, 4), POOL), ValueError, "x has shape"),
        (lambda: layers.max_pool_forward(_ones(2, 3, 1, 4), POOL), ValueError, "window is 2 x 2, expected at most 1"),
        (lambda: layers.softmax_loss(_ones(2, 3), [0, 3]), ValueError, "labels holds 3"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def _ones(*shape):
    return np.ones(shape)


@pytest.mark.parametrize("name", ["affine", "batchnorm", "layernorm", "conv_naive", "max_pool_naive"])
def test_dout_of_another_shape(name, rng):
    arrays, rest = arrays_for(name, rng)
    forward, backward = both_ways(layers, name)
    out, cache = forward(*arrays, *rest)
    with pytest.raises(ValueError, match=r"(dout|dy) has shape .*expected"):
        backward(out[:1], cache)


def test_a_failed_call_leaves_the_statistics_alone():
    bn_param = {"mode": "train", "running_mean": np.zeros(3), "running_var": np.ones(4)}
    with pytest.raises(ValueError, match="running_var has shape"):
        layers.batchnorm_forward(_ones(2, 3), _ones(3), _ones(3), bn_param)
    np.testing.assert_array_equal(bn_param["running_mean"], 0)
