"""The reference optimisers against sums over all gradients, first steps worked out by hand, and identities."""

import inspect
import math
from itertools import pairwise

import numpy as np
import optim_sums as sums
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim_cases import OPTIMS, common_options, drive, drive_with_state, gradients
from ulps import same_bits

from fastnn import reference

#: Gradients of one entry: they change sign, vanish, grow and shrink.
HISTORY = [0.5, -2.0, 30.0, 0.0, 0.125, 0.125, -1e-3, -4.0, 3.0, 2.0, 2.0, -0.75]
INF, NAN = np.inf, np.nan

BETAS = [{}, {"betas": (0.5, 0.9), "eps": 0.1}, {"betas": (0.0, 0.99), "eps": 0.0}, {"betas": (0.0, 0.0), "eps": 1e-3}]
MODES = [{"eps_mode": mode, "eps": 0.1} for mode in ("outside", "inside", "hat")]
MOMENTA = [{}, {"momentum": 0.9}, {"momentum": 0.5, "momentum_form": "velocity"}]

#: The rule, its displacement, all its options.
BY_SUMS = [
    (
        "SGD",
        sums.sgd,
        [*MOMENTA, *({**m, "dampening": 0.3} for m in MOMENTA), *({**m, "nesterov": True} for m in MOMENTA)],
    ),
    ("Adagrad", sums.adagrad, [{}, {"lr_decay": 0.5, "initial_accumulator": 0.1}, {"eps": 0.0}, *MODES[:2]]),
    (
        "RMSprop",
        sums.rmsprop,
        [
            {**momentum, **mode, "centered": centered, "alpha": alpha}
            for momentum in MOMENTA
            for mode in ({}, *MODES[:2])
            for centered in (False, True)
            for alpha in (0.99, 0.5)
        ]
        + [{"alpha": 0.0, "eps": 0.1}],
    ),
    ("Adadelta", sums.adadelta, [{}, {"rho": 0.5, "eps": 0.1}, {"rho": 0.0}, {"eps": 0.0}]),
    ("Adam", sums.adam, BETAS + MODES + [{**m, "amsgrad": True, "betas": (0.5, 0.75)} for m in MODES]),
    ("Adam", sums.adam, [{**m, "amsgrad": True, "amsgrad_max": "corrected", "betas": (0.5, 0.75)} for m in MODES]),
    ("Adamax", sums.adamax, [*BETAS, *({**m, "betas": (0.5, 0.5)} for m in MODES[:2])]),
    ("NAdam", sums.nadam, [{**b, "momentum_decay": psi} for b in BETAS for psi in (4e-3, 1.0, 0.0, None)]),
    ("RAdam", sums.radam, [*BETAS, *MODES, *({**m, "step_offset": 3, "betas": (0.5, 0.9)} for m in MODES)]),
    ("Lion", sums.lion, [{}, {"betas": (0.5, 0.9)}, {"betas": (0.0, 0.9)}, {"betas": (0.9, 0.0)}]),
    ("AdaBelief", sums.adabelief, [{}, {"betas": (0.5, 0.9), "eps": 0.1}, {"betas": (0.5, 0.9), "eps": 0.0}, BETAS[3]]),
    ("Rprop", sums.rprop, [{}, {"etas": (0.25, 3.0)}, {"step_sizes": (0.02, 0.05)}]),
]


def of_every_rule(table):
    return [pytest.param(OPTIMS[rule], f, o, id=f"{rule}-{o}") for rule, f, options in table for o in options]


@pytest.mark.parametrize(("row", "displacement", "options"), of_every_rule(BY_SUMS))
def test_every_step_is_the_sum_over_all_gradients(row, displacement, options):
    hyper = {**options, "lr": 0.05}
    path = [drive(row, hyper, np.array([0.25]), part)[0] for part in sums.prefixes(HISTORY)]
    expected = [displacement(part, **hyper) for part in sums.prefixes(HISTORY)]
    np.testing.assert_allclose(path, 0.25 - np.cumsum(expected), rtol=1e-12, atol=1e-15)


