"""Every rule, as object and as function, against its float64 reference over a dozen steps, and under every layout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optim_cases import OPTIMS, common_options, drive_with_state, gradients

import fastnn as fnn

STEPS = 12
SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 4), (40, 33)]
#: Of the largest parameter on the way, in units of eps: a rounding or two a step.
ULPS = 20
#: Elements of state are sums of squares and products of gradients of all sizes: of the largest one, likewise.
STATE_ULPS = 40


def start(shape, dtype):
    return np.asarray(np.linspace(-1.5, 1.3, int(np.prod(shape))).reshape(shape), dtype)


def close(actual, expected, ulps, dtype, scale):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=ulps * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("rule", OPTIMS.values(), ids=OPTIMS)
@given(st.data())
@settings(max_examples=25)
def test_rules_follow_the_reference(rule, data):
    dtype, shape = data.draw(st.sampled_from(["f4", "f8"])), data.draw(st.sampled_from(SHAPES))
    hyper, common = data.draw(rule.hyper), data.draw(common_options(rule))
    options = {**hyper, **common}
    grads = [g.astype(dtype) for g in gradients(data.draw(st.integers(0, 999)), shape, STEPS)]
    history = [drive_with_state(rule, options, start(shape, dtype), grads[: k + 1]) for k in range(STEPS)]
    expected, states = history[-1]
    largest = max(1.5, *(np.abs(param).max(initial=0) for param, _ in history))

    param = start(shape, dtype)
    optimizer = getattr(fnn.optim, rule.rule)(param, **options)
    for grad in grads:
        optimizer.step(grad)
    close(param, expected, ULPS, dtype, largest)
    actual = optimizer.state_dict()
    for name, state in states.items():
        if state is not None:
            scale = max(np.abs(each[name]).max(initial=0) for _, each in history)
            close(actual[f"0.{name}"], state, STATE_ULPS, dtype, scale)

    alone, own = start(shape, dtype), rule.state(options, start(shape, dtype))
    function = getattr(fnn.optim, f"{rule.name}_update")
    for step, grad in enumerate(grads, start=1):
        function(alone, grad, **own, **rule.per_step(step), **rule.keywords(options, dtype))
    np.testing.assert_array_equal(alone, param)
