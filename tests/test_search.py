"""Spaces, grids, random draws, refinement and cross-validation."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn import search
from fastnn.search import (
    CrossValidation,
    SearchWarning,
    cross_validate,
    integers,
    logintegers,
    loguniform,
    refine,
    suggest,
    uniform,
)

RANGES = [uniform(-2, 3.5), loguniform(1e-5, 1e-1), integers(-3, 6), logintegers(1, 900)]


@pytest.mark.parametrize("each", RANGES, ids=repr)
def test_distributions_compare_hash_pickle_and_show_themselves(each):
    assert pickle.loads(pickle.dumps(each)) == each == copy.deepcopy(each)
    assert hash(each) == hash(type(each)(each.low, each.high))
    assert eval(repr(each)) == each  # noqa: S307
    assert each != type(each)(each.low, each.high + 1)
    assert uniform(1, 2) != loguniform(1, 2)
    with pytest.raises(AttributeError):
        each.low = 1


@pytest.mark.parametrize("each", RANGES, ids=repr)
def test_draws_stay_within_and_are_python_numbers(each, rng):
    draws = [each.sample(rng) for _ in range(500)]
    assert all(each.contains(draw) for draw in draws)
    assert {type(draw) for draw in draws} == {int if isinstance(each, (integers, logintegers)) else float}
    assert each.sample(7) == each.sample(7)
    assert len({each.sample() for _ in range(50)}) > 1


def test_draws_are_spread_as_they_should_be():
    generator = np.random.default_rng(0)
    n = 20_000
    flat = np.array([uniform(-2, 6).sample(generator) for _ in range(n)])
    assert np.histogram(flat, 8, (-2, 6))[0] / n == pytest.approx(np.full(8, 1 / 8), abs=0.01)
    logs = np.log10([loguniform(1e-4, 1e4).sample(generator) for _ in range(n)])
    assert np.histogram(logs, 8, (-4, 4))[0] / n == pytest.approx(np.full(8, 1 / 8), abs=0.01)
    whole = [integers(2, 6).sample(generator) for _ in range(n)]
    assert np.bincount(whole, minlength=8) / n == pytest.approx([0, 0, *[1 / 5] * 5, 0], abs=0.012)
    small = np.array([logintegers(1, 100).sample(generator) for _ in range(n)])
    weights = 1 / np.arange(2, 101)
    expected = [weights[:8].sum(), weights[8:38].sum(), weights[38:].sum()]
    counts = [np.sum((small >= low) & (small < high)) for low, high in ((2, 10), (10, 40), (40, 101))]
    assert counts / np.sum(counts) == pytest.approx(expected / np.sum(expected), abs=0.02)


def test_contains():
    assert uniform(0, 1).contains(np.float32(0.5))
    assert integers(0, 3).contains(np.int64(3))
    for each, value in [(uniform(0, 1), 1.5), (uniform(0, 1), math.nan), (uniform(0, 1), "a"), (uniform(0, 1), True)]:
        assert not each.contains(value)
    assert not integers(0, 3).contains(1.5)
    assert not integers(0, 3).contains(4)


def test_grids_of_a_range():
    assert uniform(0, 1).grid(5) == [0, 0.25, 0.5, 0.75, 1]
    assert loguniform(1e-4, 1).grid(5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1], rel=1e-14)
    assert integers(1, 4).grid(100) == [1, 2, 3, 4]
    assert logintegers(1, 64).grid(4) == [1, 4, 16, 64]
    assert loguniform(1e-4, 1).grid(1) == pytest.approx([1e-2])
    assert uniform(2, 4).grid(1) == [3]


@given(st.floats(1e-9, 1e9), st.floats(1, 1e6), st.integers(2, 30))
def test_a_grid_starts_and_ends_at_the_ends(low, factor, n):
    points = loguniform(low, low * factor).grid(n)
    assert (points[0], points[-1]) == (low, low * factor)
    assert points == sorted(points)


def test_grid():
    space = {"lr": [0.1, 0.01], "act": ("relu", "tanh", None), "n": np.array([3])}
    points = list(search.grid(space))
    assert points[:4] == [
        {"lr": 0.1, "act": "relu", "n": 3},
        {"lr": 0.1, "act": "tanh", "n": 3},
        {"lr": 0.1, "act": None, "n": 3},
        {"lr": 0.01, "act": "relu", "n": 3},
    ]
    assert len(points) == 6
    assert type(points[0]["n"]) is int
    assert list(search.grid({})) == [{}]


def test_random():
    space = {"lr": loguniform(1e-4, 1), "units": [64, 128], "layers": integers(1, 3)}
    draws = list(search.random(space, 40, 5))
    assert draws == list(search.random(space, 40, np.random.default_rng(5))) != list(search.random(space, 40, 6))
    assert len(draws) == 40
    assert all(draw.keys() == space.keys() and space["lr"].contains(draw["lr"]) for draw in draws)
    assert {draw["units"] for draw in draws} == {64, 128}
    assert {draw["layers"] for draw in draws} == {1, 2, 3}
    assert list(search.random(space, 0)) == []


# --- refine ---


def test_refine_narrows_around_the_best():
    space = {"lr": loguniform(1e-6, 1.0), "p": uniform(0, 1), "units": [32, 64, 128, 256], "act": ["relu", "tanh"]}
    results = [
        ({"lr": 1e-3, "p": 0.5, "units": 64, "act": "tanh"}, 0.9),
        ({"lr": 1e-2, "p": 0.4, "units": 128, "act": "tanh"}, 0.8),
        ({"lr": 1e-6, "p": 0.9, "units": 32, "act": "relu"}, 0.1),
        ({"lr": 0.5, "p": 0.1, "units": 256, "act": "relu"}, math.nan),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finer = refine(results, space, keep=2)
    assert finer["lr"].low == pytest.approx(10**-4.5)
    assert finer["lr"].high == pytest.approx(10**-1.5)
    assert finer["p"] == uniform(0.25, 0.75)
    assert finer["units"] == [64, 128]
    assert finer["act"] == ["tanh"]
    assert space["p"] == uniform(0, 1)
    flipped = [(params, -score) for params, score in results]
    assert refine(flipped, space, keep=2, minimize=True) == finer


def test_refine_keeps_the_range_of_what_was_kept():
    results = [({"x": 5.0}, 3), ({"x": 2.0}, 2), ({"x": 9.0}, 1)]
    assert refine(results, {"x": uniform(0, 10)}, keep=3, shrink=0.1) == {"x": uniform(2, 9)}
    assert refine(results, {"x": uniform(0, 10)}, keep=1, shrink=0.1) == {"x": uniform(4.5, 5.5)}


@pytest.mark.parametrize(
    ("old", "best", "edge", "new"),
    [
        (uniform(2, 6), 5.9, "upper", (4.9, 6.9)),
        (uniform(2, 6), 2.0, "lower", (1.0, 3.0)),
        (uniform(0.5, 10.5), 0.5, "lower", (0.0, 3.0)),  # numbers >= 0 stay so
        (uniform(-1, 1), -1.0, "lower", (-1.5, -0.5)),
        (loguniform(1e-4, 1e0), 1e0, "upper", (1e-1, 1e1)),
        (loguniform(1e-4, 1e0), 1e-4, "lower", (1e-5, 1e-3)),
        (integers(2, 10), 10, "upper", (8, 12)),
        (logintegers(16, 256), 256, "upper", (128, 512)),
        (logintegers(16, 256), 16, "lower", (8, 32)),
    ],
)
def test_a_best_value_at_an_edge_warns_and_extends(old, best, edge, new):
    with pytest.warns(SearchWarning, match=f"the best x is {best!r}, at the {edge} edge of ") as caught:
        finer = refine([({"x": best}, 1.0)], {"x": old})
    assert caught[0].filename == __file__
    assert type(finer["x"]) is type(old)
    assert (finer["x"].low, finer["x"].high) == pytest.approx(new)


@pytest.mark.parametrize(("old", "best"), [(uniform(0, 1), 0.0), (integers(0, 8), 0), (logintegers(1, 100), 1)])
def test_natural_ends_are_no_edges(old, best):
    finer = refine([({"x": best}, 1.0)], {"x": old})["x"]
    assert finer.low == old.low
    assert finer.high < old.high


@pytest.mark.parametrize(
    ("choices", "best", "expected"),
    [
        ([16, 64, 32], 64, [64, 128]),
        ([1, 2, 3], 3, [3, 4]),
        ([0.1, 0.01, 0.001], 0.001, [0.0001, 0.001]),
        ([0.0, 0.25, 0.5], 0.5, [0.5, 0.75]),
        ([-1, 0, 1], -1, [-2, -1]),
    ],
)
def test_lists_of_numbers_have_edges(choices, best, expected):
    with pytest.warns(SearchWarning, match="edge"):
        finer = refine([({"x": best}, 1.0)], {"x": choices})
    assert finer["x"] == pytest.approx(expected)
    assert {type(value) for value in finer["x"]} == {type(best)}


@pytest.mark.parametrize(
    ("choices", "best"),
    [([1, 2, 4], 1), ([0.0, 0.1, 0.2], 0.0), ([2, 4], 4), ([True, False], True), (["a", "b", "c"], "c")],
)
def test_lists_without_an_edge(choices, best):
    assert refine([({"x": best}, 1.0)], {"x": choices}) == {"x": [best]}


@given(st.lists(st.floats(1e-5, 1e-1), min_size=1, max_size=10), st.integers(1, 4), st.floats(0, 1))
def test_the_kept_values_are_in_the_new_range(values, keep, shrink):
    old = loguniform(1e-5, 1e-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        new = refine([({"x": x}, k) for k, x in enumerate(values)], {"x": old}, keep=keep, shrink=shrink)["x"]
    for x in values[-keep:]:
        assert new.low * (1 - 1e-12) <= x <= new.high * (1 + 1e-12)


def test_coarse_to_fine_closes_in():
    space, results = {"lr": loguniform(1e-6, 1e2)}, []
    for stage in range(6):
        points = search.random(space, 20, stage)
        results += [(params, -((math.log10(params["lr"]) + 2.6) ** 2)) for params in points]
        space = refine(results, space)
    assert space["lr"].contains(10**-2.6)
    assert space["lr"].high / space["lr"].low < 10


# --- cross_validate ---


@given(st.integers(2, 60), st.integers(2, 10), st.integers(0, 3), st.booleans(), st.integers(0, 2**32))
def test_every_sample_is_validated_once(n, folds, classes, stratify, seed):
    folds = min(folds, n)
    y = np.random.default_rng(seed).integers(0, classes + 1, n)
    x, seen, sizes, spread = np.arange(n), [], [], []

    def fit(x_train, y_train, x_val, y_val):
        assert sorted([*x_train, *x_val]) == list(range(n))
        np.testing.assert_array_equal(y[x_train], y_train)
        np.testing.assert_array_equal(y[x_val], y_val)
        seen.extend(x_val)
        sizes.append(len(x_val))
        spread.append(np.bincount(y_val, minlength=classes + 1))
        return len(x_val)

    result = cross_validate(fit, x, y, folds, rng=seed, stratify=stratify)
    assert sorted(seen) == list(range(n))
    assert len(sizes) == folds
    assert max(sizes) - min(sizes) <= 1
    assert result.scores == tuple(sizes)
    if stratify:
        assert (np.max(spread, axis=0) - np.min(spread, axis=0)).max() <= 1


def test_scores_with_mean_and_std():
    scores = iter([0.5, np.float32(0.75), np.array(1.0)])
    result = cross_validate(lambda *_: next(scores), np.zeros((9, 2)), list("abcabcabc"), 3)
    assert result == CrossValidation((0.5, 0.75, 1.0))
    assert result.mean == 0.75
    assert result.std == pytest.approx(math.sqrt(1 / 24))
    assert str(result) == "0.75 +- 0.2 (3 folds)"


def test_the_folds_depend_on_rng():
    def folds(rng):
        found = []
        cross_validate(lambda a, b, x, y: found.append(x.tolist()) or 0.0, np.arange(30), np.arange(30), rng=rng)
        return found

    assert folds(1) == folds(np.random.default_rng(1)) != folds(2)
    assert len(folds(1)) == 5


# --- Optuna ---


class Trial:
    """Records what it is asked, as Optuna's would."""

    def __init__(self):
        self.asked = []

    def suggest_float(self, name, low, high, *, log=False):
        self.asked.append((name, "float", low, high, log))
        return low

    def suggest_int(self, name, low, high, *, log=False):
        self.asked.append((name, "int", low, high, log))
        return high

    def suggest_categorical(self, name, choices):
        self.asked.append((name, choices))
        return choices[-1]


