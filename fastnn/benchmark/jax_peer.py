"""Activations in JAX: jitted, inputs already on the device, waited for.

Where fastnn writes to `out`, JAX is given its last result to write over ("jax donated"). It takes its number of
threads from the machine when it starts: with fewer it has no candidate.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from .libraries import load, on_all_cores
from .work import BACKWARD, FRESH, FROM_OUTPUT, IN_PLACE, Ways, Work


def _functions(jax) -> dict[str, Callable]:
    nn, np = jax.nn, jax.numpy
    return {
        "relu": nn.relu,
        "relu6": nn.relu6,
        "leaky_relu": nn.leaky_relu,
        "threshold": lambda x: np.where(x <= 0.5, 20.0, x),
        "elu": nn.elu,
        "selu": nn.selu,
        "celu": nn.celu,
        "sigmoid": nn.sigmoid,
        "log_sigmoid": nn.log_sigmoid,
        "hard_sigmoid": nn.hard_sigmoid,
        "tanh": np.tanh,
        "hard_tanh": nn.hard_tanh,
        "tanhshrink": lambda x: x - np.tanh(x),
        "softsign": nn.soft_sign,
        "softplus": nn.softplus,
        "silu": nn.silu,
        "hard_swish": nn.hard_swish,
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "gelu_tanh": nn.gelu,
        "quick_gelu": lambda x: x * nn.sigmoid(1.702 * x),
        "mish": nn.mish,
        "squareplus": nn.squareplus,
        "hardshrink": lambda x: np.where(np.abs(x) <= 0.5, 0.0, x),
        "softshrink": lambda x: np.where(x > 0.5, x - 0.5, np.where(x < -0.5, x + 0.5, 0.0)),
    }


#: function -> gradient from (dy, y)
_FROM_OUTPUT: dict[str, Callable] = {
    "relu": lambda dy, y: dy * (y > 0),
    "sigmoid": lambda dy, y: dy * y * (1 - y),
    "tanh": lambda dy, y: dy * (1 - y * y),
}


def ways(work: Work) -> Ways:
    """The jitted function, new array or donated."""
    jax = load("jax")
    if jax is None or not on_all_cores(work.threads):
        return {}
    jax.config.update("jax_enable_x64", True)  # float32 stays what it is
    f = _FROM_OUTPUT.get(work.function) if work.direction == FROM_OUTPUT else _functions(jax).get(work.function)
    if f is None:
        return {}
    put, a = jax.device_put, work.arrays
    operands: tuple[Any, ...]
    if work.direction == IN_PLACE:
        return {"jax donated": _WrittenOver(jax, f, put(a["x"].copy()))}
    if work.direction == BACKWARD:
        f, operands = partial(_gradient, jax, f), (put(a["dy"]), put(a["x"]))
    elif work.direction == FROM_OUTPUT:
        operands = (put(a["dy"]), put(a["y"]))
    else:
        operands = (put(a["x"]),)
    jitted = jax.jit(f)
    found: Ways = {"jax": lambda: jitted(*operands).block_until_ready()}
    if work.direction != FRESH:
        found["jax donated"] = _WrittenOver(jax, lambda _, *given: f(*given), put(a["out"].copy()), operands)
    return found


def _gradient(jax, f, dy, x):
    return jax.vjp(f, x)[1](dy)[0]


class _WrittenOver:
    """f(buffer, *operands), where the result takes the buffer's place, in memory too."""

    def __init__(self, jax, f, buffer, operands=()):
        self._jitted = jax.jit(f, donate_argnums=0, keep_unused=True)
        self._buffer, self._operands = buffer, operands

    def __call__(self):
        self._buffer = self._jitted(self._buffer, *self._operands)
        return self._buffer.block_until_ready()
