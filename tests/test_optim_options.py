"""The options around a rule, all together, against a step written out in float64 around the reference of the rule."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optim_cases import OPTIMS, gradients
from optim_objects import RULES, assert_equal, assert_unchanged, make, normal, snapshot

import fastnn as fnn
from fastnn import reference

#: In units of eps of the largest parameter on the way: a rounding or two for each of the operations of 6 steps.
ULPS = 40
SHAPES_AND_DTYPES = [((5, 7), "f4"), ((3, 11), "f8"), ((), "f4"), ((40,), "f8"), ((0,), "f4")]
RULE_OPTIONS = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "AdamW": {"lr": 0.05, "eps": 1e-3},
    "LARS": {"lr": 0.05, "trust_coefficient": 0.5},
    "LAMB": {"lr": 0.05, "eps": 1e-3},
}


def norm_of(arrays):
    """Without overflow or underflow on the way."""
    return math.hypot(*(value for array in arrays for value in np.ravel(array).tolist()))


class WrittenOut:
    """An optimiser of a list of arrays, as its documentation has it."""

    def __init__(self, rule, params, hyper, common, clip_norm, clip_param_norm, ema_decay, skip_nonfinite):
        self.case, self.params = OPTIMS[rule], [np.array(param, np.float64) for param in params]
        self.states = [self.case.state(hyper, param) for param in self.params]
        self.keywords = self.case.keywords({**hyper, **common}, np.float64)
        self.clip_norm, self.clip_param_norm, self.ema_decay = clip_norm, clip_param_norm, ema_decay
        self.skip_nonfinite, self.skipped, self.step_count = skip_nonfinite, 0, 0
        self.steps = [0 for _ in params]
        self.ema = [param.copy() for param in self.params]
        self.update = getattr(reference.optim, f"{self.case.name}_update")

    def step(self, grads):
        there = [np.array(grad, np.float64) for grad in grads if grad is not None]
        if self.skip_nonfinite and not all(np.isfinite(grad).all() for grad in there):
            self.skipped += 1
            return
        scale = 1.0 if self.clip_norm is None else min(1.0, self.clip_norm / (norm_of(there) + 1e-6))
        for k, grad in enumerate(grads):
            if grad is not None:
                self.advance(k, np.array(grad, np.float64) * scale)
        for ema, param in zip(self.ema, self.params, strict=True):
            ema += param - ema if self.step_count == 0 else (1 - (self.ema_decay or 0)) * (param - ema)
        self.step_count += 1

    def advance(self, k, grad):
        if self.clip_param_norm is not None and norm_of([grad]) >= self.clip_param_norm > 0:
            grad *= self.clip_param_norm / norm_of([grad])
        self.steps[k] += 1
        self.update(self.params[k], grad, **self.states[k], **self.case.per_step(self.steps[k]), **self.keywords)


def start():
    return [
        np.asarray(np.linspace(-1.5, 1.3, int(np.prod(shape))), dtype).reshape(shape)
        for shape, dtype in SHAPES_AND_DTYPES
    ]


def common(decoupled):
    strength = st.just(0.0) | st.floats(0.001, 0.3)
    return st.fixed_dictionaries(
        {},
        optional={
            "weight_decay": strength,
            "decoupled": st.sampled_from(decoupled),
            "l1": strength,
            "maximize": st.booleans(),
            "clip_value": st.floats(0.01, 100.0),
        },
    )


around = st.fixed_dictionaries(
    {
        "clip_norm": st.none() | st.floats(0.01, 1000.0),
        "clip_param_norm": st.none() | st.floats(0.01, 100.0),
        "ema_decay": st.none() | st.floats(0.1, 0.95),
        "skip_nonfinite": st.booleans(),
    }
)


def close(actual, expected, largest):
    atol = ULPS * np.finfo(actual.dtype).eps * largest
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("rule", RULE_OPTIONS)
@given(st.data())
@settings(max_examples=40)
def test_all_options_together(rule, data):
    hyper, options = RULE_OPTIONS[rule], data.draw(around)
    own, zero_grads = data.draw(common(OPTIMS[rule].decoupled)), data.draw(st.booleans())
    params, seed = start(), data.draw(st.integers(0, 999))
    expected = WrittenOut(rule, params, hyper, own, **options)
    optimizer = getattr(fnn.optim, rule)(params, zero_grads=zero_grads, **hyper, **own, **options)
    shared, largest = gradients(seed, (40,), 6), 1.5
    for values in shared:
        grads = [np.resize(values, param.shape).astype(param.dtype) for param in params]
        missing = data.draw(st.sets(st.integers(0, 9)))
        grads = [None if k in missing else grad for k, grad in enumerate(grads)]
        if options["skip_nonfinite"] and grads[1] is not None and data.draw(st.integers(0, 3)) == 0:
            grads[1][data.draw(st.sampled_from([(0, 0), (1, 5), (-1, -1)]))] = np.inf
        expected.step(grads)
        largest = max(largest, *(np.abs(param).max(initial=0) for param in expected.params))
        before = [None if grad is None else grad.copy() for grad in grads]
        optimizer.step(grads)
        for grad, given_grad in zip(grads, before, strict=True):
            if grad is not None:
                np.testing.assert_array_equal(grad, 0 if zero_grads else given_grad)
    for k, param in enumerate(params):
        close(param, expected.params[k], largest)
        if options["ema_decay"] is not None:
            close(optimizer.ema[k], expected.ema[k], largest)
    assert (optimizer.step_count, optimizer.skipped) == (expected.step_count, expected.skipped)
    assert [optimizer.state_dict()[f"{k}.step"] for k in range(5)] == expected.steps


@pytest.mark.parametrize("value", [1e307, 1e200, 1e160, 1e-160, 1e-200, 1e-310, 5e-324, 0.0])
def test_norms_whose_squares_are_no_float64(value):
    grad = value * np.array([1.0, -0.5, 0.0, 0.25])
    direction = np.array([1.0, -0.5, 0.0, 0.25]) / norm_of([[1.0, 0.5, 0.25]])
    param = np.zeros(4)
    fnn.optim.SGD(param, lr=1.0, clip_norm=0.5).step(grad)
    np.testing.assert_allclose(param, -0.5 * direction if value > 1 else -grad, rtol=1e-14)
    for limit in (0.5, 1e-170, 1e-250) if value < 1 else (0.5, 100.0):
        param = np.zeros(4)
        fnn.optim.SGD(param, lr=1.0, clip_param_norm=limit).step(grad)
        np.testing.assert_allclose(param, -limit * direction if value > limit else -grad, rtol=1e-14)


@pytest.mark.parametrize("value", [3e34, 1e30, 1e-30, 1e-38, 1e-45])
@pytest.mark.parametrize("limit", [0.5, 1e-3])
def test_norms_of_float32_at_its_limits(value, limit):
    grad = (value * np.array([1.0, -0.5, 0.0, 0.25])).astype("f4")
    exact = grad.astype("f8")
    for option in ("clip_norm", "clip_param_norm"):
        param = np.zeros(4, "f4")
        fnn.optim.SGD(param, lr=1.0, **{option: limit}).step(grad)
        expected = exact * (limit / norm_of([exact])) if value > 1 else exact
        np.testing.assert_allclose(param, -expected, rtol=4e-7)


def test_the_common_norm_of_very_different_gradients():
    params = [np.zeros(1), np.zeros(2, "f4"), np.zeros(())]
    optimizer = fnn.optim.SGD(params, lr=1.0, clip_norm=1.0)
    optimizer.step([np.array([1e200]), np.array([3.0, 4.0], "f4"), np.array(1e-200)])
    assert params[0][0] == pytest.approx(-1.0, rel=1e-14)
    assert_equal(params[1:], [np.zeros(2, "f4"), np.zeros(())])
    params[0][0] = 0
    optimizer.step([np.array([1e-200]), np.array([3.0, 4.0], "f4"), np.array(0.0)])
    np.testing.assert_allclose(params[1], [-0.6, -0.8], rtol=1e-6)
    assert params[0][0] == pytest.approx(-2e-201, rel=1e-6)


@pytest.mark.parametrize("size", [1, 5, 15, 16, 17, 33, 1025])
def test_norms_of_layers_are_those_of_their_elements_alone(size):
    """Nothing of the vectors' unused lanes: 0 / 0 for eps = 0."""
    for dtype in ("f4", "f8"):
        param = np.full(size, 2.0, dtype)
        fnn.optim.LAMB(param, lr=0.25, eps=0.0).step(np.ones(size, dtype))  # a direction of ones, a ratio of 2
        np.testing.assert_allclose(param, 1.5, rtol=1e-6)
        param = np.full(size, 2.0, dtype)
        fnn.optim.LARS(param, lr=0.25, trust_coefficient=1.0).step(np.full(size, 8.0, dtype))
        np.testing.assert_allclose(param, 1.5, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("which", "place"), [(0, 0), (0, 15), (0, 16), (0, 36), (0, -1), (1, (0, 0)), (1, (-1, -1)), (2, ()), (3, 70_000)]
)
def test_a_step_with_nonfinite_gradients_is_skipped(bad, which, place):
    params = [np.ones(37, "f4"), np.ones((5, 9)), np.ones((), "f4"), np.ones(70_001, "f4")]
    optimizer = fnn.optim.Adam(params, lr=0.1, amsgrad=True, ema_decay=0.5, skip_nonfinite=True, weight_decay=0.1)
    optimizer.step(normal(0, params))
    grads = normal(1, params)
    grads[which][place] = bad
    before = snapshot(optimizer, params, grads)
    optimizer.step(grads)
    optimizer.step([grads[which] if k == which else None for k in range(4)])
    assert_unchanged(before, optimizer, params, grads, besides=["skipped"])
    assert optimizer.skipped == 2
    assert optimizer.step_count == 1


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_goes_on_after_a_skipped_step(rule):
    results = []
    for bad_steps in ((), (0, 2)):
        params = [np.linspace(-1, 1, 50, dtype="f4"), np.linspace(-1, 1, 20)]
        optimizer = make(rule, params, skip_nonfinite=True, clip_norm=3.0, ema_decay=0.5, zero_grads=True)
        for step in range(4):
            if step in bad_steps:
                bad = [np.ones(50, "f4"), np.full(20, np.nan)]
                optimizer.step(bad)
                assert not any(grad.any() for grad in bad)
            optimizer.step(normal(step, params))
        assert optimizer.skipped == len(bad_steps)
        state = optimizer.state_dict()
        assert state.pop("skipped") == len(bad_steps)
        results.append(params + [np.asarray(state[key]) for key in sorted(state)])
    assert_equal(*results)


