"""Errors come before any change and name what is wrong the way one would write it: params["layer1"]["W"]."""

import re

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided
from optim_objects import RULES, assert_unchanged, make, normal, snapshot

import fastnn as fnn
from fastnn.optim._hyperparameters import STEP_KEYWORDS, Choice, Flag, Number, Numbers


def read_only(array):
    array.setflags(write=False)
    return array


ONES, BASE, LIST = np.ones(3), np.zeros((6, 6)), [np.ones(2)]

#: params -> (error, message)
BAD_PARAMS = {
    "integers": (np.ones(2, "i8"), TypeError, "params has dtype int64, expected float32 or float64"),
    "float16": ({"W": np.ones(2, "f2")}, TypeError, 'params["W"] has dtype float16'),
    "complex": ([np.ones(2, complex)], TypeError, "params[0] has dtype complex128"),
    "longdouble": ([np.ones(2, np.longdouble)], TypeError, f"params[0] has dtype {np.dtype(np.longdouble)}"),
    "object": ((np.ones(2, object),), TypeError, "params[0] has dtype object"),
    "byte-swapped": ({"b": [np.ones(2, np.dtype("f4").newbyteorder())]}, TypeError, 'params["b"][0] has dtype'),
    "number": ({"layer1": {"W": 1.0}}, TypeError, 'params["layer1"]["W"] is a float, expected an array'),
    "NumPy number": ([np.float32(1)], TypeError, "params[0] is a float32"),
    "None": ({"a": ONES, 3: None}, TypeError, "params[3] is a NoneType"),
    "string": ("weights", TypeError, "params is a str"),
    "generator": ((array for array in LIST), TypeError, "params is a generator"),
    "list of numbers": ({"layer1": {"W": [1.0, 2.0]}}, TypeError, 'params["layer1"]["W"][0] is a float'),
    "read-only": ({"layer1": {"W": read_only(np.ones(2))}}, ValueError, 'params["layer1"]["W"] is read-only'),
    "twice": ({"a": ONES, "b": {"c": ONES}}, ValueError, 'params["a"] shares memory with params["b"]["c"]'),
    "list twice": ({"a": LIST, "b": LIST}, ValueError, 'params["a"][0] shares memory with params["b"][0]'),
    "view": ([ONES, np.ones(1), ONES[1:]], ValueError, "params[0] shares memory with params[2]"),
    "other dtype": ([ONES.view("f4"), ONES], ValueError, "params[0] shares memory with params[1]"),
    "transposed": ([BASE, BASE.T], ValueError, "params[0] shares memory with params[1]"),
    "crossing": ([BASE[:, ::2], BASE[::5]], ValueError, "params[0] shares memory with params[1]"),
    "contained": ([BASE[2:3, 3], BASE, np.ones(2)], ValueError, "params[0] shares memory with params[1]"),
    "one element": ([np.ones(1), BASE[0, :4], BASE[0, 3:]], ValueError, "params[1] shares memory with params[2]"),
    "half an element": ([BASE.ravel().view("u1")[4:20].view("f8"), BASE[0, :2]], ValueError, "shares memory"),
    "windows": (
        [np.ones(2), as_strided(np.zeros(8), (4, 3), (8, 8))],
        ValueError,
        "params[1] has elements that share memory",
    ),
    "half windows": (as_strided(np.zeros(8), (4,), (4,)), ValueError, "params has elements that share memory"),
    "negative windows": (
        as_strided(np.zeros(8)[::-1], (4, 3), (-8, -16)),
        ValueError,
        "params has elements that share memory",
    ),
    "broadcast": (as_strided(np.zeros(1), (3, 4), (0, 0)), ValueError, "params has elements that share memory"),
}


@pytest.mark.parametrize("kind", BAD_PARAMS)
def test_bad_parameters(kind):
    params, error, message = BAD_PARAMS[kind]
    with pytest.raises(error, match=f"^Adam: .*{re.escape(message)}"):
        fnn.optim.Adam(params)


