"""Parameters and gradients of every memory layout: the bits of contiguous ones, and nothing touched in between."""

import pickle
from functools import partial

import numpy as np
import pytest
from optim_objects import RULES, assert_equal, make, normal

import fastnn as fnn

SHAPE = (37, 45)
OPTIONS = {"clip_value": 1.0, "weight_decay": 0.1, "ema_decay": 0.5}
NORMS = {"clip_norm": 20.0, "clip_param_norm": 10.0}


class Marked(np.ndarray):
    """A subclass with nothing of its own."""


def unaligned(dtype):
    size = int(np.prod(SHAPE)) * np.dtype(dtype).itemsize
    return np.zeros(size + 1, np.uint8)[1:].view(dtype).reshape(SHAPE)


#: Each an array of SHAPE within memory that may have gaps.
LAYOUTS = {
    "C": lambda dtype: np.zeros(SHAPE, dtype),
    "F": lambda dtype: np.zeros(SHAPE, dtype, order="F"),
    "transposed": lambda dtype: np.zeros(SHAPE[::-1], dtype).T,
    "rows apart": lambda dtype: np.zeros((37, 50), dtype)[:, :45],
    "every third": lambda dtype: np.zeros((111, 90), dtype)[1::3, ::2],
    "reversed": lambda dtype: np.zeros(SHAPE, dtype)[::-1],
    "negative strides": lambda dtype: np.zeros((37, 90), dtype)[::-1, ::-2],
    "unaligned": unaligned,
    "subclass": lambda dtype: np.zeros(SHAPE, dtype).view(Marked),
    "field of records": lambda dtype: np.zeros(SHAPE, [("flag", "u1"), ("w", dtype)])["w"],
}


def start(dtype):
    return np.linspace(-1, 1, int(np.prod(SHAPE))).astype(dtype).reshape(SHAPE)


def filled(layout, values):
    """An array of that layout with these values."""
    result = LAYOUTS[layout](values.dtype)
    result[...] = values
    return result


def memory_of(array):
    """Every byte of what an array is a view of."""
    while array.base is not None:
        array = array.base
    return np.frombuffer(array.tobytes(), np.uint8)


