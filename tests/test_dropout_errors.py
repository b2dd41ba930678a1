"""The dropouts: what is refused, before anything happens, and the examples of the docstrings."""

import doctest

import numpy as np
import pytest
from test_dropout import NAMES, backward, forward

import fastnn as fnn
from fastnn.dropout import channels, elements


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"p": 1.5}, ValueError, "p is 1.5, expected a number from 0 to 1"),
        ({"p": -0.1}, ValueError, "p is -0.1"),
        ({"p": np.nan}, ValueError, "p is nan"),
        ({"p": "half"}, TypeError, "p is 'half'"),
        ({"rng": -1}, ValueError, "rng is -1"),
        ({"rng": 1.0}, TypeError, "rng is 1.0"),
        ({"rng": True}, TypeError, "rng is True"),
        ({"rng": np.random}, TypeError, "rng is"),
        ({"x": "abc"}, TypeError, "x has dtype"),
        ({"x": np.ones((2, 3), complex)}, TypeError, "x has dtype complex128"),
        ({"out": np.zeros(4)}, ValueError, r"out has shape \(4,\), expected \(2, 3\)"),
        ({"out": np.zeros((2, 3), int)}, TypeError, "out has dtype"),
        ({"out": [0.0] * 3}, TypeError, "out is a list"),
    ],
)
def test_errors_before_anything_happens(name, change, error, message):
    generator, out = np.random.default_rng(0), np.full((2, 3), 7.0)
    state = generator.bit_generator.state
    with pytest.raises(error, match=f"{name}_forward: {message}"):
        forward(name, **{"x": np.ones((2, 3)), "rng": generator, "out": out, **change})
    assert generator.bit_generator.state == state
    assert (out == 7).all()


def test_errors_of_single_functions():
    with pytest.raises(ValueError, match="gaussian_dropout_forward: p is 1, expected a number from 0 to less than 1"):
        fnn.gaussian_dropout_forward(np.ones(3), 1)
    with pytest.raises(ValueError, match="spatial_dropout_forward: axis is 3, expected -2 to 1"):
        fnn.spatial_dropout_forward(np.ones((2, 3)), axis=3)
    with pytest.raises(TypeError, match=r"spatial_dropout_forward: axis is 1\.0, expected an integer"):
        fnn.spatial_dropout_forward(np.ones((2, 3)), axis=1.0)
    with pytest.raises(ValueError, match="spatial_dropout_forward: axis is 1, but x is 0-d"):
        fnn.spatial_dropout_forward(1.0)


@pytest.mark.parametrize("name", NAMES)
def test_backward_checks_its_arguments(name):
    _, cache = forward(name, np.ones((3, 2)))
    out = np.full((3, 2), 7.0)
    with pytest.raises(ValueError, match=rf"{name}_backward: dy has shape \(4,\), expected \(3, 2\) as x had"):
        backward(name, np.ones(4), cache, out=out)
    with pytest.raises(TypeError, match=f"{name}_backward: cache is a ndarray, expected what {name}_forward returned"):
        backward(name, np.ones((3, 2)), np.ones(3), out=out)
    other = NAMES[NAMES.index(name) - 1]
    with pytest.raises(TypeError, match=f"{name}_backward: cache is that of {other}_forward, expected"):
        backward(name, np.ones((3, 2)), forward(other, np.ones((3, 2)))[1], out=out)
    with pytest.raises(TypeError, match="dropout_mask: cache is a tuple"):
        fnn.dropout_mask(tuple(cache))
    assert (out == 7).all()


@pytest.mark.parametrize("module", [elements, channels])
def test_examples(module):
    failed, tried = doctest.testmod(module)
    assert tried > 5
    assert not failed
