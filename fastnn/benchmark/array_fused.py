"""The work of `fused` as formulas over arrays: in NumPy, in JAX jitted, and SciPy's functions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .libraries import load, on_all_cores
from .work import Ways, Work


def ways(work: Work) -> Ways:
    """The formulas that there are."""
    found: Ways = {}
    name, a = work.function, work.arrays
    if name in _FORMULAS:
        found["numpy"] = lambda: _FORMULAS[name](np, a)
    if name in _LOSSES:
        found["numpy"] = lambda: _LOSSES[name](a)
    if name == "dropout_forward":
        found["numpy"] = lambda: _dropout(a["x"])
    special = load("scipy.special")
    if special is not None and name in ("softmax", "log_softmax", "logsumexp"):
        function = getattr(special, name)
        found["scipy"] = lambda: function(a["x"], axis=-1)
    return found | _jitted(work)


def _layer_norm(xp, a):
    x = a["x"]
    return (x - x.mean(-1, keepdims=True)) / xp.sqrt(x.var(-1, keepdims=True) + 1e-5) * a["gamma"] + a["beta"]


def _rms_norm(xp, a):
    x = a["x"]
    return x / xp.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * a["gamma"]


def _batch_norm(xp, a):
    x, axes = a["x"], (0, *range(2, a["x"].ndim))
    gamma, beta = (a[name].reshape(-1, *[1] * (x.ndim - 2)) for name in ("gamma", "beta"))
    return (x - x.mean(axes, keepdims=True)) / xp.sqrt(x.var(axes, keepdims=True) + 1e-5) * gamma + beta


def _softmax(xp, a, axis=-1):
    e = xp.exp(a["x"] - a["x"].max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _logsumexp(xp, a):
    largest = a["x"].max(-1, keepdims=True)
    return xp.log(xp.exp(a["x"] - largest).sum(-1)) + largest[..., 0]


def _log_softmax(xp, a):
    return a["x"] - _logsumexp(xp, a)[..., None]


def _softmax_backward(xp, a):
    product = a["dy"] * a["y"]
    return product - a["y"] * product.sum(-1, keepdims=True)


def _glu(xp, a):
    half = a["x"].shape[-1] // 2
    return a["x"][..., :half] / (1 + xp.exp(-a["x"][..., half:]))


#: function -> formula over NumPy or jax.numpy and the arrays
_FORMULAS: dict[str, Callable[[Any, Any], Any]] = {
    "batch_norm_forward": _batch_norm,
    "batch_norm_relu_forward": lambda xp, a: xp.maximum(_batch_norm(xp, a), 0),
    "layer_norm_forward": _layer_norm,
    "rms_norm_forward": _rms_norm,
    "softmax": _softmax,
    "softmax_columns": lambda xp, a: _softmax(xp, a, 0),
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "softmax_backward": _softmax_backward,
    "glu": _glu,
}


def _mse(a):
    d = a["x"] - a["target"]
    return np.mean(d * d), d * (2 / d.size)


def _mae(a):
    d = a["x"] - a["target"]
    return np.mean(np.abs(d)), np.sign(d) / d.size


def _cross_entropy(a):
    p, rows = _softmax(np, a), np.arange(len(a["labels"]))
    loss = -np.mean(np.log(p[rows, a["labels"]]))
    p[rows, a["labels"]] -= 1
    return loss, p / len(rows)


def _dropout(x):
    return x * (np.random.default_rng(0).random(x.shape, np.float32) >= 0.5) * x.dtype.type(2)


#: function -> (loss, gradient) from the arrays
_LOSSES: dict[str, Callable[[Any], Any]] = {"mse": _mse, "mae": _mae, "softmax_cross_entropy": _cross_entropy}


def _jax_losses(jax) -> dict[str, Callable]:
    xp = jax.numpy

    def cross_entropy(x, a):
        return -xp.mean(xp.take_along_axis(jax.nn.log_softmax(x), a["labels"][:, None], 1))

    def binary_cross_entropy(x, a):
        return xp.mean(xp.logaddexp(x, 0) - x * a["target"])

    return {
        "mse": lambda x, a: xp.mean((x - a["target"]) ** 2),
        "mae": lambda x, a: xp.mean(xp.abs(x - a["target"])),
        "log_cosh": lambda x, a: xp.mean(xp.log(xp.cosh(x - a["target"]))),
        "binary_cross_entropy_with_logits": binary_cross_entropy,
        "softmax_cross_entropy": cross_entropy,
    }


def _jitted(work: Work) -> Ways:
    jax = load("jax")
    if jax is None or not on_all_cores(work.threads):
        return {}
    jax.config.update("jax_enable_x64", True)  # float32 stays what it is
    a = jax.device_put({key: array for key, array in work.arrays.items() if isinstance(array, np.ndarray)})
    losses = _jax_losses(jax)
    if work.function in losses:
        both = jax.jit(jax.value_and_grad(losses[work.function]))
        return {"jax": lambda: jax.block_until_ready(both(a["x"], a))}
    if work.function not in _FORMULAS:
        return {}
    formula = jax.jit(lambda a: _FORMULAS[work.function](jax.numpy, a))
    return {"jax": lambda: formula(a).block_until_ready()}
