"""Optimisers: ten steps of sign-changing gradients against the reference, then everything around the rule."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn as fnn
from fastnn import reference

#: Ten steps of a few roundings each, on values of about 1.
TOLERANCE = {"f4": {"rtol": 5e-6, "atol": 5e-6}, "f8": {"rtol": 1e-13, "atol": 1e-13}}

common = st.fixed_dictionaries(
    {},
    optional={
        "weight_decay": st.floats(0.001, 0.3),
        "decoupled": st.booleans(),
        "l1": st.floats(0.001, 0.3),
        "maximize": st.booleans(),
    },
)


def gradients(seed, shape, steps=10):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 2) for _ in range(steps)]


def start(dtype, shape=(3, 4)):
    return np.linspace(-1, 1.3, int(np.prod(shape))).reshape(shape).astype(dtype)


@given(
    st.integers(0, 1000),
    st.sampled_from(["f4", "f8"]),
    st.floats(1e-3, 0.3),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.sampled_from([0.0, 0.3]),
    st.booleans(),
    st.sampled_from(["torch", "velocity"]),
    common,
)
def test_sgd_equals_the_reference(seed, dtype, lr, momentum, dampening, nesterov, form, options):
    if form == "velocity" or nesterov:
        dampening = 0.0
    nesterov = nesterov and momentum > 0
    options = {**options, "lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    options["momentum_form"] = form
    param, expected = start(dtype), start("f8").astype(dtype).astype("f8")
    optimizer, buf = fnn.optim.SGD(param, **options), np.zeros((3, 4))
    for step, grad in enumerate(gradients(seed, (3, 4))):
        optimizer.step(grad.astype(dtype))
        reference.optim.sgd_update(expected, grad.astype(dtype), buf, first=step == 0, **options)
    np.testing.assert_allclose(param, expected, **TOLERANCE[dtype])


@given(
    st.integers(0, 1000),
    st.sampled_from(["f4", "f8"]),
    st.floats(1e-3, 0.1),
    st.sampled_from([(0.9, 0.999), (0.5, 0.9), (0.0, 0.99)]),
    st.sampled_from([1e-8, 1e-3, 0.1]),
    st.sampled_from(["outside", "inside", "hat"]),
    st.booleans(),
    common,
)
def test_adam_equals_the_reference(seed, dtype, lr, betas, eps, eps_mode, amsgrad, options):
    options = {**options, "lr": lr, "betas": betas, "eps": eps, "eps_mode": eps_mode}
    param, expected = start(dtype), start("f8").astype(dtype).astype("f8")
    optimizer = fnn.optim.Adam(param, amsgrad=amsgrad, **options)
    moments = np.zeros((2, 3, 4))
    largest = np.zeros((3, 4)) if amsgrad else None
    for step, grad in enumerate(gradients(seed, (3, 4)), start=1):
        optimizer.step(grad.astype(dtype))
        reference.optim.adam_update(expected, grad.astype(dtype), *moments, step, max_exp_avg_sq=largest, **options)
    np.testing.assert_allclose(param, expected, **TOLERANCE[dtype])


def test_velocity_and_torch_momentum_differ_by_when_lr_enters():
    rates = [0.1, 0.01]
    results = {}
    for form in ("torch", "velocity"):
        param = np.zeros(1)
        optimizer = fnn.optim.SGD(param, lr=lambda step: rates[step], momentum=0.5, momentum_form=form)
        for _ in rates:
            optimizer.step(np.ones(1))
        results[form] = param[0]
    assert results["torch"] == pytest.approx(-0.1 - 0.01 * 1.5, rel=1e-15)
    assert results["velocity"] == pytest.approx(-0.1 - (0.5 * 0.1 + 0.01), rel=1e-15)


def test_the_first_adam_step_by_hand():
    for eps_mode, expected in [
        ("outside", 0.1 * 2 / (2 + 0.5)),
        ("inside", 0.1 * 2 / np.sqrt(4 + 0.5)),
        ("hat", 0.1 * 2 * np.sqrt(0.001) / (2 * np.sqrt(0.001) + 0.5)),
    ]:
        param = np.zeros(1)
        fnn.optim.Adam(param, lr=0.1, eps=0.5, eps_mode=eps_mode).step(np.full(1, 2.0))
        assert param[0] == pytest.approx(-expected, rel=1e-12)


def test_adamw_is_adam_with_decoupled_decay_of_a_hundredth():
    one, two, three = (start("f8") for _ in range(3))
    rules = fnn.optim.AdamW(one), fnn.optim.Adam(two, weight_decay=0.01, decoupled=True), fnn.optim.Adam(three)
    for rule in rules:
        rule.step(np.ones((3, 4)))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one, three - start("f8") * 0.001 * 0.01, rtol=1e-14)


def nested():
    return {"a": start("f4"), "b": [start("f8", (5,)), {"c": start("f4", ())}], "d": (start("f8", (2, 2)).T,)}


def test_a_nested_structure_is_its_arrays_one_by_one():
    params, alone = nested(), nested()
    optimizer = fnn.optim.Adam(params, lr=0.1)
    flat = [alone["a"], alone["b"][0], alone["b"][1]["c"], alone["d"][0]]
    singles = [fnn.optim.Adam(array, lr=0.1) for array in flat]
    for step in range(3):
        grads = [np.full(array.shape, 0.5 - step) for array in flat]
        optimizer.step({"d": [grads[3]], "a": grads[0], "b": (grads[1], {"c": grads[2]})})
        for single, grad in zip(singles, grads, strict=True):
            single.step(grad)
    for actual, expected in zip([params["a"], params["b"][0], params["b"][1]["c"], params["d"][0]], flat, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_step_counts_are_per_parameter():
    params, alone = [np.zeros(2), np.zeros(2)], np.zeros(2)
    optimizer, single = (
        fnn.optim.Adam(params, lr=0.1, weight_decay=0.1),
        fnn.optim.Adam(alone, lr=0.1, weight_decay=0.1),
    )
    for step in range(4):
        grad = np.array([1.0, -2.0]) * (step + 1)
        optimizer.step([grad, grad if step % 2 else None])
        if step % 2:
            single.step(grad)
    np.testing.assert_array_equal(params[1], alone)
    assert optimizer.step_count == 4
    optimizer.step(None)
    assert optimizer.step_count == 5


def test_order_of_clipping_negation_and_decay():
    param = np.array([1.0, -2.0])
    fnn.optim.SGD([param], lr=0.1, clip_norm=1.0, clip_value=0.7, maximize=True, weight_decay=0.5, l1=0.2).step(
        [np.array([3.0, -4.0])]
    )
    scaled = np.array([3.0, -4.0]) / (5 + 1e-6)
    g = -np.clip(scaled, -0.7, 0.7) + 0.5 * np.array([1.0, -2.0]) + 0.2 * np.array([1.0, -1.0])
    np.testing.assert_allclose(param, np.array([1.0, -2.0]) - 0.1 * g, rtol=1e-14)


def test_the_norm_is_that_of_all_parameters_and_small_gradients_stay():
    params = [np.zeros(1), np.zeros(1, "f4")]
    optimizer = fnn.optim.SGD(params, lr=1.0, clip_norm=2.0)
    optimizer.step([np.array([6.0]), np.array([8.0])])
    np.testing.assert_allclose([params[0][0], params[1][0]], [-1.2, -1.6], rtol=1e-6)
    before = params[0].copy()
    optimizer.step([np.array([0.5]), None])
    np.testing.assert_array_equal(params[0], before - 0.5)


def test_skip_nonfinite_leaves_everything_but_its_count():
    params = [np.ones(2), np.ones(2)]
    optimizer = fnn.optim.Adam(params, skip_nonfinite=True, zero_grads=True, ema_decay=0.5)
    optimizer.step([np.ones(2), np.ones(2)])
    state, before = optimizer.state_dict(), [array.copy() for array in params]
    bad = [np.ones(2), np.array([np.inf, 0])]
    optimizer.step(bad)
    assert optimizer.skipped == 1
    assert optimizer.step_count == 1
    np.testing.assert_array_equal(bad, 0)
    np.testing.assert_array_equal(params, before)
    for key, value in optimizer.state_dict().items():
        if key != "skipped":
            np.testing.assert_array_equal(value, state[key])


def test_nonfinite_gradients_otherwise_propagate():
    param = np.ones(2)
    fnn.optim.SGD(param, clip_norm=1.0).step(np.array([np.inf, 1.0]))
    assert np.isnan(param[0])
    assert param[1] == 1  # scaled by max_norm / inf


def test_zero_grads_clears_and_otherwise_gradients_stay():
    grad = np.ones(3, "f4")
    fnn.optim.SGD(np.ones(3)).step(grad)
    np.testing.assert_array_equal(grad, 1)
    fnn.optim.SGD(np.ones(3), zero_grads=True).step(grad)
    np.testing.assert_array_equal(grad, 0)
    with pytest.raises(TypeError, match="grads is not a writable array"):
        fnn.optim.SGD(np.ones(3), zero_grads=True).step([1.0, 1.0, 1.0])


def test_ema():
    param = np.array([4.0])
    optimizer = fnn.optim.SGD({"w": param}, lr=1.0, ema_decay=0.75)
    assert optimizer.ema["w"][0] == 4
    optimizer.step({"w": np.array([2.0])})
    assert optimizer.ema["w"][0] == 2  # the weights themselves
    optimizer.step({"w": np.array([2.0])})
    assert optimizer.ema["w"][0] == 0.75 * 2 + 0.25 * 0
    assert fnn.optim.SGD(param).ema is None


def test_schedules_start_at_step_zero_and_serve_any_hyperparameter():
    seen = []

    def schedule(step):
        seen.append(step)
        return 0.5**step

    param = np.zeros(1)
    optimizer = fnn.optim.Adam(param, lr=schedule, betas=(lambda step: 0.0, 0.9), weight_decay=lambda step: 0.0)
    seen.clear()
    for _ in range(3):
        optimizer.step(np.ones(1))
    assert seen == [0, 1, 2]
    assert param[0] == pytest.approx(-1.75, rel=1e-7)
    with pytest.raises(ValueError, match="Adam: lr is -1"):
        fnn.optim.Adam(param, lr=lambda step: -1)


@pytest.mark.parametrize("through_file", [False, True])
def test_state_round_trip(through_file):
    def make(params):
        return fnn.optim.Adam(params, lr=0.1, amsgrad=True, ema_decay=0.9)

    params = nested()
    optimizer = make(params)
    grads = {"a": np.ones((3, 4)), "b": None, "d": [np.full((2, 2), -2.0)]}
    optimizer.step(grads)
    state = optimizer.state_dict()
    if through_file:
        file = io.BytesIO()
        np.savez(file, **state)
        file.seek(0)
        state = np.load(file)
    copies = {"a": params["a"].copy(), "b": params["b"], "d": [params["d"][0].copy()]}
    other = make(copies)
    other.load_state_dict(state)
    assert type(other.step_count) is int
    for rule in (optimizer, other):
        rule.step(grads)
    np.testing.assert_array_equal(params["a"], copies["a"])
    np.testing.assert_array_equal(params["d"][0], copies["d"][0])
    np.testing.assert_array_equal(optimizer.ema["a"], other.ema["a"])
    before = other.state_dict()
    for broken in ({"step_count": 3}, {**before, "0.exp_avg": np.zeros(7)}, {**before, "0.step": 0.5}):
        with pytest.raises((ValueError, TypeError), match="load_state_dict"):
            other.load_state_dict(broken)
    for key, value in other.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_groups():
    first, second = np.ones(2), np.ones(2)
    optimizer = fnn.optim.SGD(first, lr=0.1, ema_decay=0.5)
    optimizer.add_param_group({"w": second}, lr=0.01, weight_decay=1.0)
    optimizer.step([np.ones(2), {"w": np.zeros(2)}])
    np.testing.assert_allclose(first, 0.9)
    np.testing.assert_allclose(second, 0.99)
    np.testing.assert_allclose(optimizer.ema[1]["w"], 0.99)
    with pytest.raises(ValueError, match="list of 2, one structure per group"):
        optimizer.step(np.ones(2))
    with pytest.raises(TypeError, match="cannot override 'clip_norm'"):
        optimizer.add_param_group(np.ones(2), clip_norm=1.0)
    with pytest.raises(ValueError, match="is there twice"):
        optimizer.add_param_group(first)


def test_views_are_updated_in_place_and_subnormal_state_is_flushed():
    base = np.zeros((4, 6), "f4")
    optimizer = fnn.optim.SGD(base[::2, ::3], lr=1.0, momentum=0.5)
    optimizer.step(np.full((2, 2), 1e-38, "f4"))
    assert np.count_nonzero(base) == 4
    assert (base[::2, ::3] == np.float32(-1e-38)).all() or (base[::2, ::3] == 0).all()
    optimizer.step(np.zeros((2, 2)))
    assert (optimizer.state_dict()["0.buf"] == 0).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fnn.optim.SGD(np.ones(2), lr=-1), ValueError, "SGD: lr is -1"),
        (lambda: fnn.optim.SGD(np.ones(2), learning_rate=1), TypeError, "SGD: unknown keyword 'learning_rate'"),
        (lambda: fnn.optim.SGD(np.ones(2), nesterov=True), ValueError, "SGD: nesterov needs momentum"),
        (lambda: fnn.optim.SGD(np.ones(2), momentum=0.9, momentum_form="x"), ValueError, "momentum_form is 'x'"),
        (lambda: fnn.optim.SGD(np.ones(2), clip_norm=-1), ValueError, "clip_norm is -1"),
        (lambda: fnn.optim.SGD(np.ones(2), ema_decay=2), ValueError, "ema_decay is 2"),
        (lambda: fnn.optim.Adam(np.ones(2), betas=(0.9, 1.0)), ValueError, "betas is"),
        (lambda: fnn.optim.Adam(np.ones(2), betas=0.9), ValueError, "betas is 0.9, expected two numbers"),
        (lambda: fnn.optim.Adam(np.ones(2), eps=-1e-8), ValueError, "eps is -1e-08"),
        (lambda: fnn.optim.Adam(np.ones(2), eps_mode="out"), ValueError, "eps_mode is 'out'"),
        (lambda: fnn.optim.Adam(np.ones(2, int)), TypeError, "Adam: params has dtype int64"),
        (lambda: fnn.optim.Adam({"w": [1.0]}), TypeError, r"Adam: params\['w'\]\[0\] is a float"),
        (lambda: fnn.optim.Adam([np.ones(2, ">f8")]), TypeError, r"params\[0\] has dtype >f8"),
    ],
)
def test_construction_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [
        ([np.ones(2), np.ones(3)], ValueError, r"SGD: grads\[1\] has shape \(3,\), expected \(2,\)"),
        ([np.ones(2)], ValueError, "SGD: grads is 1 entries, expected a list of 2"),
        ({"w": np.ones(2)}, ValueError, "SGD: grads is dict, expected a list of 2"),
        ([np.ones(2), np.ones(2, complex)], TypeError, r"SGD: grads\[1\] has dtype complex128"),
    ],
)
def test_step_errors_come_before_any_update(grads, error, message):
    params = [np.ones(2), np.ones(2)]
    optimizer = fnn.optim.SGD(params, momentum=0.9)
    with pytest.raises(error, match=message):
        optimizer.step(grads)
    np.testing.assert_array_equal(params, 1)
    assert optimizer.step_count == 0


def test_rule_functions_check_their_arrays():
    param, state = np.ones(3), np.zeros(3)
    with pytest.raises(ValueError, match=r"adam_update: exp_avg has shape \(2,\), expected \(3,\) to match param"):
        fnn.optim.adam_update(param, np.ones(3), np.zeros(2), state, 1, lr=0.1)
    with pytest.raises(ValueError, match="adam_update: step is 0"):
        fnn.optim.adam_update(param, np.ones(3), state, state, 0, lr=0.1)
    with pytest.raises(TypeError, match="sgd_update: buf is None"):
        fnn.optim.sgd_update(param, np.ones(3), None, lr=0.1, momentum=0.9)
    with pytest.raises(TypeError, match="sgd_update: param is list"):
        fnn.optim.sgd_update([1.0], [1.0], None, lr=0.1)
    with pytest.raises(TypeError, match="sgd_update: buf has dtype float32, expected float64"):
        fnn.optim.sgd_update(param, np.ones(3), np.zeros(3, "f4"), lr=0.1, momentum=0.9)
    np.testing.assert_array_equal(param, 1)
    fnn.optim.sgd_update(param, [1, 2, 3], None, lr=0.5)
    np.testing.assert_array_equal(param, [0.5, 0, -0.5])
