"""Losses of one class out of many: value and gradient in one pass over the logits, along any axis."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fused import launch
from .._engine.geometry import contiguous
from .._engine.lines import LineKernel
from ..typing import Reduction
from ._class_lines import cross_entropy, hinge, nll_of_labels, nll_of_targets, smoothed_cross_entropy
from ._elementwise import REDUCTIONS, scalar
from ._labels import SampleKernel, sum_of_weights

_INT64 = np.dtype(np.int64)


def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
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
    axis : int, default -1
        The axis of the classes.
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

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> loss, grad = fnn.softmax_cross_entropy(np.log([[1.0, 3.0]]), [0])
    >>> print(loss.round(3), grad)
    1.386 [[-0.75  0.75]]
    """
    if weight is None and ignore_index is None and label_smoothing == 0.0 and reduction == "mean":
        result = _small_mean(logits, labels, axis, return_grad)
        if result is not None:
            return result
    name = "softmax_cross_entropy"
    x, axis = _scores(name, "logits", logits, axis)
    targets = _targets(name, "logits", x, axis, labels, weight, ignore_index, label_smoothing)
    kernel = cross_entropy if targets.base is None else smoothed_cross_entropy
    return _evaluate(name, kernel, x, axis, targets, reduction, return_grad)


def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """Negative log-likelihood of the labels: ``loss = -sum_c w_c t_c log_probs_c``, as for `softmax_cross_entropy`.

    For outputs of `log_softmax`; from logits, `softmax_cross_entropy` is one pass instead of three.

    Parameters
    ----------
    log_probs : array_like
        Logarithms of the probabilities of C classes along `axis`.
    labels : array_like
        Integer classes, of log_probs' shape without `axis`; or probabilities, of log_probs' whole shape.
    axis, weight, ignore_index, label_smoothing, reduction, return_grad
        As for `softmax_cross_entropy`.

    Returns
    -------
    loss : scalar or ndarray
        Of log_probs' dtype. A class of weight 0 adds nothing, even with a logarithm of -inf.
    grad : ndarray
        With respect to log_probs.

    Raises
    ------
    ValueError, TypeError
        As `softmax_cross_entropy`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> loss, grad = fnn.nll_loss(np.log([[0.25, 0.75]]), [0])
    >>> print(loss.round(3), grad)
    1.386 [[-1.  0.]]
    """
    name = "nll_loss"
    x, axis = _scores(name, "log_probs", log_probs, axis)
    targets = _targets(name, "log_probs", x, axis, labels, weight, ignore_index, label_smoothing)
    kernel = nll_of_labels if targets.base is None else nll_of_targets
    return _evaluate(name, kernel, x, axis, targets, reduction, return_grad)


