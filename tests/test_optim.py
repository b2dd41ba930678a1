"""Optimisers by hand: small steps whose result can be read off, defaults and signatures."""

import inspect

import numpy as np
import pytest

import fastnn as fnn


def start(dtype, shape=(3, 4)):
    return np.linspace(-1, 1.3, int(np.prod(shape))).reshape(shape).astype(dtype)


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
    optimizer.step([np.array([6.0]), np.array([8.0], "f4")])
    np.testing.assert_allclose([params[0][0], params[1][0]], [-1.2, -1.6], rtol=1e-6)
    before = params[0].copy()
    optimizer.step([np.array([0.5]), None])
    np.testing.assert_array_equal(params[0], before - 0.5)


def test_nonfinite_gradients_otherwise_propagate():
    param = np.ones(2)
    fnn.optim.SGD(param, clip_norm=1.0).step(np.array([np.inf, 1.0]))
    assert np.isnan(param[0])
    assert param[1] == 1  # scaled by max_norm / inf


@pytest.mark.parametrize("beta", [0.9, 0.95, 0.99, 0.999])
def test_an_average_of_squares_that_has_overflowed_stays_infinite(beta):
    """beta is in two parts in float32; of different signs they would make NaN of it, and of the parameter."""
    w = np.ones(3, "f4")
    opt = fnn.optim.Adam(w, betas=(0.9, beta))
    for _ in range(3):
        opt.step(np.full(3, 1e30, "f4"))
    np.testing.assert_array_equal(opt.state_dict()["0.exp_avg_sq"], np.inf)
    np.testing.assert_array_equal(w, 1)


def test_ema():
    param = np.array([4.0])
    optimizer = fnn.optim.SGD({"w": param}, lr=1.0, ema_decay=0.75)
    assert optimizer.ema["w"][0] == 4
    optimizer.step({"w": np.array([2.0])})
    assert optimizer.ema["w"][0] == 2  # the weights themselves
    optimizer.step({"w": np.array([2.0])})
    assert optimizer.ema["w"][0] == 0.75 * 2 + 0.25 * 0
    assert fnn.optim.SGD(param).ema is None


def test_zero_grads_clears_and_otherwise_gradients_stay():
    grad = np.ones(3, "f4")
    fnn.optim.SGD(np.ones(3, "f4")).step(grad)
    np.testing.assert_array_equal(grad, 1)
    fnn.optim.SGD(np.ones(3, "f4"), zero_grads=True).step(grad)
    np.testing.assert_array_equal(grad, 0)


def test_groups_of_different_rates():
    first, second = np.ones(2), np.ones(2)
    optimizer = fnn.optim.SGD(first, lr=0.1, ema_decay=0.5)
    optimizer.add_param_group({"w": second}, lr=0.01, weight_decay=1.0)
    optimizer.step([np.ones(2), {"w": np.zeros(2)}])
    np.testing.assert_allclose(first, 0.9)
    np.testing.assert_allclose(second, 0.99)
    np.testing.assert_allclose(optimizer.ema[1]["w"], 0.99)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2 - 0.5 * (3 + 0.25 * 2 + 0.125)),
        ({"decoupled": True}, 2 - 0.5 * (0.25 * 2 + 0.125) - 0.5 * 3),
        ({"decoupled": "after"}, 0.5 - 0.5 * (0.25 * 0.5 + 0.125)),
        ({"maximize": True}, 2 + 0.5 * (3 - 0.25 * 2 - 0.125)),
        ({"maximize": True, "decoupled": True}, 2 - 0.5 * (0.25 * 2 + 0.125) + 0.5 * 3),
        ({"clip_value": 1.0}, 2 - 0.5 * (1 + 0.25 * 2 + 0.125)),
        ({"clip_param_norm": 1.5}, 2 - 0.5 * (1.5 + 0.25 * 2 + 0.125)),
        ({"clip_param_norm": 3.0}, 2 - 0.5 * (3 + 0.25 * 2 + 0.125)),
    ],
)
def test_decay_and_clipping_of_one_number(options, expected):
    param = np.array(2.0)
    fnn.optim.SGD(param, lr=0.5, weight_decay=0.25, l1=0.125, **options).step(np.array(3.0))
    assert param == expected


