"""fastnn.recipe: the first loss, a few samples by heart, and learning rates tried, on a model of one matrix."""

import math

import numpy as np
import pytest

import fastnn as fnn


def start():
    """A linear classifier of 6 features and 3 classes."""
    params = {"W": np.zeros((6, 3))}

    def loss_and_gradients(x, y):
        loss, dlogits = fnn.softmax_cross_entropy(x @ params["W"], y)
        return float(loss), {"W": x.T @ dlogits}

    return params, loss_and_gradients


@pytest.fixture
def samples(rng):
    y = np.arange(20) % 3
    return rng.normal(size=(20, 6)) * 0.1 + np.eye(6)[y], y


@pytest.mark.parametrize(
    ("loss", "ok"),
    [(math.log(10), True), (2.8, True), (2.9, False), (1.7, False), (math.nan, False), (math.inf, False)],
)
def test_initial_loss(loss, ok):
    found = fnn.recipe.check_initial_loss(loss, 10)
    assert found.ok is ok
    assert found.expected == pytest.approx(math.log(10), rel=1e-15)
    assert ("as it should be" if ok else "off") in str(found)
    assert "log(classes) = 2.3026" in str(found)
    assert fnn.recipe.check_initial_loss(np.float32(2.9), 10, tolerance=0.5).ok is True
    with pytest.raises(ValueError, match="classes is 0, expected"):
        fnn.recipe.check_initial_loss(1.0, 0)


def test_overfit_stops_at_the_goal(samples):
    found = fnn.recipe.overfit(start, *samples, goal=0.05, lr=0.1)
    assert found.ok
    assert found.losses[0] == pytest.approx(math.log(3), rel=1e-12)
    assert found.losses[-1] < 0.05 <= min(found.losses[:-1])
    assert len(found.losses) < 300
    assert "learned by heart" in str(found)
    assert "NOT" not in str(found)


def test_overfit_says_when_it_fails(samples):
    x, y = samples
    few = fnn.recipe.overfit(start, x, y, steps=7)
    assert (few.ok, len(few.losses)) == (False, 7)
    assert "NOT learned" in str(few)
    # equal samples with different labels cannot be told apart
    assert not fnn.recipe.overfit(start, np.ones((6, 6)), y[:6], steps=50).ok
    bad = fnn.recipe.overfit(start, np.full((6, 6), np.nan), y[:6])
    assert (bad.ok, len(bad.losses)) == (False, 1)
    with pytest.raises(ValueError, match="overfit: steps is 0, expected >= 1"):
        fnn.recipe.overfit(start, x, y, steps=0)
    with pytest.raises((TypeError, ValueError), match="overfit: goal is"):
        fnn.recipe.overfit(start, x, y, goal=-1)


def test_a_wrong_gradient_is_not_learned(samples):
    def wrong():
        params, loss_and_gradients = start()

        def upside_down(x, y):
            loss, grads = loss_and_gradients(x, y)
            return loss, {"W": -grads["W"]}

        return params, upside_down

    assert not fnn.recipe.overfit(wrong, *samples).ok


def test_learning_rates(samples):
    batches = [samples] * 40
    rates = (1e-6, 1e-1, 1e5)
    trials = fnn.recipe.try_learning_rates(start, batches, rates, rule=fnn.optim.SGD)
    assert [trial.lr for trial in trials] == list(rates)
    assert [trial.losses[0] for trial in trials] == [pytest.approx(math.log(3), rel=1e-12)] * 3
    assert [trial.verdict for trial in trials[:2]] == ["barely moves", "learns"]
    assert [len(trial.losses) for trial in trials[:2]] == [40, 40]
    assert "learns" in str(trials[1])
    # a generator is used up once, and every trial still sees all of it
    again = fnn.recipe.try_learning_rates(start, (batch for batch in batches), rates, rule=fnn.optim.SGD)
    assert again == trials


@pytest.mark.parametrize("growing", [[1.0, 2.9, 3.1], [1.0, math.nan], [1.0, math.inf], [math.nan]])
def test_a_trial_ends_where_it_diverges(growing):
    def started():
        losses = iter([*growing, 0.0])
        return {"W": np.zeros(2)}, lambda x, y: (next(losses), {"W": np.zeros(2)})

    (trial,) = fnn.recipe.try_learning_rates(started, [(None, None)] * (len(growing) + 1), [0.1])
    assert trial.verdict == "diverges"
    assert len(trial.losses) == len(growing)


def test_the_share_that_counts_as_learning():
    def started():
        losses = iter([1.0, 0.9, 0.9])
        return {"W": np.zeros(2)}, lambda x, y: (next(losses), {"W": np.zeros(2)})

    for moves, verdict in ((0.05, "learns"), (0.2, "barely moves")):
        (trial,) = fnn.recipe.try_learning_rates(started, [(None, None)] * 3, [0.1], moves=moves)
        assert trial.verdict == verdict


def test_bad_arguments_of_trials(samples):
    with pytest.raises(ValueError, match="try_learning_rates: batches is empty, expected at least one"):
        fnn.recipe.try_learning_rates(start, [], [0.1])
    with pytest.raises(ValueError, match=r"try_learning_rates: rates is -0\.1, expected"):
        fnn.recipe.try_learning_rates(start, [samples], [-0.1])
    with pytest.raises(TypeError, match="try_learning_rates: rates is 'a'"):
        fnn.recipe.try_learning_rates(start, [samples], ["a"])
