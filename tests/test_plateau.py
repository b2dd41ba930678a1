"""ReduceOnPlateau: when it reduces, what it keeps, and its use by an optimiser."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn as fnn
from fastnn.schedules import ReduceOnPlateau, chain, constant

metrics = st.lists(st.one_of(st.floats(-3, 3), st.sampled_from([math.nan, math.inf, -math.inf, 0.0])), max_size=60)


def updated(metrics, **keywords):
    plateau = ReduceOnPlateau(1.0, factor=0.5, **keywords)
    return [plateau.update(metric) for metric in metrics]


def test_patience():
    assert updated([3, 2, 2, 2, 2, 2, 2, 1], patience=2) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    assert updated([3, 2, 2, 1, 1], patience=0) == [1, 1, 0.5, 0.5, 0.25]


def test_cooldown_does_not_count():
    assert updated([2] * 9, patience=1, cooldown=2) == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_minimum():
    assert updated([2] * 4, patience=0, minimum=0.3) == [1, 0.5, 0.3, 0.3]
    assert updated([2] * 3, patience=0, minimum=2.0) == [1, 1, 1]


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "better", "worse"),
    [("min", "rel", 8.99, 9.0), ("min", "abs", 9.89, 9.91), ("max", "rel", 11.01, 11.0), ("max", "abs", 10.11, 10.09)],
)
def test_threshold(mode, threshold_mode, better, worse):
    keywords = {"mode": mode, "threshold_mode": threshold_mode, "threshold": 0.1, "patience": 0}
    assert updated([10.0, better], **keywords) == [1, 1]
    assert updated([10.0, worse], **keywords) == [1, 0.5]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_metrics_that_are_not_finite(mode):
    best, worst = (-math.inf, math.inf) if mode == "min" else (math.inf, -math.inf)
    assert updated([1, math.nan, math.nan], mode=mode, patience=1) == [1, 1, 0.5]
    assert updated([math.nan, 1], mode=mode, patience=1, threshold=1.0) == [1, 1]
    assert updated([worst, best, best], mode=mode, patience=0) == [0.5, 0.5, 0.25]


@given(metrics, st.sampled_from(["min", "max"]), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_as_the_definition_says(history, mode, patience, cooldown, relative):
    """Over the whole history at each update, instead of counters carried along."""
    threshold = 0.25
    plateau = ReduceOnPlateau(
        1.0,
        mode=mode,
        patience=patience,
        cooldown=cooldown,
        threshold=threshold,
        threshold_mode="rel" if relative else "abs",
    )
    sign = 1 if mode == "min" else -1
    best, last_event, value = sign * math.inf, -1, 1.0
    for now, metric in enumerate(history):
        margin = (threshold * best if relative else sign * threshold) if math.isfinite(best) else 0.0
        limit = best - margin if mode == "min" or not relative else best + margin
        if (metric < limit) if mode == "min" else (metric > limit):
            best, last_event = metric, max(last_event, now)
        if now - last_event > patience:
            value, last_event = value * 0.1, now + cooldown
        assert plateau.update(metric) == pytest.approx(value, rel=1e-12)
        assert plateau.best == best
        assert plateau(now) == plateau.value


@given(metrics, metrics)
def test_state_goes_through_savez(tmp_path_factory, before, after):
    file = tmp_path_factory.getbasetemp() / "plateau.npz"
    first, second = (ReduceOnPlateau(1.0, patience=1, cooldown=1) for _ in range(2))
    for metric in before:
        first.update(metric)
    np.savez(file, **first.state_dict())
    with np.load(file) as state:
        second.load_state_dict(state)
    assert second.state_dict() == first.state_dict()
    assert [type(entry) for entry in second.state_dict().values()] == [float, float, int, int]
    for twin in (second, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        copied = copy.deepcopy(first)
        assert [twin.update(metric) for metric in after] == [copied.update(metric) for metric in after]


def test_repr_shows_the_present_value():
    plateau = ReduceOnPlateau(0.5, factor=0.5, patience=0)
    plateau.update(1)
    plateau.update(1)
    assert repr(plateau) == (
        "ReduceOnPlateau(0.25, mode='min', factor=0.5, patience=0, threshold=0.0001, threshold_mode='rel', cooldown=0,"
        " minimum=0.0)"
    )


def test_two_are_never_the_same():
    assert len({ReduceOnPlateau(0.1), ReduceOnPlateau(0.1)}) == 2


def test_an_optimiser_follows_it():
    plateau = ReduceOnPlateau(1.0, factor=0.25, patience=0)
    param = np.zeros(2)
    optimizer = fnn.optim.SGD(param, lr=plateau)
    optimizer.step(np.ones(2))
    plateau.update(1.0)
    plateau.update(1.0)
    optimizer.step(np.ones(2))
    np.testing.assert_array_equal(param, [-1.25, -1.25])
    np.testing.assert_array_equal(chain([constant(3), plateau], [1])(np.arange(3)), [3, 0.25, 0.25])


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"value": -1}, ValueError, "ReduceOnPlateau: value is -1, expected a finite number >= 0"),
        ({"mode": "triangular"}, ValueError, "mode is 'triangular', expected one of min, max"),
        ({"threshold_mode": "relative"}, ValueError, "threshold_mode is 'relative', expected one of rel, abs"),
        ({"factor": 2}, ValueError, "factor is 2, expected a number from 0 to 1"),
        ({"patience": -1}, ValueError, "patience is -1, expected an integer >= 0"),
        ({"cooldown": 1.5}, TypeError, "cooldown is 1.5, expected an integer"),
        ({"minimum": math.nan}, ValueError, "minimum is nan"),
        ({"threshold": -0.1}, ValueError, "threshold is -0.1"),
    ],
)
def test_argument_errors(keywords, error, message):
    with pytest.raises(error, match=message):
        ReduceOnPlateau(**{"value": 0.1, **keywords})


@pytest.mark.parametrize("metric", ["1", None, [1.0], np.ones(1), 1j])
def test_metrics_that_are_no_numbers(metric):
    plateau = ReduceOnPlateau(0.1)
    with pytest.raises((TypeError, ValueError), match=r"ReduceOnPlateau.update: metric has"):
        plateau.update(metric)
    assert plateau.bad_updates == 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lr": 1.0}, ValueError, "other keys than expected, differing in lr"),
        ({"value": math.nan}, ValueError, "value is nan"),
        ({"best": [1.0]}, ValueError, r"best has shape \(1,\), expected a number"),
        ({"cooldown_left": -1}, ValueError, "cooldown_left is -1"),
        ({"bad_updates": 0.5}, TypeError, "bad_updates is 0.5"),
    ],
)
def test_a_state_that_cannot_be_loads_nothing(change, error, message):
    plateau = ReduceOnPlateau(0.1)
    state = {"value": 0.01, "best": 2.0, "bad_updates": 1, "cooldown_left": 0}
    before = plateau.state_dict()
    with pytest.raises(error, match=f"ReduceOnPlateau.load_state_dict: .*{message}"):
        plateau.load_state_dict({**state, **change})
    assert plateau.state_dict() == before
    plateau.load_state_dict(state)
    assert plateau.state_dict() == state