def after_steps(rule, param, grads, **options):
    optimizer = make(rule, param, **OPTIONS, **options)
    for grad in grads:
        optimizer.step(grad)
    state = optimizer.state_dict()
    return [np.array(param), *(np.array(state[key]) for key in state)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_parameters_of_any_layout(layout, dtype):
    grads = normal(0, [start(dtype)] * 3)
    for rule in ("SGD", "Adam", "Rprop"):
        expected = after_steps(rule, start(dtype), grads)
        assert_equal(after_steps(rule, filled(layout, start(dtype)), grads), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_norms_over_any_layout(layout, dtype):
    grads = normal(0, [start(dtype)] * 3)
    for rule in ("SGD", "LAMB", "LARS"):
        expected = after_steps(rule, start(dtype), grads, **NORMS)
        actual = after_steps(rule, filled(layout, start(dtype)), grads, **NORMS)
        if layout in ("F", "transposed"):  # sums in the order of memory
            for one, other in zip(actual, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=0, atol=32 * np.finfo(dtype).eps * np.abs(other).max())
        else:
            assert_equal(actual, expected)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_updates_a_view_in_its_place(rule):
    grads = normal(0, [start("f4")] * 3)
    expected = after_steps(rule, start("f4"), grads)
    for layout in ("every third", "negative strides"):
        assert_equal(after_steps(rule, filled(layout, start("f4")), grads), expected)


@pytest.mark.parametrize("layout", ["rows apart", "every third", "negative strides", "field of records"])
def test_gaps_of_a_parameter_stay(layout):
    param = LAYOUTS[layout]("f4")
    before = memory_of(param)
    optimizer = fnn.optim.SGD(param, lr=1.0, momentum=0.9)
    optimizer.step(np.ones(SHAPE, "f4"))
    assert (param == -1).all()
    param[...] = 0
    np.testing.assert_array_equal(memory_of(param), before)


@pytest.mark.parametrize("layout", ["C", "F", "every third"])
def test_a_parameter_with_a_dtype_object_of_its_own(layout):
    grads = normal(0, [start("f4")] * 3)
    expected = after_steps("SGD", start("f4"), grads)
    own = np.dtype("f4", metadata={"unit": "m"})
    for given in (grads, [np.asfortranarray(grad) for grad in grads]):
        assert_equal(after_steps("SGD", filled(layout, start(own)), given), expected)


def test_interleaved_parameters_of_one_base():
    base = np.zeros((4, 10), "f4")
    params = [base[:, ::2], base[:, 1::2]]
    fnn.optim.SGD(params, lr=1.0).step([np.full((4, 5), 1.0, "f4"), np.full((4, 5), 2.0, "f4")])
    np.testing.assert_array_equal(base, np.tile([-1.0, -2.0], (4, 5)))


def test_what_the_user_writes_to_a_view_between_steps_counts():
    base = np.zeros((4, 6))
    optimizer = fnn.optim.SGD(base[::2, ::3], lr=1.0)
    optimizer.step(np.ones((2, 2)))
    base[...] = 5
    optimizer.step(np.ones((2, 2)))
    np.testing.assert_array_equal(base[::2, ::3], 4)
    assert np.count_nonzero(base == 5) == 20


def byte_swapped(grad):
    return grad.astype(grad.dtype.newbyteorder())


def read_only(grad):
    grad = grad.copy()
    grad.setflags(write=False)
    return grad


GRADIENTS = {
    **{layout: partial(filled, layout) for layout in LAYOUTS},
    "read-only": read_only,
    "byte-swapped": byte_swapped,
    "byte-swapped F": lambda grad: np.asfortranarray(byte_swapped(grad)),
    "list": lambda grad: grad.tolist(),
    "list of arrays": list,
    "unpickled": lambda grad: pickle.loads(pickle.dumps(grad)),  # has a dtype object of its own
    "unpickled F": lambda grad: pickle.loads(pickle.dumps(np.asfortranarray(grad))),
}


@pytest.mark.parametrize("kind", GRADIENTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("layout", ["C", "F", "every third"])
def test_gradients_of_any_layout(kind, dtype, layout):
    grads = normal(0, [start(dtype)] * 3)
    expected = after_steps("Adam", start(dtype), grads)
    given = [GRADIENTS[kind](grad) for grad in grads]
    assert_equal(after_steps("Adam", filled(layout, start(dtype)), given), expected)
    for one, grad in zip(given, grads, strict=True):
        np.testing.assert_array_equal(one, grad)


def test_a_broadcast_gradient_and_a_python_number():
    expected = after_steps("Adam", start("f4"), [np.full(SHAPE, 0.5, "f4")])
    assert_equal(after_steps("Adam", start("f4"), [np.broadcast_to(np.float32(0.5), SHAPE)]), expected)
    param = np.zeros((), "f4")
    fnn.optim.SGD(param, lr=1.0).step(2)
    assert param == -2


@pytest.mark.parametrize("kind", [*LAYOUTS, "byte-swapped"])
def test_zero_grads_clears_the_array_that_was_given(kind):
    for layout in ("C", "F"):
        param, grad = LAYOUTS[layout]("f4"), GRADIENTS[kind](np.ones(SHAPE, "f4"))
        other = np.ones(3)
        optimizer = fnn.optim.SGD([param, np.zeros(3)], lr=1.0, zero_grads=True)
        optimizer.step([grad, other])
        np.testing.assert_array_equal(param, -1)
        np.testing.assert_array_equal(grad, 0)
        np.testing.assert_array_equal(other, 0)
        assert not memory_of(grad).any()


def test_zero_grads_of_one_array_for_two_parameters():
    params, grad = [np.zeros(5), np.zeros(5)], np.ones(5)
    fnn.optim.SGD(params, lr=1.0, zero_grads=True).step([grad, grad])
    assert_equal(params, [np.full(5, -1.0)] * 2)
    np.testing.assert_array_equal(grad, 0)


def test_a_gradient_may_be_the_parameter():
    param = np.linspace(-1, 1, 5000)
    expected = param - 0.25 * param
    fnn.optim.SGD(param, lr=0.25).step(param)
    np.testing.assert_allclose(param, expected, rtol=1e-15)
