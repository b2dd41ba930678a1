"""Losses: the value and its gradient in one call."""

from typing import Any, NamedTuple

import numpy as np

from ._engine import check

REDUCTIONS = ("mean", "sum", "none")


class _Targets(NamedTuple):
    """What a class loss compares with, one row a sample: the loss of a row is ``-sum(q * log p)``."""

    q: np.ndarray  # (samples, classes): weighted, smoothed target probabilities
    ignored: np.ndarray  # (samples,): rows with no loss and no gradient
    divisor: float  # of the mean


def _class_targets(
    name: str, labels: np.ndarray, classes: int, weight: np.ndarray, ignore_index: int | None, smoothing: float
) -> _Targets:
    """Integer labels; as in torch, ``mean`` divides by the summed weights of the labels that count."""
    ignored = np.zeros(labels.shape, bool) if ignore_index is None else labels == ignore_index
    wrong = ~ignored & ((labels < 0) | (labels >= classes))
    if wrong.any():
        raise ValueError(f"{name}: labels holds {labels[wrong][0]}, expected classes 0 to {classes - 1}")
    q = np.full((labels.size, classes), smoothing / max(classes, 1))
    rows = np.flatnonzero(~ignored)
    q[rows, labels[rows].astype(np.intp)] += 1 - smoothing
    q *= weight
    q[ignored] = 0
    return _Targets(q, ignored, float(weight[labels[rows].astype(np.intp)].sum()))


def _targets(
    name: str,
    labels: Any,
    shape: tuple[int, ...],
    axis: int,
    weight: np.ndarray,
    ignore_index: int | None,
    smoothing: float,
) -> _Targets:
    """Targets from integer classes (shape without `axis`) or from probabilities (the whole shape)."""
    labels = np.asarray(labels)
    classes, sample_shape = shape[axis], shape[:axis] + shape[axis + 1 :]
    if labels.shape == shape and labels.dtype.kind in "fiub":
        if ignore_index is not None:
            raise ValueError(f"{name}: ignore_index is {ignore_index}, expected None with probabilities as labels")
        q = np.moveaxis(check.real_array(name, "labels", labels), axis, -1).reshape(-1, classes).astype(np.float64)
        q = (q * (1 - smoothing) + smoothing / max(classes, 1)) * weight
        return _Targets(q, np.zeros(len(q), bool), float(len(q)))
    if labels.shape != sample_shape:
        raise ValueError(
            f"{name}: labels has shape {labels.shape}, expected {sample_shape} (classes) or {shape} (probabilities)"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: labels has dtype {labels.dtype}, expected integers for classes of shape {labels.shape}"
        )
    return _class_targets(name, labels.reshape(-1), classes, weight, ignore_index, smoothing)


def _reduced(losses: np.ndarray, grad: np.ndarray, divisor: float, reduction: str) -> tuple[np.ndarray, np.ndarray]:
    if reduction == "none":
        return losses, grad
    total = np.sum(losses)
    if reduction == "sum":
        return total, grad
    # A gradient that is 0 stays so over no label at all, where the mean is 0 / 0.
    return total / np.float64(divisor), np.divide(grad, divisor, out=grad, where=grad != 0)


def softmax_cross_entropy(
    logits: Any,
    labels: Any,
    *,
    axis: int = -1,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    return_grad: bool = True,
) -> Any:
    """Cross-entropy of softmax(logits) and the labels: ``loss = -sum_c w_c t_c log softmax(logits)_c``.

    t is the label's one-hot row (or its probabilities), smoothed to ``(1 - label_smoothing) t + label_smoothing / C``;
    the gradient is ``softmax(logits) * sum(q) - q`` with ``q = w t``. Nothing overflows, and a logit of -inf is a class
    of probability 0.

    Parameters
    ----------
    logits : array_like
        C classes along `axis`.
    labels : array_like
        Integer classes, of logits' shape without `axis`; or probabilities, of logits' whole shape.
    weight : array_like of shape (C,), optional
        One weight a class.
    ignore_index : int, optional
        Samples with this label have no loss, no gradient and no part in the mean.
    label_smoothing : float
        0 to 1.
    reduction : {"mean", "sum", "none"}
        The mean is over the labels' weights for classes (as in torch), over the samples for probabilities.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the logits' dtype; with "none" of logits' shape without `axis`. A mean over no label is NaN.
    grad : ndarray
        Of the logits' shape and dtype; with "none" each sample's gradient is that of its own loss.

    Raises
    ------
    ValueError
        A class out of range, wrong shapes, axis, label_smoothing or reduction, ignore_index with probabilities.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Szegedy et al., "Rethinking the Inception architecture" (2016), section 7, for label smoothing.
    """
    name = "softmax_cross_entropy"
    logits = check.real_array(name, "logits", logits)
    axis = check.axis_of(name, axis, logits, "logits")
    classes = logits.shape[axis]
    if weight is None:
        weight = np.ones(classes)
    weight = check.real_array(name, "weight", weight).astype(np.float64)
    check.same_shape(name, "weight", weight, (classes,), f"to match axis {axis} of logits")
    if ignore_index is not None:
        ignore_index = check.integer(name, "ignore_index", ignore_index)
    smoothing = check.number(name, "label_smoothing", label_smoothing, 0, 1)
    check.one_of(name, "reduction", reduction, REDUCTIONS)
    if classes == 0:
        raise ValueError(f"{name}: logits has shape {logits.shape}, expected at least one class along axis {axis}")
    targets = _targets(name, labels, logits.shape, axis, weight, ignore_index, smoothing)

    rows = np.moveaxis(logits, axis, -1)
    with np.errstate(all="ignore"):
        losses, grad = _cross_entropy(rows.reshape(-1, classes).astype(np.float64), targets)
        loss, grad = _reduced(losses.reshape(rows.shape[:-1]), grad, targets.divisor, reduction)
        loss = loss.astype(logits.dtype)[()]
        if not return_grad:
            return loss
        grad = np.moveaxis(grad.reshape(rows.shape), -1, axis)
        return loss, np.ascontiguousarray(grad, logits.dtype).reshape(logits.shape)


def _cross_entropy(logits: np.ndarray, targets: _Targets) -> tuple[np.ndarray, np.ndarray]:
    """(loss of each row, gradient): both from one exp, shifted by the row's maximum."""
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = np.sum(exponentials, axis=1, keepdims=True)
    log_p = shifted - np.log(total)
    q = targets.q
    terms = np.where((q == 0) & (log_p == -np.inf), 0, q * log_p)
    losses = np.where(targets.ignored, 0, -np.sum(terms, axis=1))
    grad = exponentials / total * np.sum(q, axis=1, keepdims=True) - q
    grad[targets.ignored] = 0
    return losses, grad