#: The rule, its keywords, parameter and gradient before the first step, the parameter after it.
FIRST_STEPS = [
    ("SGD", {"momentum": 0.5, "nesterov": True, "dampening": 0.25}, [1.0], [2.0], [1 - 0.5 * (2 + 1)]),
    ("Adagrad", {"eps": 1.0}, [1.0], [2.0], [1 - 0.5 * 2 / 3]),
    ("Adagrad", {"eps": 5.0, "eps_mode": "inside"}, [1.0], [2.0], [1 - 0.5 * 2 / 3]),
    ("RMSprop", {"alpha": 0.75, "eps": 2.0}, [1.0], [4.0], [1 - 0.5 * 4 / 4]),
    ("RMSprop", {"alpha": 0.75, "eps": 12.0, "eps_mode": "inside"}, [1.0], [4.0], [1 - 0.5 * 4 / 4]),
    ("RMSprop", {"alpha": 0.75, "eps": 1.0, "eps_mode": "inside", "centered": True}, [1.0], [4.0], [1 - 0.5 * 4 / 2]),
    ("Adadelta", {"rho": 0.75, "eps": 5.0}, [1.0], [4.0], [1 - 0.5 * math.sqrt(5) / 3 * 4]),
    ("Adam", {"eps": 0.5}, [1.0], [2.0], [1 - 0.5 * 2 / 2.5]),
    ("Adam", {"eps": 12.0, "eps_mode": "inside"}, [1.0], [-2.0], [1 + 0.5 * 2 / 4]),
    ("Adam", {"eps": 1.0, "eps_mode": "hat", "betas": (0.5, 0.75)}, [1.0], [2.0], [1 - 0.5 * 2 / 4]),
    ("AdamW", {"eps": 0.5, "weight_decay": 0.2}, [1.0], [2.0], [0.9 - 0.5 * 2 / 2.5]),
    ("AdamW", {"eps": 0.0}, [1.0], [2.0], [0.995 - 0.5]),
    ("Adamax", {"eps": 1.0}, [1.0], [-3.0], [1 + 0.5 * 3 / 4]),
    ("NAdam", {"eps": 0.0, "betas": (0.5, 0.75), "momentum_decay": None}, [1.0], [7.0], [1 - 0.5 * 4 / 3]),
    ("RAdam", {}, [1.0], [7.0], [1 - 0.5 * 7]),
    ("Lion", {}, [1.0, -1.0, 2.0], [1e-6, 0.0, -1e3], [0.5, -1.0, 2.5]),
    ("LAMB", {"eps": 0.0}, [3.0, 4.0], [1e-3, -2.0], [3 - 2.5 / math.sqrt(2), 4 + 2.5 / math.sqrt(2)]),
    ("LARS", {"trust_coefficient": 0.1}, [3.0, 4.0], [0.0, 2.0], [3.0, 3.75]),
    ("LARS", {"trust_coefficient": 0.1, "eps": 0.5}, [3.0, 4.0], [0.0, 2.0], [3.0, 3.8]),
    (
        "LARS",
        {"trust_coefficient": 0.12, "weight_decay": 0.2},
        [3.0, 4.0],
        [0.0, 2.0],
        [3 - 0.5 * 0.2 * 0.6, 4 - 0.5 * 0.2 * 2.8],
    ),
    (
        "LARS",
        {"trust_coefficient": 0.1, "weight_decay": 0.2, "decoupled": True},
        [3.0, 4.0],
        [0.0, 2.0],
        [2.7, 3.6 - 0.25],
    ),
    (
        "LARS",
        {"trust_coefficient": 0.1, "grad_scale": 0.5, "clip_value": 2.0, "l1": 1.0},
        [3.0, 4.0],
        [8.0, 3.0],
        [3 - 0.1 * 3, 4 - 0.1 * 2.5],
    ),
    ("Adafactor", {"eps": (None, 0.0)}, [1.0, 7.0], [1e-3, -2.0], [1 - 2.5, 7 + 2.5]),
    ("Adafactor", {"eps": (None, 6.0)}, [1.0, 7.0], [1e-3, -2.0], [1 - 3, 7 + 3]),
    ("AdaBelief", {"eps": 3.0, "betas": (0.5, 0.75)}, [1.0], [4.0], [1 - 0.5 * 4 / 7]),
    ("Rprop", {}, [1.0, -1.0, 2.0], [1e-6, 0.0, -1e3], [0.5, -1.0, 2.5]),
]


