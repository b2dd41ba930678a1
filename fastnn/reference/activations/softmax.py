"""Softmax, its logarithm, and the logarithm of a sum of exponentials."""

from typing import Any

import numpy as np


@np.errstate(all="ignore")
def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / sum(exp(x)) along `axis`; a row that is all -inf, or has a +inf or a NaN, is all NaN."""
    exponentials = np.exp(_shifted(x, axis)[1])
    return exponentials / exponentials.sum(axis, keepdims=True)


@np.errstate(all="ignore")
def softmax_backward(dy: Any, y: Any, axis: Any = -1) -> Any:
    """y * (dy - sum(dy * y)), y the output of softmax."""
    dy, y = np.asarray(dy, np.float64), np.asarray(y, np.float64)
    return y * (dy - (dy * y).sum(axis, keepdims=True))


@np.errstate(all="ignore")
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """x - log(sum(exp(x))) along `axis`; NaN where softmax is."""
    top, shifted = _shifted(x, axis)
    return np.where(np.isinf(top), np.nan, shifted - _log_sum(shifted, axis))


@np.errstate(all="ignore")
def log_softmax_backward(dy: Any, y: Any, axis: Any = -1) -> Any:
    """dy - exp(y) * sum(dy), y the output of log_softmax."""
    dy, y = np.asarray(dy, np.float64), np.asarray(y, np.float64)
    return dy - np.exp(y) * dy.sum(axis, keepdims=True)


@np.errstate(all="ignore")
def logsumexp(x: Any, axis: Any = -1, keepdims: Any = False) -> Any:
    """log(sum(exp(x))) over `axis`, an int, a tuple or None for all; -inf over nothing."""
    x = np.asarray(x, np.float64)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = np.moveaxis(x, axes, range(-len(axes), 0))
    kept = last.shape[: x.ndim - len(axes)]
    top, shifted = _shifted(last.reshape(*kept, np.prod(last.shape[len(kept) :], dtype=int)), -1)
    y = np.where(np.isinf(top), top, top + _log_sum(shifted, -1))[..., 0]
    return (np.expand_dims(y, axes) if keepdims else y)[()]


def _shifted(x, axis):
    """(the maximum along `axis`, x less the maximum)."""
    x = np.asarray(x, np.float64)
    top = x.max(axis, keepdims=True, initial=-np.inf)
    return top, x - top


def _log_sum(shifted, axis):
    """log(sum(exp(shifted))) of rows with maximum 0, which is left out for log1p to add: the sum may round to 1."""
    others = np.sort(np.moveaxis(shifted, axis, -1), -1)[..., :-1]
    return np.expand_dims(np.log1p(np.exp(others).sum(-1)), axis)
