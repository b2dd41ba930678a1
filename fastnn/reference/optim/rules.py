"""One step of each optimiser, in place, on float64 arrays.

All take a step in the same order: maximize, weight decay and l1 into the gradient (or, decoupled, into the
parameter), then the rule.
"""

import numpy as np


def sgd_update(
    param,
    grad,
    buf,
    *,
    lr=1e-3,
    momentum=0.0,
    dampening=0.0,
    nesterov=False,
    first=False,
    weight_decay=0.0,
    decoupled=False,
    l1=0.0,
    maximize=False,
    momentum_form="torch",
):
    """Stochastic gradient descent with momentum.

    "torch": buf = momentum * buf + (1 - dampening) * grad (grad alone at the first step), param -= lr * buf,
    nesterov: param -= lr * (grad + momentum * buf). "velocity": buf = momentum * buf - lr * grad,
    param += buf, nesterov: param += momentum * buf - lr * grad.
    """
    grad = _decayed(param, grad, lr, weight_decay, decoupled, l1, maximize)
    if momentum == 0:
        param -= lr * grad
    elif momentum_form == "velocity":
        buf[...] = momentum * buf - lr * grad
        param += momentum * buf - lr * grad if nesterov else buf
    else:
        buf[...] = grad if first else momentum * buf + (1 - dampening) * grad
        param -= lr * (grad + momentum * buf if nesterov else buf)


def adam_update(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    step,
    *,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    max_exp_avg_sq=None,
    weight_decay=0.0,
    decoupled=False,
    l1=0.0,
    maximize=False,
    eps_mode="outside",
):
    """Adam (Kingma and Ba 2015), AdamW when decoupled, AMSGrad when max_exp_avg_sq is given.

    m = beta1 * m + (1 - beta1) * grad, v = beta2 * v + (1 - beta2) * grad**2, m_hat = m / (1 - beta1**step),
    v_hat = v / (1 - beta2**step), param -= lr * m_hat / (sqrt(v_hat) + eps). eps_mode "inside" adds eps
    to v_hat, "hat" to sqrt(v).
    """
    grad = _decayed(param, grad, lr, weight_decay, decoupled, l1, maximize)
    beta1, beta2 = betas
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1 - beta2) * grad**2
    second = exp_avg_sq
    if max_exp_avg_sq is not None:
        np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        second = max_exp_avg_sq
    first_hat, second_hat = exp_avg / (1 - beta1**step), second / (1 - beta2**step)
    if eps_mode == "outside":
        denominator = np.sqrt(second_hat) + eps
    elif eps_mode == "inside":
        denominator = np.sqrt(second_hat + eps)
    else:
        denominator = (np.sqrt(second) + eps) / np.sqrt(1 - beta2**step)
    param -= lr * first_hat / denominator


def _decayed(param, grad, lr, weight_decay, decoupled, l1, maximize):
    """The gradient with its penalties; when decoupled the parameter is decayed instead."""
    grad = -np.asarray(grad, np.float64) if maximize else np.asarray(grad, np.float64)
    penalty = weight_decay * param + l1 * np.sign(param)
    if decoupled:
        param -= lr * penalty
        return grad
    return grad + penalty
