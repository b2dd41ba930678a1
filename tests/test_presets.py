"""Presets against the other systems' own formulas, which `frameworks` writes out with that system's defaults."""

import frameworks
import numpy as np
import pytest

import fastnn as fnn
from fastnn.optim.presets import PRESETS

STEPS = 12


def falling(step):
    """A learning rate that tells the forms of momentum apart."""
    return 0.1 / (1 + step)


DECAY = {"weight_decay": 0.1, "lr": falling}
DECOUPLED = {**DECAY, "decoupled": True}
MOMENTUM = {"momentum": 0.9, "lr": falling}
MOMENTUM_DECAY = {**MOMENTUM, **DECAY}
NESTEROV = {**MOMENTUM, "nesterov": True}
CENTERED = {**MOMENTUM, "centered": True}
BETAS = {"betas": (0.8, 0.95)}

#: fastnn's keywords of each preset's further variants.
VARIANTS = {
    "torch": {
        "sgd": [DECAY, {**MOMENTUM_DECAY, "dampening": 0.3}, NESTEROV, {"maximize": True, "weight_decay": 0.1}],
        "adagrad": [{"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator": 0.5}],
        "rmsprop": [DECAY, MOMENTUM, CENTERED],
        "adadelta": [DECAY, {"rho": 0.8}],
        "adam": [DECAY, DECOUPLED, {"amsgrad": True}, BETAS],
        "adamw": [DECAY, {"amsgrad": True}],
        "adamax": [DECAY, BETAS],
        "nadam": [DECAY, DECOUPLED, {"momentum_decay": 0.1}],
        "radam": [DECAY, DECOUPLED, BETAS],
        "adafactor": [DECAY, {"lr": 0.6, "beta2_decay": -0.5, "d": 1.5}],
        "rprop": [{"lr": 0.04, "etas": (0.4, 1.3), "step_sizes": (0.001, 0.05)}],
    },
    "keras": {
        "sgd": [DECAY, MOMENTUM_DECAY, NESTEROV],
        "adagrad": [DECAY, {"initial_accumulator": 0.5}],
        "rmsprop": [DECAY, MOMENTUM, CENTERED],
        "adadelta": [DECAY, {"rho": 0.8}],
        "adam": [DECAY, {"amsgrad": True}, BETAS],
        "adamw": [DECAY, {"amsgrad": True}],
        "adamax": [DECAY, {"eps": 1e-3}],
        "nadam": [DECAY, BETAS],
        "lion": [DECAY, BETAS],
        "lamb": [BETAS],
        "adafactor": [{"lr": 0.6, "beta2_decay": -0.5, "d": 1.5}],
    },
    "optax": {
        "sgd": [MOMENTUM, NESTEROV],
        "adagrad": [{"initial_accumulator": 0.5}],
        "rmsprop": [MOMENTUM, CENTERED],
        "adadelta": [DECAY],
        "adam": [{"amsgrad": True}, BETAS],
        "adamw": [DECAY, {"amsgrad": True}],
        "adamax": [DECAY],
        "nadam": [DECAY, BETAS],
        "radam": [BETAS],
        "lion": [DECAY, BETAS],
        "lamb": [DECAY],
        "lars": [{"trust_coefficient": 0.01, "momentum": 0.5, "lr": falling}],
        "adabelief": [BETAS],
    },
    "cs231n": {
        "sgd": [DECAY, MOMENTUM_DECAY, NESTEROV],
        "adagrad": [{"eps": 1e-4}],
        "rmsprop": [DECAY],
        "adam": [DECAY],
    },
    "thinc": {
        "sgd": [DECAY, {"clip_param_norm": None}],
        "adam": [DECAY, {"clip_param_norm": 0.01}],
        "radam": [DECAY, {"clip_param_norm": None}],
    },
}

#: What each system calls fastnn's keywords, where it does not call them the same.
NAMES = {
    "torch": {"initial_accumulator": "initial_accumulator_value", "decoupled": "decoupled_weight_decay"},
    "keras": {
        "lr": "learning_rate",
        "eps": "epsilon",
        "betas": ("beta_1", "beta_2"),
        "initial_accumulator": "initial_accumulator_value",
        "beta2_decay": "beta_2_decay",
        "d": "clip_threshold",
    },
    "optax": {"betas": ("b1", "b2"), "initial_accumulator": "initial_accumulator_value"},
    "cs231n": {"lr": "learning_rate", "eps": "epsilon", "weight_decay": "reg"},
    "thinc": {"lr": "learn_rate", "weight_decay": "L2", "clip_param_norm": "grad_clip"},
}

