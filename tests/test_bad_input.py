"""Bad input to the functions that are not plain ufuncs: an error that names argument, value and expectation."""

import numpy as np
import pytest

import fastnn as fnn

X = np.ones((4, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: fnn.prelu(X, np.ones(5)),
            ValueError,
            r"prelu: alpha has shape \(5,\), expected .*\(6,\).*axis 1 of x",
        ),
        (lambda: fnn.prelu(X, np.ones((2, 3))), ValueError, "prelu: alpha has shape"),
        (lambda: fnn.prelu(X, np.ones(4), axis=2), ValueError, "prelu: axis is 2"),
        (lambda: fnn.prelu(X, "steep"), TypeError, "prelu: alpha has dtype"),
        (lambda: fnn.prelu(X + 1j, 0.1), TypeError, "prelu: x has dtype complex64"),
        (lambda: fnn.prelu_backward(X[:2], X, 0.1), ValueError, "prelu_backward: dy has shape"),
        (lambda: fnn.rrelu(X, 0.5, 0.25), ValueError, "rrelu: lower is 0.5 and upper 0.25"),
        (lambda: fnn.rrelu(X, 0.125, 10**400), ValueError, "rrelu: upper is 1000"),
        (lambda: fnn.rrelu_forward(X, "a"), TypeError, "rrelu_forward: lower is 'a', expected a number"),
        (lambda: fnn.rrelu_forward(X, rng="seed"), TypeError, "rrelu_forward: rng is 'seed'"),
        (lambda: fnn.rrelu_backward(X, None), TypeError, "rrelu_backward: cache is of type NoneType"),
        (lambda: fnn.rrelu_backward(X[:1], fnn.rrelu_forward(X)[1]), ValueError, "rrelu_backward: dy has shape"),
        (lambda: fnn.maxout(X, 4), ValueError, "maxout: pieces is 4, expected a divisor of the 6 channels of axis 1"),
        (lambda: fnn.maxout(X, 0), ValueError, "maxout: pieces is 0"),
        (lambda: fnn.maxout(X, 2.0), TypeError, "maxout: pieces is 2.0"),
        (lambda: fnn.maxout(X, 2, axis=-3), ValueError, "maxout: axis is -3"),
        (lambda: fnn.maxout(np.float32(1), 1), ValueError, "maxout: axis is -1, but x is 0-d"),
        (lambda: fnn.maxout("x", 2), TypeError, "maxout: x has dtype"),
        (lambda: fnn.maxout_backward(X, X, 2), TypeError, "maxout_backward: winner has dtype float32"),
        (lambda: fnn.maxout_backward(X, np.ones((4, 5), int), 2), ValueError, "maxout_backward: winner has shape"),
        (
            lambda: fnn.maxout_backward(X, np.full((4, 6), 2), 2),
            ValueError,
            "maxout_backward: winner has values outside",
        ),
        (lambda: fnn.bias_activation(X, np.ones(4)), ValueError, "bias_activation: bias has shape"),
        (lambda: fnn.bias_activation(X, np.ones(6), "rule"), ValueError, "unknown name 'rule', expected one of .*relu"),
        (lambda: fnn.bias_activation(X, np.ones(6), 3), TypeError, "not an activation function"),
        (lambda: fnn.bias_activation(X, np.ones(6), ("elu", 1, 2)), ValueError, "tuple of length 3"),
        (lambda: fnn.bias_activation(X, np.ones(6), axis=2), ValueError, "bias_activation: axis is 2"),
        (lambda: fnn.bias_activation(X, np.ones(6), out=np.ones(3, "f4")), ValueError, "broadcast"),
        (
            lambda: fnn.bias_activation_backward(X[0], X, np.ones(6)),
            ValueError,
            "bias_activation_backward: dy has shape",
        ),
        (lambda: fnn.activation("swoosh"), ValueError, "unknown name 'swoosh', expected one of .*sigmoid"),
        (lambda: fnn.activation([1]), TypeError, "not an activation function"),
        (lambda: fnn.activation(("elu",)), ValueError, "tuple of length 1"),
    ],
)
def test_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_errors_come_before_writes():
    out = np.full((4, 6), np.nan, np.float32)
    for call in (
        lambda: fnn.bias_activation(X, np.ones(5), out=out),
        lambda: fnn.prelu(X, np.ones(5), out=out),
        lambda: fnn.relu(X + 1j, out=out),
        lambda: fnn.relu(X[:, :5], out=out),
        lambda: fnn.elu(X, np.ones(5), out=out),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()
    assert np.isnan(out).all()


def test_unknown_attribute():
    with pytest.raises(AttributeError, match="module 'fastnn' has no attribute 'swoosh'"):
        _ = fnn.swoosh
    assert not hasattr(fnn, "_private")
    assert {"relu", "relu_backward", "vmath", "elementwise", "batch_norm_forward"} <= set(dir(fnn))
