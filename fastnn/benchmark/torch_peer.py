"""How torch does what fastnn's activations do: every reasonable way, so that the fastest can be taken.

"torch" is what one usually writes, for gradients autograd over the kept graph; "torch out" and the like avoid a new
tensor or name an operator of the library itself. torch.compile is left out: it takes seconds for each function and
length, and needs a C++ compiler.
"""

from functools import partial

from .libraries import load
from .numpy_peer import SELU_ALPHA, SELU_SCALE
from .work import BACKWARD, FRESH, FROM_OUTPUT, IN_PLACE, OUT, Ways, Work

torch = load("torch")

#: function -> its name in torch.nn.functional, where that is another, and keywords
_NAMES: dict[str, tuple[str, dict]] = {
    "log_sigmoid": ("logsigmoid", {}),
    "hard_sigmoid": ("hardsigmoid", {}),
    "hard_tanh": ("hardtanh", {}),
    "hard_swish": ("hardswish", {}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "threshold": ("threshold", {"threshold": 0.5, "value": 20.0}),
}

#: Gradients of torch's that are no result to compare with: this one has 1/6 in float32.
_INACCURATE = {("hard_sigmoid", "float64")}


def ways(work: Work) -> Ways:
    """The ways in which torch does it, on tensors that share the arrays' memory."""
    if torch is None:
        return {}
    t = {key: torch.from_numpy(a) for key, a in work.arrays.items()}
    name = work.function
    if work.direction == OUT:
        return _fresh(name, t["x"]) | _out(name, t["x"], t["out"])
    if work.direction == FRESH:
        return _fresh(name, t["x"])
    if work.direction == IN_PLACE:
        return _in_place(name, t["x"])
    if work.direction == BACKWARD and (name, work.dtype.name) in _INACCURATE:
        return {}
    if work.direction == BACKWARD:
        return _autograd(name, t["dy"], t["x"]) | _backward(name, t["dy"], t["x"], t["out"])
    return _from_output(name, t["dy"], t["y"], t["out"]) if work.direction == FROM_OUTPUT else {}


def _function(name):
    name, keywords = _NAMES.get(name, (name, {}))
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name, None)
    return function and partial(function, **keywords) if keywords else function


def _fresh(name, x) -> Ways:
    f = _function(name)
    return {"torch": lambda: f(x)} if f else {}


def _out(name, x, out) -> Ways:
    nn, aten = torch._C._nn, torch.ops.aten
    ways: dict[str, Ways] = {
        "relu": {
            "torch clamp_min": lambda: torch.clamp_min(x, 0, out=out),
            "torch threshold": lambda: aten.threshold.out(x, 0, 0, out=out),
        },
        "relu6": {"torch out": lambda: nn.hardtanh(x, 0, 6, out=out)},
        "leaky_relu": {"torch out": lambda: nn.leaky_relu(x, 0.01, out=out)},
        "threshold": {"torch out": lambda: aten.threshold.out(x, 0.5, 20.0, out=out)},
        "elu": {"torch out": lambda: nn.elu(x, out=out)},
        "selu": {"torch out": lambda: nn.elu(x, SELU_ALPHA, SELU_SCALE, out=out)},
        "celu": {"torch out": lambda: nn.elu(x, out=out)},
        "sigmoid": {"torch out": lambda: torch.sigmoid(x, out=out)},
        "log_sigmoid": {"torch out": lambda: nn.log_sigmoid(x, out=out)},
        "hard_sigmoid": {"torch out": lambda: nn.hardsigmoid(x, out=out)},
        "tanh": {"torch out": lambda: torch.tanh(x, out=out)},
        "hard_tanh": {"torch out": lambda: nn.hardtanh(x, out=out)},
        "softplus": {"torch out": lambda: nn.softplus(x, out=out)},
        "softsign": {"torch out": lambda: torch.div(x, torch.abs(x).add_(1), out=out)},
        "silu": {"torch out": lambda: nn.silu(x, out=out)},
        "hard_swish": {"torch out": lambda: nn.hardswish(x, out=out)},
        "gelu": {"torch out": lambda: nn.gelu(x, out=out)},
        "gelu_tanh": {"torch out": lambda: nn.gelu(x, approximate="tanh", out=out)},
        "quick_gelu": {"torch ops": lambda: torch.mul(x, torch.mul(x, 1.702).sigmoid_(), out=out)},
        "squareplus": {"torch ops": lambda: torch.add(x, torch.addcmul(_four(x), x, x).sqrt_(), out=out).mul_(0.5)},
        "mish": {"torch out": lambda: nn.mish(x, out=out)},
        "softshrink": {"torch out": lambda: nn.softshrink(x, 0.5, out=out)},
        "hardshrink": {"torch out": lambda: aten.hardshrink.out(x, 0.5, out=out)},
    }
    return ways.get(name, {})


def _four(x):
    return x.new_full((), 4.0)


