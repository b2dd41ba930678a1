"""Max pooling."""

from typing import Any, NamedTuple

import numpy as np

from ..._engine import check
from ._windows import places, positions


class PoolCache(NamedTuple):
    """What `max_pool_backward` needs."""

    shape: tuple[int, ...]  #: of x
    pool_param: dict[str, Any]
    winner: np.ndarray  #: the place in its window that each maximum comes from


def max_pool_forward(x: Any, pool_param: dict[str, Any]) -> tuple[np.ndarray, PoolCache]:
    """The maximum of each window of each channel.

    `max_pool_forward_naive` and `max_pool_forward_fast` are other names of it.

    Parameters
    ----------
    x : array_like of shape (N, C, H, W)
    pool_param : dict
        "pool_height" and "pool_width", the size of a window; "stride", the step between windows.

    Returns
    -------
    out : ndarray of shape (N, C, H', W')
        ``H' = 1 + (H - pool_height) // stride``, W' alike: what no whole window reaches is left out.
    cache : PoolCache
        For `max_pool_backward`.

    Raises
    ------
    ValueError
        x that is not 4-D, windows larger than the images, a stride below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> layers.max_pool_forward(x, {"pool_height": 2, "pool_width": 2, "stride": 2})[0]
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    name = "max_pool_forward"
    x = check.real_array(name, "x", x)
    if x.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}, expected (N, C, H, W)")
    window = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    out = np.full((*x.shape[:2], *positions(name, x.shape, *window)), -np.inf, x.dtype)
    winner = np.zeros(out.shape, np.min_scalar_type(window[0] * window[1]))
    for k, place in enumerate(places(x, *window)):
        better = place > out
        better |= place != place  # a NaN wins, and nothing is larger than it
        np.copyto(out, place, where=better)
        np.copyto(winner, k, where=better)
    return out, PoolCache(x.shape, pool_param, winner)


def max_pool_backward(dout: Any, cache: PoolCache) -> np.ndarray:
    """Gradient of `max_pool_forward`: each window's goes to its first maximum, row by row.

    `max_pool_backward_naive` and `max_pool_backward_fast` are other names of it.

    Parameters
    ----------
    dout : array_like of shape (N, C, H', W')
        Gradient of the loss with respect to out.
    cache : PoolCache
        From `max_pool_forward`.

    Returns
    -------
    dx : ndarray of shape (N, C, H, W)

    Raises
    ------
    ValueError
        dout of another shape than out.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    >>> out, cache = layers.max_pool_forward(np.ones((1, 1, 2, 2)), param)
    >>> layers.max_pool_backward(out, cache)
    array([[[[1., 0.],
             [0., 0.]]]])
    """
    shape, pool_param, winner = cache
    dout = check.real_array("max_pool_backward", "dout", dout)
    check.same_shape("max_pool_backward", "dout", dout, winner.shape, "as out had")
    window = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros(shape, dout.dtype)
    for k, place in enumerate(places(dx, *window)):
        np.add(place, dout, out=place, where=winner == k)
    return dx


max_pool_forward_naive = max_pool_forward_fast = max_pool_forward
max_pool_backward_naive = max_pool_backward_fast = max_pool_backward
