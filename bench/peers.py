"""How torch does the same work: every reasonable way, so that the comparison can take the fastest.

Each entry maps (x, out) or (dy, x, out) tensors to a call without arguments. torch is optional.
"""

from collections.abc import Callable

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


def available() -> bool:
    return torch is not None


def tensors(*arrays):
    """Tensors that share memory with arrays."""
    return [torch.from_numpy(a) for a in arrays]


def forward(name: str, x, out) -> dict[str, Callable[[], object]]:
    """Ways to write f(x) to `out`."""
    nn, F = torch._C._nn, torch.nn.functional
    ways: dict[str, dict[str, Callable[[], object]]] = {
        "relu": {
            "clamp_min": lambda: torch.clamp_min(x, 0, out=out),
            "threshold": lambda: torch.ops.aten.threshold.out(x, 0, 0, out=out),
        },
        "relu6": {"hardtanh": lambda: nn.hardtanh(x, 0, 6, out=out)},
        "leaky_relu": {"out": lambda: nn.leaky_relu(x, 0.01, out=out)},
        "elu": {"out": lambda: nn.elu(x, out=out)},
        "selu": {"elu": lambda: nn.elu(x, 1.6732632423543772, 1.0507009873554805, out=out)},
        "celu": {"elu": lambda: nn.elu(x, out=out)},
        "sigmoid": {"out": lambda: torch.sigmoid(x, out=out)},
        "log_sigmoid": {"out": lambda: nn.log_sigmoid(x, out=out)},
        "hard_sigmoid": {"out": lambda: nn.hardsigmoid(x, out=out)},
        "tanh": {"out": lambda: torch.tanh(x, out=out)},
        "hard_tanh": {"out": lambda: nn.hardtanh(x, out=out)},
        "softplus": {"out": lambda: nn.softplus(x, out=out)},
        "softsign": {"ops": lambda: torch.div(x, torch.abs(x).add_(1), out=out)},
        "silu": {"out": lambda: nn.silu(x, out=out)},
        "hard_swish": {"out": lambda: nn.hardswish(x, out=out)},
        "gelu": {"out": lambda: nn.gelu(x, out=out)},
        "gelu_tanh": {"out": lambda: nn.gelu(x, approximate="tanh", out=out)},
        "mish": {"out": lambda: nn.mish(x, out=out)},
        "softshrink": {"out": lambda: nn.softshrink(x, 0.5, out=out)},
        "hardshrink": {"out": lambda: torch.ops.aten.hardshrink.out(x, 0.5, out=out)},
        "tanhshrink": {"fresh": lambda: F.tanhshrink(x)},
    }
    return ways.get(name, {})


def in_place(name: str, x) -> dict[str, Callable[[], object]]:
    """Ways to write f(x) over x."""
    F = torch.nn.functional
    ways: dict[str, dict[str, Callable[[], object]]] = {
        "relu": {"relu_": lambda: torch.relu_(x)},
        "leaky_relu": {"leaky_relu_": lambda: F.leaky_relu_(x)},
        "elu": {"elu_": lambda: F.elu_(x)},
        "selu": {"selu_": lambda: torch.selu_(x)},
        "celu": {"celu_": lambda: torch.celu_(x)},
        "sigmoid": {"sigmoid_": lambda: torch.sigmoid_(x)},
        "tanh": {"tanh_": lambda: torch.tanh_(x)},
        "silu": {"inplace": lambda: F.silu(x, inplace=True)},
        "hard_swish": {"inplace": lambda: F.hardswish(x, inplace=True)},
        "mish": {"inplace": lambda: F.mish(x, inplace=True)},
        "relu6": {"inplace": lambda: F.relu6(x, inplace=True)},
    }
    return {**ways.get(name, {}), **forward(name, x, x)}


def fresh(name: str, torch_name: str, x) -> dict[str, Callable[[], object]]:
    """f(x) into a new tensor."""
    if name == "gelu_tanh":
        return {"fresh": lambda: torch.nn.functional.gelu(x, approximate="tanh")}
    f = getattr(torch, torch_name, None) or getattr(torch.nn.functional, torch_name, None)
    return {"fresh": lambda: f(x)} if f else {}


def backward(name: str, dy, x, out) -> dict[str, Callable[[], object]]:
    """Ways to get dy * f'(x) when the forward pass kept x."""
    aten = torch.ops.aten
    kept = aten.log_sigmoid_forward(x)[1] if name == "log_sigmoid" else None  # exp(-|x|), as autograd keeps it
    ways: dict[str, dict[str, Callable[[], object]]] = {
        "relu": {"out": lambda: aten.threshold_backward.grad_input(dy, x, 0, grad_input=out)},
        "leaky_relu": {"out": lambda: aten.leaky_relu_backward.grad_input(dy, x, 0.01, False, grad_input=out)},
        "elu": {"out": lambda: aten.elu_backward.grad_input(dy, 1, 1, 1, False, x, grad_input=out)},
        "selu": {
            "out": lambda: aten.elu_backward.grad_input(
                dy, 1.6732632423543772, 1.0507009873554805, 1, False, x, grad_input=out
            )
        },
        "sigmoid": {"two": lambda: aten.sigmoid_backward.grad_input(dy, torch.sigmoid(x), grad_input=out)},
        "tanh": {"two": lambda: aten.tanh_backward.grad_input(dy, torch.tanh(x), grad_input=out)},
        "log_sigmoid": {"out": lambda: aten.log_sigmoid_backward.grad_input(dy, x, kept, grad_input=out)},
        "softplus": {"out": lambda: aten.softplus_backward.grad_input(dy, x, 1, 20, grad_input=out)},
        "softsign": {"ops": lambda: torch.div(dy, torch.abs(x).add_(1).square_(), out=out)},
        "silu": {"out": lambda: aten.silu_backward.grad_input(dy, x, grad_input=out)},
        "gelu": {"out": lambda: aten.gelu_backward.grad_input(dy, x, grad_input=out)},
        "gelu_tanh": {"out": lambda: aten.gelu_backward.grad_input(dy, x, approximate="tanh", grad_input=out)},
        "mish": {"fresh": lambda: aten.mish_backward(dy, x)},
        "hard_swish": {"fresh": lambda: aten.hardswish_backward(dy, x)},
    }
    return ways.get(name, {})


def backward_from_output(name: str, dy, y, out) -> dict[str, Callable[[], object]]:
    """Ways to get the gradient when the forward pass kept y."""
    aten = torch.ops.aten
    ways: dict[str, dict[str, Callable[[], object]]] = {
        "relu": {"out": lambda: aten.threshold_backward.grad_input(dy, y, 0, grad_input=out)},
        "leaky_relu": {"out": lambda: aten.leaky_relu_backward.grad_input(dy, y, 0.01, True, grad_input=out)},
        "elu": {"out": lambda: aten.elu_backward.grad_input(dy, 1, 1, 1, True, y, grad_input=out)},
        "sigmoid": {"out": lambda: aten.sigmoid_backward.grad_input(dy, y, grad_input=out)},
        "tanh": {"out": lambda: aten.tanh_backward.grad_input(dy, y, grad_input=out)},
    }
    return ways.get(name, {})
