"""Update rules: ``rule(w, dw, config=None) -> (next_w, config)``.

A rule fills what `config` lacks with its defaults, and keeps its state there from call to call; weights, gradients and
state arrays are left as they are, new ones take their place. The step is `fastnn.optim`'s, in the precision of w.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from ..._engine import check
from ..._engine.geometry import contiguous
from ...optim import SGD, Adam, RMSprop
from ...optim.rules.adam import _adam
from ...optim.rules.adaptive import _rmsprop
from ...optim.rules.momentum import _sgd, _sgd_momentum
from ._steps import Step

__all__ = ["adam", "rmsprop", "sgd", "sgd_momentum"]

_SGD = Step("sgd", _sgd, 0, 4)
_SGD_MOMENTUM = Step("sgd_momentum", _sgd_momentum, 1, 4)
_RMSPROP = Step("rmsprop", _rmsprop, 1, 8)
_ADAM = Step("adam", _adam, 2, 12)

_SGD_DEFAULTS = {"learning_rate": 1e-2}
_SGD_MOMENTUM_DEFAULTS = {"learning_rate": 1e-2, "momentum": 0.9}
_RMSPROP_DEFAULTS = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}
_ADAM_DEFAULTS = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

Config = dict[str, Any]


def _values(config: Config, defaults: dict[str, float]) -> list[float]:
    """The config's numbers, each filled in where it is missing."""
    return [float(config.setdefault(key, default)) for key, default in defaults.items()]


def _stepped(
    name: str, step: Step, w: Any, dw: Any, config: Config, keys: tuple[str, ...], numbers: tuple[float, ...]
) -> np.ndarray:
    """The next w; config[key] for each key of a state array is replaced."""
    w = contiguous(check.real_array(name, "w", w))
    dw = check.same_shape(name, "dw", check.real_array(name, "dw", dw), w.shape, "to match w")
    states = [_state(name, key, config.get(key), w) for key in keys]
    result, new = step(w, contiguous(dw, w.dtype), states, numbers)
    config.update(zip(keys, new, strict=True))
    return result


def _state(name: str, key: str, value: Any, w: np.ndarray) -> np.ndarray:
    """A state array in w's dtype; zeros at first."""
    if value is None:
        return np.zeros_like(w)
    return contiguous(check.same_shape(name, key, check.real_array(name, key, value), w.shape, "to match w"), w.dtype)


