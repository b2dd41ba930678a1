"""softmax and its relatives along an axis: nothing overflows, and a large offset costs no accuracy."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fused import launch
from .._engine.geometry import contiguous
from ..typing import Out
from ._softmax_lines import (
    Gradient,
    Normalising,
    block_of,
    log_softmax_gradient,
    log_softmax_lines,
    log_sum_exp,
    reduced_blocks,
    softmax_gradient,
    softmax_lines,
)

__all__ = ["log_softmax", "log_softmax_backward", "logsumexp", "softmax", "softmax_backward"]


def softmax(x: ArrayLike, axis: int = -1, *, out: Out = None) -> np.ndarray:
    """Probabilities from logits: exp(x) / sum(exp(x)) along an axis.

    Within 2.5 ulp in float32 (3 in float64) however small the result is. A line that is all -inf, or has a +inf or a
    NaN, is all NaN.

    Parameters
    ----------
    x : array_like
        Logits.
    axis : int, default -1
        The axis of the classes, along which the result sums to 1.
    out : ndarray, optional
        Receives the result; may be x.

    Returns
    -------
    ndarray of x's shape and dtype (float64 for integers)

    Raises
    ------
    TypeError
        If x is not real, axis no integer, or out of another kind of dtype.
    ValueError
        If x has no such axis, or out not its shape.

    References
    ----------
    Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.softmax(np.log([[1.0, 3.0], [4.0, 1.0]])).round(3)
    array([[0.25, 0.75],
           [0.8 , 0.2 ]])
    """
    return _normalised("softmax", softmax_lines, x, axis, out)


def softmax_backward(dy: ArrayLike, y: ArrayLike, axis: int = -1, *, out: Out = None) -> np.ndarray:
    """Gradient of `softmax`: y * (dy - sum(dy * y)) along an axis.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to the output.
    y : array_like of the same shape
        The output of the forward pass.
    axis : int, default -1
        As given to `softmax`.
    out : ndarray, optional
        Receives the result; may be dy or y.

    Returns
    -------
    ndarray
        Gradient with respect to x. The sum is taken in float64.

    Raises
    ------
    TypeError, ValueError
        As `softmax`; also if the shapes differ.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.softmax_backward([1.0, 0.0], [0.25, 0.75])
    array([ 0.1875, -0.1875])
    """
    return _gradient("softmax_backward", softmax_gradient, dy, y, axis, out)


def log_softmax(x: ArrayLike, axis: int = -1, *, out: Out = None) -> np.ndarray:
    """Logarithm of `softmax`: x - log(sum(exp(x))) along an axis.

    Within 2.5 ulp in float32 (4 in float64), and where it is nearly 0 within 1e-15 absolutely. A line that is all -inf,
    or has a +inf or a NaN, is all NaN.

    Parameters
    ----------
    x : array_like
        Logits.
    axis : int, default -1
    out : ndarray, optional
        Receives the result; may be x.

    Returns
    -------
    ndarray of x's shape and dtype (float64 for integers)

    Raises
    ------
    TypeError, ValueError
        As `softmax`.

    References
    ----------
    Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, IMA Journal of Numerical
    Analysis 2021.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    return _normalised("log_softmax", log_softmax_lines, x, axis, out)


def log_softmax_backward(dy: ArrayLike, y: ArrayLike, axis: int = -1, *, out: Out = None) -> np.ndarray:
    """Gradient of `log_softmax`: dy - exp(y) * sum(dy) along an axis.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to the output.
    y : array_like of the same shape
        The output of the forward pass.
    axis : int, default -1
        As given to `log_softmax`.
    out : ndarray, optional
        Receives the result; may be dy or y.

    Returns
    -------
    ndarray
        Gradient with respect to x. The sum is taken in float64.

    Raises
    ------
    TypeError, ValueError
        As `softmax_backward`.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.log_softmax_backward([1.0, 0.0], np.log([0.25, 0.75])).round(3)
    array([ 0.75, -0.75])
    """
    return _gradient("log_softmax_backward", log_softmax_gradient, dy, y, axis, out)


