"""What all rules share: the keywords around the rule, and the averages and denominators that many are made of."""

import contextlib
from typing import Any

import numpy as np


def scaled_gradient(grad: Any, grad_scale: Any = 1.0, clip_value: Any = None, maximize: Any = False) -> Any:
    """The gradient in float64: times `grad_scale`, limited to +-clip_value, negated to ascend; in that order."""
    grad = np.asarray(grad, np.float64) * grad_scale
    if clip_value is not None:
        grad = np.clip(grad, -clip_value, clip_value)
    return -grad if maximize else grad


def penalty(param: Any, weight_decay: Any = 0.0, l1: Any = 0.0) -> Any:
    """weight_decay * param + l1 * sign(param), the gradient of an elastic net.

    A coefficient of 0 is no penalty on an infinite or NaN parameter either.
    """
    decay = weight_decay * param if weight_decay else 0.0
    return decay + l1 * np.sign(param) if l1 else decay


@contextlib.contextmanager
def common_steps(
    param: Any,
    grad: Any,
    lr: Any,
    *,
    weight_decay: Any = 0.0,
    l1: Any = 0.0,
    decoupled: Any = False,
    zero_grads: Any = False,
    **scaling: Any,
) -> Any:
    """What comes before and after every rule; the value is the gradient that the rule sees.

    The penalty joins the gradient or, decoupled (Loshchilov and Hutter 2019), acts on the parameter alone: True, before
    the rule; "after", on what the rule has made of the parameter. `scaling` are the keywords of `scaled_gradient`.
    """
    g = scaled_gradient(grad, **scaling)
    if not decoupled:
        g = g + penalty(param, weight_decay, l1)
    elif decoupled != "after":
        param -= lr * penalty(param, weight_decay, l1)
    yield g
    if decoupled == "after":
        param -= lr * penalty(param, weight_decay, l1)
    if zero_grads:
        grad[...] = 0


def average(state: Any, value: Any, decay: Any) -> Any:
    """state = decay * state + (1 - decay) * value, in place."""
    state[...] = decay * state + (1 - decay) * value


def corrected_moments(exp_avg: Any, exp_avg_sq: Any, g: Any, step: Any, betas: Any) -> Any:
    """Updates the averages of g and of g**2; both, divided by 1 - beta**step, the sum of their weights."""
    average(exp_avg, g, betas[0])
    average(exp_avg_sq, g**2, betas[1])
    return exp_avg / (1 - betas[0] ** step), exp_avg_sq / (1 - betas[1] ** step)


def denominator(second: Any, eps: Any, eps_mode: Any, correction: Any = 1.0) -> Any:
    """sqrt(second) + eps ("outside"), sqrt(second + eps) ("inside") or sqrt(second) + eps / sqrt(correction) ("hat").

    `second` has been divided by `correction`; with "hat", eps was to be added before that.
    """
    if eps_mode == "inside":
        return np.sqrt(second + eps)
    return np.sqrt(second) + (eps / np.sqrt(correction) if eps_mode == "hat" else eps)
