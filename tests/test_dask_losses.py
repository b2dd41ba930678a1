"""Losses of Dask arrays: as of the NumPy array, over any chunks."""

import dask.array as da
import numpy as np
import pytest
from lazily import DY, X, compare, given

import fastnn as fnn
from fastnn.compat import dask as lazy

SCORES, TARGETS = X[..., 0].copy(), DY[..., 0].copy()
BITS, SIGNS = (TARGETS > 0).astype("f4"), np.sign(TARGETS)
PROBABILITIES, LOG_PROBABILITIES = fnn.softmax(SCORES, 1), fnn.log_softmax(SCORES, 1)
EACH = np.linspace(0, 1, 42).reshape(7, 6, 1)
ELEMENTWISE = [
    ("mse", SCORES, TARGETS, {}),
    ("mae", SCORES, TARGETS, {}),
    ("huber", SCORES, TARGETS, {"delta": 0.7}),
    ("smooth_l1", SCORES, TARGETS, {"beta": 0.7}),
    ("log_cosh", SCORES, TARGETS, {}),
    ("kl_div", LOG_PROBABILITIES, PROBABILITIES[::-1].copy(), {}),
    ("hinge", SCORES, SIGNS, {}),
    ("focal", SCORES, BITS, {"gamma": 1.5, "alpha": 0.3}),
    ("binary_cross_entropy", PROBABILITIES, BITS, {}),
    ("binary_cross_entropy", PROBABILITIES, BITS, {"weight": np.linspace(0, 1, 5)}),
    ("binary_cross_entropy_with_logits", SCORES, BITS, {}),
    ("binary_cross_entropy_with_logits", SCORES, BITS, {"pos_weight": 3.0, "weight": EACH}),
    ("binary_cross_entropy_with_logits", SCORES, BITS, {"pos_weight": np.linspace(0, 2, 5).astype("f4")}),
]  # fmt: skip
LABELS = np.random.default_rng(2).integers(0, 6, (7, 5))
IGNORING = np.where(LABELS == 4, -100, LABELS)
WEIGHT = np.linspace(0.5, 2, 6).astype("f4")
CLASSES = [
    ("softmax_cross_entropy", SCORES, LABELS, {}),
    ("softmax_cross_entropy", SCORES, LABELS.astype("u1"), {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("softmax_cross_entropy", SCORES, IGNORING, {"weight": WEIGHT, "ignore_index": -100}),
    ("softmax_cross_entropy", SCORES, IGNORING, {"ignore_index": -100, "label_smoothing": 0.2}),
    ("softmax_cross_entropy", SCORES, np.full_like(LABELS, 9), {"ignore_index": 9}),
    ("softmax_cross_entropy", SCORES, PROBABILITIES, {"weight": WEIGHT}),
    ("nll_loss", LOG_PROBABILITIES, IGNORING, {"weight": WEIGHT, "ignore_index": -100}),
    ("nll_loss", LOG_PROBABILITIES, PROBABILITIES, {}),
    ("multiclass_hinge", SCORES, LABELS, {"margin": 0.7}),
]


@pytest.mark.parametrize("chunks", [(3, 2, 2), ((1, 5, 1), (2, 4), (4, 1))], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "x", "target", "options"), ELEMENTWISE, ids=lambda v: v if isinstance(v, str) else "")
def test_losses(name, x, target, options, reduction, chunks):
    ours, theirs = getattr(lazy, name), getattr(fnn, name)
    expected = theirs(x, target, reduction=reduction, **options)
    for lazily in (target, given(target, 2)):
        compare(ours(given(x, chunks), lazily, reduction=reduction, **options), expected, ulps=2)
    alone = ours(given(x, chunks), target, reduction=reduction, return_grad=False, **options)
    compare(alone, expected[0], ulps=2)


@pytest.mark.parametrize("chunks", [(3, 6, 2), ((1, 5, 1), (6,), (4, 1))], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "x", "labels", "options"), CLASSES, ids=lambda v: v if isinstance(v, str) else "")
def test_losses_of_classes(name, x, labels, options, reduction, chunks):
    ours, theirs = getattr(lazy, name), getattr(fnn, name)
    expected = theirs(x, labels, axis=1, reduction=reduction, **options)
    for lazily in (labels, given(labels, 2)):
        compare(ours(given(x, chunks), lazily, axis=1, reduction=reduction, **options), expected, ulps=2, absolute=1)
    alone = ours(given(x, chunks), labels, axis=1, reduction=reduction, return_grad=False, **options)
    compare(alone, expected[0], ulps=2)
    with pytest.raises(ValueError, match=rf"{name}: .* has 3 chunks along axis 1, expected one: .*rechunk"):
        ours(given(x, (3, 2, 2)), labels, axis=1)


def test_sums_of_half_precision_do_not_overflow():
    x = np.full((400, 100), 40.0, "f2")
    for name in ("mse", "mae"):
        compare(getattr(lazy, name)(given(x, 100), 0 * x), getattr(fnn, name)(x, 0 * x), ulps=1)


def test_losses_of_integers_and_of_nothing():
    x = np.arange(12).reshape(3, 4)
    compare(lazy.mse(given(x, 2), x + 1), fnn.mse(x, x + 1))
    nothing = np.empty((0, 4), "f4")
    compare(lazy.mse(given(nothing, 2), nothing), fnn.mse(nothing, nothing))
    one = np.float32(3.0)
    compare(lazy.mae(da.from_array(one), 1.0), fnn.mae(one, 1.0))


def test_a_label_out_of_range_is_found_when_computed():
    loss, _ = lazy.softmax_cross_entropy(given(SCORES, (3, 6, 2)), np.full((7, 5), 6), axis=1, weight=WEIGHT)
    with pytest.raises(ValueError, match="softmax_cross_entropy: labels holds 6, expected classes 0 to 5"):
        loss.compute()
