"""Activations as numexpr's expressions, with a new array for the result and with `out`."""

from .libraries import load
from .numpy_peer import SELU_ALPHA, SELU_SCALE
from .work import BACKWARD, FRESH, FROM_OUTPUT, IN_PLACE, OUT, Ways, Work

#: A literal with a point is float64 to numexpr and would make all of the expression so: constants are variables.
_CONSTANTS = {
    "slope": 0.01,
    "alpha": SELU_ALPHA,
    "scale": SELU_SCALE,
    "half": 0.5,
    "root": 0.7978845608028654,
    "cubic": 0.044715,
    "quick": 1.702,
}

_SOFTPLUS = "where(x > 0, x, 0) + log1p(exp(-abs(x)))"

_FORWARD = {
    "relu": "where(x > 0, x, 0)",
    "relu6": "where(x > 6, 6, where(x > 0, x, 0))",
    "leaky_relu": "where(x > 0, x, slope * x)",
    "threshold": "where(x <= half, 20, x)",
    "elu": "where(x > 0, x, expm1(x))",
    "selu": "scale * where(x > 0, x, alpha * expm1(x))",
    "celu": "where(x > 0, x, expm1(x))",
    "sigmoid": "1 / (1 + exp(-x))",
    "log_sigmoid": "where(x < 0, x, 0) - log1p(exp(-abs(x)))",
    "hard_sigmoid": "where(x > 3, 1, where(x > -3, x / 6 + half, 0))",
    "tanh": "tanh(x)",
    "hard_tanh": "where(x > 1, 1, where(x < -1, -1, x))",
    "tanhshrink": "x - tanh(x)",
    "softsign": "x / (1 + abs(x))",
    "softplus": _SOFTPLUS,
    "silu": "x / (1 + exp(-x))",
    "hard_swish": "x * where(x > 3, 6, where(x > -3, x + 3, 0)) / 6",
    "gelu_tanh": "half * x * (1 + tanh(root * (x + cubic * x * x * x)))",
    "quick_gelu": "x / (1 + exp(-quick * x))",
    "mish": f"x * tanh({_SOFTPLUS})",
    "squareplus": "half * (x + sqrt(x * x + 4))",
    "hardshrink": "where(abs(x) <= half, 0, x)",
    "softshrink": "where(x > half, x - half, where(x < -half, x + half, 0))",
}
_BACKWARD = {
    "relu": "where(x > 0, dy, 0)",
    "leaky_relu": "where(x > 0, dy, slope * dy)",
    "elu": "where(x > 0, dy, dy * exp(x))",
    "sigmoid": "dy / (2 + exp(x) + exp(-x))",
    "tanh": "dy * (1 - tanh(x) ** 2)",
    "softplus": "dy / (1 + exp(-x))",
    "silu": "dy / (1 + exp(-x)) * (1 + x / (1 + exp(x)))",
}
_FROM_OUTPUT = {
    "relu": "where(y > 0, dy, 0)",
    "leaky_relu": "where(y > 0, dy, slope * dy)",
    "elu": "where(y > 0, dy, dy * (y + 1))",
    "sigmoid": "dy * y * (1 - y)",
    "tanh": "dy * (1 - y * y)",
    "softplus": "-dy * expm1(-y)",
}
_TABLES = {OUT: _FORWARD, FRESH: _FORWARD, IN_PLACE: _FORWARD, BACKWARD: _BACKWARD, FROM_OUTPUT: _FROM_OUTPUT}


def ways(work: Work) -> Ways:
    """Both forms; numexpr keeps what it has compiled."""
    numexpr = load("numexpr")
    expression = _TABLES.get(work.direction, {}).get(work.function)
    if numexpr is None or expression is None:
        return {}
    number = work.dtype.type
    given = work.arrays | {name: number(value) for name, value in _CONSTANTS.items()}
    if work.direction == IN_PLACE:
        z = given["x"] = work.arrays["x"].copy()
        return {"numexpr out": lambda: numexpr.evaluate(expression, given, {}, out=z)}
    found: Ways = {"numexpr": lambda: numexpr.evaluate(expression, given, {})}
    if (out := work.arrays.get("out")) is not None:
        found["numexpr out"] = lambda: numexpr.evaluate(expression, given, {}, out=out)
    return found