#: fastnn's learning rates, which hold where a system has none.
OWN_LR = {
    **dict.fromkeys(["sgd", "adam", "adamw", "radam", "lamb", "adabelief"], 1e-3),
    **dict.fromkeys(["adagrad", "rmsprop", "lars"], 1e-2),
    **dict.fromkeys(["adamax", "nadam"], 2e-3),
    "adadelta": 1.0,
    "lion": 1e-4,
}


def theirs(system, rule, keywords):
    """fastnn's keywords as those of the system's formula."""
    result = {}
    if system == "optax" or (system, rule) == ("thinc", "sgd"):
        keywords = {"lr": OWN_LR[rule], **keywords}
    for key, value in keywords.items():
        name = NAMES[system].get(key, key)
        result.update(zip(name, value, strict=True) if isinstance(name, tuple) else [(name, value)])
    return result


def weights_and_gradients(seed=3):
    """Three arrays, and for each of STEPS steps their gradients: both signs, 1e-3 to 1e2, exact zeros.

    Every other step is small enough to escape thinc's clipping, and one gradient vanishes altogether.
    """
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-2, 2, shape) for shape in [(3, 4), (5,), (2, 3, 2)]]
    gradients = []
    for step in range(STEPS):
        sizes = [10.0 ** rng.uniform(-3, -1 if step % 2 else 2, w.shape) for w in weights]
        gradients.append([np.where(rng.random(s.shape) < 0.85, rng.choice([-1, 1], s.shape) * s, 0) for s in sizes])
    gradients[3][1][...] = 0
    return weights, gradients


def assert_takes_the_steps_of(formula, optimizer, weights, gradients, keywords):
    per_array = zip(weights, zip(*gradients, strict=True), strict=True)
    trajectories = [list(formula(w.copy(), grads, **keywords)) for w, grads in per_array]
    for step, grads in enumerate(gradients):
        optimizer.step(grads)
        for actual, trajectory in zip(weights, trajectories, strict=True):
            np.testing.assert_allclose(actual, trajectory[step], rtol=1e-12, atol=1e-14, err_msg=f"step {step}")


CASES = [
    pytest.param(system, rule, keywords, id="-".join([system, rule, *keywords]))
    for system, rules in VARIANTS.items()
    for rule, variants in rules.items()
    for keywords in [{}, *variants]
]


@pytest.mark.parametrize(("system", "rule", "keywords"), CASES)
def test_preset_is_the_systems_formula(system, rule, keywords):
    weights, gradients = weights_and_gradients()
    formula = getattr(getattr(frameworks, system), rule)
    optimizer = fnn.optim.preset(system, rule, weights, **keywords)
    assert_takes_the_steps_of(formula, optimizer, weights, gradients, theirs(system, rule, keywords))


def test_every_preset_is_tested():
    assert {system: set(rules) for system, rules in VARIANTS.items()} == {s: set(rules) for s, rules in PRESETS.items()}


@pytest.mark.parametrize(
    ("rule", "keywords", "optax_keywords"),
    [
        ("rmsprop", {"eps_mode": "outside"}, {"eps_in_sqrt": False}),
        ("adam", {"eps_mode": "inside", "eps": 1e-6}, {"eps": 0.0, "eps_root": 1e-6}),
        ("radam", {"eps_mode": "inside", "eps": 1e-6}, {"eps": 0.0, "eps_root": 1e-6}),
    ],
)
def test_optax_with_eps_elsewhere(rule, keywords, optax_keywords):
    weights, gradients = weights_and_gradients()
    optimizer = fnn.optim.preset("optax", rule, weights, lr=0.1, **keywords)
    assert_takes_the_steps_of(
        getattr(frameworks.optax, rule), optimizer, weights, gradients, {"lr": 0.1, **optax_keywords}
    )


