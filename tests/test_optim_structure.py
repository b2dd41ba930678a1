"""However parameters and gradients are kept, the result is that of one optimiser an array, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim_objects import RULES, assert_equal, leaves, make, normal

import fastnn as fnn

OPTIONS = {"weight_decay": 0.1, "l1": 0.01, "clip_value": 1.5, "clip_param_norm": 30.0, "ema_decay": 0.75}


def array(seed, shape, dtype="f4"):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def nested():
    return {
        "layer1": {"W": array(0, (40, 70)), "b": array(1, 70, "f8")},
        "blocks": [array(2, ()), (array(3, (0, 4)), array(4, (3, 1, 2), "f8")), []],
        7: array(5, (5000,)),
    }


STRUCTURES = {
    "array": lambda: array(0, (17, 9)),
    "0-d": lambda: array(0, ()),
    "empty": lambda: array(0, (0,)),
    "list": lambda: [array(0, (33, 65)), array(1, 16, "f8"), array(2, (1, 1))],
    "tuple": lambda: (array(0, 100), array(1, 100)),
    "no array": lambda: {"a": []},
    "nested": nested,
}


def with_leaves(tree, replacements):
    """The same structure, dicts in the other order, with other arrays."""
    if isinstance(tree, dict):
        values = {key: with_leaves(value, replacements) for key, value in tree.items()}
        return dict(reversed(values.items()))
    if isinstance(tree, (list, tuple)):
        return [with_leaves(value, replacements) for value in tree]
    return next(replacements)


def step_and_compare(rule, params, grads_of_steps, options=OPTIONS):
    """Steps of one optimiser for all and of one for each array, which sees no None; the results must be equal."""
    alone = [leaf.copy() for leaf in leaves(params)]
    together, singles = make(rule, params, **options), [make(rule, leaf, **options) for leaf in alone]
    for grads in grads_of_steps:
        together.step(with_leaves(params, iter(grads)))
        for single, grad in zip(singles, grads, strict=True):
            if grad is not None:
                single.step(grad)
    assert_equal(leaves(params), alone)
    state = together.state_dict()
    for k, single in enumerate(singles):
        for key, value in single.state_dict().items():
            if key.startswith("0.") and key != "0.ema":
                np.testing.assert_array_equal(state[f"{k}{key[1:]}"], value, err_msg=key)
    return together, singles


@pytest.mark.parametrize("rule", RULES)
def test_structures_of_all_kinds(rule):
    for make_params in STRUCTURES.values():
        params = make_params()
        grads = [normal(step, leaves(params)) for step in range(3)]
        together, singles = step_and_compare(rule, params, grads)
        assert_equal(leaves(together.ema), [single.ema for single in singles])


def test_the_average_is_structured_as_the_parameters():
    params = nested()
    ema = fnn.optim.SGD(params, ema_decay=0.5).ema
    assert list(ema) == ["layer1", "blocks", 7]
    assert list(ema["layer1"]) == ["W", "b"]
    assert type(ema["blocks"]) is list
    assert type(ema["blocks"][1]) is tuple
    assert_equal(leaves(ema), leaves(params))


@pytest.mark.parametrize("rule", RULES)
def test_hundreds_of_arrays_of_odd_sizes(rule):
    rng = np.random.default_rng(1)
    sizes = np.concatenate([rng.integers(0, 5001, 150), rng.integers(0, 70, 140), [0, 1, 15, 16, 17, 1023, 1024]])
    sizes = np.concatenate([sizes, [1025, 4096, 5000]])
    params = [array(k, size, "f8" if k % 3 == 1 else "f4") for k, size in enumerate(rng.permutation(sizes))]
    assert len(params) == 300
    step_and_compare(rule, params, [normal(step, params) for step in range(2)])


@pytest.mark.parametrize("count", [4095, 4096, 4097, 8192, 20_000, 131_072, 140_000])
def test_pieces_of_large_arrays_beside_small_ones(count):
    params = [array(0, 3), array(1, count), array(2, 1000), array(3, count + 1), array(4, 5)]
    step_and_compare("LAMB", params, [normal(step, params) for step in range(2)])


@pytest.mark.parametrize("rule", ["SGD", "Adam", "Adagrad", "NAdam", "LAMB"])
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=6))
def test_gradients_that_come_and_go(rule, patterns):
    params = [array(0, (3, 4)), array(1, 300), array(2, (), "f8"), array(3, 7, "f8"), array(4, 2000)]
    steps = []
    for k, pattern in enumerate(patterns):
        grads = normal(k, params)
        steps.append([grad if there else None for grad, there in zip(grads, pattern, strict=True)])
    options = {"weight_decay": 0.1}
    together, _ = step_and_compare(rule, params, steps, options)
    state = together.state_dict()
    assert [state[f"{k}.step"] for k in range(5)] == np.sum(patterns, axis=0).tolist()
    assert together.step_count == len(patterns)


def test_none_stands_for_a_whole_branch():
    params = nested()
    before = [leaf.copy() for leaf in leaves(params)]
    optimizer = fnn.optim.Adam(params)
    optimizer.step({"layer1": None, "blocks": None, 7: np.ones(5000, "f4")})
    assert_equal(leaves(params)[:-1], before[:-1])
    assert (params[7] != before[-1]).all()
    optimizer.step(None)
    assert optimizer.step_count == 2


def test_groups_are_optimisers_of_their_own():
    first, second, third = array(0, (20, 30)), {"b": array(1, 50), "W": array(2, (4, 5), "f8")}, [array(3, ())]
    options = {"lr": 0.1, "weight_decay": 0.2}
    alone = [leaf.copy() for leaf in leaves([first, second, third])]
    optimizer = fnn.optim.Adam(first, **options)
    singles = [fnn.optim.Adam(alone[0], **options)]
    grads = [normal(step, alone) for step in range(4)]
    optimizer.step(grads[0][0])
    singles[0].step(grads[0][0])
    overrides = {"lr": 0.01, "betas": (0.5, 0.9), "maximize": True, "clip_value": 0.5}
    optimizer.add_param_group(second, **overrides)
    optimizer.add_param_group(third, weight_decay=lambda step: step, amsgrad=True)
    singles += [fnn.optim.Adam(leaf, **options | overrides) for leaf in alone[1:3]]
    # The schedule knows the optimiser's steps, of which this parameter has missed the first.
    singles += [fnn.optim.Adam(alone[3], lr=0.1, weight_decay=lambda step: step + 1, amsgrad=True)]
    for step in (1, 2, 3):
        a, b, c, d = grads[step]
        optimizer.step((a, {"W": c, "b": b}, [d]))
        for single, grad in zip(singles, (a, b, c, d), strict=True):
            single.step(grad)
    assert_equal(leaves([first, second, third]), alone)
    assert [optimizer.state_dict()[f"{k}.step"] for k in range(4)] == [4, 3, 3, 3]


def test_a_group_added_late_starts_its_average_with_its_weights():
    first, second = np.ones(2), np.full(2, 8.0)
    optimizer = fnn.optim.SGD(first, lr=1.0, ema_decay=0.75)
    optimizer.step(np.ones(2))
    optimizer.add_param_group([second])
    optimizer.step([None, [np.full(2, 4.0)]])
    assert_equal(optimizer.ema[1], [np.full(2, 7.0)])


@pytest.mark.parametrize("rule", RULES)
def test_same_bits_for_any_number_of_threads(rule):
    results = []
    for threads in (1, 2):
        with fnn.threads(threads):
            params = [array(0, 200_000), array(1, (400, 500), "f8"), array(2, 33)]
            optimizer = make(rule, params, clip_norm=5.0, clip_param_norm=3.0, weight_decay=0.1, ema_decay=0.5)
            for step in range(2):
                optimizer.step(normal(step, params))
            results.append(params + [value for value in optimizer.state_dict().values() if np.ndim(value)])
    assert_equal(*results)
