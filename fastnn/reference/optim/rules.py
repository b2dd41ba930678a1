"""One step of each optimiser, in place, on float64 arrays.

`common` are the keywords of `_decayed`, which come before every rule.
"""

import numpy as np


def _decayed(
    param,
    grad,
    lr,
    *,
    grad_scale=1.0,
    clip_value=None,
    maximize=False,
    weight_decay=0.0,
    decoupled=False,
    l1=0.0,
):
    """The gradient with its penalties; when decoupled the parameter is decayed instead."""
    grad = np.asarray(grad, np.float64) * grad_scale
    if clip_value is not None:
        grad = np.clip(grad, -clip_value, clip_value)
    if maximize:
        grad = -grad
    penalty = weight_decay * param + l1 * np.sign(param)
    if decoupled:
        param -= lr * penalty
        return grad
    return grad + penalty


def sgd_update(
    param, grad, buf, *, lr, momentum=0.0, dampening=0.0, nesterov=False, momentum_form="torch", first=False, **common
):
    """Stochastic gradient descent with momentum.

    "torch": buf = momentum * buf + (1 - dampening) * grad (undampened at the first step), param -= lr * buf,
    nesterov: param -= lr * (grad + momentum * buf). "velocity": buf = momentum * buf - lr * (1 - dampening) * grad,
    param += buf, nesterov: param += momentum * buf - lr * grad.
    """
    grad = _decayed(param, grad, lr, **common)
    share = 1.0 if first else 1 - dampening
    if momentum == 0:
        param -= lr * grad
    elif momentum_form == "velocity":
        buf[...] = momentum * buf - lr * share * grad
        param += momentum * buf - lr * grad if nesterov else buf
    else:
        buf[...] = momentum * buf + share * grad
        param -= lr * (grad + momentum * buf if nesterov else buf)


def adam_update(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    step,
    *,
    lr,
    betas=(0.9, 0.999),
    eps=1e-8,
    eps_mode="outside",
    max_exp_avg_sq=None,
    **common,
):
    """Adam (Kingma and Ba 2015), AdamW when decoupled, AMSGrad when max_exp_avg_sq is given.

    m = beta1 * m + (1 - beta1) * grad, v = beta2 * v + (1 - beta2) * grad**2, m_hat = m / (1 - beta1**step),
    v_hat = v / (1 - beta2**step), param -= lr * m_hat / (sqrt(v_hat) + eps). eps_mode "inside" adds eps
    to v_hat, "hat" to sqrt(v).
    """
    grad = _decayed(param, grad, lr, **common)
    beta1, beta2 = betas
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1 - beta2) * grad**2
    second = exp_avg_sq
    if max_exp_avg_sq is not None:
        second = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    correction = 1 - beta2**step
    if eps_mode == "outside":
        denominator = np.sqrt(second / correction) + eps
    elif eps_mode == "inside":
        denominator = np.sqrt(second / correction + eps)
    else:
        denominator = (np.sqrt(second) + eps) / np.sqrt(correction)
    param -= lr * (exp_avg / (1 - beta1**step)) / denominator