def logsumexp(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over one or more axes, without overflow: a smooth maximum.

    Parameters
    ----------
    x : array_like
    axis : int, tuple of ints or None, default -1
        What to sum over; None is all axes.
    keepdims : bool, default False
        Whether the axes stay, with length 1.

    Returns
    -------
    ndarray or scalar of x's dtype (float64 for integers)
        -inf over nothing and over -inf alone, +inf where there is one, NaN where there is one.

    Raises
    ------
    TypeError
        If x is not real, or axis no integer.
    ValueError
        If x has no such axis, or one is given twice.

    References
    ----------
    Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, IMA Journal of Numerical
    Analysis 2021.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> print(fnn.logsumexp([1000.0, 1000.0]).round(3))
    1000.693
    """
    name = "logsumexp"
    x = check.real_array(name, "x", x)
    if axis is None:
        axes = tuple(range(x.ndim))
    elif isinstance(axis, tuple):
        axes = tuple(sorted(check.axis_of(name, a, x) for a in axis))
        if len(set(axes)) < len(axes):
            raise ValueError(f"{name}: axis is {axis}, expected each axis of x, of shape {x.shape}, once")
    else:
        axes = (check.axis_of(name, axis, x),)
    kept = [n for k, n in enumerate(x.shape) if k not in axes]
    y = np.empty([1 if k in axes else n for k, n in enumerate(x.shape)] if keepdims else kept, x.dtype)
    if x.size == 0:
        y.fill(-np.inf)
    else:
        _fill_log_sums(x, axes, y)
    return y[()]


def _fill_log_sums(x: np.ndarray, axes: tuple[int, ...], y: np.ndarray) -> None:
    """logsumexp over sorted axes, one result after the other in y."""
    if len(axes) and axes[-1] - axes[0] + 1 == len(axes):
        outer, inner = math.prod(x.shape[: axes[0]]), math.prod(x.shape[axes[-1] + 1 :])
    else:
        x = x.transpose([k for k in range(x.ndim) if k not in axes] + list(axes))
        outer, inner = y.size, 1
    shape = (outer, x.size // y.size, inner) if inner > 1 else (outer, x.size // y.size)
    x = contiguous(x).reshape(shape)
    block = block_of(x, 1)
    if not block:
        log_sum_exp(x, 1, x, None, y)
        return
    top, s = reduced_blocks(x, 1, block)
    with np.errstate(all="ignore"):
        np.copyto(y, np.where(np.isinf(top) & (s == s), top, top + np.log(s)).reshape(y.shape), casting="same_kind")


# --- arguments --------------------------------------------------------------------------------------------------------


def _normalised(name: str, kernel: Normalising, x: Any, axis: Any, out: Any) -> Any:
    if out is None:
        words = kernel.whole.small(x, axis)
        if words is not None:
            y = np.empty(x.shape, x.dtype)
            launch(*words, None, x, None, y)
            return y
    x = check.real_array(name, "x", x)
    axis = check.axis_of(name, axis, x)
    if out is None:
        return _result(kernel, (x,), axis)
    return _into(check.output(name, out, x.shape, x.dtype), kernel, (x,), axis)


def _gradient(name: str, kernel: Gradient, dy: Any, y: Any, axis: Any, out: Any) -> Any:
    if out is None:
        words = kernel.whole.small(y, axis)
        if words is not None and kernel.whole.small(dy, axis) == words and dy.shape == y.shape:
            dx = np.empty(y.shape, y.dtype)
            launch(*words, None, dy, y, dx)
            return dx
    dy, y = check.real_array(name, "dy", dy), check.real_array(name, "y", y)
    axis = check.axis_of(name, axis, y, "y")
    check.same_shape(name, "dy", dy, y.shape, "as y")
    dtype = np.result_type(dy, y)
    arrays = dy.astype(dtype, copy=False), y.astype(dtype, copy=False)
    if out is None:
        return _result(kernel, arrays, axis)
    return _into(check.output(name, out, y.shape, dtype), kernel, arrays, axis)


def _result(kernel: Callable[..., None], arrays: tuple[np.ndarray, ...], axis: int) -> np.ndarray:
    """The output of kernel(*arrays, axis, output), in the order of arrays that are all in Fortran's."""
    first = arrays[0]
    if first.ndim > 1 and all(a.flags.f_contiguous and not a.flags.c_contiguous for a in arrays):
        return _result(kernel, tuple(a.T for a in arrays), first.ndim - 1 - axis).T
    target = np.empty(first.shape, first.dtype)
    if target.size:
        kernel(*(contiguous(a) for a in arrays), axis, target)
    return target


def _into(out: np.ndarray, kernel: Callable[..., None], arrays: tuple[np.ndarray, ...], axis: int) -> np.ndarray:
    """`out` filled; a kernel may write over an array that it reads, but not beside it."""
    arrays = tuple(contiguous(a) for a in arrays)
    same = [a for a in arrays if a.__array_interface__["data"] == out.__array_interface__["data"]]
    apart = all(any(a is b for b in same) or not check.overlap(a, out) for a in arrays)
    if apart and out.dtype == arrays[0].dtype and out.dtype.isnative and out.flags.carray:
        if out.size:
            kernel(*arrays, axis, out.view(np.ndarray))
        return out
    with np.errstate(all="ignore"):
        np.copyto(out, _result(kernel, arrays, axis), casting="same_kind")
    return out
