"""Optimiser objects for the tests: every rule with all its state, structures as flat lists, snapshots of everything."""

import numpy as np
from optim_cases import OPTIMS

import fastnn as fnn

#: Options that give a rule all the state it can have.
STATEFUL = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "Adam": {"amsgrad": True},
    "AdamW": {"amsgrad": True, "amsgrad_max": "corrected"},
}
RULES = [rule for rule in OPTIMS if rule in fnn.optim.__all__]


def make(rule, params, **options):
    """The rule with all its state, and steps that can be seen in float32."""
    return getattr(fnn.optim, rule)(params, **{"lr": 0.01, **STATEFUL.get(rule, {}), **options})


def leaves(tree):
    """The arrays of a structure in order."""
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in leaves(value)]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def normal(seed, arrays, scale=1.0):
    """A gradient for each array, of its shape and dtype."""
    rng = np.random.default_rng(seed)
    return [np.asarray(scale * rng.standard_normal(array.shape), array.dtype) for array in arrays]


def assert_equal(actual, expected):
    """Bit for bit, dtypes too; NaN equals NaN."""
    assert len(actual) == len(expected)
    for k, (one, other) in enumerate(zip(actual, expected, strict=True)):
        assert one.dtype == other.dtype, f"array {k}"
        np.testing.assert_array_equal(one, other, err_msg=f"array {k}")


def snapshot(optimizer, *trees):
    """Copies of an optimiser's state and of arrays."""
    return optimizer.state_dict() | {f"array {k}": leaf.copy() for k, leaf in enumerate(leaves(trees))}


def assert_unchanged(before, optimizer, *trees, besides=()):
    after = snapshot(optimizer, *trees)
    assert after.keys() == before.keys()
    for key in before.keys() - set(besides):
        np.testing.assert_array_equal(after[key], before[key], err_msg=key)
