"""Leaky rectifiers whose slope is learned (PReLU) or drawn at random (RReLU)."""

from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from .rectified import leaky_relu, leaky_relu_backward

__all__ = ["prelu", "prelu_backward", "rrelu", "rrelu_backward", "rrelu_forward"]


def _slopes(function: str, x: np.ndarray, alpha, axis: int) -> np.ndarray:
    """alpha in a shape that broadcasts against x along `axis`."""
    alpha = check.real_array(function, "alpha", alpha)
    if alpha.size == 1:
        return alpha.reshape(())
    axis = check.axis_of(function, axis, x)
    if alpha.shape != (x.shape[axis],):
        raise ValueError(
            f"{function}: alpha has shape {alpha.shape}, expected one value or ({x.shape[axis]},)"
            f" to match axis {axis} of x"
        )
    shape = [1] * x.ndim
    shape[axis] = alpha.size
    return alpha.reshape(shape)


def prelu(x, alpha, axis=1, out=None):
    """Parametric ReLU: x if x > 0 else alpha * x, with a learned slope (one, or one a channel).

    When to use: like leaky ReLU it keeps negative units alive, and lets the network choose the slope; the
    extra parameters can overfit small data.

    Parameters
    ----------
    x : array_like
    alpha : array_like
        One value of any shape, or shape (C,) for the C channels along `axis`.
    axis : int, default 1
        Ignored if alpha is one value.
    out : ndarray, optional

    Raises
    ------
    ValueError
        If alpha's shape does not match.

    References
    ----------
    He et al., Delving Deep into Rectifiers, ICCV 2015.
    """
    x = check.real_array("prelu", "x", x)
    slopes = _slopes("prelu", x, alpha, axis)
    return leaky_relu(x, slopes.astype(_operand_dtype(x), copy=False), out=out)


def _operand_dtype(x: np.ndarray):
    """The dtype in which a parameter goes with x: never one that would widen the result."""
    return np.float32 if x.dtype == np.float16 else x.dtype


def prelu_backward(dy, x, alpha, axis=1):
    """Gradients of `prelu`: dx = dy * (1 if x > 0 else alpha), dalpha = sum of dy * x where x <= 0.

    Returns
    -------
    dx : ndarray of x's shape
    dalpha : ndarray of alpha's shape
        Summed in float64.

    Raises
    ------
    ValueError
        If the shapes of dy, x and alpha do not match.
    """
    x, dy = check.real_array("prelu_backward", "x", x), check.real_array("prelu_backward", "dy", dy)
    if dy.shape != x.shape:
        raise ValueError(f"prelu_backward: dy has shape {dy.shape}, expected {x.shape} as x")
    slopes = _slopes("prelu_backward", x, alpha, axis)
    dx = leaky_relu_backward(dy, x, slopes.astype(_operand_dtype(x), copy=False))
    shares = np.multiply(dy, x, where=~(x > 0), out=np.zeros(x.shape, np.float64))
    others = None if slopes.ndim == 0 else tuple(k for k in range(x.ndim) if k != axis % x.ndim)
    total = shares.sum(axis=others)
    alpha = np.asarray(alpha)
    dtype = alpha.dtype if alpha.dtype.kind == "f" else np.dtype(np.float64)
    return dx, np.asarray(total, dtype).reshape(alpha.shape)


class RReLUCache(NamedTuple):
    """What `rrelu_backward` needs: the input, and the seed that its slopes come from."""

    x: Any
    seed: int
    lower: float
    upper: float

    def slopes(self) -> np.ndarray:
        """One slope an element, the same at every call."""
        dtype = np.dtype(_operand_dtype(self.x)).type
        uniform = np.random.Generator(np.random.Philox(key=self.seed)).random(self.x.shape, dtype)
        return uniform * dtype(self.upper - self.lower) + dtype(self.lower)


def _check_bounds(function: str, lower, upper) -> None:
    if not lower <= upper:
        raise ValueError(f"{function}: lower is {lower} and upper {upper}, expected lower <= upper")


def rrelu(x, lower=1 / 8, upper=1 / 3, *, training=False, rng=None):
    """Randomised leaky ReLU: x if x > 0 else a * x, a drawn from U(lower, upper) for each element.

    Without `training`, a is the mean slope (lower + upper) / 2. For the gradient of a training pass use
    `rrelu_forward`.

    Parameters
    ----------
    x : array_like
    lower, upper : float
    training : bool
    rng : None, int or numpy.random.Generator

    Raises
    ------
    ValueError
        If lower > upper.

    References
    ----------
    Xu et al., Empirical Evaluation of Rectified Activations in Convolutional Network, 2015.
    """
    if training:
        return rrelu_forward(x, lower, upper, rng=rng)[0]
    _check_bounds("rrelu", lower, upper)
    return leaky_relu(check.real_array("rrelu", "x", x), (lower + upper) / 2)


def rrelu_forward(x, lower=1 / 8, upper=1 / 3, *, rng=None):
    """`rrelu` in training: (y, cache), the cache for `rrelu_backward`.

    Raises
    ------
    ValueError
        If lower > upper.
    """
    _check_bounds("rrelu_forward", lower, upper)
    x = check.real_array("rrelu_forward", "x", x)
    seed = int(check.generator("rrelu_forward", rng).integers(2**63))
    cache = RReLUCache(x, seed, float(lower), float(upper))
    return leaky_relu(x, cache.slopes()), cache


def rrelu_backward(dy, cache):
    """dx = dy * (1 if x > 0 else a), with the slopes a that `rrelu_forward` drew.

    Raises
    ------
    TypeError
        If cache is not from `rrelu_forward`.
    ValueError
        If dy's shape is not x's.
    """
    if not isinstance(cache, RReLUCache):
        raise TypeError(f"rrelu_backward: cache is of type {type(cache).__name__}, expected one from rrelu_forward")
    if np.shape(dy) != cache.x.shape:
        raise ValueError(f"rrelu_backward: dy has shape {np.shape(dy)}, expected {cache.x.shape} as x")
    return leaky_relu_backward(dy, cache.x, cache.slopes())
