"""Penalties on weights against the reference, and where their gradient goes."""

import doctest
import inspect

import numpy as np
import pytest
from cases import Ulps, values
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from test_elementwise_losses import LAYOUTS, laid_out
from test_reference import assert_gradients
from ulps import assert_within, same_bits

import fastnn as fnn
from fastnn import losses, reference

INF, NAN = np.inf, np.nan
ULPS = Ulps(0.51, 1.01, 1.01)
#: name -> strengths
STRENGTHS = {"l1_penalty": [(0.5,), (0.3,), (0.0,)], "l2_penalty": [(1.0,), (0.7,), (0.0,)]}
STRENGTHS["elastic_net_penalty"] = [(0.5, 0.25), (0.0, 2.0), (0.3, 0.1)]
PENALTIES = [(name, strengths) for name, many in STRENGTHS.items() for strengths in many]

every_penalty = pytest.mark.parametrize(("name", "strengths"), PENALTIES)
every_name = pytest.mark.parametrize("name", STRENGTHS)
every_dtype = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])


def both(name):
    return getattr(fnn, name), getattr(reference, name)


def in_single(strengths, dtype):
    """What a strength is in the gradient of float32 weights."""
    return strengths if dtype == np.float64 else tuple(float(np.float32(s)) for s in strengths)


def weights(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return np.asarray((rng.standard_normal(shape) * rng.integers(0, 2, shape)).astype(dtype))


def assert_sum(actual, expected, dtype):
    assert_within(np.asarray(actual, dtype), expected, 1.0, 64 * np.finfo(float).eps * abs(expected))


@every_penalty
@given(
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20),
    st.integers(0, 1000),
    st.sampled_from(["f2", "f4", "f8"]),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS[:-1]),
    st.sampled_from([None, "f2", "f4", "f8"]),
)
def test_as_reference(name, strengths, shape, seed, dtype, layout, into_layout, into_dtype):
    f, exact = both(name)
    w, dtype = weights(shape, dtype, seed), np.dtype(dtype)
    penalty, grad = f(laid_out(w, layout), *strengths)
    expected, expected_grad = exact(w, *in_single(strengths, dtype))
    assert penalty.dtype == grad.dtype == dtype
    assert_sum(penalty, exact(w, *strengths)[0], dtype)
    assert_within(grad, expected_grad, ULPS.of(dtype), inputs=(w,))
    if into_dtype is None or into_layout == "swapped":
        return
    before = weights(shape, into_dtype, seed + 1)
    into = laid_out(before.copy(), into_layout)
    again, result = f(w, *strengths, accumulate_into=into)
    assert result is into
    assert same_bits(again, penalty)
    coarser = max(float(np.finfo(a).eps) for a in (dtype, into_dtype))
    magnitude = np.abs(before.astype(float)) + np.abs(expected_grad)
    assert (np.abs(into - (before.astype(float) + expected_grad)) <= coarser * magnitude).all()
    assert expected == pytest.approx(exact(w, *strengths)[0], rel=1e-6)


@every_penalty
@every_dtype
@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000, 5000, 70_000])
def test_lengths(name, strengths, dtype, length):
    f, exact = both(name)
    w, into = weights(length, dtype), weights(length, dtype, 1)
    expected = into.astype(float) + exact(w, *in_single(strengths, dtype))[1]
    penalty, result = f(w, *strengths, into)
    assert result is into
    with np.errstate(over="ignore"):
        assert_sum(penalty, exact(w, *strengths)[0], dtype)
    assert_within(result, expected, 1.01, 2 * np.finfo(dtype).eps)


@every_penalty
@every_dtype
def test_every_exponent(name, strengths, dtype):
    f, exact = both(name)
    x = values(dtype, 32)
    with np.errstate(all="raise", under="ignore"):
        grad = f(x, *strengths)[1]
    assert_within(grad, exact(x, *in_single(strengths, dtype))[1], ULPS.of(dtype), inputs=(x,))


@every_penalty
def test_gradients_are_the_derivatives(name, strengths, rng):
    w = 0.01 + rng.random((3, 4)) * rng.choice([-1, 1], (3, 4))
    w += np.sign(w) * 0.02
    f = getattr(fnn, name)
    assert_gradients(lambda: f(w, *strengths)[0], [(f(w, *strengths)[1], w)])


@every_name
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(name, dtype):
    f, strengths = getattr(fnn, name), STRENGTHS[name][0]
    w, into = weights(200_003, dtype), weights(200_003, dtype, 1)
    with fnn.threads(1):
        expected = *f(w, *strengths), f(w, *strengths, into.copy())[1]
    actual = *f(w, *strengths), f(w, *strengths, into.copy())[1]
    for a, b in zip(actual, expected, strict=True):
        assert same_bits(a, b)


