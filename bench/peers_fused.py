"""How torch and plain NumPy do the work of `fused_cases`: every reasonable way, so that the fastest can be taken.

Each entry maps the case's arrays to {way: call without arguments}. Gradients that torch has only through autograd are
timed as forward and backward together, where fastnn gives both in one call too.
"""

from collections.abc import Callable

import numpy as np
from peers import available, torch

Ways = dict[str, Callable[[], object]]


def torch_ways(name: str, arrays: dict[str, np.ndarray]) -> Ways:
    """Calls that do the same in torch."""
    if not available() or name not in _TORCH:
        return {}
    tensors = {key: torch.from_numpy(a) for key, a in arrays.items() if isinstance(a, np.ndarray)}
    return _TORCH[name](tensors)


def numpy_ways(name: str, a: dict[str, np.ndarray]) -> Ways:
    """Calls that do the same in plain NumPy."""
    return {"numpy": lambda: _NUMPY[name](a)} if name in _NUMPY else {}


def _batch_norm(t, relu=False) -> Ways:
    F = torch.nn.functional
    mean, var = torch.zeros_like(t["gamma"]), torch.ones_like(t["gamma"])

    def forward():
        y = F.batch_norm(t["x"], mean, var, t["gamma"], t["beta"], True)
        return torch.relu_(y) if relu else y

    return {"torch": forward}


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


def _with_gradient(loss) -> Callable:
    def ways(t) -> Ways:
        x = t["x"].clone().requires_grad_()

        def both():
            return torch.autograd.grad(loss(torch.nn.functional, x, t), x)

        return {"torch": both}

    return ways


def _focal(F, x, t):
    p, ce = torch.sigmoid(x), F.binary_cross_entropy_with_logits(x, t["target"], reduction="none")
    p_t = p * t["target"] + (1 - p) * (1 - t["target"])
    return (ce * (1 - p_t) ** 2).mean()


def _out(function, axis=-1) -> Callable:
    def ways(t) -> Ways:
        out = torch.empty_like(t["x"])
        return {"torch": lambda: function(t["x"], axis), "torch_out": lambda: function(t["x"], axis, out=out)}

    return ways


def _dropout_backward(t) -> Ways:
    mask = torch.rand_like(t["x"]) >= 0.5
    return {"torch": lambda: torch.ops.aten.native_dropout_backward(t["dy"], mask, 2.0)}


_TORCH: dict[str, Callable] = {}
if available():
    _F = torch.nn.functional
    _TORCH = {
        "batch_norm_forward": _batch_norm,
        "batch_norm_backward": _batch_norm_backward,
        "batch_norm_relu_forward": lambda t: _batch_norm(t, relu=True),
        "batch_norm_relu_backward": lambda t: _batch_norm_backward(t, relu=True),
        "batch_norm_inference": lambda t: {
            "torch": lambda: _F.batch_norm(t["x"], t["mean"], t["var"], t["gamma"], t["beta"], False)
        },
        "layer_norm_forward": lambda t: {
            "torch": lambda: _F.layer_norm(t["x"], t["x"].shape[-1:], t["gamma"], t["beta"])
        },
        "layer_norm_backward": _layer_norm_backward,
        "rms_norm_forward": lambda t: {"torch": lambda: _F.rms_norm(t["x"], t["x"].shape[-1:], t["gamma"], 1e-6)},
        "group_norm_forward": lambda t: {"torch": lambda: _F.group_norm(t["x"], _groups(t), t["gamma"], t["beta"])},
        "group_norm_backward": _group_norm_backward,
        "instance_norm_forward": lambda t: {
            "torch": lambda: _F.instance_norm(t["x"], None, None, t["gamma"], t["beta"])
        },
        "softmax": _out(torch.softmax),
        "softmax_columns": _out(torch.softmax, 0),
        "log_softmax": _out(torch.log_softmax),
        "logsumexp": lambda t: {"torch": lambda: torch.logsumexp(t["x"], -1)},
        "softmax_backward": lambda t: {
            "torch": lambda: torch.ops.aten._softmax_backward_data(t["dy"], t["y"], -1, t["dy"].dtype)
        },
        "glu": lambda t: {"torch": lambda: _F.glu(t["x"])},
        "softmax_cross_entropy": _with_gradient(lambda F, x, t: F.cross_entropy(x, t["labels"])),
        "multiclass_hinge": _with_gradient(lambda F, x, t: F.multi_margin_loss(x, t["labels"])),
        "mse": _with_gradient(lambda F, x, t: F.mse_loss(x, t["target"])),
        "mae": _with_gradient(lambda F, x, t: F.l1_loss(x, t["target"])),
        "huber": _with_gradient(lambda F, x, t: F.huber_loss(x, t["target"])),
        "log_cosh": _with_gradient(lambda F, x, t: torch.log(torch.cosh(x - t["target"])).mean()),
        "binary_cross_entropy_with_logits": _with_gradient(
            lambda F, x, t: F.binary_cross_entropy_with_logits(x, t["target"])
        ),
        "focal": _with_gradient(_focal),
        "dropout_forward": lambda t: {"torch": lambda: _F.dropout(t["x"], 0.5, True)},
        "dropout_backward": _dropout_backward,
    }


def _numpy_layer_norm(a):
    x = a["x"]
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * a["gamma"] + a["beta"]


def _numpy_softmax(a, axis=-1):
    e = np.exp(a["x"] - a["x"].max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _numpy_mse(a):
    d = a["x"] - a["target"]
    return np.mean(d * d), d * (2 / d.size)


def _numpy_dropout(a):
    return a["x"] * (np.random.default_rng(0).random(a["x"].shape, np.float32) >= 0.5) * np.float32(2)


_NUMPY: dict[str, Callable] = {
    "layer_norm_forward": _numpy_layer_norm,
    "softmax": _numpy_softmax,
    "softmax_columns": lambda a: _numpy_softmax(a, 0),
    "mse": _numpy_mse,
    "dropout_forward": _numpy_dropout,
}
