"""Inverted dropout, with masks that follow `numpy.random.seed`."""

from typing import Any

import numpy as np
from numpy.random import mtrand

from ..._engine import check
from ...dropout import dropout_forward as drop

DropoutCache = tuple[dict[str, Any], np.ndarray | None]


def dropout_forward(x: Any, dropout_param: dict[str, Any]) -> tuple[np.ndarray, DropoutCache]:
    """Inverted dropout: ``out = x * mask`` in training, where mask is 1 / p with probability p and else 0.

    Parameters
    ----------
    x : array_like
        Any shape.
    dropout_param : dict
        "p", the probability to KEEP a value, 0 < p <= 1; "mode", "train" or "test"; optionally "seed", which is given
        to `numpy.random.seed` first. Masks follow NumPy's global state, but are not those of `numpy.random.rand`.

    Returns
    -------
    out : ndarray
        Of x's shape and dtype; x itself in test mode.
    cache : tuple
        (dropout_param, mask), for `dropout_backward`; the mask is None in test mode.

    Raises
    ------
    ValueError
        An unknown mode, p out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> param = {"mode": "train", "p": 0.5, "seed": 1}
    >>> out, cache = layers.dropout_forward(np.ones(1000), param)
    >>> print(np.unique(out), 0.45 < (out > 0).mean() < 0.55)
    [0. 2.] True
    >>> bool((layers.dropout_forward(np.ones(1000), param)[0] == out).all())
    True
    """
    name = "dropout_forward"
    mode = check.one_of(name, 'dropout_param["mode"]', dropout_param["mode"], ("train", "test"))
    p = check.number(name, 'dropout_param["p"]', dropout_param["p"], 0, 1)
    if p == 0:
        raise ValueError(f'{name}: dropout_param["p"] is 0, expected the probability to keep a value, more than 0')
    x = check.real_array(name, "x", x)
    if dropout_param.get("seed") is not None:
        np.random.seed(dropout_param["seed"])  # noqa: NPY002 (what the course promises for a seed)
    if mode == "test":
        return x, (dropout_param, None)
    global_state = np.random.Generator(mtrand.get_bit_generator())
    mask, _ = drop(np.ones(x.shape, x.dtype), 1 - p, rng=global_state)
    return x * mask, (dropout_param, mask)


def dropout_backward(dout: Any, cache: DropoutCache) -> np.ndarray:
    """Gradient of `dropout_forward`: ``dx = dout * mask``, or dout itself in test mode.

    Parameters
    ----------
    dout : array_like
        Gradient of the loss with respect to out.
    cache : tuple
        From `dropout_forward`.

    Returns
    -------
    dx : ndarray
        Of x's shape.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> out, cache = layers.dropout_forward(np.ones(9), {"mode": "train", "p": 0.5})
    >>> bool((layers.dropout_backward(np.ones(9), cache) == out).all())
    True
    """
    mask = cache[1]
    return dout if mask is None else dout * mask