@pytest.mark.parametrize(
    "params",
    [
        [BASE[:, ::2], BASE[:, 1::2]],
        [BASE[::2, ::2], BASE[1::2], BASE[::2, 1::2]],
        [BASE[:3], BASE[3:]],
        [BASE[::-1, 3:], BASE[:, 2::-1]],
        [BASE.T[:2], BASE[:, 2:]],
        [BASE[2:2], BASE],
        [as_strided(np.zeros(30), (3, 4), (80, 16))],
        [as_strided(np.zeros(30), (4, 3), (24, 64))],
        [as_strided(np.zeros(30), (1, 3), (0, 8))],
        [np.zeros(9).view([("a", "f4"), ("b", "f4")])["a"], np.zeros(4)],
    ],
)
def test_views_that_do_not_overlap_are_fine(params):
    params = [view[...] for view in params]
    expected = [view - 1 for view in params]
    fnn.optim.SGD(params, lr=1.0).step([np.ones(view.shape, view.dtype) for view in params])
    for view, values in zip(params, expected, strict=True):
        np.testing.assert_array_equal(view, values)
    for view in params:
        view[...] = 0


def test_a_group_shares_no_memory_with_those_before_it():
    first = {"W": np.ones(4)}
    optimizer = fnn.optim.SGD(first)
    with pytest.raises(ValueError, match=re.escape('SGD: params["W"] shares memory with params[1]["V"][0]')):
        optimizer.add_param_group({"V": [first["W"][2:]]})
    with pytest.raises(TypeError, match=re.escape('SGD: params[1]["x"] is a int')):
        optimizer.add_param_group({"x": 3})
    with pytest.raises(ValueError, match="SGD: lr is -1"):
        optimizer.add_param_group(np.ones(2), lr=-1)
    with pytest.raises(TypeError, match="cannot override 'clip_norm'"):
        optimizer.add_param_group(np.ones(2), clip_norm=1.0)
    with pytest.raises(TypeError, match="cannot override 'rate'"):
        optimizer.add_param_group(np.ones(2), rate=1.0)
    optimizer.step({"W": np.zeros(4)})  # the refused groups are not there
    optimizer.add_param_group([np.ones(2)])
    for grads in (np.ones(4), {"W": np.ones(4)}, [{"W": np.ones(4)}], [None, None, None]):
        with pytest.raises(ValueError, match="grads must be a list of 2, one structure per group"):
            optimizer.step(grads)
    with pytest.raises(ValueError, match=re.escape("grads[1][0] has shape (3,), expected (2,) to match params[1][0]")):
        optimizer.step([None, [np.ones(3)]])
    assert optimizer.step_count == 1


def model():
    return {"layer1": {"W": np.ones((2, 3), "f4"), "b": np.ones(3)}, "rest": [np.ones((4, 4))[::2], np.ones(())]}


def good():
    return {
        "layer1": {"W": np.ones((2, 3), "f4"), "b": np.ones(3)},
        "rest": [np.ones((2, 4)), np.ones(())],
    }


def with_layer(**entries):
    grads = good()
    grads["layer1"] |= entries
    return grads


