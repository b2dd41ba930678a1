"""Rules as functions on one array: layouts, common keywords and errors, for what the objects do not go through."""

import numpy as np
import pytest
from optim_cases import OPTIMS
from optim_objects import RULES, STATEFUL, assert_equal

import fastnn as fnn

SHAPE = (19, 21)
#: One class for each function.
FUNCTIONS = [rule for rule in RULES if rule != "AdamW"]


def values(seed, dtype="f4"):
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(dtype)


LAYOUTS = {
    "C": lambda array: array.copy(),
    "F": np.asfortranarray,
    "strided": lambda array: np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3],
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
}


def run(rule, layout, state_layout, grad_layout, dtype, **common):
    """Three steps; the parameter and its state."""
    case, hyper = OPTIMS[rule], {"lr": 0.01, **STATEFUL.get(rule, {})}
    param = LAYOUTS[layout](values(0, dtype))
    state = case.state(hyper, np.zeros(SHAPE, dtype))
    state = {
        key: LAYOUTS[state_layout](array) if array is not None and array.shape == SHAPE else array
        for key, array in state.items()
    }
    function = getattr(fnn.optim, f"{case.name}_update")
    for step in (1, 2, 3):
        grad = LAYOUTS[grad_layout](values(step, dtype))
        function(param, grad, **state, **case.per_step(step), **case.keywords(hyper, dtype), **common)
    return [param, *(array for array in state.values() if array is not None)]


@pytest.mark.parametrize("rule", FUNCTIONS)
def test_layouts_of_parameter_state_and_gradient(rule):
    for dtype in ("f4", "f8"):
        expected = run(rule, "C", "C", "C", dtype)
        for layouts in [("C", "F", "strided"), ("strided", "C", "F"), ("reversed", "strided", "reversed")]:
            assert_equal(run(rule, *layouts, dtype), expected)
        for one, other in zip(run(rule, "F", "strided", "C", dtype), expected, strict=True):
            # norms are sums in the order of memory
            np.testing.assert_allclose(one, other, rtol=0, atol=16 * np.finfo(dtype).eps * np.abs(other).max())


@pytest.mark.parametrize("rule", FUNCTIONS)
def test_common_keywords(rule):
    plain = run(rule, "C", "C", "C", "f8")
    both = {"grad_scale": -1.0, "maximize": True}
    assert_equal(run(rule, "C", "C", "C", "f8", **both), plain)
    assert_equal(run(rule, "C", "C", "C", "f8", clip_value=100.0, clip_param_norm=1e6, weight_decay=0.0), plain)
    limited = run(rule, "C", "C", "C", "f8", clip_value=0.1, clip_param_norm=0.5, weight_decay=0.1, l1=0.01)
    assert not np.array_equal(limited[0], plain[0])
    assert_equal(
        run(rule, "strided", "C", "F", "f8", clip_value=0.1, clip_param_norm=0.5, weight_decay=0.1, l1=0.01), limited
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_zero_grads_and_grad_scale(layout):
    for param_layout in LAYOUTS:
        param, grad = LAYOUTS[param_layout](np.zeros(SHAPE, "f4")), LAYOUTS[layout](np.ones(SHAPE, "f4"))
        fnn.optim.sgd_update(param, grad, None, lr=0.5, grad_scale=4.0)
        np.testing.assert_array_equal(param, -2)
        np.testing.assert_array_equal(grad, 1)
        fnn.optim.sgd_update(param, grad, None, lr=0.5, zero_grads=True)
        np.testing.assert_array_equal(param, -2.5)
        np.testing.assert_array_equal(grad, 0)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (70_001,)])
def test_shapes(shape):
    param, states = np.zeros(shape, "f4"), [np.zeros(shape, "f4") for _ in range(2)]
    fnn.optim.adam_update(param, np.ones(shape, "f4"), *states, 1, lr=0.5, eps=0.0)
    np.testing.assert_array_equal(param, np.full(shape, -0.5, "f4"))


def test_lists_and_numbers_convert():
    param = np.ones(3)
    fnn.optim.sgd_update(param, [1, 2, 3], None, lr=0.5)
    np.testing.assert_array_equal(param, [0.5, 0, -0.5])
    zero = np.zeros((), "f4")
    fnn.optim.sgd_update(zero, 2, None, lr=0.5)
    assert zero == -1


def read_only(array):
    array.setflags(write=False)
    return array


