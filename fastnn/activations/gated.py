"""Activations that change the shape or take a second array: maxout, gated units, an activation fused with its bias."""

import functools
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.fused import Kernel, launch
from .._engine.geometry import CHUNK, around, contiguous
from .._engine.ufuncs import IDENTITY, inside_kernels, with_bias
from .._engine.vectors import LANES, Lanewise, stored, word
from ..typing import ActivationLike, Out
from . import activation as find_activation

__all__ = ["bias_activation", "bias_activation_backward", "glu", "glu_backward", "maxout", "maxout_backward"]


def maxout(x: ArrayLike, pieces: int, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Maximum over groups of `pieces` neighbouring channels: y_i = max_j x[i * pieces + j].

    When to use: it learns a convex piecewise-linear activation, neither saturates nor dies, and is made for
    dropout; the price is `pieces` times the parameters.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape but ().
    pieces : int
        Channels a group; must divide the size of `axis`.
    axis : int, default -1
        The channels' axis.

    Returns
    -------
    y : ndarray
        x's shape with `axis` shorter by the factor `pieces`. NaN if any piece is NaN.
    winner : ndarray of integers, y's shape
        Which piece is the largest; the lowest one on ties. For `maxout_backward`.

    Raises
    ------
    TypeError
        If x is not real or pieces not an integer.
    ValueError
        If pieces does not divide the channels.

    References
    ----------
    Goodfellow et al., Maxout Networks, ICML 2013.

    Examples
    --------
    >>> import fastnn as fnn
    >>> y, winner = fnn.maxout([[1.0, 5.0, 2.0, 2.0]], 2)
    >>> y, winner
    (array([[5., 2.]]), array([[1, 0]], dtype=uint8))
    """
    x = check.real_array("maxout", "x", x)
    axis = check.axis_of("maxout", axis, x)
    pieces = _pieces("maxout", pieces)
    channels = x.shape[axis]
    if channels % pieces:
        raise ValueError(f"maxout: pieces is {pieces}, expected a divisor of the {channels} channels of axis {axis}")
    shape = (*x.shape[:axis], channels // pieces, pieces, *x.shape[axis + 1 :])
    grouped = np.moveaxis(x.reshape(shape), axis + 1, 0)
    y = np.array(grouped[0])
    winner = np.zeros(y.shape, np.uint8 if pieces <= 256 else np.intp)
    for j in range(1, pieces):
        # a later piece wins if it is larger, or the first NaN
        better = (grouped[j] > y) | (np.isnan(grouped[j]) & ~np.isnan(y))
        np.copyto(y, grouped[j], where=better)
        winner[better] = j
    return y, winner


def maxout_backward(dy: ArrayLike, winner: ArrayLike, pieces: int, axis: int = -1) -> np.ndarray:
    """Gradient of `maxout`: dy goes to each group's winner, 0 to the rest.

    Parameters
    ----------
    dy : array_like
        Of the shape of y.
    winner : ndarray
        As returned by `maxout`.
    pieces, axis : int
        As given to `maxout`.

    Returns
    -------
    ndarray
        Gradient with respect to x, of its shape.

    Raises
    ------
    TypeError
        If winner or pieces are not integers.
    ValueError
        If the shapes differ or a winner is not in [0, pieces).
    MemoryError
        If there is no memory for `pieces` times the size of dy.

    Examples
    --------
    >>> import fastnn as fnn
    >>> _, winner = fnn.maxout([[1.0, 5.0, 2.0, 2.0]], 2)
    >>> fnn.maxout_backward([[1.0, 1.0]], winner, 2)
    array([[0., 1., 1., 0.]])
    """
    dy, winner = check.real_array("maxout_backward", "dy", dy), np.asarray(winner)
    axis = check.axis_of("maxout_backward", axis, dy, "dy")
    pieces = _pieces("maxout_backward", pieces)
    if winner.dtype.kind not in "iu":
        raise TypeError(f"maxout_backward: winner has dtype {winner.dtype}, expected integers")
    if winner.shape != dy.shape:
        raise ValueError(f"maxout_backward: winner has shape {winner.shape}, expected {dy.shape} as dy")
    if winner.size and not (winner.min() >= 0 and winner.max() < pieces):
        raise ValueError(f"maxout_backward: winner has values outside [0, {pieces})")
    shape = (*dy.shape[: axis + 1], pieces, *dy.shape[axis + 1 :])
    dx = np.zeros(shape, dy.dtype)
    np.put_along_axis(dx, np.expand_dims(winner.astype(np.intp), axis + 1), np.expand_dims(dy, axis + 1), axis + 1)
    return dx.reshape(*dy.shape[:axis], dy.shape[axis] * pieces, *dy.shape[axis + 1 :])


def _pieces(function: str, pieces) -> int:
    count = check.integer(function, "pieces", pieces)
    if count < 1:
        raise ValueError(f"{function}: pieces is {count}, expected at least 1")
    return count


#: Gates of glu and the activation that each is.
_GATES = {"sigmoid": "sigmoid", "relu": "relu", "gelu": "gelu", "silu": "silu", "bilinear": None}
#: ns an element of y, on one core.
_GLU_NS = 0.5
# Words of the context of glu's kernels.
_X, _DY, _OUT, _RUN, _COUNT = 1, 2, 3, 4, 5


def _over_runs(each):
    """A job that calls each(context, index of a, index of b, index of y, count) for vectors of y.

    y is `_COUNT` elements in runs of `_RUN`; in x each run of the first half is followed by one of the second.
    """

    def job(context, index):
        run = word(context, _RUN)
        place = index * CHUNK
        end = min(place + CHUNK, word(context, _COUNT))
        number, offset = place // run, place % run
        while place < end:
            size = min(run - offset, end - place)
            a = number * 2 * run + offset
            whole = size - size % LANES
            for i in range(0, whole, LANES):
                each(context, a + i, a + run + i, place + i, LANES)
            if size > whole:
                each(context, a + whole, a + run + whole, place + whole, size - whole)
            place, number, offset = place + size, number + 1, 0
        return 0

    return job


@functools.cache
def _glu_kernels(gate):
    """(forward, backward)."""
    name = _GATES[gate]
    activation = IDENTITY if name is None else inside_kernels(find_activation(name)[0])
    f, product = Lanewise(activation.formula), Lanewise(activation.product)

    def forward(context, a, b, y, count):
        x, out = word(context, _X), word(context, _OUT)
        stored.store_part(out, y, stored.load_part(x, a, count) * f(stored.load_part(x, b, count), 0.0), count)

    def backward(context, a, b, y, count):
        x, out = word(context, _X), word(context, _OUT)
        dy, gate = stored.load_part(word(context, _DY), y, count), stored.load_part(x, b, count)
        db = product(dy * stored.load_part(x, a, count), gate, 0.0)
        stored.store_part(out, a, dy * f(gate, 0.0), count)
        stored.store_part(out, b, db, count)

    return Kernel(f"glu_{gate}", _over_runs(forward)), Kernel(f"glu_{gate}_backward", _over_runs(backward))


def glu(x: ArrayLike, axis: int = -1, gate: str = "sigmoid") -> np.ndarray:
    """Gated linear unit: a * gate(b), a and b the halves of x along an axis.

    When to use: in place of an activation in feed-forward blocks, whose first layer then has twice the outputs.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape but ().
    axis : int, default -1
        The axis to halve, of even length.
    gate : {"sigmoid", "relu", "gelu", "silu", "bilinear"}
        GLU, ReGLU, GEGLU, SwiGLU, and the product without an activation.

    Returns
    -------
    ndarray
        x's shape with `axis` half as long, and x's dtype (float64 for integers).

    Raises
    ------
    TypeError
        If x is not real or axis no integer.
    ValueError
        If x has no such axis, its length is odd, or the gate is unknown.

    References
    ----------
    Dauphin, Fan, Auli and Grangier, Language modeling with gated convolutional networks, ICML 2017; the other gates:
    Shazeer, GLU variants improve Transformer, 2020, arXiv:2002.05202.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.glu([[2.0, -3.0, 0.0, 1.0]], gate="relu")
    array([[ 0., -3.]])
    """
    x, shape, run, gate = _halved("glu", x, axis, gate)
    y = np.empty(shape, x.dtype)
    _run_glu(0, gate, x, None, y, run, y.size)
    return y


def glu_backward(dy: ArrayLike, x: ArrayLike, axis: int = -1, gate: str = "sigmoid") -> np.ndarray:
    """Gradient of `glu`: dy * gate(b) for the first half of x, dy * a * gate'(b) for the second.

    Parameters
    ----------
    dy : array_like
        Of the shape of y.
    x : array_like
        The input of the forward pass.
    axis : int, default -1
        As given to `glu`.
    gate : str, default "sigmoid"
        As given to `glu`.

    Returns
    -------
    ndarray
        Gradient with respect to x, of its shape.

    Raises
    ------
    TypeError, ValueError
        As `glu`; also if dy has not the shape of y.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.glu_backward([[1.0, 2.0]], [[2.0, -3.0, 0.0, 1.0]], gate="bilinear")
    array([[ 0.,  2.,  2., -6.]])
    """
    x, shape, run, gate = _halved("glu_backward", x, axis, gate)
    dy = check.same_shape("glu_backward", "dy", check.real_array("glu_backward", "dy", dy), shape, "as y")
    dtype = np.result_type(dy, x)
    x, dy = contiguous(x, dtype), contiguous(dy, dtype)
    dx = np.empty(x.shape, dtype)
    _run_glu(1, gate, x, dy, dx, run, dy.size)
    return dx


def _halved(function: str, x: Any, axis: Any, gate: str) -> tuple[np.ndarray, tuple[int, ...], int, str]:
    """(x in C order, the shape of y, elements that y has of a half in a row, the gate)."""
    x = check.real_array(function, "x", x)
    axis = check.axis_of(function, axis, x)
    check.one_of(function, "gate", gate, _GATES)
    _, length, inner = around(x.shape, axis)
    if length % 2:
        raise ValueError(f"{function}: x has shape {x.shape}, expected an even number along axis {axis}")
    return contiguous(x), (*x.shape[:axis], length // 2, *x.shape[axis + 1 :]), length // 2 * inner, gate


def _run_glu(direction, gate, x, dy, out, run, count):
    if count:
        kernel = _glu_kernels(gate)[direction]
        launch(kernel[x.dtype.char], -(-count // CHUNK), int(count * _GLU_NS), x, dy, out, run, count)


def bias_activation(
    x: ArrayLike, bias: ArrayLike, activation: ActivationLike = "relu", axis: int = -1, out: Out = None
) -> np.ndarray:
    """Add a bias and apply an activation, f(x + bias), in one pass over x.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape but ().
    bias : array_like of shape (C,)
        One value for each channel along `axis`.
    activation : str, callable or tuple
        What f is, as `fastnn.activation` takes it.
    axis : int, default -1
        The channels' axis.
    out : ndarray, optional
        Receives the result; may be x itself.

    Returns
    -------
    ndarray
        Of x's shape.

    Raises
    ------
    TypeError
        If an array is not real, or activation no activation.
    ValueError
        If bias does not match the axis, or the activation's name is unknown.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.bias_activation([[-1.0, 2.0]], [0.5, 0.5])
    array([[0. , 2.5]])
    """
    x, bias, fused, parameters = _fused("bias_activation", x, bias, activation, axis)
    return fused[0](x, bias, *parameters, out=out)


def bias_activation_backward(
    dy: ArrayLike, x: ArrayLike, bias: ArrayLike, activation: ActivationLike = "relu", axis: int = -1
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `bias_activation`: dx = dy * f'(x + bias) and dbias, its sum over all axes but `axis`.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to the output, of x's shape.
    x, bias, activation, axis
        As given to `bias_activation`.

    Returns
    -------
    dx : ndarray of x's shape
    dbias : ndarray of bias's shape
        Summed in float64.

    Raises
    ------
    TypeError, ValueError
        As `bias_activation`; also if dy's shape is not x's.

    Examples
    --------
    >>> import fastnn as fnn
    >>> dx, dbias = fnn.bias_activation_backward([[1.0, 1.0], [1.0, 1.0]], [[-1.0, 2.0], [3.0, 4.0]], [0.5, 0.5])
    >>> dx, dbias
    (array([[0., 1.],
           [1., 1.]]), array([1., 2.]))
    """
    name = "bias_activation_backward"
    x, bias, fused, parameters = _fused(name, x, bias, activation, axis)
    dy = check.real_array(name, "dy", dy)
    if dy.shape != x.shape:
        raise ValueError(f"{name}: dy has shape {dy.shape}, expected {x.shape} as x")
    dx = np.empty(x.shape, np.result_type(dy, x))
    total = np.zeros(bias.size, np.float64)
    axis = axis % x.ndim
    others = tuple(k for k in range(x.ndim) if k != axis)
    # The sum reads each slab of dx while it is still in cache. The slabs depend on the shape alone.
    slab = len(x) if axis == 0 else max(1, _SLAB * len(x) // max(x.size, 1))
    for start in range(0, len(x), max(slab, 1)):
        here = slice(start, start + slab)
        fused[1](dy[here], x[here], bias, *parameters, out=dx[here])
        total += np.add.reduce(dx[here], axis=others, dtype=np.float64)
    return dx, total.astype(bias.dtype)


#: Elements of dx summed at a time.
_SLAB = 1 << 16


def _fused(
    function: str, x: Any, bias: Any, activation: Any, axis: Any
) -> tuple[np.ndarray, np.ndarray, tuple[np.ufunc, np.ufunc], tuple[float, ...]]:
    """x, bias in a shape that broadcasts, the fused (forward, backward), their parameters."""
    x, bias = check.real_array(function, "x", x), check.real_array(function, "bias", bias)
    axis = check.axis_of(function, axis, x)
    if bias.shape != (x.shape[axis],):
        raise ValueError(
            f"{function}: bias has shape {bias.shape}, expected ({x.shape[axis]},) to match axis {axis} of x"
        )
    shape = [1] * x.ndim
    shape[axis] = bias.size
    parameters = (activation[1],) if isinstance(activation, tuple) and len(activation) == 2 else ()
    forward, _ = find_activation(activation[0] if parameters else activation)
    fused, defaults = with_bias(forward)
    return x, bias.reshape(shape), fused, (*parameters, *defaults[len(parameters) :])
