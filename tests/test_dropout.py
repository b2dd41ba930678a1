"""Dropout: the mask's statistics, its regeneration, the edges of p."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import fastnn as fnn
from fastnn import reference


@given(
    array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7),
    st.floats(0, 1),
    st.integers(0, 2**40),
    st.sampled_from(["f2", "f4", "f8"]),
)
def test_forward_and_backward_equal_the_reference_of_the_mask(shape, p, seed, dtype):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)
    y, cache = fnn.dropout_forward(x, p, rng=seed)
    mask = fnn.dropout_mask(cache)
    assert (mask.dtype, mask.shape, y.dtype) == (np.dtype(bool), shape, np.dtype(dtype))
    expected, expected_cache = reference.dropout_forward(x, p, mask=mask)
    with np.errstate(over="ignore"):
        expected = expected.astype(dtype)
        gradient = reference.dropout_backward(dy, expected_cache).astype(dtype)
    np.testing.assert_allclose(y, expected, rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(fnn.dropout_backward(dy, cache), gradient, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("p", [0.03, 0.25, 0.5, 0.9])
def test_the_share_dropped_is_p_and_elements_are_independent(p):
    n = 400_000
    kept = fnn.dropout_mask(fnn.dropout_forward(np.ones(n, "f4"), p, rng=1)[1]).astype(float)
    deviation = np.sqrt(p * (1 - p) / n)
    assert abs(kept.mean() - (1 - p)) < 4 * deviation
    for lag in (1, 2, 3, 4, 8, 64, 256):
        correlation = np.mean((kept[lag:] - (1 - p)) * (kept[:-lag] - (1 - p))) / (p * (1 - p))
        assert abs(correlation) < 4.5 / np.sqrt(n - lag)


def test_the_same_seed_gives_the_same_mask_and_a_generator_moves_on():
    x = np.ones(1000, "f4")
    first, second = fnn.dropout_forward(x, rng=5)[0], fnn.dropout_forward(x, rng=np.int32(5))[0]
    np.testing.assert_array_equal(first, second)
    assert (first != fnn.dropout_forward(x, rng=6)[0]).any()
    generator = np.random.default_rng(5)
    np.testing.assert_array_equal(first, fnn.dropout_forward(x, rng=generator)[0])
    assert (first != fnn.dropout_forward(x, rng=generator)[0]).any()
    assert (fnn.dropout_forward(x)[0] != fnn.dropout_forward(x)[0]).any()


def test_element_i_depends_on_the_seed_and_i_alone():
    long = fnn.dropout_mask(fnn.dropout_forward(np.ones(1001, "f8"), 0.4, rng=3)[1])
    short = fnn.dropout_mask(fnn.dropout_forward(np.ones((7, 11), "f4"), 0.4, rng=3)[1])
    np.testing.assert_array_equal(short.ravel(), long[:77])
    transposed = fnn.dropout_mask(fnn.dropout_forward(np.ones((11, 7), "f4").T, 0.4, rng=3)[1])
    np.testing.assert_array_equal(short, transposed)


def test_the_edges_of_p():
    x = np.array([1.0, -2.0, np.nan, np.inf])
    y, cache = fnn.dropout_forward(x, 0)
    np.testing.assert_array_equal(y, x)
    with np.errstate(all="raise"):
        y, cache = fnn.dropout_forward(x, 1)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_array_equal(fnn.dropout_backward(x, cache), 0)
    assert not fnn.dropout_mask(cache).any()


def test_out_in_place_and_the_input_kept():
    x = np.random.default_rng(0).standard_normal((5, 6)).astype("f4")
    before = x.copy()
    expected, _ = fnn.dropout_forward(x, 0.5, rng=0)
    np.testing.assert_array_equal(x, before)
    y, cache = fnn.dropout_forward(x, 0.5, rng=0, out=x)
    assert y is x
    np.testing.assert_array_equal(x, expected)
    reversed_view = before.copy()
    fnn.dropout_forward(reversed_view, 0.5, rng=0, out=reversed_view[::-1])
    np.testing.assert_array_equal(reversed_view[::-1], expected)
    assert fnn.dropout_backward(before, cache, out=(before,)) is before
    np.testing.assert_array_equal(before, expected)


def test_scalars_integers_and_a_small_cache():
    y, cache = fnn.dropout_forward(3, 0)
    assert isinstance(y, np.float64)
    assert y == 3
    assert len(pickle.dumps(fnn.dropout_forward(np.ones(100_000))[1])) < 500
    assert pickle.loads(pickle.dumps(cache)) == cache


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"p": 1.5}, ValueError, "dropout_forward: p is 1.5, expected a number from 0 to 1"),
        ({"p": -0.1}, ValueError, "p is -0.1"),
        ({"p": np.nan}, ValueError, "p is nan"),
        ({"p": "half"}, TypeError, "p is 'half'"),
        ({"rng": -1}, ValueError, "rng is -1"),
        ({"rng": 1.0}, TypeError, "rng is 1.0"),
        ({"rng": np.random}, TypeError, "rng is"),
        ({"x": "abc"}, TypeError, "x has dtype"),
        ({"out": np.zeros(4)}, ValueError, "out has shape"),
        ({"out": np.zeros(3, int)}, TypeError, "out has dtype"),
        ({"out": [0.0] * 3}, TypeError, "out is a list"),
    ],
)
def test_errors_before_the_generator_moves(change, error, message):
    generator = np.random.default_rng(0)
    state = generator.bit_generator.state
    with pytest.raises(error, match=message):
        fnn.dropout_forward(**{"x": np.ones(3), "rng": generator, **change})
    assert generator.bit_generator.state == state


def test_backward_checks_its_arguments():
    _, cache = fnn.dropout_forward(np.ones(3))
    with pytest.raises(ValueError, match=r"dy has shape \(4,\), expected \(3,\)"):
        fnn.dropout_backward(np.ones(4), cache)
    with pytest.raises(TypeError, match="cache is a ndarray"):
        fnn.dropout_mask(np.ones(3))