W = 'grads["layer1"]["W"]'
BAD_GRADS = {
    "shape": (with_layer(W=np.ones((3, 2), "f4")), ValueError, f"{W} has shape (3, 2), expected (2, 3) to match"),
    "broadcastable": (with_layer(W=np.ones((1, 3), "f4")), ValueError, f"{W} has shape (1, 3)"),
    "more axes": (with_layer(b=np.ones((1, 3))), ValueError, 'grads["layer1"]["b"] has shape (1, 3), expected (3,)'),
    "number": (with_layer(b=1.0), ValueError, 'grads["layer1"]["b"] has shape (), expected (3,)'),
    "float64": (with_layer(W=np.ones((2, 3))), TypeError, f"{W} has dtype float64, expected float32 to match params"),
    "float32": (with_layer(b=np.ones(3, "f4")), TypeError, 'grads["layer1"]["b"] has dtype float32, expected float64'),
    "float16": (with_layer(W=np.ones((2, 3), "f2")), TypeError, f"{W} has dtype float16"),
    "swapped float64": (with_layer(W=np.ones((2, 3), ">f8")), TypeError, f"{W} has dtype >f8"),
    "integers": (with_layer(W=np.ones((2, 3), "i8")), TypeError, f"{W} has dtype int64"),
    "complex": (with_layer(W=np.ones((2, 3), complex)), TypeError, f"{W} has dtype complex128"),
    "list of bools": (with_layer(b=[True, False, True]), TypeError, 'grads["layer1"]["b"] has dtype bool'),
    "strings": (with_layer(b=["a", "b", "c"]), TypeError, 'grads["layer1"]["b"] has dtype <U1'),
    "ragged": (with_layer(W=[[1, 2, 3], [4]]), ValueError, W),
    "dict for an array": (with_layer(W={"x": 1}), TypeError, f"{W} has dtype object"),
    "last": ({**good(), "rest": [np.ones((2, 4)), np.ones(1)]}, ValueError, 'grads["rest"][1] has shape (1,)'),
    "strided": ({**good(), "rest": [np.ones((4, 4)), np.ones(())]}, ValueError, 'grads["rest"][0] has shape (4, 4)'),
    "missing key": ({"layer1": good()["layer1"]}, ValueError, "grads is 'layer1', expected a dict with keys 'layer1'"),
    "extra key": ({**good(), "x": None}, ValueError, "grads is 'layer1', 'rest', 'x', expected a dict with keys"),
    "missing inside": ({**good(), "layer1": {"W": None}}, ValueError, "grads[\"layer1\"] is 'W', expected a dict with"),
    "list for a dict": ([None, None], ValueError, "grads is a list, expected a dict with keys"),
    "array for a dict": (np.ones(3), ValueError, "grads is a ndarray, expected a dict"),
    "short list": ({**good(), "rest": [None]}, ValueError, 'grads["rest"] is 1 entries, expected a list of 2'),
    "long list": ({**good(), "rest": [None] * 3}, ValueError, 'grads["rest"] is 3 entries, expected a list of 2'),
    "dict for a list": ({**good(), "rest": {0: None, 1: None}}, ValueError, 'grads["rest"] is a dict, expected a list'),
}


@pytest.mark.parametrize("kind", BAD_GRADS)
@pytest.mark.parametrize("options", [{}, {"zero_grads": True, "clip_norm": 0.1, "skip_nonfinite": True}])
def test_bad_gradients(kind, options):
    grads, error, message = BAD_GRADS[kind]
    params = model()
    optimizer = fnn.optim.Adam(params, lr=0.1, ema_decay=0.5, **options)
    optimizer.step({**good(), "rest": None})
    before = snapshot(optimizer, params, optimizer.ema)
    if not options:
        with pytest.raises(error, match=f"^Adam: {re.escape(message)}"):
            optimizer.step(grads)
    else:
        with pytest.raises((ValueError, TypeError), match=r"^Adam: grads"):
            optimizer.step(grads)
    assert_unchanged(before, optimizer, params, optimizer.ema)


def test_zero_grads_needs_arrays_that_can_be_cleared():
    optimizer = fnn.optim.SGD({"W": np.ones(3)}, zero_grads=True)
    message = re.escape('SGD: grads["W"] is not a writable array, which zero_grads needs')
    for grad in ([1.0, 1.0, 1.0], read_only(np.ones(3)), np.broadcast_to(1.0, 3)):
        with pytest.raises(TypeError, match=message):
            optimizer.step({"W": grad})
    assert optimizer.step_count == 0


def resized(array):
    array.resize((3, 5), refcheck=False)


