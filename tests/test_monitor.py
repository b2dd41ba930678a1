"""Dead and saturated units, update ratios, and what stops a run."""

import math

import numpy as np
import pytest

import fastnn as fnn
from fastnn import monitor

# --- units and updates -----------------------------------------------------------------------------------------------


def test_dead_fraction():
    y = np.array([[0.0, 1.0, -2.0, np.nan], [0.0, 0.0, -0.5, 0.0], [-0.0, 0.0, 0.0, 0.0]])
    assert monitor.dead_fraction(y) == 0.75
    assert monitor.dead_fraction(y.T, axis=-1) == 0.75
    assert monitor.dead_fraction(y, axis=1) == 2 / 3
    images = np.zeros((2, 4, 3, 3), "f4")
    images[1, 2, 0, 1] = 1e-30
    assert monitor.dead_fraction(images, axis=(0, 2, 3)) == 0.75
    assert monitor.dead_fraction(images) == 35 / 36
    assert math.isnan(monitor.dead_fraction(np.zeros((0, 5))))


def test_a_relu_layer_with_a_large_negative_bias_dies(rng):
    x = rng.standard_normal((200, 30))
    weights = fnn.init.he_normal((30, 40), rng=1, dtype=np.float64)
    bias = np.where(np.arange(40) < 10, -100.0, 0.0)
    assert monitor.dead_fraction(fnn.relu(x @ weights + bias)) == 0.25


def test_saturated_fraction():
    y = np.array([-1.0, -0.99, -0.5, 0.0, 0.99, 1.0, np.nan, np.inf], "f4")
    assert monitor.saturated_fraction(y, -0.99, 0.99) == 5 / 8
    assert monitor.saturated_fraction([0, 3, 6, 6], 0, 6) == 0.75
    assert monitor.saturated_fraction(np.array([1, -1], "f2"), -1e6, 1e6) == 0
    assert math.isnan(monitor.saturated_fraction([], 0, 1))


def test_results_are_python_numbers():
    x = np.array([1.0, 0.0, -2.0], "f4")
    fractions = monitor.dead_fraction(x), monitor.dead_fraction(x[:, None]), monitor.saturated_fraction(x, 0, 1)
    assert [type(f) for f in (*fractions, monitor.update_ratio(x, x))] == [float] * 4


def test_update_ratio():
    param, update = np.array([3.0, 4.0], "f4"), np.array([0.003, -0.004], "f4")
    assert monitor.update_ratio(param, update) == pytest.approx(1e-3)
    assert monitor.update_ratio(param, [0.003, -0.004]) == pytest.approx(1e-3)
    params = {"W": np.full((2, 2), 4.0), "b": [np.full(9, 2.0, "f2"), np.zeros(3)]}
    updates = {"W": np.full((2, 2), 0.5), "b": [None, np.zeros(3)]}
    assert monitor.update_ratio(params, updates) == pytest.approx(1 / 10)
    assert monitor.update_ratio(np.zeros(3), np.ones(3)) == math.inf
    assert math.isnan(monitor.update_ratio(np.zeros(3), np.zeros(3)))
    assert math.isnan(monitor.update_ratio(np.ones(2), np.array([np.nan, 1])))


def test_update_ratio_of_an_optimiser():
    """Plain gradient descent moves by lr times the gradient."""
    w, grad = np.full(100, 2.0, "f4"), np.full(100, 1.0, "f4")
    before = w.copy()
    fnn.optim.SGD(w, lr=0.002).step(grad)
    assert monitor.update_ratio(before, w - before) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("classes", [1, 2, 10, 1000])
def test_expected_initial_loss_is_that_of_equal_logits(classes):
    loss = fnn.softmax_cross_entropy(np.zeros((3, classes)), np.zeros(3, int), return_grad=False)
    assert monitor.expected_initial_loss(classes) == pytest.approx(float(loss), abs=1e-15)


# --- what stops a run ------------------------------------------------------------------------------------------------


def test_loss_monitor():
    watch = monitor.LossMonitor()
    assert [watch.update(loss) for loss in (2.0, 1.0, 6.0, np.float32(6.1), 1.0)] == [False, False, False, True, False]
    assert (watch.first, watch.updates, watch.reason) == (2.0, 5, "")
    assert watch.update(7)
    assert watch.reason == "loss is 7 at update 6, more than 6 (the first was 2)"
    for loss in (math.nan, math.inf, -math.inf):
        assert watch.update(loss)
        assert f"loss is {loss} at update" in watch.reason
    assert monitor.LossMonitor().update(math.nan)
    assert [monitor.LossMonitor(1.5).update(loss) for loss in (2.0, 3.1)] == [False, False]


