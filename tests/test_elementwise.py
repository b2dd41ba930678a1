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


def test_derivative_from_the_output():
    @fnn.elementwise(derivative_from_output=lambda y, k: k * y * (1 - y))
    def logistic(x, k=1.0):
        return vmath.sigmoid(k * x)

    y = np.array(X)
    f, backward = fnn.activation(logistic, from_output=True)
    assert f(y, out=y) is y
    expected = fnn.sigmoid_backward(2.0, X)
    np.testing.assert_allclose(backward(2.0, y), expected, rtol=1e-13)
    np.testing.assert_allclose(fnn.activation(logistic)[1](2.0, X), expected, rtol=1e-13)  # from the input, by f itself
    np.testing.assert_allclose(fnn.activation(logistic)[1](2.0, X, 0.5), fnn.sigmoid_backward(1.0, X / 2), rtol=1e-13)
    out, _ = fnn.batch_norm_forward(X.reshape(-1, 1), None, None, activation=logistic)
    assert out.min() > 0
    assert out.max() < 1


def test_both_derivatives_are_their_own():
    f = fnn.elementwise(lambda x: 2 * x, lambda x: 3.0, name="f", derivative_from_output=lambda y: 4.0)
    assert fnn.activation(f)[1](1.0, 1.0) == 3
    assert fnn.activation(f, from_output=True)[1](1.0, 1.0) == 4
    with pytest.raises(TypeError, match="not an activation function with a derivative from its output"):
        fnn.activation(snake, from_output=True)


def test_builtin_activations_from_their_output():
    assert fnn.activation("relu", from_output=True) == (fnn.relu, fnn.relu_backward_from_output)
    assert fnn.activation(fnn.elu, from_output=True) == (fnn.elu, fnn.elu_backward_from_output)
    y = fnn.elu(X, 0.5)
    np.testing.assert_array_equal(
        fnn.activation(("elu", 0.5), from_output=True)[1](1.0, y), fnn.elu_backward_from_output(1.0, y, 0.5)
    )
    with pytest.raises(TypeError, match="derivative from its output"):
        fnn.activation("gelu", from_output=True)


COEFFICIENTS = (0.5, -0.25, 2.0)


class Settings:
    slope = 0.1


def polynomial(x):
    result = 0.0
    for c in COEFFICIENTS:
        result = result * x + c
    return result


def from_everywhere(x):
    return polynomial(x) + x * fnn.sigmoid(x) + fnn.elu(x) + cube(x) + Settings.slope * np.pi * np.sqrt(abs(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_a_formula_may_refer_to(dtype):
    x = X.astype(dtype)
    y = fnn.elementwise(from_everywhere)(x)
    z = x.astype(float)
    expected = 0.5 * z**2 - 0.25 * z + 2 + z * fnn.sigmoid(z) + fnn.elu(z) + z**3 + 0.1 * np.pi * np.sqrt(abs(z))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)


def test_names_that_are_taken_elsewhere():
    def relu(x):
        return max(x, 1.0)

    def exp(x):  # calls an attribute of its own name
        return vmath.exp(x)

    assert (fnn.elementwise(relu)(-1.0), fnn.relu(-1.0)) == (1, 0)
    assert fnn.elementwise(exp)(np.float32(0)) == 1
    shadowing = fnn.elementwise(lambda x, general=2.0, bias=3.0, product=1.0: x * general + bias, lambda x, a, b, c: a)
    assert (shadowing(1.0), shadowing(1.0, 5.0)) == (5, 8)
    np.testing.assert_array_equal(fnn.bias_activation(np.ones((2, 3)), np.zeros(3), shadowing), np.full((2, 3), 5.0))
    np.testing.assert_array_equal(
        fnn.layer_norm_forward(np.zeros((2, 3)), activation=shadowing)[0], np.full((2, 3), 3.0)
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_large_arrays_in_place_and_on_all_threads_have_the_same_bits(dtype):
    x = np.random.default_rng(0).standard_normal(300_001).astype(dtype)
    with fnn.threads(1):
        expected = snake(x)
    np.testing.assert_array_equal(snake(x), expected)
    y = x.copy()
    np.testing.assert_array_equal(snake(y, out=y), expected)
    np.testing.assert_array_equal(snake(x[::3]), expected[::3])
    kept = np.zeros_like(x)
    np.testing.assert_array_equal(snake(x, out=kept, where=x > 0), np.where(x > 0, expected, 0))
