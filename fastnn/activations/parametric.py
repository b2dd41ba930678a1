"""Leaky rectifiers whose slope is learned (PReLU) or drawn at random (RReLU)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from ..typing import Out, Rng
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


def prelu(x: ArrayLike, alpha: ArrayLike, axis: int = 1, out: Out = None) -> np.ndarray:
    """Parametric ReLU: x if x > 0 else alpha * x, with a learned slope (one, or one a channel).

    When to use: like leaky ReLU it keeps negative units alive, and lets the network choose the slope; the
    extra parameters can overfit small data.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    alpha : array_like
        One value of any shape, or shape (C,) for the C channels along `axis`.
    axis : int, default 1
        The channels' axis; ignored if alpha is one value.
    out : ndarray, optional
        Receives the result; may be x itself.

    Returns
    -------
    ndarray or scalar
        Of x's shape and dtype (float64 for integers).

    Raises
    ------
    ValueError
        If alpha's shape does not match.
    TypeError
        If x or alpha is not real.

    References
    ----------
    He et al., Delving Deep into Rectifiers, ICCV 2015.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.prelu([[-2.0, -2.0], [4.0, 4.0]], [0.25, 0.5])
    array([[-0.5, -1. ],
           [ 4. ,  4. ]])
    """
    x = _operand("prelu", x)
    slopes = _slopes("prelu", x, alpha, axis)
    return leaky_relu(x, _beside(x, slopes), out=out)


def _operand(function: str, x: Any) -> np.ndarray:
    """x itself where its type handles ufuncs, as those of Dask, xarray and pandas do; else as a float array."""
    own = type(x) is not np.ndarray and hasattr(type(x), "__array_ufunc__")
    return x if own else check.real_array(function, "x", x)


def _beside(x, slopes: np.ndarray):
    """The slopes as they go with x: of a dtype that does not widen the result; unchanged beside integers and tables."""
    dtype = getattr(x, "dtype", None)  # a table has several, and pandas some that are not NumPy's
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return slopes.astype(np.float32 if dtype == np.float16 else dtype, copy=False)
    return slopes if slopes.ndim else slopes.item()


def prelu_backward(dy: ArrayLike, x: ArrayLike, alpha: ArrayLike, axis: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `prelu`: dx = dy * (1 if x > 0 else alpha), dalpha = sum of dy * x where x <= 0.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to the output, of x's shape.
    x, alpha, axis
        As given to `prelu`.

    Returns
    -------
    dx : ndarray of x's shape
    dalpha : ndarray of alpha's shape
        Summed in float64.

    Raises
    ------
    ValueError
        If the shapes of dy, x and alpha do not match.
    TypeError
        If dy, x or alpha is not real.

    Examples
    --------
    >>> import fastnn as fnn
    >>> dx, dalpha = fnn.prelu_backward([[1.0, 1.0]], [[-2.0, 4.0]], [0.25, 0.5])
    >>> dx, dalpha
    (array([[0.25, 1.  ]]), array([-2.,  0.]))
    """
    x, dy = check.real_array("prelu_backward", "x", x), check.real_array("prelu_backward", "dy", dy)
    if dy.shape != x.shape:
        raise ValueError(f"prelu_backward: dy has shape {dy.shape}, expected {x.shape} as x")
    slopes = _slopes("prelu_backward", x, alpha, axis)
    dx = leaky_relu_backward(dy, x, _beside(x, slopes))
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
        dtype: Any = np.float64 if self.x.dtype == np.float64 else np.float32
        uniform = np.random.Generator(np.random.Philox(key=self.seed)).random(self.x.shape, dtype)
        return uniform * dtype(self.upper - self.lower) + dtype(self.lower)


def _bounds(function: str, lower: Any, upper: Any) -> tuple[float, float]:
    lower, upper = check.number(function, "lower", lower), check.number(function, "upper", upper)
    if not lower <= upper:
        raise ValueError(f"{function}: lower is {lower} and upper {upper}, expected lower <= upper")
    return lower, upper