def test_keras_adafactor_takes_small_gradients_for_what_they_are():
    """fastnn's own eps is larger than their squares in float32."""
    weights, gradients = weights_and_gradients()
    small = [[g * 1e-7 for g in grads] for grads in gradients]
    arrays = [w.astype("f4") for w in weights]
    optimizer = fnn.optim.preset("keras", "adafactor", arrays)
    for grads in small:
        optimizer.step([g.astype("f4") for g in grads])
    for actual, w, *grads in zip(arrays, weights, *small, strict=True):
        *_, expected = frameworks.keras.adafactor(w, grads)
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("rule", PRESETS["thinc"])
def test_thinc_averages_but_for_their_beginning(rule):
    """thinc's averages begin at 0, fastnn's at the first weights; what remains of those wanes."""
    weights, gradients = weights_and_gradients()
    optimizer = fnn.optim.preset("thinc", rule, weights)
    trajectory, averages = [], []
    for grads in gradients:
        optimizer.step(grads)
        trajectory.append(weights[0].copy())
        averages.append(optimizer.ema[0].copy())
    remainder = trajectory[0]
    for t, (average, expected) in enumerate(zip(averages, frameworks.thinc.averages(trajectory), strict=True), start=1):
        remainder = remainder * (1 + t) / (10 + t)
        np.testing.assert_allclose(average, expected + remainder, rtol=1e-12, atol=1e-14)


def test_thinc_averages_at_last_keep_a_ten_thousandth():
    decay = PRESETS["thinc"]["adam"]["ema_decay"]
    assert decay(0) == 2 / 11  # at the first step thinc counts 1
    assert decay(10**6) == 0.9999


def test_keywords_override_the_preset():
    weights, gradients = weights_and_gradients()
    optimizer = fnn.optim.preset("keras", "rmsprop", weights, lr=0.01, alpha=0.99, eps=1e-8, eps_mode="outside")
    assert_takes_the_steps_of(frameworks.torch.rmsprop, optimizer, weights, gradients, {})
    optimizer = fnn.optim.preset("thinc", "adam", weights, ema_decay=None)
    assert optimizer.ema is None


def test_a_preset_is_an_instance_of_its_rule_and_leaves_the_table_alone():
    before = {system: {rule: dict(keywords) for rule, keywords in rules.items()} for system, rules in PRESETS.items()}
    optimizer = fnn.optim.preset("keras", "nadam", {"w": np.ones(2)}, lr=0.5, ema_decay=0.9)
    assert type(optimizer) is fnn.optim.NAdam
    assert before == PRESETS


@pytest.mark.parametrize(
    ("system", "rule", "message"),
    [
        ("tensorflow", "adam", "preset: system is 'tensorflow', expected one of torch, keras, optax, cs231n, thinc"),
        (None, "adam", "preset: system is None, expected one of"),
        ("thinc", "lamb", "preset: thinc has no rule 'lamb', expected one of adam, radam, sgd"),
        ("torch", "lion", "preset: torch has no rule 'lion', expected one of adadelta, adafactor, adagrad, adam, "),
        ("keras", "Adam", "preset: keras has no rule 'Adam', expected one of "),
        ("keras", ["adam"], r"preset: keras has no rule \['adam'\], expected one of "),
    ],
)
def test_unknown_systems_and_rules(system, rule, message):
    with pytest.raises(ValueError, match=message):
        fnn.optim.preset(system, rule, np.ones(2))


@pytest.mark.parametrize(("system", "rule"), [("keras", "lamb"), ("keras", "adafactor"), ("optax", "lars")])
def test_a_decay_that_no_keyword_gives_is_refused(system, rule):
    with pytest.raises(ValueError, match=rf"preset: weight_decay is 0.1, expected 0 for {system}'s {rule}, which "):
        fnn.optim.preset(system, rule, np.ones(2), weight_decay=0.1)
    assert isinstance(fnn.optim.preset(system, rule, np.ones(2), weight_decay=0.0), fnn.optim.Optimizer)


def test_unknown_keywords_are_the_rules_own_error():
    with pytest.raises(TypeError, match="learning_rate"):
        fnn.optim.preset("keras", "adam", np.ones(2), learning_rate=0.1)