@pytest.mark.parametrize(("rule", "options", "param", "grad", "expected"), FIRST_STEPS)
def test_the_first_step_by_hand(rule, options, param, grad, expected):
    actual = drive(OPTIMS[rule], {**options, "lr": 0.5}, np.array(param), [grad])
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_the_forms_of_momentum_differ_by_when_lr_enters(name):
    rates, results = (0.5, 0.25), {}
    for form in ("torch", "velocity"):
        param, buf = np.zeros(1), np.zeros(1)
        state = {"buf": buf} if name == "sgd" else {"buf": buf, "square_avg": np.zeros(1), "alpha": 0.0, "eps": 0.0}
        for lr in rates:
            update = getattr(reference.optim, f"{name}_update")
            update(param, np.ones(1), **state, lr=lr, momentum=0.5, momentum_form=form)
        results[form] = [param[0], buf[0]]
    assert results["torch"] == [-0.5 - 0.25 * 1.5, 1.5]
    assert results["velocity"] == [-0.5 - (0.25 + 0.25), -0.5]


def test_a_centred_variance_is_not_below_zero():
    param, square_avg, grad_avg = np.ones(1), np.ones(1), np.full(1, 2.0)
    reference.optim.rmsprop_update(param, np.ones(1), square_avg, lr=0.5, alpha=0.5, eps=0.25, grad_avg=grad_avg)
    assert [param[0], square_avg[0], grad_avg[0]] == [1 - 0.5 / 0.25, 1.0, 1.5]


def test_rprop_sees_the_signs_of_gradients_whose_product_underflows():
    actual = drive(
        OPTIMS["Rprop"], {"lr": 0.5, "etas": (0.25, 1.5)}, np.zeros(2), [[1e-200, 1e-200], [1e-200, -1e-200]]
    )
    assert actual.tolist() == [-0.5 - 0.75, -0.5]


@pytest.mark.parametrize("eps_mode", ["outside", "inside", "hat"])
def test_radam_long_after_the_start_is_adam(eps_mode, rng):
    param, other, state = rng.standard_normal(5), np.zeros(5), np.abs(rng.standard_normal((2, 5)))
    other[...] = param
    options = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.1, "eps_mode": eps_mode}
    reference.optim.radam_update(param, np.ones(5), *state.copy(), 1, step_offset=10**4, **options)
    reference.optim.adam_update(other, np.ones(5), *state, 10**4, **options)
    np.testing.assert_allclose(param, other, rtol=1e-13)


