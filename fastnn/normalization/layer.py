"""Layer norm (Ba, Kiros & Hinton 2016, https://arxiv.org/abs/1607.06450) and RMS norm (Zhang & Sennrich 2019,
https://arxiv.org/abs/1910.07467): each row by its own statistics, one gamma and beta for each of its elements.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fused import launch
from .._engine.geometry import contiguous, empty_lines
from .._engine.ufuncs import IDENTITY, Activation
from ..typing import ActivationLike, Out
from . import _rows
from ._arrays import Laid, checked_output, reordered, result_for, returned, working
from ._statistics import GROUP
from .batch import cast_like

#: ns an element takes, forward or backward, and what a row costs besides.
_ELEMENT, _ROW = 0.3, 15.0


class RowNormCache(NamedTuple):
    """What the backward pass needs: references to the inputs, and a few numbers a row."""

    function: str
    x: Laid
    shape: tuple[int, ...]
    rows: int
    length: int
    cycle: int
    gamma: np.ndarray | None
    beta: np.ndarray | None
    statistics: np.ndarray
    activation: Activation


def forward(
    function: str, laid: Laid, target: Any, shape, length, cycle, gamma, beta, eps, act: Activation
) -> tuple[np.ndarray, RowNormCache]:
    """y and the cache of a norm over rows of `length` values, `cycle` of them having their own gamma and beta."""
    x = laid.array
    size = x.size
    rows = size // length if length else 0
    y, statistics = result_for(target, laid), np.empty((GROUP, rows))
    parts = min(rows, size >> 14 or 1) if size else 0
    kernel = _rows.forward(act.formula, function != "rms_norm")[x.dtype.char]
    arrays = x, None, y, working(gamma, x), working(beta, x), statistics, None, None
    work = int(size * _ELEMENT + rows * _ROW) if parts > 1 else 0
    launch(kernel, parts, work, *arrays, rows, length, cycle, parts, eps, act.parameter)
    cache = RowNormCache(function, laid, shape, rows, length, cycle, gamma, beta, statistics, act)
    return returned(y, target, laid), cache


def backward(function: str, dy: Any, cache: RowNormCache, out: Any = None) -> tuple[np.ndarray, np.ndarray | None]:
    """dx of `function` for what its forward kept, and dbeta and dgamma as an array (2, cycle * length) of float64.

    Without gamma and beta there is no such array.
    """
    name = f"{function}_backward"
    if type(cache) is not RowNormCache or cache.function != function:
        given = f"{cache.function}'s" if type(cache) is RowNormCache else f"a {type(cache).__name__}"
        raise TypeError(f"{name}: cache is {given}, expected what {function}_forward returned")
    dy = check.same_shape(name, "dy", check.real_array(name, "dy", dy), cache.shape, "as x had")
    x, rows, length = cache.x.array, cache.rows, cache.length
    if out is not None:
        out = check.output(name, out, cache.shape, x.dtype)
        check.apart(name, out, x=x, gamma=cache.gamma, beta=cache.beta)
    dy = cache.x.like(dy, x.dtype)
    dx = result_for(out, cache.x, dy)
    own_sums = cache.gamma is not None or cache.beta is not None
    # few parts: each has sums as long as a row
    parts = max(1, min(rows // 4, x.size >> 14, 32)) if x.size else 0
    sums = _zeros((parts, 2, cache.cycle * length)) if own_sums else None
    arrays = x, dy, dx, working(cache.gamma, x), working(cache.beta, x), cache.statistics, sums
    work = int(x.size * _ELEMENT * 2 + rows * _ROW)
    kernel = _rows.backward(cache.activation.product, function != "rms_norm")[x.dtype.char]
    words = rows, length, cache.cycle, parts, 0.0, cache.activation.parameter
    launch(kernel, parts, work, *arrays, None, *words)
    with np.errstate(all="ignore"):
        return returned(dx, out, cache.x), None if sums is None else _totals(sums)


def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Long ones begin at a cache line, so that no vector of them lies across two."""
    if math.prod(shape) < 1024:
        return np.zeros(shape)
    zeros = empty_lines(shape, np.float64)
    zeros.fill(0)
    return zeros