def multiclass_hinge(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    margin: float = 1.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """The loss of a multiclass SVM: ``loss = sum_j max(0, s_j - s_y + margin)`` over the wrong classes j.

    The gradient is 1 for each j whose term is above 0 (not at 0), and minus their number for the label y.

    Parameters
    ----------
    scores : array_like
        C classes along `axis`.
    labels : array_like
        Integer classes, of scores' shape without `axis`.
    margin : float
        By how much the right class has to win.
    axis : int, default -1
        The axis of the classes.
    reduction : {"mean", "sum", "none"}
        The mean is over the samples.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the scores' dtype; with "none" of scores' shape without `axis`. A mean over no label is NaN.
    grad : ndarray
        Of the scores' shape and dtype.

    Raises
    ------
    ValueError
        A class out of range, wrong shapes, axis or reduction, a margin that is not finite.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Weston and Watkins, Support vector machines for multi-class pattern recognition, ESANN 1999.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.multiclass_hinge([[3.0, 2.5, -1.0]], [0])
    >>> print(loss, grad)
    0.5 [[-1.  1.  0.]]
    """
    name = "multiclass_hinge"
    x, axis = _scores(name, "scores", scores, axis)
    margin = check.number(name, "margin", margin)
    labels = np.asarray(labels)
    targets = _Targets(_class_labels(name, "scores", x, axis, labels, (x.shape[:axis] + x.shape[axis + 1 :],)))
    return _evaluate(name, hinge, x, axis, targets, reduction, return_grad, margin)


def _small_mean(x: Any, labels: Any, axis: Any, return_grad: bool) -> Any:
    """The mean cross-entropy of a small batch, and its gradient; None if an argument needs a closer look."""
    words = cross_entropy.small(x, axis)
    if words is None or type(labels) is not np.ndarray or labels.dtype is not _INT64 or not labels.flags.carray:
        return None
    if labels.shape != x.shape[:-1]:
        return None
    total, grad = np.empty(1), np.empty(x.shape, x.dtype) if return_grad else None
    scale = 1.0 / (words[3] or 1)
    if launch(*words, total, x, labels, None, grad, None, None, None, 0, 0, scale, 0.0):
        return None
    loss = scalar(total.item() / (words[3] or 1), x.dtype)
    return (loss, grad) if return_grad else loss


class _Targets(NamedTuple):
    """What a loss compares with, in the kernels' order and form; what is not there is None."""

    labels: np.ndarray | None = None  # int64
    probabilities: np.ndarray | None = None  # of the logits' dtype
    weights: np.ndarray | None = None  # float64, one a class, without what smoothing takes
    base: np.ndarray | None = None  # float64, one a class: what smoothing adds
    ignored: int | None = None
    mean_weights: np.ndarray | None = None  # float64, one a class, as given


def _scores(name: str, argument: str, value: Any, axis: Any) -> tuple[np.ndarray, int]:
    """The array in C order with at least one class, the axis counted from the front."""
    x = check.real_array(name, argument, value)
    axis = check.axis_of(name, axis, x, argument)
    if x.shape[axis] == 0:
        raise ValueError(f"{name}: {argument} has shape {x.shape}, expected at least one class along axis {axis}")
    return contiguous(x), axis


def _targets(
    name: str,
    argument: str,
    x: np.ndarray,
    axis: int,
    labels: Any,
    weight: Any,
    ignore_index: Any,
    label_smoothing: Any,
) -> _Targets:
    classes = x.shape[axis]
    if weight is not None:
        weight = contiguous(check.real_array(name, "weight", weight), np.float64)
        check.same_shape(name, "weight", weight, (classes,), f"to match axis {axis} of {argument}")
    if ignore_index is not None:
        ignore_index = check.integer(name, "ignore_index", ignore_index)
        if not -(1 << 63) <= ignore_index < 1 << 63:
            raise ValueError(f"{name}: ignore_index is beyond 64 bits, as no label is")
    smoothing = check.number(name, "label_smoothing", label_smoothing, 0, 1)
    labels = np.asarray(labels)
    probabilities = labels.shape == x.shape and labels.dtype.kind in "fiub"
    if probabilities and ignore_index is not None:
        raise ValueError(f"{name}: ignore_index is {ignore_index}, expected None with probabilities as labels")
    weights, base = weight, None
    if probabilities or smoothing:
        ones = np.ones(classes) if weight is None else weight
        weights, base = ones * (1 - smoothing), ones * (smoothing / classes)
    if probabilities:
        with np.errstate(all="ignore"):
            target = contiguous(check.real_array(name, "labels", labels), x.dtype)
        return _Targets(None, target, weights, base)
    sample_shape = x.shape[:axis] + x.shape[axis + 1 :]
    classes_given = _class_labels(name, argument, x, axis, labels, (sample_shape, x.shape))
    return _Targets(classes_given, None, weights, base, ignore_index, weight)


def _class_labels(
    name: str, argument: str, x: np.ndarray, axis: int, labels: np.ndarray, shapes: tuple[tuple[int, ...], ...]
) -> np.ndarray:
    """Integer labels of the first of `shapes` as int64; the second is what probabilities would have."""
    if labels.shape != shapes[0]:
        expected = f"{shapes[0]} (classes) or {shapes[1]} (probabilities)" if len(shapes) > 1 else f"{shapes[0]}"
        raise ValueError(f"{name}: labels has shape {labels.shape}, expected {expected}")
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: labels has dtype {labels.dtype}, expected integers for classes of shape {labels.shape}"
        )
    return contiguous(labels, np.int64)


def _evaluate(
    name: str,
    kernel: LineKernel | SampleKernel,
    x: np.ndarray,
    axis: int,
    targets: _Targets,
    reduction: str,
    return_grad: bool,
    margin: float = 0.0,
) -> Any:
    """(loss, gradient) or the loss alone."""
    check.one_of(name, "reduction", reduction, REDUCTIONS)
    divisor = _divisor(name, x, axis, targets) if reduction == "mean" else 1.0
    losses = np.empty(x.shape[:axis] + x.shape[axis + 1 :], x.dtype) if reduction == "none" else None
    scattered = kernel is nll_of_labels and axis < x.ndim - 1
    grad = (np.zeros if scattered else np.empty)(x.shape, x.dtype) if return_grad else None
    total = 0.0
    if x.size:
        ignored = targets.ignored
        status, total = kernel.summed(
            x, axis, x, targets.labels, targets.probabilities, grad, losses, targets.weights, targets.base,
            ignored is not None, ignored or 0, 1.0 / divisor if divisor else np.inf, margin,
        )  # fmt: skip
        if status:
            raise _out_of_range(name, targets, x.shape[axis])
    mean = total / divisor if divisor else np.nan
    loss = scalar(mean, x.dtype) if losses is None else losses[()]
    return (loss, grad) if return_grad else loss


def _divisor(name: str, x: np.ndarray, axis: int, targets: _Targets) -> float:
    """What the mean divides by: the weights of the labels that count, or the number of samples."""
    weights, ignored = targets.mean_weights, targets.ignored
    if targets.labels is None or (weights is None and ignored is None) or not x.size:
        return float(x.size // x.shape[axis])
    arguments = None, targets.labels, None, None, None, weights, None, ignored is not None, ignored or 0
    status, result = sum_of_weights.summed(x, axis, *arguments)
    if status:
        raise _out_of_range(name, targets, x.shape[axis])
    return result


def _out_of_range(name: str, targets: _Targets, classes: int) -> ValueError:
    labels = targets.labels
    assert labels is not None  # probabilities are never out of range
    wrong = (labels < 0) | (labels >= classes)
    if targets.ignored is not None:
        wrong &= labels != targets.ignored
    return ValueError(f"{name}: labels holds {labels[wrong][0]}, expected classes 0 to {classes - 1}")