@every_name
def test_a_gradient_that_overlaps_the_weights(name):
    """The result is as if it did not."""
    f, strengths = getattr(fnn, name), STRENGTHS[name][0]
    memory = weights(3001, np.float64)
    for w, into in ((memory[1:], memory[:-1]), (memory[:-1], memory[1:]), (memory, memory[::-1]), (memory, memory)):
        start = memory.copy()
        expected = into + f(w.copy(), *strengths)[1]
        f(w, *strengths, accumulate_into=into)
        np.testing.assert_allclose(into, expected, rtol=1e-15, atol=1e-16)
        memory[:] = start


@every_name
def test_types_scalars_and_nothing(name):
    f, strengths = getattr(fnn, name), STRENGTHS[name][0]
    w = weights((2, 3), np.float32)
    before = w.copy()
    penalty, grad = f(w, *strengths)
    assert type(penalty) is np.float32
    assert (grad.dtype, grad.shape) == (np.float32, (2, 3))
    assert same_bits(w, before)
    assert [type(a) for a in f(2, *strengths)] == [np.float64] * 2
    into = np.array(1.0)
    assert f(2.0, *strengths, into)[1] is into
    assert into == 1 + f(2.0, *strengths)[1]
    penalty, grad = f(np.zeros((0, 3)), *strengths)
    assert penalty == 0
    assert grad.shape == (0, 3)
    assert [a.dtype for a in f([True, False], *strengths)] == [np.float64] * 2


@every_name
def test_infinity_and_nan(name):
    f, strengths = getattr(fnn, name), STRENGTHS[name][0]
    with np.errstate(all="raise"):
        penalty, grad = f(np.array([-INF, 1.0]), *strengths)
        assert penalty == INF
        assert grad[0] == (-strengths[0] if name == "l1_penalty" else -INF)
        penalty, grad = f(np.array([NAN, 1.0]), *strengths)
        assert np.isnan(penalty)
        assert np.isnan(grad).tolist() == [True, False]
        assert np.isinf(f(np.full(10, 3e4, np.float16), *strengths)[0])


def test_known_values():
    """Worked out by hand."""
    w = [3.0, -4.0, 0.0]
    for (penalty, grad), (exact, exact_grad) in (
        (fnn.l1_penalty(w, 0.5), (3.5, [0.5, -0.5, 0])),
        (fnn.l2_penalty(w, 0.5), (6.25, [1.5, -2, 0])),
        (fnn.elastic_net_penalty(w, 0.5, 0.25), (6.625, [1.25, -1.5, 0])),
    ):
        assert penalty == exact
        np.testing.assert_array_equal(grad, exact_grad)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"w": ["a"]}, TypeError, "w has dtype <U1"),
        ({"w": [1j, 2]}, TypeError, "w has dtype complex128"),
        ({"accumulate_into": [0.0, 0.0]}, TypeError, "accumulate_into is a list"),
        ({"accumulate_into": np.zeros(3)}, ValueError, r"accumulate_into has shape \(3,\), expected \(2,\) as w"),
        ({"accumulate_into": np.zeros(2, int)}, TypeError, "accumulate_into has dtype int64"),
        ({"accumulate_into": laid_out(np.zeros(2), "read-only")}, ValueError, "accumulate_into is read-only"),
    ],
)
@every_name
def test_errors(name, change, error, message):
    into = np.zeros(2)
    arguments = {"w": np.ones(2), "accumulate_into": into, **change}
    with pytest.raises(error, match=f"{name}: {message}"):
        getattr(fnn, name)(arguments["w"], *STRENGTHS[name][0], accumulate_into=arguments["accumulate_into"])
    np.testing.assert_array_equal(into, 0)


@every_name
@pytest.mark.parametrize(
    ("value", "error"), [(-1.0, ValueError), (NAN, ValueError), (INF, ValueError), ("1", TypeError)]
)
def test_strengths_are_checked_before_anything_is_written(name, value, error):
    into = np.zeros(2)
    count = len(STRENGTHS[name][0])
    for k in range(count):
        strengths = [value if j == k else 1.0 for j in range(count)]
        with pytest.raises(error, match=f"{name}: "):
            getattr(fnn, name)(np.ones(2), *strengths, into)
    np.testing.assert_array_equal(into, 0)


@every_name
def test_signatures_and_docstrings(name):
    f, exact = both(name)
    assert getattr(losses, name) is f
    assert name in losses.__all__
    assert inspect.signature(f).parameters.keys() == inspect.signature(exact).parameters.keys()
    results = doctest.DocTestRunner()
    for example in doctest.DocTestFinder(recurse=False).find(f, name):
        results.run(example)
    assert results.failures == 0
    assert results.tries > 1
