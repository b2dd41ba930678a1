"""Losses: the value and its gradient."""

import numpy as np


def softmax_cross_entropy(
    logits,
    labels,
    *,
    axis=-1,
    weight=None,
    ignore_index=None,
    label_smoothing=0.0,
    reduction="mean",
    return_grad=True,
):
    """(loss, grad) of -sum over the classes of q * log_softmax(logits).

    q = weight * ((1 - s) * target + s / classes), s = label_smoothing, target the one-hot labels or the given
    probabilities. "mean" divides by the summed weights of the labels that count, or, for probabilities, by
    the number of samples.
    """
    logits = np.moveaxis(np.asarray(logits, np.float64), axis, -1)
    classes = logits.shape[-1]
    weight = np.ones(classes) if weight is None else np.asarray(weight, np.float64)
    target, counts, sample_weight = _targets(labels, weight, classes, axis, ignore_index)
    q = weight * ((1 - label_smoothing) * target + label_smoothing / classes) * counts[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        shifted = logits - logits.max(-1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        loss = -np.where(q == 0, 0.0, q * log_p).sum(-1)
    grad = np.exp(log_p) * q.sum(-1, keepdims=True) - q
    return _reduce(loss, np.moveaxis(grad, -1, axis), sample_weight.sum(), reduction, return_grad)


def _targets(labels, weight, classes, axis, ignore_index):
    """(probabilities with the classes last, which samples count, the weight of each in the mean)."""
    labels = np.asarray(labels)
    if labels.dtype.kind == "f":
        target = np.moveaxis(labels.astype(np.float64), axis, -1)
        return target, np.ones(target.shape[:-1]), np.ones(target.shape[:-1])
    counts = np.full(labels.shape, True) if ignore_index is None else labels != ignore_index
    valid = np.where(counts, labels, 0)
    if valid.size and (valid.min() < 0 or valid.max() >= classes):
        raise ValueError(f"softmax_cross_entropy: labels must be in [0, {classes})")
    return np.eye(classes)[valid], counts, weight[valid] * counts


def _reduce(loss, grad, divisor, reduction, return_grad):
    if reduction != "none":
        loss = loss.sum()
    if reduction == "mean":
        with np.errstate(invalid="ignore", divide="ignore"):
            loss, grad = loss / divisor, grad / divisor
    return (loss, grad) if return_grad else loss