def _in_place(name, x) -> Ways:
    """Each way over a copy of its own."""
    F = torch.nn.functional
    ways = {
        "relu": torch.relu_,
        "leaky_relu": F.leaky_relu_,
        "elu": F.elu_,
        "selu": torch.selu_,
        "celu": torch.celu_,
        "sigmoid": torch.sigmoid_,
        "tanh": torch.tanh_,
        "silu": partial(F.silu, inplace=True),
        "hard_swish": partial(F.hardswish, inplace=True),
        "mish": partial(F.mish, inplace=True),
        "relu6": partial(F.relu6, inplace=True),
    }
    mine, other = x.clone(), x.clone()
    return ({"torch": lambda: ways[name](mine)} if name in ways else {}) | _out(name, other, other)


def _autograd(name, dy, x) -> Ways:
    f = _function(name)
    if f is None:
        return {}
    x = x.detach().clone().requires_grad_()
    y = f(x)
    return {"torch": lambda: torch.autograd.grad(y, x, dy, retain_graph=True)}


def _backward(name, dy, x, out) -> Ways:
    """dy * f'(x) when the forward pass kept x."""
    aten = torch.ops.aten
    ways: dict[str, Ways] = {
        "relu": {"torch out": lambda: aten.threshold_backward.grad_input(dy, x, 0, grad_input=out)},
        "relu6": {"torch out": lambda: aten.hardtanh_backward.grad_input(dy, x, 0, 6, grad_input=out)},
        "leaky_relu": {"torch out": lambda: aten.leaky_relu_backward.grad_input(dy, x, 0.01, False, grad_input=out)},
        "threshold": {"torch out": lambda: aten.threshold_backward.grad_input(dy, x, 0.5, grad_input=out)},
        "elu": {"torch out": lambda: aten.elu_backward.grad_input(dy, 1, 1, 1, False, x, grad_input=out)},
        "celu": {"torch out": lambda: aten.elu_backward.grad_input(dy, 1, 1, 1, False, x, grad_input=out)},
        "selu": {
            "torch out": lambda: aten.elu_backward.grad_input(dy, SELU_ALPHA, SELU_SCALE, 1, False, x, grad_input=out)
        },
        "sigmoid": {"torch two": lambda: aten.sigmoid_backward.grad_input(dy, torch.sigmoid(x), grad_input=out)},
        "hard_sigmoid": {"torch out": lambda: aten.hardsigmoid_backward.grad_input(dy, x, grad_input=out)},
        "tanh": {"torch two": lambda: aten.tanh_backward.grad_input(dy, torch.tanh(x), grad_input=out)},
        "hard_tanh": {"torch out": lambda: aten.hardtanh_backward.grad_input(dy, x, -1, 1, grad_input=out)},
        "log_sigmoid": _log_sigmoid_backward(dy, x, out) if name == "log_sigmoid" else {},
        "softplus": {"torch out": lambda: aten.softplus_backward.grad_input(dy, x, 1, 20, grad_input=out)},
        "softsign": {"torch ops": lambda: torch.div(dy, torch.abs(x).add_(1).square_(), out=out)},
        "silu": {"torch out": lambda: aten.silu_backward.grad_input(dy, x, grad_input=out)},
        "gelu": {"torch out": lambda: aten.gelu_backward.grad_input(dy, x, grad_input=out)},
        "gelu_tanh": {"torch out": lambda: aten.gelu_backward.grad_input(dy, x, approximate="tanh", grad_input=out)},
        "mish": {"torch operator": lambda: aten.mish_backward(dy, x)},
        "hard_swish": {"torch operator": lambda: aten.hardswish_backward(dy, x)},
        "hardshrink": {"torch out": lambda: aten.hardshrink_backward.grad_input(dy, x, 0.5, grad_input=out)},
        "softshrink": {"torch out": lambda: aten.softshrink_backward.grad_input(dy, x, 0.5, grad_input=out)},
    }
    return ways.get(name, {})


def _log_sigmoid_backward(dy, x, out) -> Ways:
    """With exp(-|x|) from the forward pass, as autograd keeps it."""
    kept = torch.ops.aten.log_sigmoid_forward(x)[1]
    backward = torch.ops.aten.log_sigmoid_backward.grad_input
    return {"torch out": lambda: backward(dy, x, kept, grad_input=out)}


def _from_output(name, dy, y, out) -> Ways:
    """The gradient when the forward pass kept y."""
    aten = torch.ops.aten
    ways: dict[str, Ways] = {
        "relu": {"torch out": lambda: aten.threshold_backward.grad_input(dy, y, 0, grad_input=out)},
        "leaky_relu": {"torch out": lambda: aten.leaky_relu_backward.grad_input(dy, y, 0.01, True, grad_input=out)},
        "elu": {"torch out": lambda: aten.elu_backward.grad_input(dy, 1, 1, 1, True, y, grad_input=out)},
        "celu": {"torch out": lambda: aten.elu_backward.grad_input(dy, 1, 1, 1, True, y, grad_input=out)},
        "selu": {
            "torch out": lambda: aten.elu_backward.grad_input(dy, SELU_ALPHA, SELU_SCALE, 1, True, y, grad_input=out)
        },
        "sigmoid": {"torch out": lambda: aten.sigmoid_backward.grad_input(dy, y, grad_input=out)},
        "tanh": {"torch out": lambda: aten.tanh_backward.grad_input(dy, y, grad_input=out)},
        "hard_tanh": {"torch out": lambda: aten.hardtanh_backward.grad_input(dy, y, -1, 1, grad_input=out)},
    }
    return ways.get(name, {})
