"""What the losses share: pairs of arrays, products at infinity, reductions."""

from typing import Any

import numpy as np


def pair(prediction: Any, target: Any) -> Any:
    """Both in float64; another shape of the target is an error, as broadcasting would count elements twice."""
    prediction, target = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    if prediction.shape != target.shape:
        raise ValueError(f"targets have shape {target.shape}, expected {prediction.shape} as the predictions")
    return prediction, target


def product(coefficient: Any, value: Any) -> Any:
    """coefficient * value, and 0 for 0 times infinity, the limit as the value grows; NaN stays."""
    return np.where((coefficient == 0) & np.isinf(value), 0.0, coefficient * value)


def reduced(loss: Any, grad: Any, divisor: Any, reduction: Any, return_grad: Any) -> Any:
    """(loss, grad) or loss: every entry's own ("none"), their sum, or that sum over `divisor` ("mean").

    A gradient of 0 stays 0 in a mean over nothing, which is itself 0 / 0.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}, expected one of mean, sum, none")
    if reduction != "none":
        loss = loss.sum()
    if reduction == "mean":
        loss, grad = loss / divisor, np.where(grad == 0, grad, grad / divisor)
    return (loss[()], grad[()]) if return_grad else loss[()]


def elementwise(loss: Any, grad: Any, reduction: Any, return_grad: Any) -> Any:
    """`reduced` with the mean over all elements."""
    loss, grad = np.asarray(loss), np.asarray(grad)
    return reduced(loss, grad, np.float64(loss.size), reduction, return_grad)