def sgd(w: Any, dw: Any, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Gradient descent: ``next_w = w - learning_rate * dw``.

    Parameters
    ----------
    w : array_like
        Weights.
    dw : array_like
        Gradient of the loss with respect to w, of its shape.
    config : dict, optional
        "learning_rate" (1e-2).

    Returns
    -------
    next_w : ndarray
        A new array of w's shape and dtype; the course's own `sgd` changes w.
    config : dict
        The one given, filled with the defaults.

    Raises
    ------
    ValueError
        dw of another shape than w.

    Examples
    --------
    >>> from fastnn.compat.cs231n import optim
    >>> optim.sgd([1.0, 2.0], [10.0, 0.0])
    (array([0.9, 2. ]), {'learning_rate': 0.01})
    """
    config = {} if config is None else config
    (learning_rate,) = _values(config, _SGD_DEFAULTS)
    numbers = _sgd_numbers(learning_rate, 0.0)
    return _stepped("sgd", _SGD, w, dw, config, (), numbers), config


@lru_cache(64)
def _sgd_numbers(learning_rate: float, momentum: float) -> tuple[float, ...]:
    hyper = {"lr": learning_rate, "momentum": momentum, "dampening": 0.0, "momentum_form": "velocity"}
    return SGD.numbers(hyper, 1)


def sgd_momentum(w: Any, dw: Any, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Momentum: ``velocity = momentum * velocity - learning_rate * dw``, ``next_w = w + velocity``.

    Parameters
    ----------
    w, dw
        As for `sgd`.
    config : dict, optional
        "learning_rate" (1e-2), "momentum" (0.9), "velocity" (zeros).

    Returns
    -------
    next_w : ndarray
        A new array of w's shape and dtype.
    config : dict
        The one given, with the new velocity.

    Raises
    ------
    ValueError
        dw or the velocity of another shape than w.

    Examples
    --------
    >>> from fastnn.compat.cs231n import optim
    >>> w, config = optim.sgd_momentum([1.0], [10.0])
    >>> w, config = optim.sgd_momentum(w, [10.0], config)
    >>> print(w.round(4), config["velocity"].round(4))
    [0.71] [-0.19]
    """
    config = {} if config is None else config
    (learning_rate, momentum) = _values(config, _SGD_MOMENTUM_DEFAULTS)
    numbers = _sgd_numbers(learning_rate, momentum)
    return _stepped("sgd_momentum", _SGD_MOMENTUM, w, dw, config, ("velocity",), numbers), config


def rmsprop(w: Any, dw: Any, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """RMSprop: steps divided by the root of an average of the squared gradient.

    ::

        cache = decay_rate * cache + (1 - decay_rate) * dw**2
        next_w = w - learning_rate * dw / (sqrt(cache) + epsilon)

    Parameters
    ----------
    w, dw
        As for `sgd`.
    config : dict, optional
        "learning_rate" (1e-2), "decay_rate" (0.99), "epsilon" (1e-8), "cache" (zeros).

    Returns
    -------
    next_w : ndarray
        A new array of w's shape and dtype.
    config : dict
        The one given, with the new cache.

    Raises
    ------
    ValueError
        dw or the cache of another shape than w.

    Examples
    --------
    >>> from fastnn.compat.cs231n import optim
    >>> w, config = optim.rmsprop([1.0], [10.0])
    >>> print(w.round(4), config["cache"].round(4))
    [0.9] [1.]
    """
    config = {} if config is None else config
    values = _values(config, _RMSPROP_DEFAULTS)
    return _stepped("rmsprop", _RMSPROP, w, dw, config, ("cache",), _rmsprop_numbers(*values)), config


@lru_cache(64)
def _rmsprop_numbers(learning_rate: float, decay_rate: float, epsilon: float) -> tuple[float, ...]:
    hyper = {"lr": learning_rate, "alpha": decay_rate, "eps": epsilon, "eps_mode": "outside"}
    return RMSprop.numbers({**hyper, "momentum": 0.0, "momentum_form": "torch"}, 1)


def adam(w: Any, dw: Any, config: Config | None = None) -> tuple[np.ndarray, Config]:
    """Adam, with its averages corrected for their start at zero.

    ::

        t = t + 1
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        next_w = w - learning_rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)

    Parameters
    ----------
    w, dw
        As for `sgd`.
    config : dict, optional
        "learning_rate" (1e-3), "beta1" (0.9), "beta2" (0.999), "epsilon" (1e-8), "m" and "v" (zeros), "t" (0), the
        number of steps taken.

    Returns
    -------
    next_w : ndarray
        A new array of w's shape and dtype.
    config : dict
        The one given, with the new m, v and t.

    Raises
    ------
    ValueError
        dw, m or v of another shape than w.
    TypeError
        A t that is no integer.

    Examples
    --------
    >>> from fastnn.compat.cs231n import optim
    >>> w, config = optim.adam([1.0], [10.0])
    >>> print(w.round(6), config["m"].round(6), config["t"])
    [0.999] [1.] 1
    """
    config = {} if config is None else config
    values = _values(config, _ADAM_DEFAULTS)
    t = check.integer("adam", 'config["t"]', config.get("t", 0)) + 1
    next_w = _stepped("adam", _ADAM, w, dw, config, ("m", "v"), _adam_numbers(*values, t))
    config["t"] = t
    return next_w, config


@lru_cache(64)
def _adam_numbers(learning_rate: float, beta1: float, beta2: float, epsilon: float, t: int) -> tuple[float, ...]:
    hyper = {"lr": learning_rate, "betas": (beta1, beta2), "eps": epsilon, "eps_mode": "outside", "amsgrad": False}
    return Adam.numbers(hyper, t)