def test_clipping_by_a_common_and_by_an_own_norm():
    params = [np.zeros(2), np.zeros(1)]
    optimizer = fnn.optim.SGD(params, lr=1.0, clip_norm=13.0, clip_param_norm=4.0)
    optimizer.step([np.array([30.0, 40.0]), np.array([120.0])])  # norm 130: a tenth, 5 and 12, then 4 and 4
    np.testing.assert_allclose(params[0], [-2.4, -3.2], rtol=1e-7)
    np.testing.assert_allclose(params[1], [-4.0], rtol=1e-7)


def test_a_parameter_of_its_own_norm_zero_stays():
    params = [np.zeros(3), np.zeros(3)]
    fnn.optim.SGD(params, lr=1.0, clip_param_norm=0.0).step([np.zeros(3), np.ones(3)])
    np.testing.assert_array_equal(params, 0)


def test_l1_pulls_to_zero_from_both_sides_and_leaves_zero_alone():
    param = np.array([3.0, -3.0, 0.0, -0.0])
    fnn.optim.SGD(param, lr=1.0, l1=0.5).step(np.zeros(4))
    np.testing.assert_array_equal(param, [2.5, -2.5, 0.0, 0.0])


#: As the documentation has them; the rest are the keywords of all rules.
DEFAULTS = {
    "SGD": {"lr": 1e-3, "momentum": 0, "dampening": 0, "nesterov": False, "momentum_form": "torch"},
    "Adagrad": {"lr": 0.01, "eps": 1e-10, "initial_accumulator": 0, "lr_decay": 0, "eps_mode": "outside"},
    "RMSprop": {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "momentum": 0, "centered": False},
    "Adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False, "decoupled": False},
    "AdamW": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01, "decoupled": True},
    "Adamax": {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "eps_mode": "inside"},
    "NAdam": {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "momentum_decay": 4e-3},
    "RAdam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "eps_mode": "hat"},
    "Lion": {"lr": 1e-4, "betas": (0.9, 0.99), "decoupled": True},
    "LAMB": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-6, "decoupled": True},
    "LARS": {"lr": 1e-2, "momentum": 0.9, "trust_coefficient": 1e-3, "eps": 0, "decoupled": False},
    "AdaBelief": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-16},
    "Rprop": {"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50)},
}
COMMON = {
    "weight_decay": 0.0, "decoupled": False, "l1": 0.0, "maximize": False, "clip_norm": None, "clip_param_norm": None,
    "clip_value": None, "ema_decay": None, "skip_nonfinite": False, "zero_grads": False,
}  # fmt: skip


@pytest.mark.parametrize("rule", DEFAULTS)
def test_the_signature_has_the_documented_defaults(rule):
    parameters = inspect.signature(getattr(fnn.optim, rule)).parameters
    assert next(iter(parameters)) == "params"
    actual = {name: parameter.default for name, parameter in parameters.items()}
    for key, value in {**COMMON, **DEFAULTS[rule]}.items():
        assert actual[key] == value, key
    stated = getattr(fnn.optim, rule)(np.ones(2), **{k: v for k, v in actual.items() if k != "params"})
    plain = getattr(fnn.optim, rule)(np.ones(2))
    assert stated.state_dict().keys() == plain.state_dict().keys()


def test_hyperparameters_by_position():
    one, other = np.zeros(3), np.zeros(3)
    fnn.optim.SGD(one, 0.5, 0.9, 0.0, True).step(np.ones(3))
    fnn.optim.SGD(other, lr=0.5, momentum=0.9, nesterov=True).step(np.ones(3))
    np.testing.assert_array_equal(one, other)
    assert one[0] == -0.5 * 1.9
    assert fnn.optim.AdamW(np.zeros(1), 0.1, (0.5, 0.5), 1e-3, True).state_dict().keys() >= {"0.max_exp_avg_sq"}


def test_no_parameters_at_all():
    optimizer = fnn.optim.Adam([], ema_decay=0.5, clip_norm=1.0, skip_nonfinite=True, zero_grads=True)
    optimizer.step([])
    assert optimizer.ema == []
    assert optimizer.step_count == 1