def test_loss_monitor_of_a_loss_below_zero():
    watch = monitor.LossMonitor()
    assert [watch.update(loss) for loss in (-1.0, -2.0, 0.9, 1.1)] == [False, False, False, True]


def test_loss_monitor_goes_through_a_file(tmp_path):
    watch, other = monitor.LossMonitor(), monitor.LossMonitor()
    watch.update(2.0)
    np.savez(tmp_path / "state.npz", **watch.state_dict())
    with np.load(tmp_path / "state.npz") as state:
        other.load_state_dict(state)
    assert other.state_dict() == watch.state_dict() == {"first": 2.0, "updates": 1}
    assert not other.update(5.9)
    assert other.update(6.1)


def stops(metrics, **keywords):
    stopping = monitor.EarlyStopping(**keywords)
    return [stopping.update(metric) for metric in metrics]


def test_patience():
    assert stops([3, 2, 2, 2, 1, 1], patience=2) == [False, False, False, True, False, False]
    assert stops([3, 3], patience=1) == [False, True]
    assert stops([3, 4, 4, 5, 5], patience=2, mode="max") == [False, False, False, False, False]
    assert stops([3, 3, 3], patience=2, mode="max") == [False, False, True]


def test_min_delta_is_measured_from_the_best():
    assert stops([3, 2.9, 2.8, 2.4], patience=2, min_delta=0.5) == [False, False, True, False]
    assert stops([3, 3.4, 3.6], patience=1, min_delta=0.5, mode="max") == [False, True, False]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_is_no_improvement(mode):
    assert stops([math.nan, math.nan], patience=2, mode=mode) == [False, True]
    stopping = monitor.EarlyStopping(2, mode=mode)
    for metric in (math.nan, 1.0, math.nan):
        stopping.update(metric)
    assert (stopping.best, stopping.best_step, stopping.updates, stopping.bad_updates) == (1.0, 1, 3, 1)


def network():
    return {"W": [np.zeros((2, 3), "f4"), np.zeros((4, 2)).T], "b": np.zeros(3, "f2")}


def fill(params, value):
    params["W"][0][...] = params["W"][1][...] = params["b"][...] = value


def assert_all(params, value):
    for array in (*params["W"], params["b"]):
        np.testing.assert_array_equal(array, value)


def test_the_best_weights_are_kept_and_come_back_in_place():
    params = network()
    arrays = [*params["W"], params["b"]]
    stopping = monitor.EarlyStopping(5)
    for value, metric in enumerate([3.0, 1.0, 2.0, math.nan]):
        fill(params, value)
        stopping.update(metric, params)
    assert stopping.best_step == 1
    stopping.restore(params)
    assert_all(params, 1)
    assert all(a is b for a, b in zip(arrays, [*params["W"], params["b"]], strict=True))
    fill(params, 9)
    stopping.restore({"b": params["b"], "W": params["W"]})  # the order of a dict's keys does not matter
    assert_all(params, 1)


def test_early_stopping_goes_through_a_file(tmp_path):
    params, stopping = network(), monitor.EarlyStopping(2)
    fill(params, 4)
    stopping.update(1.0, params)
    stopping.update(2.0, params)
    path = tmp_path / "state.npz"
    np.savez(path, **stopping.state_dict())
    resumed, fresh = monitor.EarlyStopping(2), network()
    with np.load(path, allow_pickle=False) as state:
        resumed.load_state_dict(state)
    resumed.restore(fresh)
    assert_all(fresh, 4)
    for key, value in stopping.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[key], value)
        assert np.asarray(resumed.state_dict()[key]).dtype == np.asarray(value).dtype
    assert resumed.update(3.0) is stopping.update(3.0) is True


def test_a_state_is_a_copy():
    w, stopping = np.ones(3), monitor.EarlyStopping(2)
    stopping.update(1.0, w)
    stopping.state_dict()["params"][...] = 7
    stopping.restore(w)
    np.testing.assert_array_equal(w, 1)


