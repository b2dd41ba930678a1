"""Dropout of single elements, and noise on them: dropout, alpha dropout, Gaussian dropout."""

import numpy as np
from numpy.typing import ArrayLike

from ..typing import Out, Rng
from . import _drawing
from ._drawing import DropoutCache


def dropout_forward(
    x: ArrayLike, p: float = 0.5, *, rng: Rng = None, out: Out = None
) -> tuple[np.ndarray, DropoutCache]:
    """Inverted dropout: ``y = mask * x / (1 - p)``, with P(mask = 0) = p.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float
        Probability to DROP an element, 0 <= p <= 1; p = 1 drops all. Taken to the nearest multiple of 2**-32.
    rng : None, int or numpy.random.Generator
        The same int gives the same mask at every call; a Generator moves on by one draw.
    out : ndarray, optional
        Receives y; may be x itself.

    Returns
    -------
    y : ndarray
        Like x; exactly 0 where dropped, even for a NaN or infinity in x.
    cache : DropoutCache
        For `dropout_backward` and `dropout_mask`: a few bytes, no array.

    Raises
    ------
    ValueError
        p outside [0, 1], a negative seed, or out of another shape than x.
    TypeError
        x, p, rng or out of an unsuitable type.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> y, cache = fnn.dropout_forward(np.ones(8), 0.75, rng=0)
    >>> y
    array([4., 0., 4., 0., 0., 4., 0., 4.])
    >>> fnn.dropout_backward(np.full(8, 0.5), cache)
    array([2., 0., 2., 0., 0., 2., 0., 2.])
    """
    return _drawing.forward("dropout_forward", "dropout", x, p, rng, out)


def dropout_backward(dy: ArrayLike, cache: DropoutCache, *, out: Out = None) -> np.ndarray:
    """Gradient of `dropout_forward`: ``dx = mask * dy / (1 - p)``, with the mask made again from `cache`.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : DropoutCache
        From `dropout_forward`.
    out : ndarray, optional
        Receives dx; may be dy itself.

    Returns
    -------
    dx : ndarray
        Like dy; exactly 0 where dropped.

    Raises
    ------
    ValueError
        dy or out of another shape than x.
    TypeError
        A cache that is not `dropout_forward`'s.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> y, cache = fnn.dropout_forward(np.ones(4), 0.5, rng=1)
    >>> bool((fnn.dropout_backward(np.ones(4), cache) == y).all())
    True
    """
    return _drawing.backward("dropout_backward", "dropout", dy, cache, out)


def dropout_mask(cache: DropoutCache) -> np.ndarray:
    """The mask of a call of `dropout_forward` or of any other dropout.

    Parameters
    ----------
    cache : DropoutCache
        From the forward pass of any dropout.

    Returns
    -------
    mask : ndarray of bool
        Of x's shape, True = kept; all True for Gaussian dropout, which drops nothing.

    Raises
    ------
    TypeError
        A cache that is not a dropout's.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.dropout_mask(fnn.dropout_forward(np.ones(4), 0.5, rng=0)[1])
    array([ True,  True,  True, False])
    """
    return _drawing.mask(_drawing.checked("dropout_mask", cache))


def alpha_dropout_forward(
    x: ArrayLike, p: float = 0.5, *, rng: Rng = None, out: Out = None
) -> tuple[np.ndarray, DropoutCache]:
    """Dropout for networks of SELU: ``y = a * (x if kept else alpha') + b``, with P(dropped) = p.

    alpha' = -1.7580993408473766 is SELU's limit at -infinity, ``a = ((1 - p) * (1 + p * alpha'**2)) ** -0.5`` and
    ``b = -a * alpha' * p``: x of mean 0 and variance 1 gives y of mean 0 and variance 1.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float
        Probability to drop an element, 0 <= p <= 1; p = 1 gives zeros.
    rng : None, int or numpy.random.Generator
        The same int gives the same mask at every call; a Generator moves on by one draw.
    out : ndarray, optional
        Receives y; may be x itself.

    Returns
    -------
    y : ndarray
        Like x.
    cache : DropoutCache
        For `alpha_dropout_backward` and `dropout_mask`.

    Raises
    ------
    ValueError
        p outside [0, 1], a negative seed, or out of another shape than x.
    TypeError
        x, p, rng or out of an unsuitable type.

    References
    ----------
    Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.alpha_dropout_forward(np.zeros(4), 0.5, rng=0)[0].round(4)
    array([ 0.7792,  0.7792,  0.7792, -0.7792])
    """
    return _drawing.forward("alpha_dropout_forward", "alpha_dropout", x, p, rng, out)


def alpha_dropout_backward(dy: ArrayLike, cache: DropoutCache, *, out: Out = None) -> np.ndarray:
    """Gradient of `alpha_dropout_forward`: ``dx = a * dy`` where kept, else 0.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : DropoutCache
        From `alpha_dropout_forward`.
    out : ndarray, optional
        Receives dx; may be dy itself.

    Returns
    -------
    dx : ndarray
        Like dy.

    Raises
    ------
    ValueError
        dy or out of another shape than x.
    TypeError
        A cache that is not `alpha_dropout_forward`'s.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> y, cache = fnn.alpha_dropout_forward(np.zeros(4), 0.5, rng=0)
    >>> fnn.alpha_dropout_backward(np.ones(4), cache).round(4)
    array([0.8864, 0.8864, 0.8864, 0.    ])
    """
    return _drawing.backward("alpha_dropout_backward", "alpha_dropout", dy, cache, out)


def gaussian_dropout_forward(
    x: ArrayLike, p: float = 0.5, *, rng: Rng = None, out: Out = None
) -> tuple[np.ndarray, DropoutCache]:
    """Multiplicative noise with the mean and variance of dropout's: ``y = x * (1 + sqrt(p / (1 - p)) * z)``.

    z is standard normal, drawn for each element (Box and Muller's transform of two Philox words).

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float
        Of the dropout that it stands for, 0 <= p < 1.
    rng : None, int or numpy.random.Generator
        The same int gives the same noise at every call; a Generator moves on by one draw.
    out : ndarray, optional
        Receives y; may be x itself.

    Returns
    -------
    y : ndarray
        Like x.
    cache : DropoutCache
        For `gaussian_dropout_backward`.

    Raises
    ------
    ValueError
        p outside [0, 1), a negative seed, or out of another shape than x.
    TypeError
        x, p, rng or out of an unsuitable type.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014), section 10.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.gaussian_dropout_forward(np.ones(3), 0.2, rng=0)[0].round(4)
    array([0.786 , 0.5048, 1.1611])
    """
    return _drawing.forward("gaussian_dropout_forward", "gaussian_dropout", x, p, rng, out)


def gaussian_dropout_backward(dy: ArrayLike, cache: DropoutCache, *, out: Out = None) -> np.ndarray:
    """Gradient of `gaussian_dropout_forward`: dy times the factors that x was multiplied by.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : DropoutCache
        From `gaussian_dropout_forward`.
    out : ndarray, optional
        Receives dx; may be dy itself.

    Returns
    -------
    dx : ndarray
        Like dy.

    Raises
    ------
    ValueError
        dy or out of another shape than x.
    TypeError
        A cache that is not `gaussian_dropout_forward`'s.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> y, cache = fnn.gaussian_dropout_forward(np.ones(3), 0.2, rng=0)
    >>> bool((fnn.gaussian_dropout_backward(np.ones(3), cache) == y).all())
    True
    """
    return _drawing.backward("gaussian_dropout_backward", "gaussian_dropout", dy, cache, out)