def test_lamb_goes_where_adam_goes(rng):
    param, grads = rng.standard_normal(5), gradients(2, (5,))
    for count in range(len(grads)):
        adam = [drive(OPTIMS["Adam"], {"lr": 0.5, "eps": 1e-3}, param, grads[:k]) for k in (count, count + 1)]
        before, after = (drive(OPTIMS["LAMB"], {"lr": 0.05, "eps": 1e-3}, param, grads[:k]) for k in (count, count + 1))
        direction = (adam[1] - adam[0]) / np.linalg.norm(adam[1] - adam[0])
        np.testing.assert_allclose(after - before, 0.05 * np.linalg.norm(before) * direction, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_lars_is_momentum_with_rates_of_its_own(weight_decay, rng):
    param, buf, other_buf = rng.standard_normal(5), np.zeros(5), np.zeros(5)
    expected, common = param.copy(), {"weight_decay": weight_decay, "momentum": 0.75}
    for lr, grad in zip((0.5, 0.1, 1.0), rng.standard_normal((3, 5)), strict=True):
        norms = [math.sqrt(math.fsum(x * x for x in array)) for array in (expected, grad)]
        rate = lr * 0.25 * norms[0] / (norms[1] + weight_decay * norms[0] + 0.125)
        reference.optim.sgd_update(expected, grad, other_buf, lr=rate, momentum_form="velocity", **common)
        reference.optim.lars_update(
            param, -grad, buf, lr=lr, trust_coefficient=0.25, eps=0.125, maximize=True, **common
        )
    np.testing.assert_allclose(param, expected, rtol=1e-13)
    np.testing.assert_allclose(buf, -other_buf, rtol=1e-13)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1, "l1": 0.2}, {"weight_decay": 0.1, "decoupled": False}])
def test_lamb_moves_by_lr_times_the_norm_of_the_parameter(options):
    param = np.arange(1.0, 7.0).reshape(2, 3)
    path = [
        param,
        *(drive(OPTIMS["LAMB"], {**options, "lr": 0.05}, param, p) for p in sums.prefixes(gradients(1, (2, 3)))),
    ]
    for before, after in pairwise(path):
        assert np.linalg.norm(after - before) == pytest.approx(0.05 * np.linalg.norm(before), rel=1e-12)


def test_lamb_adds_a_decoupled_penalty_to_the_direction():
    options = {"lr": 0.5, "eps": 0.0, "weight_decay": 0.5, "l1": 0.25}
    direction = np.array([1 + 1.5 + 0.25, -1 + 2 + 0.25])
    expected = np.array([3.0, 4.0]) - 0.5 * 5 / np.linalg.norm(direction) * direction
    np.testing.assert_allclose(drive(OPTIMS["LAMB"], options, np.array([3.0, 4.0]), [[1e-3, -2.0]]), expected)


@pytest.mark.parametrize(("param", "grad", "expected"), [([0.0, 0.0], [3.0, -4.0], 1), ([3.0, 4.0], [0.0, 0.0], 0)])
def test_without_a_norm_the_layerwise_rules_leave_the_step_as_long_as_it_is(param, grad, expected):
    actual = drive(OPTIMS["LAMB"], {"lr": 0.5}, np.array(param), [grad])
    np.testing.assert_allclose(actual, np.array(param) - expected * 0.5 * np.sign(grad), rtol=1e-6)
    actual = drive(OPTIMS["LARS"], {"lr": 0.5, "l1": 2.0}, np.array(param), [grad])
    np.testing.assert_allclose(actual, np.array(param) - 0.5 * (np.array(grad) + 2 * np.sign(param)))


@pytest.mark.parametrize(
    "options", [{}, {"beta2_decay": -0.5, "d": 2.0}, {"eps": (3.0, 0.5)}, {"eps": (1e-3, 1.0), "d": 1.5}]
)
@pytest.mark.parametrize("lr", [0.01, 0.75])
def test_adafactor_by_loops(lr, options, rng):
    param, grads = rng.standard_normal((2, 3, 4)), gradients(3, (2, 3, 4), steps=6)
    expected = sums.adafactor(param, grads, lr, **options)
    np.testing.assert_allclose(drive(OPTIMS["Adafactor"], {**options, "lr": lr}, param, grads), expected, rtol=1e-12)


def test_adafactor_of_rank_one_needs_no_factors(rng):
    """The squares of an outer product are the product of the means of its rows and columns."""
    rows, columns, start = rng.standard_normal((3, 1)), rng.standard_normal((1, 4)), rng.standard_normal((3, 4))
    grads = [factor * rows * columns for factor in (1.0, -30.0, 0.25, 2.0)]
    matrix = drive(OPTIMS["Adafactor"], {"lr": 0.1}, start, grads)
    vector = drive(OPTIMS["Adafactor"], {"lr": 0.1}, start.ravel(), [g.ravel() for g in grads])
    np.testing.assert_allclose(matrix.ravel(), vector, rtol=1e-13)


