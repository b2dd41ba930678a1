"""Schedules in place of numbers: when they are called, with what, and what their values may be."""

import numpy as np
import pytest
from optim_objects import RULES, STATEFUL, assert_equal, assert_unchanged, make, normal, snapshot

import fastnn as fnn

PARAM = np.linspace(-1.0, 1.3, 50)


class Counted:
    """A schedule that keeps the steps it was asked for."""

    def __init__(self, values):
        self.values, self.steps = values, []

    def __call__(self, step):
        self.steps.append(step)
        return self.values[step]


def run(rule, options_at, **fixed):
    """Each step with an optimiser that has that step's options as numbers, the state handed on."""
    param, state = PARAM.copy(), None
    for step, grad in enumerate(normal(0, [PARAM] * 4)):
        optimizer = getattr(fnn.optim, rule)(param, **fixed, **options_at(step))
        if state is not None:
            optimizer.load_state_dict(state)
        optimizer.step(grad)
        state = optimizer.state_dict()
    return [param, *map(np.asarray, state.values())]


def run_scheduled(rule, **options):
    param = PARAM.copy()
    optimizer = getattr(fnn.optim, rule)(param, **options)
    for grad in normal(0, [PARAM] * 4):
        optimizer.step(grad)
    return [param, *map(np.asarray, optimizer.state_dict().values())]


def test_called_once_a_step_from_zero():
    lr, beta, decay = Counted([0.1, 0.2, 0.3]), Counted([0.0, 0.5, 0.9]), Counted([0.0, 0.1, 0.0])
    clip, ema = Counted([0.5, 0.1, 9.0]), Counted([0.1, 0.5, 0.9])
    schedules = (lr, beta, decay, clip, ema)
    params = [PARAM.copy(), PARAM.copy()]
    optimizer = fnn.optim.Adam(params, lr=lr, betas=(beta, 0.99), weight_decay=decay, clip_norm=clip, ema_decay=ema)
    for schedule in schedules:
        schedule.steps.clear()  # of the check when the optimiser was made
    for grads in ([PARAM, None], [PARAM, PARAM], None):
        optimizer.step(grads)
    assert [schedule.steps for schedule in schedules] == [[0, 1, 2]] * 5


SCHEDULED = [
    ("SGD", "lr", [0.5, 0.0, 0.1, 0.2], {"momentum": 0.9}),
    ("SGD", "momentum", [0.0, 0.0, 0.5, 0.9], {}),
    ("SGD", "momentum", [0.5, 0.9, 0.95, 0.0], {"momentum_form": "velocity"}),
    ("SGD", "dampening", [0.0, 0.2, 0.1, 0.0], {"momentum": 0.9}),
    ("SGD", "weight_decay", [0.0, 0.5, 0.0, 0.1], {"decoupled": True}),
    ("SGD", "l1", [0.0, 0.5, 0.0, 0.1], {"decoupled": "after"}),
    ("SGD", "clip_value", [None, 0.5, 0.1, None], {}),
    ("SGD", "clip_norm", [None, 0.5, 0.1, None], {}),
    ("SGD", "clip_param_norm", [0.7, None, None, 0.1], {}),
    ("Adagrad", "eps", [0.1, 0.2, 0.0, 1e-8], {"eps_mode": "inside"}),
    ("RMSprop", "alpha", [0.0, 0.5, 0.9, 1.0], {}),
    ("RMSprop", "momentum", [0.0, 0.2, 0.4, 0.6], {"centered": True}),
    ("Adadelta", "rho", [0.0, 0.5, 0.9, 1.0], {}),
    ("LAMB", "weight_decay", [0.0, 0.5, 0.1, 0.0], {}),
    ("LARS", "momentum", [0.0, 0.5, 0.9, 0.0], {}),
    ("LARS", "trust_coefficient", [0.0, 0.5, 0.9, 0.0], {}),
]


@pytest.mark.parametrize(("rule", "key", "values", "fixed"), SCHEDULED)
def test_each_step_has_its_own_value(rule, key, values, fixed):
    # A momentum of 0 has no state to hand on: an optimiser of numbers needs one above it from the first step.
    held = [max(value, 1e-300) for value in values] if key == "momentum" else values
    expected = run(rule, lambda step: {key: held[step]}, **fixed)
    assert_equal(run_scheduled(rule, **{key: lambda step: values[step]}, **fixed), expected)


