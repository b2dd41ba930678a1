"""Fully connected layers and ReLU."""

from typing import Any

import numpy as np

from ..._engine import check
from ...activations import relu
from ...activations.rectified import relu_backward as relu_gradient
from ._memory import product

AffineCache = tuple[np.ndarray, np.ndarray, np.ndarray]


def affine_forward(x: Any, w: Any, b: Any) -> tuple[np.ndarray, AffineCache]:
    """A fully connected layer: ``out = rows @ w + b``, each sample of x being made a row.

    Parameters
    ----------
    x : array_like of shape (N, d_1, ..., d_k)
        Of D = d_1 * ... * d_k values a sample.
    w : array_like of shape (D, M)
    b : array_like of M numbers

    Returns
    -------
    out : ndarray of shape (N, M)
    cache : tuple
        (x, w, b), for `affine_backward`.

    Raises
    ------
    ValueError
        Shapes that do not go together.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> layers.affine_forward([[1.0, 2.0]], [[1.0], [3.0]], [0.5])[0]
    array([[7.5]])
    """
    name = "affine_forward"
    x, w, b = check.real_array(name, "x", x), check.real_array(name, "w", w), check.real_array(name, "b", b)
    if w.ndim != 2:
        raise ValueError(f"{name}: w has shape {w.shape}, expected (D, M)")
    if not x.ndim or x.size != len(x) * len(w):
        raise ValueError(f"{name}: x has shape {x.shape}, expected (N, ...) with {len(w)} values a sample to match w")
    if b.size != w.shape[1]:
        raise ValueError(f"{name}: b has shape {b.shape}, expected {w.shape[1:]} to match w")
    out = product(x.reshape(len(x), len(w)), w)
    out += b.ravel()
    return out, (x, w, b)


def affine_backward(dout: Any, cache: AffineCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `affine_forward`: ``dx = dout @ w.T``, ``dw = rows.T @ dout``, ``db = sum(dout)`` over the samples.

    Parameters
    ----------
    dout : array_like of shape (N, M)
        Gradient of the loss with respect to out.
    cache : tuple
        From `affine_forward`.

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
    >>> from fastnn.compat.cs231n import layers
    >>> out, cache = layers.affine_forward([[1.0, 2.0]], [[1.0], [3.0]], [0.5])
    >>> layers.affine_backward([[2.0]], cache)
    (array([[2., 6.]]), array([[2.],
           [4.]]), array([2.]))
    """
    x, w, b = cache
    dout = check.real_array("affine_backward", "dout", dout)
    check.same_shape("affine_backward", "dout", dout, (len(x), w.shape[1]), "as out had")
    dx, dw = product(dout, w.T), product(x.reshape(len(x), len(w)).T, dout)
    return dx.reshape(x.shape), dw, np.add.reduce(dout, 0).reshape(b.shape)


def relu_forward(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """``out = max(x, 0)``.

    Parameters
    ----------
    x : array_like

    Returns
    -------
    out : ndarray
        Of x's shape.
    cache : ndarray
        x, for `relu_backward`.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> layers.relu_forward([-1.0, 2.0])[0]
    array([0., 2.])
    """
    x = check.real_array("relu_forward", "x", x)
    return relu(x), x


def relu_backward(dout: Any, cache: np.ndarray) -> np.ndarray:
    """Gradient of `relu_forward`: ``dx = dout where x > 0, else 0``.

    Parameters
    ----------
    dout : array_like
        Gradient of the loss with respect to out.
    cache : ndarray
        From `relu_forward`.

    Returns
    -------
    dx : ndarray
        Of x's shape.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> layers.relu_backward([1.0, 1.0], layers.relu_forward([-1.0, 2.0])[1])
    array([0., 1.])
    """
    return relu_gradient(dout, cache)
