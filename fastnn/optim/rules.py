"""The update formulas: each changes one parameter array and its state in place.

Order within a step, for every rule: ``grad_scale`` (the factor of global-norm clipping), value clip, maximize, weight
decay and l1, then the rule itself. With ``decoupled`` the decay acts on the parameter directly and never enters the
rule's state (Loshchilov & Hutter 2019). State smaller than the smallest normal number becomes 0: arithmetic on
subnormals is many times slower, and a decaying average passes through them all.
"""

from typing import Any

import numpy as np

from .._engine import check

MOMENTUM_FORMS = ("torch", "velocity")
EPS_MODES = ("outside", "inside", "hat")


def _arrays(name: str, param: Any, grad: Any, states: dict[str, Any]) -> np.ndarray:
    """Checks all arrays of a rule; the gradient as an array of the parameter's dtype."""
    if not isinstance(param, np.ndarray) or param.dtype.type not in (np.float32, np.float64):
        found = param.dtype if isinstance(param, np.ndarray) else type(param).__name__
        raise TypeError(f"{name}: param is {found}, expected an array of float32 or float64")
    check.updated_array(name, "param", param, param.shape, "")
    for argument, state in states.items():
        check.updated_array(name, argument, state, param.shape, "to match param")
        if state.dtype != param.dtype:
            raise TypeError(f"{name}: {argument} has dtype {state.dtype}, expected {param.dtype} to match param")
    grad = check.real_array(name, "grad", grad)
    check.same_shape(name, "grad", grad, param.shape, "to match param")
    return grad.astype(param.dtype, copy=False)


def _decayed(param: np.ndarray, grad: np.ndarray, lr: float, common: dict[str, Any]) -> np.ndarray:
    """The gradient that the rule sees, after everything that comes before the rule."""
    g = np.array(grad)
    g *= param.dtype.type(common["grad_scale"])
    if common["clip_value"] is not None:
        np.clip(g, -common["clip_value"], common["clip_value"], out=g)
    if common["maximize"]:
        np.negative(g, out=g)
    weight_decay, l1 = common["weight_decay"], common["l1"]
    if common["decoupled"]:
        shrink = lr * l1 * np.sign(param) if l1 else None
        param *= 1 - lr * weight_decay
        if shrink is not None:
            param -= shrink
        return g
    if weight_decay:
        g += weight_decay * param
    if l1:
        g += l1 * np.sign(param)
    return g


def _common(
    name: str,
    *,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    l1: float = 0.0,
    maximize: bool = False,
    clip_value: float | None = None,
    grad_scale: float = 1.0,
    zero_grads: bool = False,
) -> dict[str, Any]:
    """The keywords that every rule takes, checked."""
    return {
        "weight_decay": check.number(name, "weight_decay", weight_decay, low=0),
        "decoupled": bool(decoupled),
        "l1": check.number(name, "l1", l1, low=0),
        "maximize": bool(maximize),
        "clip_value": None if clip_value is None else check.number(name, "clip_value", clip_value, low=0),
        "grad_scale": float(grad_scale),  # NaN for gradients of infinite norm: it must reach the parameters
        "zero_grads": bool(zero_grads),
    }


def _finish(grad: Any, zero_grads: bool, *states: np.ndarray | None) -> None:
    for state in states:
        if state is not None:
            np.multiply(state, np.abs(state) >= np.finfo(state.dtype).tiny, out=state)
    if zero_grads:
        grad[...] = 0


def sgd_update(
    param: np.ndarray,
    grad: Any,
    buf: np.ndarray | None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    momentum_form: str = "torch",
    first: bool = False,
    **common: Any,
) -> None:
    """Gradient descent with momentum, in place.

    torch form::      buf = momentum * buf + (1 - dampening) * g
                      param -= lr * (g + momentum * buf if nesterov else buf)
    velocity form::   buf = momentum * buf - lr * (1 - dampening) * g
                      param += (momentum * buf - lr * g if nesterov else buf)

    Parameters
    ----------
    param : ndarray
        float32 or float64, updated in place.
    grad : array_like
        Of param's shape.
    buf : ndarray or None
        The momentum, like param; None without momentum.
    lr, momentum, dampening, nesterov, momentum_form
        As above; the forms differ when lr changes.
    first : bool
        The first step, whose gradient enters buf undampened (as in torch).
    weight_decay, decoupled, l1, maximize, clip_value, grad_scale, zero_grads
        See the module's text.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).
    """
    name = "sgd_update"
    lr, momentum = check.number(name, "lr", lr, low=0), check.number(name, "momentum", momentum, low=0)
    dampening = check.number(name, "dampening", dampening)
    check.one_of(name, "momentum_form", momentum_form, MOMENTUM_FORMS)
    settings = _common(name, **common)
    if momentum and buf is None:
        raise TypeError(f"{name}: buf is None, expected an array like param for momentum {momentum:g}")
    given = grad
    grad = _arrays(name, param, grad, {} if buf is None else {"buf": buf})
    _writable_grad(name, given, settings)

    with np.errstate(all="ignore"):
        g = _decayed(param, grad, lr, settings)
        if buf is None or not momentum:
            param -= lr * g
        else:
            share = 1.0 if first else 1 - dampening
            buf *= momentum
            if momentum_form == "torch":
                buf += share * g
                param -= lr * (g + momentum * buf if nesterov else buf)
            else:
                buf -= lr * share * g
                param += momentum * buf - lr * g if nesterov else buf
        _finish(given, settings["zero_grads"], buf)


