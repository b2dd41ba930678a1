"""Losses of two classes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.primitives import fma
from .._engine.simd_math import log, log1p
from .._engine.vectors import LANES
from ..typing import Reduction
from . import _logistic
from ._elementwise import NO_PARAMETERS, Fused, evaluate, nonnegative, operands

# --- formulas: of prediction, target t and parameters ----------------------------------------------------------------


def _at_most(y, bound):
    """min(y, bound); NaN stays NaN."""
    return bound if y > bound else y


def _probability_cross_entropy(p, t, weight, b, c):
    return weight * fma(t, _at_most(-log(p), 100.0), (1.0 - t) * _at_most(-log1p(-p), 100.0))


def _probability_cross_entropy_gradient(p, t, weight, b, c):
    variance = p * (1.0 - p)
    return weight * (p - t) / (1e-12 if variance < 1e-12 else variance)


def _hinge(s, t, a, b, c):
    margin = fma(-t, s, 1.0)
    return 0.0 if margin <= 0.0 else margin


def _hinge_gradient(s, t, a, b, c):
    margin = fma(-t, s, 1.0)
    y = 0.0 if margin <= 0.0 else margin
    return -t if margin > 0.0 else y


_LOGITS = Fused("binary_cross_entropy_with_logits", _logistic.cross_entropy, _logistic.cross_entropy_gradient, work=1.0)
_LOGITS_WEIGHTED = Fused(
    "binary_cross_entropy_with_logits_weighted",
    _logistic.weighted_cross_entropy,
    _logistic.weighted_cross_entropy_gradient,
    work=1.2,
    weights=True,
)
_PROBABILITIES = Fused(
    "binary_cross_entropy", _probability_cross_entropy, _probability_cross_entropy_gradient, work=1.0
)
_PROBABILITIES_WEIGHTED = Fused(
    "binary_cross_entropy_weighted",
    _probability_cross_entropy,
    _probability_cross_entropy_gradient,
    work=1.2,
    weights=True,
)
_FOCAL = Fused("focal", *_logistic.focal_formulas(_logistic.small_power_of_miss), work=1.6)
_FOCAL_ANY_POWER = Fused(
    "focal_any_power", *_logistic.focal_formulas(_logistic.power_of_miss), work=5.0, exact=True, exact_gradient=True
)
_HINGE = Fused("hinge", _hinge, _hinge_gradient, work=0.2, exact=True)

# --- losses ----------------------------------------------------------------------------------------------------------

_NAMES = ("logits", "targets")


def _expanded(name: str, argument: str, weight: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """A weight as an array of `shape`; one number as a vector of it."""
    weight = check.real_array(name, argument, weight)
    array = np.empty(LANES if weight.size == 1 else shape, dtype)
    try:
        if weight.ndim > len(shape):
            raise ValueError
        array[...] = weight.item() if weight.size == 1 else weight
    except ValueError:
        raise ValueError(
            f"{name}: {argument} has shape {weight.shape}, expected one that broadcasts to {shape}"
        ) from None
    return array


def _weights(name: str, dtype: np.dtype, shape: tuple[int, ...], **given: Any) -> tuple:
    """The parameters of a kernel with weights: three arrays, then their strides."""
    ones = np.ones(LANES, dtype)
    with np.errstate(all="ignore"):
        arrays = [ones if w is None else _expanded(name, argument, w, dtype, shape) for argument, w in given.items()]
    arrays += [ones] * (3 - len(arrays))
    return (
        *arrays,
        *(int(array.shape == shape) for array in arrays),
    )  # LANES numbers for LANES elements: either is right


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """Binary cross-entropy of p = sigmoid(logits): ``weight * (-pos_weight t log(p) - (1 - t) log(1 - p))``.

    Of gradient ``weight * ((1 - t) p - pos_weight t (1 - p))``. Both come from one exponential and are accurate in the
    tails, where p rounds to 0 or 1. When to use: two classes, or many independent labels.

    Parameters
    ----------
    logits : array_like
        Of any shape; log-odds of the positive class.
    targets : array_like of the same shape
        1 for the positive class, 0 for the negative one, or a probability; converted to the dtype of logits.
    pos_weight : array_like, optional
        Weight of the positive class; broadcasts to logits (a number, or one per label along the last axis).
    weight : array_like, optional
        Weight of each element's loss; broadcasts to logits.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements. Weights do not enter the divisor.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of logits (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by logits, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction, weights that do not broadcast to logits.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Bishop, Pattern recognition and machine learning, 2006, section 4.3.2.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.binary_cross_entropy_with_logits([0.0, 100.0], [1, 0], reduction="none")
    >>> loss.round(4).tolist(), grad.tolist()
    ([0.6931, 100.0], [-0.5, 1.0])
    """
    name = "binary_cross_entropy_with_logits"
    if pos_weight is None and weight is None:
        return evaluate(name, _LOGITS, logits, targets, reduction, return_grad, NO_PARAMETERS, _NAMES)
    logits, targets = operands(name, logits, targets, _NAMES)
    weights = _weights(name, logits.dtype, logits.shape, pos_weight=pos_weight, weight=weight)
    return evaluate(name, _LOGITS_WEIGHTED, logits, targets, reduction, return_grad, weights, _NAMES)


def binary_cross_entropy(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """Binary cross-entropy of probabilities: ``weight * (-t log(p) - (1 - t) log(1 - p))``, no logarithm below -100.

    Of gradient ``weight * (p - t) / max(p (1 - p), 1e-12)``. When to use: where only probabilities are at hand; from
    logits `binary_cross_entropy_with_logits` is faster and keeps the tails.

    Parameters
    ----------
    p : array_like
        Probabilities of the positive class, of any shape; NaN results from values outside [0, 1].
    targets : array_like of the same shape
        1 for the positive class, 0 for the negative one, or a probability; converted to the dtype of p.
    weight : array_like, optional
        Weight of each element's loss; broadcasts to p.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements. Weights do not enter the divisor.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of p (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by p, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction, a weight that does not broadcast to p.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Bishop, Pattern recognition and machine learning, 2006, section 4.3.2.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.binary_cross_entropy([0.5, 0.0], [1.0, 1.0], reduction="none")
    >>> loss.round(4).tolist(), grad[:1].tolist()
    ([0.6931, 100.0], [-2.0])
    """
    name, arguments = "binary_cross_entropy", ("p", "targets")
    if weight is None:
        ones = 1.0, 0.0, 0.0
        return evaluate(name, _PROBABILITIES, p, targets, reduction, return_grad, ones, arguments)
    p, targets = operands(name, p, targets, arguments)
    weights = _weights(name, p.dtype, p.shape, weight=weight)
    return evaluate(name, _PROBABILITIES_WEIGHTED, p, targets, reduction, return_grad, weights, arguments)


def focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """Focal loss of p = sigmoid(logits): cross-entropy times ``alpha_t * miss^gamma``.

    miss = (1 - t) p + t (1 - p) is the probability of the wrong class and alpha_t = alpha t + (1 - alpha) (1 - t), or 1
    without alpha; the gradient is ``alpha_t miss^gamma (ce' + gamma ce miss' / miss)``. When to use: detection, and
    wherever easy negatives are so many that they drown the rest.

    Parameters
    ----------
    logits : array_like
        Of any shape; log-odds of the positive class.
    targets : array_like of the same shape
        1 for the positive class, 0 for the negative one, or a probability; converted to the dtype of logits.
    gamma : float
        How much less easy elements count, >= 0; 0 is the cross-entropy. Integers up to 7 are faster than other numbers.
    alpha : float, optional
        Weight of the positive class, 0 to 1; the negative one has 1 - alpha.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of logits (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by logits, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction, gamma or alpha out of range.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Lin et al., "Focal loss for dense object detection" (2017).

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.focal([0.0, 4.0], [1, 1], reduction="none")
    >>> loss.round(6).tolist()
    [0.173287, 6e-06]
    """
    gamma = nonnegative("focal", "gamma", gamma)
    parameters = gamma, 1.0, 1.0
    if alpha is not None:
        alpha = check.number("focal", "alpha", alpha, 0, 1)
        parameters = gamma, alpha, 1 - alpha
    fused = _FOCAL if gamma.is_integer() and gamma <= 7 else _FOCAL_ANY_POWER
    return evaluate("focal", fused, logits, targets, reduction, return_grad, parameters, _NAMES)


def hinge(scores: ArrayLike, targets: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool = True) -> Any:
    """Binary hinge loss: ``max(0, 1 - t s)``, of gradient -t where that is above 0, else 0.

    When to use: support vector machines; scores well on the right side cost nothing.

    Parameters
    ----------
    scores : array_like
        Of any shape; the sign is the predicted class.
    targets : array_like of the same shape
        -1 or +1 (not 0 and 1); converted to the dtype of scores.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of scores (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by scores, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Cortes & Vapnik, "Support-vector networks" (1995).

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.hinge([0.5, 3.0], [-1, 1], reduction="none")
    >>> loss.tolist(), grad.tolist()
    ([1.5, 0.0], [1.0, 0.0])
    """
    return evaluate("hinge", _HINGE, scores, targets, reduction, return_grad, arguments=("scores", "targets"))
