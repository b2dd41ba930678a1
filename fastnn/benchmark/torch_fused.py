"""How torch does the work of `fused`: every reasonable way, so that the fastest can be taken.

Gradients that torch has only through autograd are timed as forward and backward together, where fastnn gives both in
one call too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .libraries import load
from .work import Ways, Work

torch = load("torch")
Tensors = dict[str, Any]


def ways(work: Work) -> Ways:
    """The ways in which torch does it; those that write to "out" where the work has it."""
    if torch is None or work.function not in _WAYS:
        return {}
    tensors = {key: torch.from_numpy(a) for key, a in work.arrays.items() if isinstance(a, np.ndarray)}
    found = _WAYS[work.function](tensors)
    return found if "out" in tensors else {way: call for way, call in found.items() if way != "torch out"}


def _functional(name: str) -> Callable:
    return getattr(torch.nn.functional, name)


def _batch_norm(t, relu=False) -> Ways:
    aten, x, gamma, beta = torch.ops.aten, t["x"], t["gamma"], t["beta"]
    mean, var = torch.zeros_like(gamma), torch.ones_like(gamma)
    kept = {"save_mean": torch.empty_like(mean), "save_invstd": torch.empty_like(mean)}
    activated = torch.relu_ if relu else (lambda y: y)

    def default():
        return activated(torch.nn.functional.batch_norm(x, mean, var, gamma, beta, True))

    def out():
        return activated(
            aten.native_batch_norm.out(x, gamma, beta, mean, var, True, 0.1, 1e-5, out=t["out"], **kept)[0]
        )

    return {"torch": default, "torch out": out}


def _batch_norm_backward(t, relu=False) -> Ways:
    x, axes = t["x"], [0, *range(2, t["x"].ndim)]
    mean = x.mean(axes)
    rstd = 1 / torch.sqrt(x.var(axes, correction=0) + 1e-5)
    y = torch.nn.functional.batch_norm(x, None, None, t["gamma"], t["beta"], True)
    native = torch.ops.aten.native_batch_norm_backward

    def backward():
        dy = torch.ops.aten.threshold_backward(t["dy"], y, 0) if relu else t["dy"]
        return native(dy, x, t["gamma"], None, None, mean, rstd, True, 1e-5, [True, True, True])

    return {"torch": backward}


def _batch_norm_inference(t) -> Ways:
    batch_norm = _functional("batch_norm")
    return {"torch": lambda: batch_norm(t["x"], t["mean"], t["var"], t["gamma"], t["beta"], False)}


def _layer_norm(t) -> Ways:
    x, gamma, beta, shape = t["x"], t["gamma"], t["beta"], [t["x"].shape[-1]]
    layer_norm, native = _functional("layer_norm"), torch.ops.aten.native_layer_norm
    statistics = native(x, shape, gamma, beta, 1e-5)[1:]
    into = dict(zip(("out1", "out2"), statistics, strict=True))
    return {
        "torch": lambda: layer_norm(x, shape, gamma, beta),
        "torch out": lambda: native.out(x, shape, gamma, beta, 1e-5, out0=t["out"], **into)[0],
    }


def _layer_norm_backward(t) -> Ways:
    x, shape = t["x"], [t["x"].shape[-1]]
    _, mean, rstd = torch.ops.aten.native_layer_norm(x, shape, t["gamma"], t["beta"], 1e-5)
    native = torch.ops.aten.native_layer_norm_backward
    return {"torch": lambda: native(t["dy"], x, shape, mean, rstd, t["gamma"], t["beta"], [True, True, True])}


def _groups(t) -> int:
    return 8 if t["x"].shape[1] % 8 == 0 else 1


def _group_norm_backward(t) -> Ways:
    x, groups = t["x"], _groups(t)
    n, c, size = x.shape[0], x.shape[1], x[0, 0].numel()
    _, mean, rstd = torch.ops.aten.native_group_norm(x, t["gamma"], t["beta"], n, c, size, groups, 1e-5)
    native = torch.ops.aten.native_group_norm_backward
    return {"torch": lambda: native(t["dy"], x, mean, rstd, t["gamma"], n, c, size, groups, [True, True, True])}


def _softmax(name, axis, t) -> Ways:
    function = getattr(torch, name)
    return {"torch": lambda: function(t["x"], axis), "torch out": lambda: function(t["x"], axis, out=t["out"])}


def _softmax_backward(t) -> Ways:
    native = torch.ops.aten._softmax_backward_data
    return {
        "torch": lambda: native(t["dy"], t["y"], -1, t["dy"].dtype),
        "torch out": lambda: native.out(t["dy"], t["y"], -1, t["dy"].dtype, grad_input=t["out"]),
    }


def _with_gradient(loss, t) -> Ways:
    x = t["x"].clone().requires_grad_()

    def both():
        value = loss(x, t)
        return value, *torch.autograd.grad(value, x)

    return {"torch": both}


def _functional_loss(name, target="target") -> Callable:
    return partial(_with_gradient, lambda x, t: _functional(name)(x, t[target]))


def _hinge(x, t):
    """torch's divides by the classes too."""
    return _functional("multi_margin_loss")(x, t["labels"]) * x.shape[-1]


