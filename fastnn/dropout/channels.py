"""Dropout of what belongs together: whole channels, whole samples."""

import numpy as np
from numpy.typing import ArrayLike

from ..typing import Out, Rng
from . import _drawing
from ._drawing import DropoutCache


def spatial_dropout_forward(
    x: ArrayLike, p: float = 0.5, *, axis: int = 1, rng: Rng = None, out: Out = None
) -> tuple[np.ndarray, DropoutCache]:
    """Dropout of whole channels: ``y = mask * x / (1 - p)``, each channel of each sample dropped with probability p.

    Parameters
    ----------
    x : array_like
        At least one axis; axis 0 counts the samples.
    p : float
        Probability to drop a channel, 0 <= p <= 1; p = 1 drops all.
    axis : int, default 1
        The channels' axis. The mask is of shape (x.shape[0], x.shape[axis]), or (x.shape[0],) for axis 0.
    rng : None, int or numpy.random.Generator
        The same int gives the same mask at every call; a Generator moves on by one draw.
    out : ndarray, optional
        Receives y; may be x itself.

    Returns
    -------
    y : ndarray
        Like x; exactly 0 where dropped, even for a NaN or infinity in x.
    cache : DropoutCache
        For `spatial_dropout_backward` and `dropout_mask`.

    Raises
    ------
    ValueError
        p outside [0, 1], no such axis, a negative seed, or out of another shape than x.
    TypeError
        x, p, axis, rng or out of an unsuitable type.

    References
    ----------
    Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.spatial_dropout_forward(np.ones((2, 3)), 0.5, axis=0, rng=1)[0]
    array([[2., 2., 2.],
           [0., 0., 0.]])
    """
    return _drawing.forward("spatial_dropout_forward", "spatial_dropout", x, p, rng, out, axis)


def spatial_dropout_backward(dy: ArrayLike, cache: DropoutCache, *, out: Out = None) -> np.ndarray:
    """Gradient of `spatial_dropout_forward`: ``dx = mask * dy / (1 - p)``.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : DropoutCache
        From `spatial_dropout_forward`.
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
        A cache that is not `spatial_dropout_forward`'s.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> y, cache = fnn.spatial_dropout_forward(np.ones((2, 2, 3)), 0.5, rng=0)
    >>> bool((fnn.spatial_dropout_backward(np.ones((2, 2, 3)), cache) == y).all())
    True
    """
    return _drawing.backward("spatial_dropout_backward", "spatial_dropout", dy, cache, out)


def drop_path_forward(
    x: ArrayLike, p: float = 0.5, *, rng: Rng = None, out: Out = None
) -> tuple[np.ndarray, DropoutCache]:
    """Stochastic depth: ``y = mask * x / (1 - p)``, each sample (axis 0) dropped as a whole with probability p.

    Used on a residual branch, which a dropped sample then skips.

    Parameters
    ----------
    x : array_like
        Any shape; axis 0 counts the samples.
    p : float
        Probability to drop a sample, 0 <= p <= 1; p = 1 drops all.
    rng : None, int or numpy.random.Generator
        The same int gives the same mask at every call; a Generator moves on by one draw.
    out : ndarray, optional
        Receives y; may be x itself.

    Returns
    -------
    y : ndarray
        Like x; exactly 0 where dropped, even for a NaN or infinity in x.
    cache : DropoutCache
        For `drop_path_backward` and `dropout_mask`.

    Raises
    ------
    ValueError
        p outside [0, 1], a negative seed, or out of another shape than x.
    TypeError
        x, p, rng or out of an unsuitable type.

    References
    ----------
    Huang et al., "Deep networks with stochastic depth", ECCV 2016.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> fnn.drop_path_forward(np.ones((4, 2)), 0.5, rng=0)[0]
    array([[2., 2.],
           [2., 2.],
           [2., 2.],
           [0., 0.]])
    """
    return _drawing.forward("drop_path_forward", "drop_path", x, p, rng, out, 0)


def drop_path_backward(dy: ArrayLike, cache: DropoutCache, *, out: Out = None) -> np.ndarray:
    """Gradient of `drop_path_forward`: ``dx = mask * dy / (1 - p)``.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : DropoutCache
        From `drop_path_forward`.
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
        A cache that is not `drop_path_forward`'s.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> y, cache = fnn.drop_path_forward(np.ones((4, 2)), 0.5, rng=0)
    >>> bool((fnn.drop_path_backward(np.ones((4, 2)), cache) == y).all())
    True
    """
    return _drawing.backward("drop_path_backward", "drop_path", dy, cache, out)