def test_large_finite_gradients_are_not_skipped():
    for grads in ([np.full(3, 1e200), np.ones(2, "f4")], [np.full(3, 1.7e308), np.full(2, 3.4e38, "f4")]):
        params = [np.zeros(3), np.zeros(2, "f4")]
        optimizer = fnn.optim.SGD(params, lr=1.0, skip_nonfinite=True)
        optimizer.step(grads)
        assert optimizer.skipped == 0
        assert_equal(params, [-grad for grad in grads])


def test_averages_move_on_without_a_gradient():
    params = {"a": np.array([4.0]), "b": np.array([8.0], "f4"), "c": np.zeros((4, 6))[::2, ::3]}
    optimizer = fnn.optim.SGD(params, lr=1.0, ema_decay=0.75)
    optimizer.step({"a": None, "b": None, "c": None})
    params["b"][...], params["c"][...] = 0, 4
    optimizer.step({"a": np.array([4.0]), "b": None, "c": None})
    averages = optimizer.ema
    assert (averages["a"], averages["b"], averages["c"].tolist()) == (3.0, 6.0, [[1.0, 1.0]] * 2)


def test_the_first_average_is_of_the_weights_at_the_first_step():
    params = [np.zeros(1), np.zeros(1), np.zeros(4)[::2]]
    optimizer = fnn.optim.SGD(params, lr=1.0, ema_decay=0.5)
    for param in params:
        param[...] = 8  # as who loads weights does
    optimizer.step([np.ones(1), None, None])
    assert_equal(optimizer.ema, [np.full(1, 7.0), np.full(1, 8.0), np.full(2, 8.0)])


def test_the_average_of_an_infinite_parameter_without_a_gradient():
    """inf - inf in the second step is no reason for a warning."""
    params = [np.array([np.inf, 1.0]), np.zeros(1)]
    optimizer = fnn.optim.SGD(params, lr=1.0, ema_decay=0.5)
    for _ in range(2):
        optimizer.step([None, np.zeros(1)])
    np.testing.assert_array_equal(optimizer.ema[0], [np.nan, 1.0])