CHANGED = {
    "resized": (lambda: np.ones((2, 5)), resized),
    "grown": (lambda: np.ones(5), lambda array: array.resize(500_000, refcheck=False)),
    "read-only": (lambda: np.ones(5), read_only),
    "read-only view": (lambda: np.ones(10)[::2], read_only),
    "read-only subclass": (lambda: np.ones(5).view(np.matrix), read_only),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", CHANGED)
def test_a_parameter_that_is_not_what_it_was(kind):
    create, change = CHANGED[kind]
    params = {"a": np.ones(3), "layer1": {"W": create()}}
    optimizer = fnn.optim.SGD(params, lr=1.0, momentum=0.9)
    change(params["layer1"]["W"])
    before = snapshot(optimizer, params)
    with pytest.raises(ValueError, match=re.escape('SGD: params["layer1"]["W"] is not what it was')):
        optimizer.step({"a": np.ones(3), "layer1": {"W": np.ones(params["layer1"]["W"].shape)}})
    assert_unchanged(before, optimizer, params)


def bad_values(kind):
    """What a hyperparameter of this kind may not be."""
    values = [None, "x", float("nan"), float("inf"), -float("inf"), 1j, [0.5], True]
    if isinstance(kind, Number):
        values = values[1:] if kind.optional else values
        values += [kind.low - 0.25] if np.isfinite(kind.low) else []
        values += [kind.high + 0.25] if np.isfinite(kind.high) else []
        return values + ([kind.high] if kind.below else [])
    if isinstance(kind, Numbers):
        inside = list(kind.default)
        broken = [0.5, None, "xy", (), tuple(inside[:1]), (*inside, 0.5)]
        for k, entry in enumerate(kind.entries):
            broken += [(*inside[:k], value, *inside[k + 1 :]) for value in bad_values(entry)]
        return broken
    return [None, "x", float("nan"), 2, 1.0, lambda step: kind.default]  # only numbers may be schedules


def keywords_with_bad_values():
    for rule in RULES:
        kinds = getattr(fnn.optim, rule).kinds() | (STEP_KEYWORDS if rule == "SGD" else {})
        yield from ((rule, key, kind) for key, kind in kinds.items())


@pytest.mark.parametrize(("rule", "key", "kind"), list(keywords_with_bad_values()))
def test_values_out_of_range_for_every_keyword(rule, key, kind):
    assert isinstance(kind, Number | Numbers | Choice | Flag)
    param, optimizer = np.ones(3), make(rule, np.ones(3))
    for value in bad_values(kind):
        with pytest.raises((ValueError, TypeError), match=f"^{rule}: {key} is "):
            make(rule, param, **{key: value})
        if key not in STEP_KEYWORDS:
            with pytest.raises((ValueError, TypeError), match=f"^{rule}: {key} is "):
                optimizer.add_param_group(param, **{key: value})
        if isinstance(kind, Number | Numbers) and not isinstance(value, (tuple, list)):
            with pytest.raises((ValueError, TypeError), match=f"^{rule}: {key} is "):
                make(rule, param, **{key: lambda step, value=value: value})
    np.testing.assert_array_equal(param, 1)
    optimizer.step(np.zeros(3))  # no group has been added


@pytest.mark.parametrize("rule", RULES)
def test_unknown_and_doubled_keywords(rule):
    cls = getattr(fnn.optim, rule)
    with pytest.raises(TypeError, match=f"^{rule}: unknown keyword 'learning_rate', expected one of lr, "):
        cls(np.ones(2), learning_rate=0.1)
    with pytest.raises(TypeError, match=f"^{rule}: lr is given by position and by name"):
        cls(np.ones(2), 0.1, lr=0.1)
    with pytest.raises(TypeError, match=f"^{rule}: 21 arguments by position, expected [3-6] at most"):
        cls(np.ones(2), *[0.1] * 20)


def test_what_does_not_go_together():
    for options in ({}, {"momentum": 0.9, "dampening": 0.1}):
        with pytest.raises(ValueError, match="SGD: nesterov needs momentum > 0 and dampening = 0"):
            fnn.optim.SGD(np.ones(2), nesterov=True, **options)
    with pytest.raises(ValueError, match="LAMB: decoupled is 'after', expected one of True, False"):
        fnn.optim.LAMB(np.ones(2), decoupled="after")
    with pytest.raises(TypeError, match="Optimizer is a base class, not a rule"):
        fnn.optim.Optimizer(np.ones(2))


def test_lists_and_numbers_convert():
    params = {"W": np.zeros((2, 2), "f4"), "b": np.zeros(3), "s": np.zeros((), "f4")}
    fnn.optim.SGD(params, lr=1.0).step({"W": [[1, 2], [3.5, 4]], "b": (1, 2, 3), "s": 7})
    np.testing.assert_array_equal(params["W"], [[-1, -2], [-3.5, -4]])
    np.testing.assert_array_equal(params["b"], [-1, -2, -3])
    assert params["s"] == -7
    fnn.optim.SGD(params["b"], lr=1.0).step(normal(0, [np.ones(3)])[0].astype("f8").tolist())