def test_suggest_asks_a_trial_for_the_same_space():
    trial = Trial()
    space = {"a": uniform(0, 1), "b": loguniform(0.1, 1), "c": integers(1, 3), "d": logintegers(2, 8), "e": ("x", "y")}
    assert suggest(trial, space) == {"a": 0, "b": 0.1, "c": 3, "d": 8, "e": "y"}
    assert trial.asked == [
        ("a", "float", 0, 1, False),
        ("b", "float", 0.1, 1, True),
        ("c", "int", 1, 3, False),
        ("d", "int", 2, 8, True),
        ("e", ["x", "y"]),
    ]


def test_suggest_with_optuna():
    optuna = pytest.importorskip("optuna", reason="an optional companion")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {"lr": loguniform(1e-4, 1), "units": logintegers(8, 64), "act": ["relu", "tanh"], "p": uniform(0, 0.5)}

    def objective(trial):
        params = suggest(trial, space)
        assert all(space[name].contains(params[name]) for name in ("lr", "units", "p"))
        return abs(math.log10(params["lr"]) + 2)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(objective, n_trials=15)
    assert study.best_params.keys() == space.keys()
    assert study.best_value < 1


# --- errors ---


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: uniform(2, 1), ValueError, r"uniform: high is 1\.0, expected a number >= low, which is 2\.0"),
        (lambda: loguniform(0, 1), ValueError, "loguniform: low is 0.0, expected a number > 0"),
        (lambda: integers(0.5, 1), TypeError, "integers: low is 0.5, expected an integer"),
        (lambda: logintegers(0, 1), ValueError, "logintegers: low is 0"),
        (lambda: uniform(0, math.inf), ValueError, "uniform: high is inf"),
        (lambda: uniform(0, 1).grid(0), ValueError, "uniform.grid: n is 0"),
        (lambda: uniform(0, 1).sample("a"), TypeError, "uniform.sample: rng is 'a'"),
        (lambda: search.grid([]), TypeError, "grid: space is a list, expected a dict"),
        (lambda: search.grid({"a": uniform(0, 1)}), TypeError, r"grid: space\['a'\] is uniform\(.*\), expected a list"),
        (lambda: search.grid({"a": []}), ValueError, r"grid: space\['a'\] is empty"),
        (lambda: search.random({"a": "relu"}, 3), TypeError, r"random: space\['a'\] is 'relu', expected a list"),
        (lambda: search.random({}, -1), ValueError, "random: n is -1"),
        (lambda: search.random({}, 1, -1), ValueError, "random: rng is -1"),
        (lambda: refine([], {}), ValueError, "refine: results is empty"),
        (lambda: refine([({"a": 1}, math.nan)], {"a": [1]}), ValueError, "refine: results is empty"),
        (lambda: refine([({}, 1)], {"a": [1]}), ValueError, r"refine: results\[0\] has no a"),
        (lambda: refine([({}, "x")], {}), TypeError, r"refine: the score of results\[0\] has dtype"),
        (lambda: refine([({}, 1)], {}, keep=0), ValueError, "refine: keep is 0"),
        (lambda: refine([({}, 1)], {}, shrink=2), ValueError, "refine: shrink is 2"),
        (lambda: refine([({"a": -1}, 1)], {"a": loguniform(1, 2)}), ValueError, "refine: results have a = -1"),
        (lambda: cross_validate(min, [1, 2], [1]), ValueError, r"cross_validate: y has shape \(1,\)"),
        (lambda: cross_validate(min, [1, 2], [1, 2], 3), ValueError, "folds is 3, expected an integer from 2 to the 2"),
        (lambda: cross_validate(min, [1, 2], [1, 2], 1), ValueError, "folds is 1"),
        (lambda: cross_validate(min, [1, 2], [[1], [2]], 2, stratify=True), ValueError, "one class a sample"),
        (lambda: cross_validate(lambda *_: None, [1, 2], [1, 2], 2), TypeError, "the score of fold 0 has dtype"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