def _log_cosh(x, t):
    return torch.log(torch.cosh(x - t["target"])).mean()


def _focal(x, t):
    p = torch.sigmoid(x)
    cross_entropy = _functional("binary_cross_entropy_with_logits")(x, t["target"], reduction="none")
    p_t = p * t["target"] + (1 - p) * (1 - t["target"])
    return (cross_entropy * (1 - p_t) ** 2).mean()


def _dropout_backward(t) -> Ways:
    mask = torch.rand_like(t["x"]) >= 0.5
    return {"torch": lambda: torch.ops.aten.native_dropout_backward(t["dy"], mask, 2.0)}


def _plain(name, *arguments: Callable[[Tensors], Any]) -> Callable:
    """The function of torch.nn.functional or torch of x and further arguments."""

    def ways(t) -> Ways:
        function, given = getattr(torch.nn.functional, name, None) or getattr(torch, name), [f(t) for f in arguments]
        return {"torch": lambda: function(t["x"], *given)}

    return ways


_WAYS: dict[str, Callable[[Tensors], Ways]] = {
    "batch_norm_forward": _batch_norm,
    "batch_norm_backward": _batch_norm_backward,
    "batch_norm_relu_forward": partial(_batch_norm, relu=True),
    "batch_norm_relu_backward": partial(_batch_norm_backward, relu=True),
    "batch_norm_inference": _batch_norm_inference,
    "layer_norm_forward": _layer_norm,
    "layer_norm_backward": _layer_norm_backward,
    "rms_norm_forward": _plain("rms_norm", lambda t: t["x"].shape[-1:], lambda t: t["gamma"], lambda t: 1e-6),
    "group_norm_forward": _plain("group_norm", _groups, lambda t: t["gamma"], lambda t: t["beta"]),
    "group_norm_backward": _group_norm_backward,
    "instance_norm_forward": _plain(
        "instance_norm", lambda t: None, lambda t: None, lambda t: t["gamma"], lambda t: t["beta"]
    ),
    "softmax": partial(_softmax, "softmax", -1),
    "softmax_columns": partial(_softmax, "softmax", 0),
    "log_softmax": partial(_softmax, "log_softmax", -1),
    "logsumexp": _plain("logsumexp", lambda t: -1),
    "softmax_backward": _softmax_backward,
    "glu": _plain("glu"),
    "softmax_cross_entropy": _functional_loss("cross_entropy", "labels"),
    "multiclass_hinge": partial(_with_gradient, _hinge),
    "mse": _functional_loss("mse_loss"),
    "mae": _functional_loss("l1_loss"),
    "huber": _functional_loss("huber_loss"),
    "log_cosh": partial(_with_gradient, _log_cosh),
    "binary_cross_entropy_with_logits": _functional_loss("binary_cross_entropy_with_logits"),
    "focal": partial(_with_gradient, _focal),
    "dropout_forward": _plain("dropout", lambda t: 0.5, lambda t: True),
    "dropout_backward": _dropout_backward,
}
