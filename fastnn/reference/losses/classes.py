"""Losses of one class out of many.

The mean is over samples: with `weight` or `ignore_index` and integer labels, over the weights of those that count.
"""

from typing import Any

import numpy as np

from .._float64 import unless_nan
from ..activations import log_softmax
from ._common import product, reduced


@np.errstate(all="ignore")
def softmax_cross_entropy(
    logits: Any,
    labels: Any,
    *,
    axis: Any = -1,
    weight: Any = None,
    ignore_index: Any = None,
    label_smoothing: Any = 0.0,
    reduction: Any = "mean",
    return_grad: Any = True,
) -> Any:
    """(loss, grad) of -sum over the classes of q * log_softmax(logits).

    q = weight * ((1 - s) * target + s / classes), s = label_smoothing, target the one-hot labels (integers, of the
    logits' shape without `axis`) or the given probabilities (of the logits' shape). The gradient is
    p * sum(q) - q, p = softmax(logits).
    """
    log_p = np.moveaxis(log_softmax(logits, axis), axis, -1)
    q, counts, divisor = _targets(labels, log_p.shape, axis, weight, ignore_index, label_smoothing)
    loss = -product(q, log_p).sum(-1)
    # p * sum(q) - q without cancelling where p is nearly 1: p times the others' q, less q times the others' p.
    grad = np.exp(log_p) * (q.sum(-1, keepdims=True) - q) + q * np.expm1(log_p)
    return _over_samples(loss, grad, counts, divisor, axis, reduction, return_grad)


@np.errstate(all="ignore")
def nll_loss(
    log_probs: Any,
    labels: Any,
    *,
    axis: Any = -1,
    weight: Any = None,
    ignore_index: Any = None,
    label_smoothing: Any = 0.0,
    reduction: Any = "mean",
    return_grad: Any = True,
) -> Any:
    """(loss, grad) of -sum over the classes of q * log_probs, q as in softmax_cross_entropy; the gradient is -q."""
    log_p = np.moveaxis(np.asarray(log_probs, np.float64), axis, -1)
    q, counts, divisor = _targets(labels, log_p.shape, axis, weight, ignore_index, label_smoothing)
    return _over_samples(-product(q, log_p).sum(-1), -q, counts, divisor, axis, reduction, return_grad)


@np.errstate(all="ignore")
def multiclass_hinge(
    scores: Any, labels: Any, *, margin: Any = 1.0, axis: Any = -1, reduction: Any = "mean", return_grad: Any = True
) -> Any:
    """(loss, grad) of the sum over the wrong classes j of max(0, s_j - s_y + margin) (Weston and Watkins 1999).

    The gradient is 1 for each j whose term is above 0 and for y minus their number.
    """
    scores = np.moveaxis(np.asarray(scores, np.float64), axis, -1)
    right = _one_hot(np.asarray(labels), scores.shape) == 1
    own = np.where(right, scores, 0.0).sum(-1, keepdims=True)
    excess = np.where(right, 0.0, scores - own + margin)
    violated = unless_nan(excess, np.where(excess > 0, 1.0, 0.0))
    grad = np.where(right, -violated.sum(-1, keepdims=True), violated)
    loss, counts = np.maximum(excess, 0).sum(-1), np.full(right.shape[:-1], True)
    return _over_samples(loss, grad, counts, np.float64(counts.size), axis, reduction, return_grad)


def _targets(labels, shape, axis, weight, ignore_index, label_smoothing):
    """(q, which samples count, the divisor of the mean) for logits of `shape`, which has the classes last."""
    labels, classes = np.asarray(labels), shape[-1]
    weight = np.ones(classes) if weight is None else np.asarray(weight, np.float64)
    if labels.ndim == len(shape):
        target, counts = np.moveaxis(labels.astype(np.float64), axis, -1), np.full(shape[:-1], True)
        if target.shape != shape:
            raise ValueError(f"labels have shape {target.shape}, expected {shape} (classes last)")
        divisor = np.float64(counts.size)
    else:
        counts = np.full(labels.shape, True) if ignore_index is None else labels != ignore_index
        target = _one_hot(np.where(counts, labels, 0), shape)
        divisor = np.where(counts, target @ weight, 0.0).sum()
    return weight * ((1 - label_smoothing) * target + label_smoothing / classes), counts, divisor


def _one_hot(labels, shape):
    """Rows of 0 and one 1, for labels that must be integer classes, one a row of `shape`."""
    classes = shape[-1]
    if labels.dtype.kind not in "iu" or labels.shape != shape[:-1]:
        raise ValueError(f"labels are {labels.dtype} of shape {labels.shape}, expected integers of shape {shape[:-1]}")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(f"labels must be in [0, {classes})")
    return np.eye(classes)[labels.astype(np.intp)]


def _over_samples(loss, grad, counts, divisor, axis, reduction, return_grad):
    """`reduced`, the classes back in their place; samples that do not count have no loss and no gradient."""
    loss, grad = np.where(counts, loss, 0.0), np.where(counts[..., None], grad, 0.0)
    return reduced(loss, np.moveaxis(grad, -1, axis), divisor, reduction, return_grad)
