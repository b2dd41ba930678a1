"""Losses of the difference d = prediction - target, and of two distributions."""

from typing import Any

import numpy as np

from ._common import elementwise, pair, product, reduced


@np.errstate(all="ignore")
def mse(prediction: Any, target: Any, *, reduction: Any = "mean", return_grad: Any = True) -> Any:
    """(loss, grad) of d**2; the gradient is 2 * d."""
    d = _difference(prediction, target)
    return elementwise(d * d, 2 * d, reduction, return_grad)


@np.errstate(all="ignore")
def mae(prediction: Any, target: Any, *, reduction: Any = "mean", return_grad: Any = True) -> Any:
    """(loss, grad) of |d|; the gradient is sign(d), 0 at 0."""
    d = _difference(prediction, target)
    return elementwise(np.abs(d), np.sign(d), reduction, return_grad)


@np.errstate(all="ignore")
def huber(prediction: Any, target: Any, *, delta: Any = 1.0, reduction: Any = "mean", return_grad: Any = True) -> Any:
    """(loss, grad) of d**2 / 2 where |d| <= delta, else delta * (|d| - delta / 2) (Huber 1964)."""
    d = _difference(prediction, target)
    loss = np.where(np.abs(d) <= delta, 0.5 * d * d, delta * (np.abs(d) - 0.5 * delta))
    return elementwise(loss, np.clip(d, -delta, delta), reduction, return_grad)


@np.errstate(all="ignore")
def smooth_l1(
    prediction: Any, target: Any, *, beta: Any = 1.0, reduction: Any = "mean", return_grad: Any = True
) -> Any:
    """(loss, grad) of d**2 / (2 * beta) where |d| < beta, else |d| - beta / 2: huber(delta=beta) / beta.

    With beta = 0 it is mae.
    """
    d = _difference(prediction, target)
    near, scaled = np.abs(d) < beta, d / np.float64(beta)
    loss = np.where(near, 0.5 * d * scaled, np.abs(d) - 0.5 * beta)
    return elementwise(loss, np.where(near, scaled, np.sign(d)), reduction, return_grad)


@np.errstate(all="ignore")
def log_cosh(prediction: Any, target: Any, *, reduction: Any = "mean", return_grad: Any = True) -> Any:
    """(loss, grad) of log(cosh(d)); the gradient is tanh(d).

    cosh(d) = 1 + 2 * sinh(d / 2)**2 keeps small d exact, cosh(d) = exp(|d|) * (1 + exp(-2 * |d|)) / 2 large ones.
    """
    d = _difference(prediction, target)
    size = np.abs(d)
    loss = np.where(size < 1, np.log1p(2 * np.sinh(0.5 * d) ** 2), size + np.log1p(np.exp(-2 * size)) - np.log(2))
    return elementwise(loss, np.tanh(d), reduction, return_grad)


@np.errstate(all="ignore")
def kl_div(log_probs: Any, target_probs: Any, *, reduction: Any = "mean", return_grad: Any = True) -> Any:
    """(loss, grad) of t * (log(t) - log_probs), 0 where t = 0; the gradient, by log_probs, is -t.

    "mean" divides the sum by the number of samples, the length of the first axis (1 when 0-d); over no sample it
    is NaN. "none" is per element.
    """
    log_probs, t = pair(log_probs, target_probs)
    loss = product(t, np.where(t == 0, 0.0, np.log(t)) - log_probs)
    samples = np.float64(t.shape[0] if t.ndim else 1)
    return reduced(loss, -t, samples, reduction, return_grad)


def _difference(prediction, target):
    prediction, target = pair(prediction, target)
    return prediction - target
