"""maxout, and a bias with its activation."""

import numpy as np

from .._float64 import in_float64
from .lookup import activation as resolve_activation


def maxout(x, pieces, axis=-1):
    """(y, winner): the largest of each `pieces` neighbouring channels of `axis`, the lowest piece on ties."""
    x = np.asarray(x, np.float64)
    axis %= x.ndim
    split = x.reshape(*x.shape[:axis], x.shape[axis] // pieces, pieces, *x.shape[axis + 1 :])
    winner = split.argmax(axis + 1)
    y = np.take_along_axis(split, np.expand_dims(winner, axis + 1), axis + 1)
    return y.squeeze(axis + 1), winner


def maxout_backward(dy, winner, pieces, axis=-1):
    """dy in the place of each winner, 0 elsewhere."""
    dy = np.asarray(dy, np.float64)
    axis %= dy.ndim
    dx = np.zeros((*dy.shape[: axis + 1], pieces, *dy.shape[axis + 1 :]))
    winner = np.asarray(winner, np.intp)
    np.put_along_axis(dx, np.expand_dims(winner, axis + 1), np.expand_dims(dy, axis + 1), axis + 1)
    return dx.reshape(*dy.shape[:axis], dy.shape[axis] * pieces, *dy.shape[axis + 1 :])


def bias_activation(x, bias, activation="relu", axis=-1):
    """f(x + bias), bias along `axis`."""
    f, _ = resolve_activation(activation)
    return f(_biased(x, bias, axis))


def bias_activation_backward(dy, x, bias, activation="relu", axis=-1):
    """(dx, dbias): dx = dy * f'(x + bias), dbias its sum over all axes but `axis`."""
    _, f_backward = resolve_activation(activation)
    dx = f_backward(dy, _biased(x, bias, axis))
    return dx, dx.sum(tuple(k for k in range(dx.ndim) if k != axis % dx.ndim))


@in_float64
def _biased(x, bias, axis):
    shape = np.ones(x.ndim, int)
    shape[int(axis)] = -1
    return x + bias.reshape(shape)