def adam_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    eps_mode: str = "outside",
    max_exp_avg_sq: np.ndarray | None = None,
    **common: Any,
) -> None:
    """Adam, in place.

    With ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g^2``, ``c1 = 1 - beta1^step`` and
    ``c2 = 1 - beta2^step``::

        eps_mode "outside":   param -= lr / c1 * m / (sqrt(v / c2) + eps)        the paper, torch
        eps_mode "inside":    param -= lr / c1 * m / sqrt(v / c2 + eps)          optax's eps_root
        eps_mode "hat":       param -= lr * sqrt(c2) / c1 * m / (sqrt(v) + eps)  Keras, TensorFlow

    Parameters
    ----------
    param : ndarray
        float32 or float64, updated in place.
    grad : array_like
        Of param's shape.
    exp_avg, exp_avg_sq : ndarray
        m and v, like param; zeros before the first step.
    step : int
        Number of this step, from 1.
    max_exp_avg_sq : ndarray, optional
        AMSGrad: the running maximum of v (uncorrected), which then stands in v's place.
    weight_decay, decoupled, l1, maximize, clip_value, grad_scale, zero_grads
        See the module's text.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization" (2015); Reddi et al., "On the convergence of Adam and
    beyond" (2018) for AMSGrad.
    """
    name = "adam_update"
    lr, eps = check.number(name, "lr", lr, low=0), check.number(name, "eps", eps, low=0)
    beta1, beta2 = checked_betas(name, betas)
    check.one_of(name, "eps_mode", eps_mode, EPS_MODES)
    step = check.integer(name, "step", step)
    if step < 1:
        raise ValueError(f"{name}: step is {step}, expected >= 1")
    settings = _common(name, **common)
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    if max_exp_avg_sq is not None:
        states["max_exp_avg_sq"] = max_exp_avg_sq
    given = grad
    grad = _arrays(name, param, grad, states)
    _writable_grad(name, given, settings)

    correction1, correction2 = 1 - beta1**step, 1 - beta2**step
    with np.errstate(all="ignore"):
        g = _decayed(param, grad, lr, settings)
        exp_avg += (1 - beta1) * (g - exp_avg)
        exp_avg_sq *= beta2
        exp_avg_sq += (1 - beta2) * np.square(g)
        second = exp_avg_sq
        if max_exp_avg_sq is not None:
            second = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        if eps_mode == "outside":
            denominator = np.sqrt(second) / correction2**0.5 + eps
        elif eps_mode == "inside":
            denominator = np.sqrt(second / correction2 + eps)
        else:
            denominator = (np.sqrt(second) + eps) / correction2**0.5
        param -= lr / correction1 * (exp_avg / denominator)
        _finish(given, settings["zero_grads"], exp_avg, exp_avg_sq, max_exp_avg_sq)


def checked_betas(name: str, betas: Any) -> tuple[float, float]:
    """Two numbers from 0 to less than 1."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ValueError(f"{name}: betas is {betas!r}, expected two numbers")
    beta1, beta2 = (check.number(name, "betas", beta, 0, 1) for beta in betas)
    if 1 in (beta1, beta2):
        raise ValueError(f"{name}: betas is {betas!r}, expected two numbers below 1")
    return beta1, beta2


def _writable_grad(name: str, grad: Any, settings: dict[str, Any]) -> None:
    if settings["zero_grads"] and not (isinstance(grad, np.ndarray) and grad.flags.writeable):
        raise TypeError(f"{name}: grad is not a writable array, which zero_grads needs")