ONES = np.ones(3)
ERRORS = [
    ({"exp_avg": np.zeros(2)}, ValueError, r"exp_avg has shape \(2,\), expected \(3,\) to match param"),
    ({"exp_avg_sq": np.zeros((1, 3))}, ValueError, r"exp_avg_sq has shape \(1, 3\)"),
    ({"exp_avg": np.zeros(3, "f4")}, TypeError, "exp_avg has dtype float32, expected float64 to match param"),
    ({"exp_avg": [0.0] * 3}, TypeError, "exp_avg is a list, expected an array to update in place"),
    ({"exp_avg": None}, TypeError, "exp_avg"),
    ({"exp_avg_sq": read_only(np.zeros(3))}, ValueError, "exp_avg_sq is read-only"),
    ({"max_exp_avg_sq": np.zeros(4)}, ValueError, r"max_exp_avg_sq has shape \(4,\)"),
    ({"step": 0}, ValueError, "step is 0, expected 1 to"),
    ({"step": 10**400}, ValueError, "step is too large, expected 1 to"),
    ({"step": 1.0}, TypeError, "step is 1.0, expected an integer"),
    ({"lr": -1}, ValueError, "lr is -1"),
    ({"betas": (0.9, 1)}, ValueError, "betas is 1"),
    ({"eps_mode": "x"}, ValueError, "eps_mode is 'x'"),
    ({"weight_decay": -0.1}, ValueError, "weight_decay is -0.1"),
    ({"ema_decay": 0.1}, TypeError, "unknown keyword 'ema_decay'"),
    ({"grad_scale": "x"}, TypeError, "grad_scale is 'x'"),
    ({"param": [1.0] * 3}, TypeError, "param is list, expected an array of float32 or float64"),
    ({"param": np.ones(3, "i8")}, TypeError, "param is int64, expected an array of float32 or float64"),
    ({"param": read_only(np.ones(3))}, ValueError, "param is read-only"),
    ({"grad": np.ones(4)}, ValueError, r"grad has shape \(4,\), expected \(3,\) to match param"),
    ({"grad": np.ones(3, "f4")}, TypeError, "grad has dtype float32, expected float64 to match param"),
    ({"grad": [1.0] * 3, "zero_grads": True}, TypeError, "grad is not a writable array, which zero_grads needs"),
    ({"grad": None}, TypeError, "grad has dtype object"),
]


@pytest.mark.parametrize(("wrong", "error", "message"), ERRORS)
def test_errors_come_before_any_change(wrong, error, message):
    arguments = {"param": np.ones(3), "grad": np.ones(3), "exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3)}
    arguments |= {"step": 1, "lr": 0.1, **wrong}
    arrays = {key: value for key, value in arguments.items() if isinstance(value, np.ndarray)}
    before = {key: value.copy() for key, value in arrays.items()}
    with pytest.raises(error, match=f"^adam_update: {message}"):
        fnn.optim.adam_update(**arguments)
    for key, value in arrays.items():
        np.testing.assert_array_equal(value, before[key])


def test_a_momentum_needs_its_array():
    for function, states in ((fnn.optim.sgd_update, ()), (fnn.optim.rmsprop_update, (np.zeros(3),))):
        param = np.ones(3)
        with pytest.raises(TypeError, match=f"{function.__name__}: buf is None, expected an array like param"):
            function(param, np.ones(3), *states, **({"buf": None} if not states else {}), lr=0.1, momentum=0.9)
        np.testing.assert_array_equal(param, 1)


@pytest.mark.parametrize("rule", FUNCTIONS)
def test_every_state_array_is_needed(rule):
    case, hyper = OPTIMS[rule], {"lr": 0.01, **STATEFUL.get(rule, {})}
    state = case.state(hyper, np.zeros(SHAPE))
    function = getattr(fnn.optim, f"{case.name}_update")
    needed = [key for key, array in state.items() if array is not None and key not in ("max_exp_avg_sq", "grad_avg")]
    assert needed
    for key in needed:
        param = np.ones(SHAPE)
        with pytest.raises(TypeError, match=f"^{case.name}_update: {key} is "):
            function(param, np.ones(SHAPE), **{**state, key: None}, **case.per_step(1), **case.keywords(hyper, "f8"))
        np.testing.assert_array_equal(param, 1)


def test_nadam_at_a_step_that_no_training_reaches():
    param, grad = np.ones(3, "f4"), np.ones(3, "f4")
    fnn.optim.nadam_update(param, grad, np.zeros(3, "f4"), np.zeros(3, "f4"), 2**40, lr=2e-3)
    # its bias corrections are 1: mu is beta1, the momentum 0.1 and the root 0.0316
    np.testing.assert_allclose(param, 1 - 2e-3 * (0.1 * 1 + 0.9 * 0.1) / np.sqrt(1e-3), rtol=1e-4)