def test_adafactor_takes_the_length_of_the_parameter_before_its_decay():
    options = {"lr": 0.5, "eps": (None, 0.0), "weight_decay": 0.2}
    for decoupled, expected in ((True, [0.9 - 2.5, 6.3 + 2.5]), ("after", [-1.5 * 0.9, 9.5 * 0.9])):
        actual = drive(OPTIMS["Adafactor"], {**options, "decoupled": decoupled}, np.array([1.0, 7.0]), [[1e-3, -2.0]])
        np.testing.assert_allclose(actual, expected, rtol=1e-14)


#: Rules whose step does not change when all gradients are multiplied by a number, for an eps of 0.
SCALE_FREE = ("Adagrad", "RMSprop", "Adam", "Adamax", "NAdam", "Lion", "LAMB", "AdaBelief", "Rprop", "Adafactor")


@pytest.mark.parametrize("rule", SCALE_FREE)
def test_the_scale_of_the_gradients_does_not_matter(rule):
    without_eps = {"Adafactor": {"eps": (0.0, 1e-3)}, "Lion": {}, "Rprop": {}}.get(rule, {"eps": 0.0})
    hyper, param, grads = {"lr": 0.01, **without_eps}, np.linspace(-1, 1, 6), gradients(5, (6,))
    plain = drive(OPTIMS[rule], hyper, param, grads)
    np.testing.assert_allclose(drive(OPTIMS[rule], {**hyper, "grad_scale": 1024.0}, param, grads), plain, rtol=1e-9)


def after_two_steps(row, hyper):
    """(param, state) in the middle of things."""
    return drive_with_state(row, hyper, np.array([1.5, -2.25, 0.5]), gradients(6, (3,), steps=2))


def third_step(row, param, state, grad, options):
    keywords = row.keywords(options, param.dtype)
    getattr(reference.optim, f"{row.name}_update")(param, grad, **state, **row.per_step(3), **keywords)


def rows_and_decays():
    """Without those whose penalty also enters elsewhere: LARS's and LAMB's, and Adafactor's rms of the parameter."""
    elsewhere = {("LARS", False), ("LARS", True), ("LARS", "after"), ("LAMB", True), ("Adafactor", True)}
    rows = [(row, decoupled) for row in OPTIMS.values() for decoupled in row.decoupled]
    return [
        pytest.param(row, decoupled, id=f"{row.rule}-{decoupled}")
        for row, decoupled in rows
        if (row.rule, decoupled) not in elsewhere
    ]


@pytest.mark.parametrize(("row", "decoupled"), rows_and_decays())
def test_the_common_keywords_by_hand(row, decoupled):
    hyper = {"lr": 0.5, "weight_decay": 0.0}
    (param, state), (expected, plain_state) = after_two_steps(row, hyper), after_two_steps(row, hyper)
    param[...] = expected[...] = [1.0, -2.0, 0.0]
    options = {"grad_scale": 0.5, "clip_value": 1.25, "maximize": True, "decoupled": decoupled}
    third_step(row, param, state, [4.0, -3.0, 0.5], {"lr": 0.5, "weight_decay": 0.1, "l1": 0.2, **options})

    seen = [-1.25, 1.25, -0.25] if decoupled else [-1.25 + 0.3, 1.25 - 0.4, -0.25]
    if decoupled is True:
        expected[...] = [0.85, -1.8, 0.0]
    third_step(row, expected, plain_state, seen, hyper)
    if decoupled == "after":
        expected -= 0.5 * (0.1 * expected + 0.2 * np.sign(expected))
    np.testing.assert_allclose(param, expected, rtol=1e-13)
    for name, array in state.items():
        if array is not None:
            np.testing.assert_allclose(array, plain_state[name], rtol=1e-13)