def test_weights_of_an_older_metric_are_not_restored():
    w, stopping = np.ones(3), monitor.EarlyStopping(2)
    stopping.update(2.0, w)
    stopping.update(1.0)
    with pytest.raises(ValueError, match=r"EarlyStopping.restore: no weights were kept, expected update\(metric"):
        stopping.restore(w)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda p: p.pop("b"), ValueError, r'differing in params\["b"\]'),
        (lambda p: p.update(b=np.zeros(4, "f2")), ValueError, r'params\["b"\] has shape \(4,\), expected \(3,\)'),
        (lambda p: p.update(b=np.zeros(3)), TypeError, r'params\["b"\] has dtype float64, expected float16'),
        (lambda p: p["b"].setflags(write=False), ValueError, r'params\["b"\] is read-only'),
        (lambda p: p.update(b=1.0), TypeError, r'params\["b"\] is a float'),
    ],
)
def test_restore_writes_nothing_on_an_error(change, error, message):
    params, stopping = network(), monitor.EarlyStopping(2)
    stopping.update(1.0, params)
    other = network()
    fill(other, 5)
    change(other)
    with pytest.raises(error, match=f"EarlyStopping.restore: .*{message}"):
        stopping.restore(other)
    np.testing.assert_array_equal(other["W"][0], 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"best": None}, "best"), ({"extra": 1}, "extra"), ({"paramsW": np.ones(2)}, "paramsW")],
)
def test_load_state_dict_takes_all_or_nothing(change, message):
    stopping = monitor.EarlyStopping(2)
    stopping.update(1.0, np.ones(2))
    state = {key: value for key, value in (stopping.state_dict() | change).items() if value is not None}
    fresh = monitor.EarlyStopping(2)
    with pytest.raises(ValueError, match=f"EarlyStopping.load_state_dict: state has other keys .*{message}"):
        fresh.load_state_dict(state)
    with pytest.raises(ValueError, match="updates is -1, expected an integer >= 0"):
        fresh.load_state_dict(stopping.state_dict() | {"updates": -1})
    with pytest.raises(TypeError, match="state is a list, expected what state_dict returned"):
        fresh.load_state_dict([])
    assert fresh.state_dict() == {"best": math.inf, "best_step": -1, "updates": 0, "bad_updates": 0}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: monitor.dead_fraction(np.ones((2, 3)), 2), ValueError, "dead_fraction: axis is 2, expected -2 to 1"),
        (lambda: monitor.dead_fraction(np.ones((2, 3)), (0, -2)), ValueError, "dead_fraction: axis is"),
        (lambda: monitor.dead_fraction(3.0), ValueError, "dead_fraction: axis is 0, but y is 0-d"),
        (lambda: monitor.saturated_fraction([1.0], 1, 0), ValueError, "saturated_fraction: high is 0"),
        (lambda: monitor.saturated_fraction([1.0], "a", 0), TypeError, "saturated_fraction: low is 'a'"),
        (lambda: monitor.update_ratio(np.ones(2), np.ones(3)), ValueError, r"update has shape \(3,\), expected \(2,\)"),
        (lambda: monitor.update_ratio([np.ones(2)], [np.ones(2)] * 2), ValueError, "update is 2 entries, expected"),
        (lambda: monitor.update_ratio(2.0, 1.0), TypeError, "update_ratio: param is a float"),
        (lambda: monitor.update_ratio({"W": np.ones(2, complex)}, None), TypeError, r'param\["W"\] has dtype complex'),
        (lambda: monitor.expected_initial_loss(0), ValueError, "classes is 0, expected an integer >= 1"),
        (lambda: monitor.expected_initial_loss(2.0), TypeError, "classes is 2.0, expected an integer"),
        (lambda: monitor.LossMonitor(0.5), ValueError, "LossMonitor: factor is 0.5"),
        (lambda: monitor.LossMonitor().update([1.0, 2.0]), ValueError, r"loss has shape \(2,\), expected a number"),
        (lambda: monitor.EarlyStopping(0), ValueError, "EarlyStopping: patience is 0, expected an integer >= 1"),
        (lambda: monitor.EarlyStopping(1, -1.0), ValueError, "EarlyStopping: min_delta is -1.0"),
        (lambda: monitor.EarlyStopping(1, mode="up"), ValueError, "mode is 'up', expected one of min, max"),
        (lambda: monitor.EarlyStopping(1).update("x"), TypeError, "EarlyStopping.update: metric has dtype"),
        (lambda: monitor.EarlyStopping(1).update(1.0, [2.0]), TypeError, r"params\[0\] is a float"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