def _gradients(function: str, dy: Any, cache: RowNormCache) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """(dx, dgamma, dbeta), the last two like gamma and beta."""
    dx, totals = backward(function, dy, cache)
    if totals is None:
        return dx, None, None
    with np.errstate(all="ignore"):
        return dx, cast_like(totals[1], cache.gamma), cast_like(totals[0], cache.beta)


def _totals(sums: np.ndarray) -> np.ndarray:
    """The parts' sums added up."""
    parts, _, length = sums.shape
    if parts == 1:
        return sums[0]
    totals = np.zeros((2, length))
    chunks = -(-length // _rows.TOTALS_WIDTH)
    arrays = None, None, None, None, None, None, sums, totals
    launch(_rows.TOTALS_KERNEL["d"], chunks, int(sums.size * 0.2), *arrays, 0, length, 1, parts, 0.0, 0.0)
    return totals


def _rows_of(function: str, x: Any, axis: Any) -> tuple[np.ndarray, Laid, tuple[int, ...]]:
    """x, x with the normalised axes last, and their shape."""
    x = check.real_array(function, "x", x)
    if type(axis) is int and axis == -1 and x.ndim:
        return x, Laid(contiguous(x), None), x.shape[-1:]
    axes = _axes(function, x, axis)
    count = len(axes)
    if axes[-1] == x.ndim - 1:
        return x, Laid(contiguous(x), None), x.shape[-count:]
    laid = reordered(x, (*(k for k in range(x.ndim) if k not in axes), *axes))
    return x, laid, laid.array.shape[-count:]


def _axes(function: str, x: np.ndarray, axis: Any) -> tuple[int, ...]:
    if isinstance(axis, tuple):
        axes = tuple(check.axis_of(function, k, x) for k in axis)
        if axes != tuple(range(x.ndim - len(axes), x.ndim)) or not axes:
            raise ValueError(f"{function}: axis is {axis}, expected an integer or the trailing axes of x in order")
        return axes
    return (check.axis_of(function, axis, x),)


def _parameter(function: str, argument: str, value: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    if value is None:
        return None
    array = check.real_array(function, argument, value)
    return check.same_shape(function, argument, array, shape, "as the normalised axes of x")


def layer_norm_forward(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    beta: ArrayLike | None = None,
    *,
    axis: int | tuple[int, ...] = -1,
    eps: float = 1e-5,
    activation: ActivationLike | None = None,
    out: Out = None,
) -> tuple[np.ndarray, RowNormCache]:
    """Normalise each sample by the mean and variance of its own values: ``y = f(gamma * x_hat + beta)``.

    ``x_hat = (x - mean) / sqrt(var + eps)``, mean and (biased) variance over `axis`, in float64.

    Parameters
    ----------
    x : array_like
    gamma, beta : array_like, optional
        Of the shape of the normalised axes; None leaves that step out.
    axis : int or tuple of int
        One axis, or the trailing axes, e.g. ``(-2, -1)``.
    eps : float
        Added to the variance, >= 0.
    activation : optional
        f: a name or function of `fastnn.activations`, or a tuple (name, parameter).
    out : ndarray, optional
        Receives y; must not overlap x, which backward reads.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : RowNormCache
        For `layer_norm_backward`; holds references, so leave the inputs alone until then.

    Raises
    ------
    ValueError
        Wrong shapes or axis, eps < 0, an unknown activation, out overlapping x.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Ba, Kiros & Hinton, "Layer normalization", 2016.

    Examples
    --------
    >>> import fastnn as fnn
    >>> y, cache = fnn.layer_norm_forward([[1.0, 3.0], [5.0, 5.0]], eps=1e-12)
    >>> y.round(3).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    name = "layer_norm_forward"
    x, laid, shape = _rows_of(name, x, axis)
    gamma, beta = _parameter(name, "gamma", gamma, shape), _parameter(name, "beta", beta, shape)
    eps, act = check.number(name, "eps", eps, low=0), check.activation(name, activation)
    target = checked_output(name, out, x, x=x, gamma=gamma, beta=beta)
    return forward("layer_norm", laid, target, x.shape, math.prod(shape), 1, gamma, beta, eps, act)


def layer_norm_backward(dy: ArrayLike, cache: RowNormCache) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of `layer_norm_forward`.

    With ``g = dy * f'(z)``, ``h = g * gamma``, means over a sample's own values and sums over the samples::

        dbeta = sum(g),   dgamma = sum(g * x_hat),   dx = rstd * (h - mean(h) - x_hat * mean(h * x_hat))

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : RowNormCache
        From `layer_norm_forward`.

    Returns
    -------
    dx, dgamma, dbeta
        Of the shape and dtype of x, gamma and beta; None for a gamma or beta that was None.

    Raises
    ------
    ValueError
        dy of another shape than x.
    TypeError
        A cache that is not layer norm's.

    Examples
    --------
    >>> import fastnn as fnn
    >>> _, cache = fnn.layer_norm_forward([[1.0, 2.0, 4.0]])
    >>> dx, dgamma, dbeta = fnn.layer_norm_backward([[1.0, 1.0, 1.0]], cache)
    >>> dx.round(12) + 0.0, dgamma is None
    (array([[0., 0., 0.]]), True)
    """
    return _gradients("layer_norm", dy, cache)


def rms_norm_forward(
    x: ArrayLike,
    gamma: ArrayLike | None = None,
    *,
    axis: int | tuple[int, ...] = -1,
    eps: float = 1e-6,
    out: Out = None,
) -> tuple[np.ndarray, RowNormCache]:
    """Divide each sample by the root of its mean square: ``y = gamma * x / sqrt(mean(x^2) + eps)``.

    Parameters
    ----------
    x, gamma, axis, eps, out
        As in `layer_norm_forward`.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : RowNormCache
        For `rms_norm_backward`; holds references, so leave the inputs alone until then.

    Raises
    ------
    ValueError, TypeError
        As `layer_norm_forward`.

    References
    ----------
    Zhang & Sennrich, "Root mean square layer normalization", 2019.

    Examples
    --------
    >>> import fastnn as fnn
    >>> y, _ = fnn.rms_norm_forward([[3.0, -3.0]], eps=0.0)
    >>> y.tolist()
    [[1.0, -1.0]]
    """
    name = "rms_norm_forward"
    x, laid, shape = _rows_of(name, x, axis)
    gamma, eps = _parameter(name, "gamma", gamma, shape), check.number(name, "eps", eps, low=0)
    target = checked_output(name, out, x, x=x, gamma=gamma)
    return forward("rms_norm", laid, target, x.shape, math.prod(shape), 1, gamma, None, eps, IDENTITY)


def rms_norm_backward(dy: ArrayLike, cache: RowNormCache) -> tuple[np.ndarray, np.ndarray | None]:
    """Gradients of `rms_norm_forward`.

    With ``h = dy * gamma``, a mean over the sample's own values and a sum over the samples::

        dgamma = sum(dy * x_hat),   dx = rstd * (h - x_hat * mean(h * x_hat))

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : RowNormCache
        From `rms_norm_forward`.

    Returns
    -------
    dx, dgamma
        Of the shape and dtype of x and gamma; None for a gamma that was None.

    Raises
    ------
    ValueError, TypeError
        As `layer_norm_backward`.

    Examples
    --------
    >>> import fastnn as fnn
    >>> _, cache = fnn.rms_norm_forward([[3.0, 4.0]], [1.0, 1.0], eps=0.0)
    >>> dx, dgamma = fnn.rms_norm_backward([[3.0, 4.0]], cache)
    >>> dgamma.round(3).tolist()
    [2.546, 4.525]
    """
    return _gradients("rms_norm", dy, cache)[:2]
