"""Losses: value and gradient of a batch of scores, averaged over the samples."""

from typing import Any

import numpy as np

from ...losses.classes import multiclass_hinge, softmax_cross_entropy


def softmax_loss(x: Any, y: Any) -> tuple[Any, np.ndarray]:
    """Cross-entropy of softmax: ``loss = -mean(log softmax(x)[i, y[i]])``.

    Parameters
    ----------
    x : array_like of shape (N, C)
        Scores.
    y : array_like of int, shape (N,)
        Labels, ``0 <= y[i] < C``.

    Returns
    -------
    loss : NumPy scalar
        Of x's dtype.
    dx : ndarray of shape (N, C)
        Gradient of the loss with respect to x.

    Raises
    ------
    ValueError
        A label out of range; shapes that do not go together.
    TypeError
        Labels that are no integers.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> loss, dx = layers.softmax_loss([[0.0, 0.0]], [1])
    >>> print(loss.round(4), dx)
    0.6931 [[ 0.5 -0.5]]
    """
    return softmax_cross_entropy(x, y)


def svm_loss(x: Any, y: Any) -> tuple[Any, np.ndarray]:
    """Multiclass SVM loss: ``loss = mean over i of sum over j != y[i] of max(0, x[i, j] - x[i, y[i]] + 1)``.

    Parameters
    ----------
    x : array_like of shape (N, C)
        Scores.
    y : array_like of int, shape (N,)
        Labels, ``0 <= y[i] < C``.

    Returns
    -------
    loss : NumPy scalar
        Of x's dtype.
    dx : ndarray of shape (N, C)
        Gradient of the loss with respect to x; a term of exactly 0 adds nothing.

    Raises
    ------
    ValueError, TypeError
        As `softmax_loss`.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> loss, dx = layers.svm_loss([[3.0, 2.5, -1.0]], [0])
    >>> print(loss, dx)
    0.5 [[-1.  1.  0.]]
    """
    return multiclass_hinge(x, y)
