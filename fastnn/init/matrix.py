"""Weights that are an orthogonal matrix."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from .._engine import check
from ..typing import Rng
from ._shapes import _fans, _prepared


def orthogonal(
    shape: int | Sequence[int],
    gain: float = 1.0,
    *,
    rng: Rng = None,
    dtype: DTypeLike = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """A random orthogonal matrix times `gain`: rows or columns are orthonormal, the fewer ones.

    A kernel's weights are taken as the matrix (out, in * kernel).

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    gain : float
        What the orthogonal matrix is multiplied by.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks,
    ICLR 2014.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.orthogonal((3, 2), rng=0, dtype=float)
    >>> abs((W.T @ W).round(12))
    array([[1., 0.],
           [0., 1.]])
    """
    shape, generator, dtype = _prepared("orthogonal", shape, rng, dtype, layout)
    gain = check.number("orthogonal", "gain", gain)
    _fans("orthogonal", shape, layout)
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.copysign(1, np.diag(r))  # without the signs of r, q is not uniform over the orthogonal matrices
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)
