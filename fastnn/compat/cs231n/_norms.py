"""What the norms share: their cache, and parameters of any shape."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..._engine import check


class NormCache(NamedTuple):
    """What the backward pass of a norm needs."""

    backward: Callable[[np.ndarray, Any], tuple]  #: fastnn's, for the cache of its forward pass
    cache: Any
    gamma_shape: tuple[int, ...]
    beta_shape: tuple[int, ...]


def parameters(function: str, gamma: Any, beta: Any) -> tuple[np.ndarray, np.ndarray]:
    """gamma and beta as float arrays."""
    return check.real_array(function, "gamma", gamma), check.real_array(function, "beta", beta)


def matrix(function: str, x: Any) -> np.ndarray:
    """x, which must be 2-D."""
    x = check.real_array(function, "x", x)
    if x.ndim != 2:
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, D)")
    return x


def images(function: str, x: Any) -> np.ndarray:
    """x, which must be 4-D."""
    x = check.real_array(function, "x", x)
    if x.ndim != 4:
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, C, H, W)")
    return x


def gradients(function: str, dout: Any, cache: NormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(dx, dgamma, dbeta) in the shapes of x, gamma and beta."""
    if type(cache) is not NormCache:
        raise TypeError(f"{function}: cache is a {type(cache).__name__}, expected that of a forward pass in training")
    dx, dgamma, dbeta = cache.backward(dout, cache.cache)
    return dx, dgamma.reshape(cache.gamma_shape), dbeta.reshape(cache.beta_shape)
