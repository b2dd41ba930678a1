"""Convolution as one matrix product (im2col), its gradient as two."""

from typing import Any, NamedTuple

import numpy as np

from ..._engine import check
from ._memory import empty, product
from ._windows import places, positions


class ConvCache(NamedTuple):
    """What `conv_backward` needs."""

    shape: tuple[int, ...]  #: of x
    w: np.ndarray
    b_shape: tuple[int, ...]
    conv_param: dict[str, Any]
    columns: np.ndarray  #: (C, HH * WW, N, H', W'): what lies under each place of the filters


def conv_forward(x: Any, w: Any, b: Any, conv_param: dict[str, Any]) -> tuple[np.ndarray, ConvCache]:
    """Convolve images with filters: ``out[n, f, i, j] = b[f] + sum(w[f] * window[n, i, j])`` over channels and window.

    `conv_forward_naive`, `conv_forward_fast` and `conv_forward_im2col` are other names of it.

    Parameters
    ----------
    x : array_like of shape (N, C, H, W)
    w : array_like of shape (F, C, HH, WW)
    b : array_like of F numbers
    conv_param : dict
        "stride", the step between windows; "pad", how many zeros go around each image.

    Returns
    -------
    out : ndarray of shape (N, F, H', W')
        ``H' = 1 + (H + 2 pad - HH) // stride``, W' alike: what no whole window reaches is left out.
    cache : ConvCache
        For `conv_backward`. It holds HH * WW / stride**2 times as many values as x.

    Raises
    ------
    ValueError
        Shapes that do not go together, filters larger than the padded images, a stride below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> layers.conv_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0})[0]
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    name = "conv_forward"
    x, w, b = check.real_array(name, "x", x), check.real_array(name, "w", w), check.real_array(name, "b", b)
    if x.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}, expected (N, C, H, W)")
    if w.ndim != 4 or w.shape[1] != x.shape[1]:
        raise ValueError(f"{name}: w has shape {w.shape}, expected (F, {x.shape[1]}, HH, WW) to match x")
    if b.size != len(w):
        raise ValueError(f"{name}: b has shape {b.shape}, expected {w.shape[:1]} to match w")
    padded = _padded(name, x, conv_param["pad"])
    filters, channels, height, width = w.shape
    rows, across = positions(name, padded.shape, height, width, conv_param["stride"])
    columns = empty((channels, height * width, len(x), rows, across), x.dtype)
    for k, place in enumerate(places(padded.swapaxes(0, 1), height, width, conv_param["stride"])):
        columns[:, k] = place
    products = product(w.reshape(filters, -1), columns.reshape(channels * height * width, -1))
    by_sample = products.reshape(filters, len(x), rows, across).swapaxes(0, 1)
    out = empty(by_sample.shape, by_sample.dtype)
    np.add(by_sample, b.reshape(-1, 1, 1), out, casting="same_kind")
    return out, ConvCache(x.shape, w, b.shape, conv_param, columns)


def _padded(function: str, x: np.ndarray, pad: int) -> np.ndarray:
    if pad < 0:
        raise ValueError(f"{function}: pad is {pad}, expected at least 0")
    if pad == 0:
        return x
    samples, channels, height, width = x.shape
    padded = np.zeros((samples, channels, height + 2 * pad, width + 2 * pad), x.dtype)
    padded[:, :, pad : pad + height, pad : pad + width] = x
    return padded


def conv_backward(dout: Any, cache: ConvCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `conv_forward`; `conv_backward_naive` and `conv_backward_fast` are other names of it.

    Parameters
    ----------
    dout : array_like of shape (N, F, H', W')
        Gradient of the loss with respect to out.
    cache : ConvCache
        From `conv_forward`.

    Returns
    -------
    dx, dw, db : ndarray
        Of the shapes of x, w and b.

    Raises
    ------
    ValueError
        dout of another shape than out.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.arange(9.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> out, cache = layers.conv_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> layers.conv_backward(np.ones_like(out), cache)[0]
    array([[[[1., 2., 1.],
             [2., 4., 2.],
             [1., 2., 1.]]]])
    """
    name = "conv_backward"
    (samples, channels, height, width), w, b_shape, conv_param, columns = cache
    filters, pad = len(w), conv_param["pad"]
    dout = check.real_array(name, "dout", dout)
    check.same_shape(name, "dout", dout, (samples, filters, *columns.shape[3:]), "as out had")
    by_filter = dout.swapaxes(0, 1).reshape(filters, -1)
    rows = w[0].size
    dw = product(by_filter, columns.reshape(rows, -1).T)
    dcolumns = product(w.reshape(filters, rows).T, by_filter).reshape(columns.shape)
    padded = np.zeros((samples, channels, height + 2 * pad, width + 2 * pad), dcolumns.dtype)
    for k, place in enumerate(places(padded.swapaxes(0, 1), w.shape[2], w.shape[3], conv_param["stride"])):
        place += dcolumns[:, k]
    dx = padded[:, :, pad : pad + height, pad : pad + width]
    return np.ascontiguousarray(dx), dw.reshape(w.shape), np.add.reduce(by_filter, 1).reshape(b_shape)


conv_forward_naive = conv_forward_fast = conv_forward_im2col = conv_forward
conv_backward_naive = conv_backward_fast = conv_backward
