"""maxout, gated linear units, and a bias with its activation."""

from typing import Any

import numpy as np

from .._float64 import in_float64
from .lookup import activation as resolve_activation

#: Gates of glu and the activation that each is; bilinear is the identity.
_GATES = {"sigmoid": "sigmoid", "relu": "relu", "gelu": "gelu", "silu": "silu", "bilinear": None}


def maxout(x: Any, pieces: Any, axis: Any = -1) -> Any:
    """(y, winner): the largest of each `pieces` neighbouring channels of `axis`, the lowest piece on ties."""
    x = np.asarray(x, np.float64)
    axis %= x.ndim
    split = x.reshape(*x.shape[:axis], x.shape[axis] // pieces, pieces, *x.shape[axis + 1 :])
    winner = split.argmax(axis + 1)
    y = np.take_along_axis(split, np.expand_dims(winner, axis + 1), axis + 1)
    return y.squeeze(axis + 1), winner


def maxout_backward(dy: Any, winner: Any, pieces: Any, axis: Any = -1) -> Any:
    """dy in the place of each winner, 0 elsewhere."""
    dy = np.asarray(dy, np.float64)
    axis %= dy.ndim
    dx = np.zeros((*dy.shape[: axis + 1], pieces, *dy.shape[axis + 1 :]))
    winner = np.asarray(winner, np.intp)
    np.put_along_axis(dx, np.expand_dims(winner, axis + 1), np.expand_dims(dy, axis + 1), axis + 1)
    return dx.reshape(*dy.shape[:axis], dy.shape[axis] * pieces, *dy.shape[axis + 1 :])


@np.errstate(all="ignore")
def glu(x: Any, axis: Any = -1, gate: Any = "sigmoid") -> Any:
    """a * gate(b), a and b the halves of x along `axis` (Dauphin et al. 2017; gates as Shazeer 2020)."""
    a, b = _halves(x, axis)
    f, _ = _gate(gate)
    return a * f(b)


@np.errstate(all="ignore")
def glu_backward(dy: Any, x: Any, axis: Any = -1, gate: Any = "sigmoid") -> Any:
    """dy * gate(b) for the first half of x, dy * a * gate'(b) for the second."""
    dy = np.asarray(dy, np.float64)
    a, b = _halves(x, axis)
    f, f_backward = _gate(gate)
    return np.concatenate([dy * f(b), f_backward(dy * a, b)], axis)


def _halves(x, axis):
    x = np.asarray(x, np.float64)
    if x.shape[axis] % 2:
        raise ValueError(f"glu: x has {x.shape[axis]} entries along axis {axis}, expected an even number")
    return np.split(x, 2, axis)


def _gate(gate):
    if gate not in _GATES:
        raise ValueError(f"glu: gate is {gate!r}, expected one of {', '.join(_GATES)}")
    return resolve_activation(_GATES[gate])


def bias_activation(x: Any, bias: Any, activation: Any = "relu", axis: Any = -1) -> Any:
    """f(x + bias), bias along `axis`."""
    f, _ = resolve_activation(activation)
    return f(_biased(x, bias, axis))


def bias_activation_backward(dy: Any, x: Any, bias: Any, activation: Any = "relu", axis: Any = -1) -> Any:
    """(dx, dbias): dx = dy * f'(x + bias), dbias its sum over all axes but `axis`."""
    _, f_backward = resolve_activation(activation)
    dx = f_backward(dy, _biased(x, bias, axis))
    return dx, dx.sum(tuple(k for k in range(dx.ndim) if k != axis % dx.ndim))


@in_float64
def _biased(x, bias, axis):
    shape = np.ones(x.ndim, int)
    shape[int(axis)] = -1
    return x + bias.reshape(shape)