def rrelu(
    x: ArrayLike, lower: float = 1 / 8, upper: float = 1 / 3, *, training: bool = False, rng: Rng = None
) -> np.ndarray:
    """Randomised leaky ReLU: x if x > 0 else a * x, a drawn from U(lower, upper) for each element.

    Without `training`, a is the mean slope (lower + upper) / 2. For the gradient of a training pass use
    `rrelu_forward`.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    lower, upper : float
        The slopes' range.
    training : bool
        Whether to draw slopes.
    rng : None, int or numpy.random.Generator
        What draws them.

    Returns
    -------
    ndarray
        Of x's shape and dtype (float64 for integers).

    Raises
    ------
    ValueError
        If lower > upper, or one of them is not finite.
    TypeError
        If x, lower or upper are not real.

    References
    ----------
    Xu et al., Empirical Evaluation of Rectified Activations in Convolutional Network, 2015.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.rrelu([-1.0, 2.0], 0.25, 0.75)
    array([-0.5,  2. ])
    """
    if training:
        return rrelu_forward(x, lower, upper, rng=rng)[0]
    lower, upper = _bounds("rrelu", lower, upper)
    return leaky_relu(_operand("rrelu", x), (lower + upper) / 2)


def rrelu_forward(
    x: ArrayLike, lower: float = 1 / 8, upper: float = 1 / 3, *, rng: Rng = None
) -> tuple[np.ndarray, RReLUCache]:
    """Randomised leaky ReLU in training: x if x > 0 else a * x, a drawn from U(lower, upper) for each element.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    lower, upper : float
        The slopes' range.
    rng : None, int or numpy.random.Generator
        What draws them.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : RReLUCache
        For `rrelu_backward`: x and a seed, not the slopes.

    Raises
    ------
    ValueError
        If lower > upper, or one of them is not finite.
    TypeError
        If x, lower or upper are not real.

    References
    ----------
    Xu, Wang, Chen and Li, Empirical evaluation of rectified activations in convolutional network, 2015,
    arXiv:1505.00853.

    Examples
    --------
    >>> import fastnn as fnn
    >>> y, cache = fnn.rrelu_forward([-1.0, 2.0], rng=0)
    >>> bool(-1 / 3 <= y[0] <= -1 / 8), float(y[1])
    (True, 2.0)
    """
    lower, upper = _bounds("rrelu_forward", lower, upper)
    x = check.real_array("rrelu_forward", "x", x)
    seed = int(check.generator("rrelu_forward", rng).integers(2**63))
    cache = RReLUCache(x, seed, lower, upper)
    return leaky_relu(x, cache.slopes()), cache


def rrelu_backward(dy: ArrayLike, cache: RReLUCache) -> np.ndarray:
    """Gradient of `rrelu_forward`: dy * (1 if x > 0 else a), with the slopes a that it drew.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : RReLUCache
        From `rrelu_forward`.

    Returns
    -------
    ndarray
        Gradient of the loss with respect to x.

    Raises
    ------
    TypeError
        If cache is not from `rrelu_forward`.
    ValueError
        If dy's shape is not x's.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> y, cache = fnn.rrelu_forward([-1.0, 2.0], rng=0)
    >>> dx = fnn.rrelu_backward([1.0, 1.0], cache)
    >>> np.array_equal(dx * [-1.0, 2.0], y)
    True
    """
    if not isinstance(cache, RReLUCache):
        raise TypeError(f"rrelu_backward: cache is of type {type(cache).__name__}, expected one from rrelu_forward")
    if np.shape(dy) != cache.x.shape:
        raise ValueError(f"rrelu_backward: dy has shape {np.shape(dy)}, expected {cache.x.shape} as x")
    return leaky_relu_backward(dy, cache.x, cache.slopes())
