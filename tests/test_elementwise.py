"""`fastnn.elementwise`: users' own formulas."""

import pickle

import numpy as np
import pytest

import fastnn as fnn
from fastnn import vmath


def _snake_derivative(x, a=1.0):
    return 1 + vmath.sin(2 * a * x)


@fnn.elementwise(derivative=_snake_derivative)
def snake(x, a=1.0):
    """x + sin(a x)^2 / a"""
    s = vmath.sin(a * x)
    return x + s * s / a


@fnn.elementwise
def cube(x):
    """x^3"""
    return x**3


blend = fnn.elementwise(lambda x, y, t: x + t * (y - x), name="blend")

X = np.linspace(-4, 4, 1001)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_and_dtype(dtype):
    x = X.astype(dtype)
    assert isinstance(cube, np.ufunc)
    assert cube(x).dtype == dtype
    np.testing.assert_allclose(cube(x), x.astype(float) ** 3, rtol=2 * np.finfo(dtype).eps, atol=1e-7)
    assert snake(x).dtype == dtype
    expected = x.astype(float) + np.sin(0.5 * x.astype(float)) ** 2 / 0.5
    np.testing.assert_allclose(snake(x, 0.5), expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(snake(x), snake(x, 1.0))


def test_several_operands_broadcast():
    assert isinstance(blend, np.ufunc)
    assert blend.nin == 3
    x, y, t = X, X[::-1], np.linspace(0, 1, X.size)
    np.testing.assert_allclose(blend(x, y, 0.25), x + 0.25 * (y - x), atol=1e-15)
    np.testing.assert_allclose(blend(x, y, t), x + t * (y - x), atol=1e-15)
    np.testing.assert_allclose(blend(x[:, None], y[:7], 0.5), (x[:, None] + y[:7]) / 2, atol=1e-15)


def test_parameters_may_be_arrays():
    a = np.linspace(0.5, 2, X.size)
    expected = [float(snake(x, float(b))) for x, b in zip(X, a, strict=True)]
    np.testing.assert_array_equal(snake(X, a), expected)


def test_derivative():
    forward, backward = fnn.activation(snake)
    assert forward is snake
    np.testing.assert_allclose(backward(2.0, X), 2 * (1 + np.sin(2 * X)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(backward(2.0, X, 0.5), 2 * (1 + np.sin(X)), rtol=1e-12, atol=1e-12)
    with pytest.raises(TypeError, match="not an activation function with a derivative"):
        fnn.activation(cube)


def test_zero_derivative_blocks():
    step = fnn.elementwise(lambda x: max(x, 0.0), lambda x: 1.0 if x > 0.0 else 0.0, name="step")
    backward = fnn.activation(step)[1]
    np.testing.assert_array_equal(backward([np.inf, np.nan, 3.0], [-1.0, -1.0, 1.0]), [0, 0, 3])


def test_as_fused_activation():
    x, bias = np.random.default_rng(0).standard_normal((50, 7)), np.arange(7.0)
    np.testing.assert_allclose(fnn.bias_activation(x, bias, snake), snake(x + bias), rtol=1e-14)
    np.testing.assert_allclose(fnn.bias_activation(x, bias, (snake, 0.5)), snake(x + bias, 0.5), rtol=1e-14)


def test_pickles_by_name():
    for f in (cube, snake):
        assert pickle.loads(pickle.dumps(f)) is f


def test_errors():
    with pytest.raises(TypeError, match=r"(?s)bad_attribute cannot be compiled.*return x\.nothing"):

        @fnn.elementwise
        def bad_attribute(x):
            return x.nothing

    for f in (np.tanh, 3, "relu"):
        with pytest.raises(TypeError, match="expected a Python function"):
            fnn.elementwise(f)
    with pytest.raises(TypeError, match="expected a Python function"):
        fnn.elementwise(lambda x: x, derivative=3)


def test_docstring_and_globals_are_part_of_it():
    assert "x^3" in cube.__doc__
    results = []
    for scale in (2.0, 3.0):  # the same code, another closure: another kernel
        results.append(float(fnn.elementwise(lambda x, scale=scale: scale * x, name="scaled")(1.0)))
    assert results == [2.0, 3.0]

    def make(scale):
        return fnn.elementwise(lambda x: scale * x, name="closed")

    assert [float(make(s)(1.0)) for s in (2.0, 3.0)] == [2.0, 3.0]


def double_backward():
    """The user's own function of that name."""


def test_the_users_names_are_left_alone():
    mine = double_backward
    made = fnn.elementwise(lambda x: 2 * x, lambda x: 2.0, name="double")
    assert double_backward is mine
    assert fnn.activation(made)[1](3.0, 1.0) == 6


def test_formula_without_a_module():
    scope = {"__name__": "nowhere"}
    exec("def scaled(x, a=3.0):\n    return a * x\ndef slope(x, a=3.0):\n    return a", scope)  # noqa: S102
    made = fnn.elementwise(scope["scaled"], scope["slope"])
    assert (made(2.0), made(2.0, 0.5), fnn.activation(made)[1](2.0, 1.0)) == (6, 1, 6)
