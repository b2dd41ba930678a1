"""Activations as one writes them in NumPy, and with SciPy where it has the function.

A function without a formula here (gelu: NumPy has no erf) has no such candidate.
"""

from collections.abc import Callable

import numpy as np

from .libraries import load
from .work import BACKWARD, FRESH, FROM_OUTPUT, OUT, Ways, Work

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

#: function -> f(x)
FORWARD: dict[str, Callable] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "threshold": lambda x: np.where(x <= 0.5, x.dtype.type(20), x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x)),
    "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "tanhshrink": lambda x: x - np.tanh(x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "squareplus": lambda x: 0.5 * (x + np.sqrt(x * x + 4)),
    "hardshrink": lambda x: np.where(np.abs(x) <= 0.5, x.dtype.type(0), x),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
}

#: function -> gradient from (dy, x)
_BACKWARD: dict[str, Callable] = {
    "relu": lambda dy, x: dy * (x > 0),
    "leaky_relu": lambda dy, x: np.where(x > 0, dy, 0.01 * dy),
    "elu": lambda dy, x: np.where(x > 0, dy, dy * np.exp(x)),
    "sigmoid": lambda dy, x: dy * (y := 1 / (1 + np.exp(-x))) * (1 - y),
    "tanh": lambda dy, x: dy * (1 - np.tanh(x) ** 2),
    "softplus": lambda dy, x: dy / (1 + np.exp(-x)),
    "silu": lambda dy, x: dy * (s := 1 / (1 + np.exp(-x))) * (1 + x * (1 - s)),
}

#: function -> gradient from (dy, y)
_FROM_OUTPUT: dict[str, Callable] = {
    "relu": lambda dy, y: dy * (y > 0),
    "leaky_relu": lambda dy, y: np.where(y > 0, dy, 0.01 * dy),
    "elu": lambda dy, y: np.where(y > 0, dy, dy * (y + 1)),
    "sigmoid": lambda dy, y: dy * y * (1 - y),
    "tanh": lambda dy, y: dy * (1 - y * y),
    "softplus": lambda dy, y: -dy * np.expm1(-y),
}

#: functions that one ufunc does, which takes out= too
_UFUNCS: dict[str, Callable] = {
    "relu": lambda x, out: np.maximum(x, 0, out=out),
    "relu6": lambda x, out: np.clip(x, 0, 6, out=out),
    "tanh": np.tanh,
    "hard_tanh": lambda x, out: np.clip(x, -1, 1, out=out),
    "softplus": lambda x, out: np.logaddexp(x.dtype.type(0), x, out=out),
}


def ways(work: Work) -> Ways:
    """The formula, which makes new arrays, and the ufunc that writes to `out`; SciPy's function in both forms."""
    name, a = work.function, work.arrays
    found: Ways = {}
    if work.direction in (OUT, FRESH):
        if name in FORWARD:
            found["numpy"] = lambda: FORWARD[name](a["x"])
        if name in _UFUNCS and work.direction == OUT:
            found["numpy out"] = lambda: _UFUNCS[name](a["x"], a["out"])
        found |= _scipy(work)
    elif work.direction == BACKWARD and name in _BACKWARD:
        found["numpy"] = lambda: _BACKWARD[name](a["dy"], a["x"])
    elif work.direction == FROM_OUTPUT and name in _FROM_OUTPUT:
        found["numpy"] = lambda: _FROM_OUTPUT[name](a["dy"], a["y"])
    return found


def _scipy(work: Work) -> Ways:
    special = load("scipy.special")
    if special is None:
        return {}
    x, out = work.arrays["x"], work.arrays.get("out")
    if work.function == "gelu":
        return {"scipy": lambda: 0.5 * x * (1 + special.erf(x * 0.7071067811865476))}
    function = {"sigmoid": special.expit, "log_sigmoid": special.log_expit}.get(work.function)
    if function is None:
        return {}
    found: Ways = {"scipy": lambda: function(x)}
    if out is not None:
        found["scipy out"] = lambda: function(x, out=out)
    return found