def test_schedules_within_betas():
    first, second = [0.0, 0.9, 0.5, 0.1], [0.5, 0.9, 0.0, 0.99]
    for rule in ("Adam", "NAdam", "Lion", "LAMB", "RAdam"):
        expected = run(rule, lambda step: {"betas": (first[step], second[step])})
        assert_equal(run_scheduled(rule, betas=(lambda step: first[step], lambda step: second[step])), expected)
        expected = run(rule, lambda step: {"betas": (first[step], 0.75)})
        assert_equal(run_scheduled(rule, betas=[lambda step: first[step], 0.75]), expected)


def test_nesterov_momentum_may_warm_up_from_zero():
    actual = run_scheduled("SGD", lr=0.1, momentum=lambda step: 0.3 * step, nesterov=True)
    param, buf = PARAM.copy(), np.zeros(50)
    for step, grad in enumerate(normal(0, [PARAM] * 4)):
        buf = 0.3 * step * buf + grad
        param -= 0.1 * (grad + 0.3 * step * buf)
    np.testing.assert_allclose(actual[0], param, rtol=0, atol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_a_constant_schedule_is_its_number(rule):
    options = {"weight_decay": 0.1, "l1": 0.01, "clip_value": 1.0, "clip_norm": 3.0, "ema_decay": 0.5, "lr": 0.01}
    numbers = {**STATEFUL.get(rule, {}), **options}
    scheduled = {
        key: value if isinstance(value, bool | str) else (lambda step, value=value: value)
        for key, value in numbers.items()
    }
    assert_equal(run_scheduled(rule, **scheduled), run_scheduled(rule, **numbers))


def test_the_ready_made_schedules_serve():
    param = np.zeros(1)
    optimizer = fnn.optim.SGD(param, lr=fnn.schedules.linear_warmup(0.4, 4))
    for step in range(5):
        before = param[0]
        optimizer.step(np.ones(1))
        assert before - param[0] == pytest.approx(fnn.schedules.linear_warmup(0.4, 4)(step), abs=1e-15)


BAD_VALUES = [
    ("SGD", {"lr": -0.1}, "SGD: lr is -0.1"),
    ("SGD", {"momentum": float("nan")}, "SGD: momentum is nan"),
    ("Adam", {"lr": float("inf")}, "Adam: lr is inf"),
    ("Adam", {"betas": (0.9, 1.0)}, "Adam: betas is 1.0"),
    ("Adam", {"weight_decay": -1.0}, "Adam: weight_decay is -1.0"),
    ("Adam", {"clip_norm": -1.0}, "Adam: clip_norm is -1.0"),
    ("Adam", {"ema_decay": 1.5}, "Adam: ema_decay is 1.5"),
    ("LAMB", {"eps": "small"}, "LAMB: eps is 'small'"),
]


def turning(value, good):
    """A schedule whose third value is `value`."""
    if isinstance(value, tuple):
        return tuple(turning(each, good_one) for each, good_one in zip(value, good, strict=True))
    return lambda step: value if step == 2 else good


@pytest.mark.parametrize(("rule", "bad", "message"), BAD_VALUES)
def test_a_value_out_of_range_raises_before_anything_changes(rule, bad, message):
    ((key, value),) = bad.items()
    params, options = [PARAM.copy(), PARAM.astype("f4")[::2]], {"zero_grads": True} if rule != "SGD" else {}
    options = {"ema_decay": 0.5, **options, key: turning(value, (0.9, 0.9) if key == "betas" else 0.5)}
    optimizer = getattr(fnn.optim, rule)(params, **options)
    optimizer.add_param_group(np.ones(3))
    for step in range(2):
        optimizer.step([normal(step, params), np.ones(3)])
    grads = normal(2, params)
    before = snapshot(optimizer, params, grads, optimizer.ema)
    with pytest.raises((ValueError, TypeError), match=message):
        optimizer.step([grads, np.ones(3)])
    assert_unchanged(before, optimizer, params, grads, optimizer.ema)


def test_an_error_of_a_schedule_itself_changes_nothing():
    param = PARAM.copy()
    optimizer = make("Adam", param, lr=lambda step: [0.1][step])
    optimizer.step(PARAM)
    before = snapshot(optimizer, param)
    with pytest.raises(IndexError):
        optimizer.step(PARAM)
    assert_unchanged(before, optimizer, param)


def test_rprop_starts_at_the_first_value():
    param = np.zeros(1)
    fnn.optim.Rprop(param, lr=lambda step: 0.25 / (step + 1)).step(np.ones(1))
    assert param[0] == -0.25
