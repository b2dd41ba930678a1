"""Losses of two classes."""

from typing import Any

import numpy as np

from .._float64 import unless_nan
from ..activations import sigmoid, softplus
from ._common import elementwise, pair, product


@np.errstate(all="ignore")
def binary_cross_entropy_with_logits(
    logits: Any,
    targets: Any,
    *,
    pos_weight: Any = None,
    weight: Any = None,
    reduction: Any = "mean",
    return_grad: Any = True,
) -> Any:
    """(loss, grad) of weight * (pos_weight * t * softplus(-x) + (1 - t) * softplus(x)), x = logits, t = targets.

    It is -t * log(p) - (1 - t) * log(1 - p) for p = sigmoid(x), with weights that broadcast to the logits.
    """
    x, t = pair(logits, targets)
    positive, weight = t * _weights(pos_weight, x), _weights(weight, x)
    loss = product(positive, softplus(-x)) + product(1 - t, softplus(x))
    grad = (1 - t) * sigmoid(x) - positive * sigmoid(-x)
    return elementwise(product(weight, loss), weight * grad, reduction, return_grad)


@np.errstate(all="ignore")
def binary_cross_entropy(
    p: Any, targets: Any, *, weight: Any = None, reduction: Any = "mean", return_grad: Any = True
) -> Any:
    """(loss, grad) of weight * (-t * log(p) - (1 - t) * log(1 - p)), no logarithm being less than -100.

    The gradient is weight * (p - t) / max(p * (1 - p), 1e-12), also where a logarithm is cut.
    """
    p, t = pair(p, targets)
    weight = _weights(weight, p)
    loss = t * np.minimum(-np.log(p), 100) + (1 - t) * np.minimum(-np.log1p(-p), 100)
    grad = (p - t) / np.maximum(p * (1 - p), 1e-12)
    return elementwise(weight * loss, weight * grad, reduction, return_grad)


@np.errstate(all="ignore")
def focal(
    logits: Any, targets: Any, *, gamma: Any = 2.0, alpha: Any = None, reduction: Any = "mean", return_grad: Any = True
) -> Any:
    """(loss, grad) of alpha_t * miss**gamma * ce (Lin et al. 2017), targets t anywhere from 0 to 1.

    ce is binary_cross_entropy_with_logits, miss = (1 - t) * sigmoid(x) + t * sigmoid(-x) the probability of the
    wrong class, alpha_t = alpha * t + (1 - alpha) * (1 - t), or 1 when alpha is None. The gradient is
    alpha_t * miss**gamma * (ce' + gamma * ce * miss' / miss).
    """
    x, t = pair(logits, targets)
    ce, slope = binary_cross_entropy_with_logits(x, t, reduction="none")
    factor = ((1 - t) * sigmoid(x) + t * sigmoid(-x)) ** gamma
    # miss' = (1 - 2 t) * sigmoid(x) * sigmoid(-x), divided by miss before either factor can underflow.
    relative_slope = (1 - 2 * t) / (1 + product(1 - t, np.exp(x)) + product(t, np.exp(-x)))
    if alpha is not None:
        factor = factor * (alpha * t + (1 - alpha) * (1 - t))
    grad = factor * (slope + gamma * product(relative_slope, ce))
    return elementwise(product(factor, ce), grad, reduction, return_grad)


@np.errstate(all="ignore")
def hinge(scores: Any, targets: Any, *, reduction: Any = "mean", return_grad: Any = True) -> Any:
    """(loss, grad) of max(0, 1 - t * s), targets t -1 or 1; the gradient is 0 at the kink."""
    s, t = pair(scores, targets)
    margin = 1 - t * s
    grad = unless_nan(margin, np.where(margin > 0, -t, 0.0))
    return elementwise(np.maximum(margin, 0), grad, reduction, return_grad)


def _weights(weight, like):
    return np.broadcast_to(1.0 if weight is None else np.asarray(weight, np.float64), like.shape)
