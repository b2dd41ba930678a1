"""Group norm and instance norm against the reference, on hard data and at the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from norms import VARIANTS, affine, check, epsilons, layouts, problem, seeds, stored_as, variants
from ulps import same_bits

import fastnn as fnn

#: Shape, groups: channels of few values, and of 23, 24 and 25, between which the way of computing changes; long ones.
SHAPES = [
    ((5, 6), 3),
    ((4, 6, 23), 2),
    ((4, 6, 24), 2),
    ((4, 6, 5, 5), 6),
    ((300, 32, 4), 8),
    ((3, 8, 40, 40), 4),
    ((2, 4, 70_000), 2),
    ((1, 3, 300, 300), 1),
]


@st.composite
def shapes_and_groups(draw):
    """(shape, axis, groups): rows or runs, according to how many values a channel has."""
    groups, own = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rest = draw(st.sampled_from([(), (1,), (7,), (2, 3), (4, 6), (5, 5), (3, 3, 3), (40,)]))
    axis = draw(st.integers(1, 1 + len(rest)))
    shape = (draw(st.integers(1, 4)), *rest[: axis - 1], groups * own, *rest[axis - 1 :])
    return shape, axis - len(shape) if draw(st.booleans()) else axis, groups


@settings(max_examples=120)
@given(shapes_and_groups(), variants, affine, epsilons, seeds, layouts, layouts)
def test_group_norm_equals_the_reference(drawn, variant, affine, eps, seed, x_layout, dy_layout):
    (shape, axis, groups), (dtype, activation) = drawn, variant
    options = {"axis": axis, "groups": groups, "eps": eps, "activation": activation}
    check(stored_as(problem("group_norm", shape, dtype, seed, affine, **options), x_layout, dy_layout))


@settings(max_examples=60)
@given(shapes_and_groups(), variants, affine, epsilons, seeds, layouts, layouts)
def test_instance_norm_equals_the_reference(drawn, variant, affine, eps, seed, x_layout, dy_layout):
    (shape, axis, _), (dtype, activation) = drawn, variant
    options = {"axis": axis, "eps": eps, "activation": activation}
    check(stored_as(problem("instance_norm", shape, dtype, seed, affine, **options), x_layout, dy_layout))


@pytest.mark.parametrize(("dtype", "activation"), VARIANTS)
@pytest.mark.parametrize(("shape", "groups"), SHAPES)
def test_short_and_long_channels(shape, groups, dtype, activation):
    check(problem("group_norm", shape, dtype, groups=groups, activation=activation))
    check(problem("instance_norm", shape, dtype, activation=activation))


@pytest.mark.parametrize("values", [4, 30])
def test_the_normalisations_agree_where_they_coincide(values, rng):
    x = rng.standard_normal((3, 4, values))
    by_group, _ = fnn.group_norm_forward(x, groups=1)
    np.testing.assert_allclose(by_group, fnn.layer_norm_forward(x, axis=(1, 2))[0], rtol=1e-12, atol=1e-14)
    by_instance, _ = fnn.instance_norm_forward(x)
    assert same_bits(by_instance, fnn.group_norm_forward(x, groups=4)[0])
    np.testing.assert_allclose(by_instance[:1], fnn.batch_norm_forward(x[:1], None, None)[0], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("values", [5, 40])
def test_constant_groups_give_beta(values, rng):
    x = np.repeat(np.array([0.0, 0.1, -1e-30, 1e30], "f4"), 2 * values).reshape(1, 8, values)
    beta = rng.standard_normal(8).astype("f4")
    with np.errstate(all="raise", under="ignore"):
        y, cache = fnn.group_norm_forward(x, rng.standard_normal(8).astype("f4"), beta, groups=4)
        dx, dgamma, _ = fnn.group_norm_backward(rng.standard_normal(y.shape), cache)
    assert same_bits(y, np.broadcast_to(beta[:, None], y.shape))
    assert np.isfinite(dx).all()
    assert not dgamma.any()


@pytest.mark.parametrize("values", [3, 40])
@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_an_offset_costs_only_the_rounding_of_the_input(offset, values, rng):
    x = (offset + rng.standard_normal((3, 6, values))).astype("f4")
    check(problem("group_norm", x.shape, "f4", eps=0.0, groups=2).with_(x=x))


def test_gradients_of_short_channels_are_summed_in_double_precision():
    """Those of one position, 2048 + 1 or 60000 + 60000, are no float16."""
    _, cache = fnn.group_norm_forward(np.ones((2, 1, 2), "f2"), None, np.zeros(1, "f2"), groups=1)
    for dy in ([[2048, 2048], [1, 2]], [[60000, -60000], [60000, -49984]]):
        dbeta = fnn.group_norm_backward(np.array(dy, "f2")[:, None], cache)[2]
        assert dbeta.tolist() == [np.float16(np.sum(dy))]


@pytest.mark.parametrize("shape", [(0, 4, 3), (0, 4, 40), (2, 4, 0), (2, 0, 3), (2, 0, 40), (0, 0)])
def test_of_nothing(shape):
    channels = shape[1]
    gamma, beta = np.ones(channels, "f4"), np.zeros(channels, "f4")
    x = np.empty(shape, "f4")
    for norm, options in (("group_norm", {"groups": 2}), ("instance_norm", {})):
        y, cache = getattr(fnn, f"{norm}_forward")(x, gamma, beta, **options)
        dx, dgamma, dbeta = getattr(fnn, f"{norm}_backward")(x, cache)
        assert y.shape == dx.shape == shape
        assert same_bits(dgamma, np.zeros(channels, "f4"))
        assert same_bits(dbeta, np.zeros(channels, "f4"))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groups": 4}, ValueError, "groups is 4, expected a divisor of the 6 channels of x"),
        ({"groups": 0}, ValueError, "groups is 0"),
        ({"groups": -2}, ValueError, "groups is -2"),
        ({"groups": 12}, ValueError, "groups is 12"),
        ({"groups": 2.0}, TypeError, "groups is 2.0, expected an integer"),
        ({"groups": True}, TypeError, "groups is True"),
        ({"groups": None}, TypeError, "groups is None"),
        ({"groups": 2, "axis": 0}, ValueError, "axis is 0, that of the samples"),
        ({"groups": 2, "axis": 2}, ValueError, "axis is 2, expected -2 to 1"),
        ({"groups": 2, "gamma": np.ones(2)}, ValueError, r"gamma has shape \(2,\), expected \(6,\) to match axis 1"),
        ({"groups": 2, "beta": np.ones((6, 1))}, ValueError, r"beta has shape \(6, 1\)"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=f"group_norm_forward: {message}"):
        fnn.group_norm_forward(np.ones((4, 6)), **options)


def test_caches_are_of_one_function():
    x = np.ones((2, 4, 3))
    _, cache = fnn.group_norm_forward(x, groups=2)
    with pytest.raises(TypeError, match="instance_norm_backward: cache is group_norm's"):
        fnn.instance_norm_backward(x, cache)
    with pytest.raises(ValueError, match=r"group_norm_backward: dy has shape \(4, 2, 3\), expected \(2, 4, 3\)"):
        fnn.group_norm_backward(x.reshape(4, 2, 3), cache)
