"""The update rules of fastnn.compat.cs231n against the course's formulas in NumPy."""

import cs231n_course as course
import numpy as np
import pytest

from fastnn.compat.cs231n import optim

#: rule -> (config other than the defaults, its state arrays)
RULES = {
    "sgd": ({"learning_rate": 0.3}, ()),
    "sgd_momentum": ({"learning_rate": 0.3, "momentum": 0.6}, ("velocity",)),
    "rmsprop": ({"learning_rate": 0.3, "decay_rate": 0.7, "epsilon": 1e-3}, ("cache",)),
    "adam": ({"learning_rate": 0.3, "beta1": 0.6, "beta2": 0.8, "epsilon": 1e-2}, ("m", "v")),
}
every_rule = pytest.mark.parametrize("name", RULES)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (4, 5), (3, 16), (37, 1000)])
@pytest.mark.parametrize("given", ["nothing", "defaults", "all"])
@every_rule
def test_a_rule_is_the_formula(name, given, shape, rng):
    w = exact_w = rng.standard_normal(shape)
    config, exact_config = {"nothing": (None, None), "defaults": ({}, {})}.get(given, [dict(RULES[name][0])] * 2)
    exact_config = exact_config and dict(exact_config)
    for _ in range(5):
        dw = rng.standard_normal(shape)
        w, config = getattr(optim, name)(w, dw, config)
        exact_w, exact_config = getattr(course, name)(exact_w, dw, exact_config)
    np.testing.assert_allclose(w, exact_w, rtol=1e-12, atol=1e-13)
    assert config.keys() == exact_config.keys()
    for key, value in exact_config.items():
        np.testing.assert_allclose(config[key], value, rtol=1e-12, atol=1e-14)


@every_rule
def test_float32_stays_float32(name, rng):
    w, dw = rng.standard_normal((2, 40, 50), "f4")
    config, exact_config = dict(RULES[name][0]), dict(RULES[name][0])
    exact = w.astype("f8")
    for _ in range(3):
        w, config = getattr(optim, name)(w, dw, config)
        exact, exact_config = getattr(course, name)(exact, dw.astype("f8"), exact_config)
    np.testing.assert_allclose(w, exact, rtol=1e-5, atol=1e-6)
    assert w.dtype == "f4"
    for key in RULES[name][1]:
        assert config[key].dtype == "f4"


@every_rule
def test_config_is_the_one_given_and_the_arrays_are_not_changed(name, rng):
    w, dw = rng.standard_normal((2, 4, 5))
    state = {key: np.abs(rng.standard_normal((4, 5))) for key in RULES[name][1]}
    given = {**RULES[name][0], **state}
    config = dict(given)
    kept = [a.copy() for a in (w, dw, *state.values())]
    next_w, returned = getattr(optim, name)(w, dw, config)
    assert returned is config
    assert next_w is not w
    for array, before in zip((w, dw, *state.values()), kept, strict=True):
        np.testing.assert_array_equal(array, before)
    for key, before in state.items():
        assert (config[key] != before).all()
    expected, exact_config = getattr(course, name)(w, dw, given)
    np.testing.assert_allclose(next_w, expected, rtol=1e-12)
    for key in state:
        np.testing.assert_allclose(config[key], exact_config[key], rtol=1e-12)


@every_rule
def test_two_uses_of_one_state_do_not_meet(name, rng):
    """A solver that copies its config, to come back to it, has the state of that moment."""
    w, dw = rng.standard_normal((2, 70, 80))
    w, config = getattr(optim, name)(w, dw)
    kept = dict(config)
    first, _ = getattr(optim, name)(w, dw, config)
    getattr(optim, name)(first, dw, config)
    again, _ = getattr(optim, name)(w, dw, kept)
    np.testing.assert_array_equal(first, again)


def test_adam_goes_on_from_a_given_t(rng):
    w, dw, m, v = np.abs(rng.standard_normal((4, 4, 5)))
    ours, theirs = ({"learning_rate": 1e-2, "m": m, "v": v, "t": 5} for _ in range(2))
    np.testing.assert_allclose(optim.adam(w, dw, ours)[0], course.adam(w, dw, theirs)[0], rtol=1e-13)
    assert ours["t"] == 6


def test_a_learning_rate_that_the_solver_decays(rng):
    w = exact = rng.standard_normal((4, 5))
    config, exact_config = {"learning_rate": 0.1}, {"learning_rate": 0.1}
    for _ in range(3):
        dw = rng.standard_normal((4, 5))
        w, config = optim.sgd_momentum(w, dw, config)
        exact, exact_config = course.sgd_momentum(exact, dw, exact_config)
        config["learning_rate"] *= np.float64(0.5)
        exact_config["learning_rate"] *= 0.5
    np.testing.assert_allclose(w, exact, rtol=1e-13)


@every_rule
def test_any_layout_and_any_numbers(name, rng):
    w, dw = rng.standard_normal((2, 40, 60))
    expected, _ = getattr(optim, name)(w, dw)
    for layout in (
        np.asfortranarray,
        lambda a: np.repeat(a, 2, 1)[:, ::2],
        lambda a: a.astype(">f8"),
        np.ndarray.tolist,
    ):
        np.testing.assert_array_equal(getattr(optim, name)(layout(w), layout(dw))[0], expected)
    whole = getattr(optim, name)([1, 2], [3, 4])[0]
    np.testing.assert_array_equal(whole, getattr(optim, name)([1.0, 2.0], [3.0, 4.0])[0])


@every_rule
def test_wrong_shapes_change_nothing(name):
    config = {}
    with pytest.raises(ValueError, match=f"{name}: dw has shape .3,., expected .2,. to match w"):
        getattr(optim, name)(np.ones(2), np.ones(3), config)
    for key in RULES[name][1]:
        assert key not in config
    assert "t" not in config


@pytest.mark.parametrize(("name", "key"), [("sgd_momentum", "velocity"), ("rmsprop", "cache"), ("adam", "v")])
def test_state_of_another_shape(name, key):
    config = {key: np.ones(3)}
    with pytest.raises(ValueError, match=f"{name}: {key} has shape"):
        getattr(optim, name)(np.ones(2), np.ones(2), config)