@pytest.mark.parametrize("row", OPTIMS.values(), ids=OPTIMS)
def test_decay_is_decoupled_by_default_where_the_papers_have_it_so(row):
    param, grads = np.array([1.0, -2.0, 0.5]), gradients(7, (3,), steps=3)
    results = [
        drive(row, {"lr": 0.05, "weight_decay": 0.3, **given}, param, grads)
        for given in ({}, {"decoupled": True}, {"decoupled": False})
    ]
    decoupled = row.rule in ("AdamW", "Lion", "LAMB", "Adafactor")
    assert same_bits(results[0], results[1]) == decoupled
    assert same_bits(results[0], results[2]) == (not decoupled)


@pytest.mark.parametrize("row", OPTIMS.values(), ids=OPTIMS)
def test_gradients_are_cleared_on_request_only(row):
    param, state = after_two_steps(row, {"lr": 0.5})
    for zero_grads, expected in ((False, [1.0, -2.0, NAN]), (True, [0.0, 0.0, 0.0])):
        grad = np.array([1.0, -2.0, NAN], np.float32)
        third_step(row, param, state, grad, {"lr": 0.5, "zero_grads": zero_grads, "clip_value": 1.5})
        assert same_bits(grad, np.float32(expected))
        assert np.isnan(param[2])


@pytest.mark.parametrize("row", OPTIMS.values(), ids=OPTIMS)
def test_shapes_without_axes_or_without_entries(row):
    scalar = drive(row, {"lr": 0.05}, np.array(0.25), HISTORY)
    assert scalar.shape == ()
    assert same_bits(scalar, drive(row, {"lr": 0.05}, np.array([0.25]), [[g] for g in HISTORY])[0])
    for shape in ((0,), (3, 0), (0, 3)):
        assert drive(row, {"lr": 0.05}, np.zeros(shape), gradients(0, shape)).shape == shape


def test_a_coefficient_of_zero_is_no_penalty_on_an_infinite_parameter():
    param, buf = np.array([INF, -INF, NAN]), np.zeros(3)
    reference.optim.sgd_update(param, np.ones(3), buf, lr=0.5, momentum=0.5)
    assert same_bits(param, np.array([INF, -INF, NAN]))
    assert same_bits(buf, np.ones(3))


@pytest.mark.parametrize("row", OPTIMS.values(), ids=OPTIMS)
@given(data=st.data(), seed=st.integers(0, 1000), shape=st.sampled_from([(), (5,), (3, 4), (2, 3, 2)]))
def test_what_the_rows_draw_keeps_the_rules_finite(row, data, seed, shape):
    hyper = {**data.draw(row.hyper), **data.draw(common_options(row))}
    param = np.asarray(np.random.default_rng(seed).standard_normal(shape))
    final, state = drive_with_state(row, hyper, param, gradients(seed, shape))
    assert all(np.isfinite(array).all() for array in (final, *state.values()) if array is not None)


@pytest.mark.parametrize("row", OPTIMS.values(), ids=OPTIMS)
def test_the_rows_name_the_state_as_the_functions_do(row):
    parameters = list(inspect.signature(getattr(reference.optim, f"{row.name}_update")).parameters)
    names = list(row.state({"lr": 0.1}, np.zeros((2, 2))))
    assert parameters[:2] == ["param", "grad"]
    assert [name for name in parameters[2:] if name in names] == names


def test_gradients_change_sign_and_size_and_vanish():
    grads = np.array(gradients(0, (40, 50)))
    sizes = np.abs(grads[grads != 0])
    assert 1e-6 <= sizes.min() < 1e-5
    assert 1e2 < sizes.max() <= 1e3
    assert 0.35 < np.mean(np.sign(grads[1:]) * np.sign(grads[:-1]) < 0) < 0.5
    assert np.all(grads[0] != 0)
    assert 0.05 < np.mean(grads[1:] == 0) < 0.15
    assert same_bits(grads, np.array(gradients(0, (40, 50))))
