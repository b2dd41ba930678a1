"""Rules whose step depends on a norm of the whole parameter array."""

from typing import Any

import numpy as np

from ._common import average, common_steps, corrected_moments, penalty, scaled_gradient


@np.errstate(all="ignore")
def lamb_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    step: Any,
    *,
    lr: Any,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    l1: Any = 0.0,
    decoupled: Any = True,
    **common: Any,
) -> Any:
    """LAMB (You et al. 2020): Adam's direction u, made as long as the parameter.

    u = m_hat / (sqrt(v_hat) + eps), plus the penalty when decoupled; param -= lr * |param| / |u| * u, and lr * u
    where one of the norms is 0.
    """
    of_gradient = {} if decoupled else {"weight_decay": weight_decay, "l1": l1}
    with common_steps(param, grad, lr, **of_gradient, **common) as g:
        m_hat, v_hat = corrected_moments(exp_avg, exp_avg_sq, g, step, betas)
        u = m_hat / (np.sqrt(v_hat) + eps)
        if decoupled:
            u = u + penalty(param, weight_decay, l1)
        param_norm, u_norm = np.linalg.norm(param), np.linalg.norm(u)
        ratio = 1.0 if param_norm == 0 or u_norm == 0 else param_norm / u_norm
        param -= lr * ratio * u


@np.errstate(all="ignore")
def lars_update(
    param: Any,
    grad: Any,
    buf: Any,
    *,
    lr: Any,
    momentum: Any = 0.9,
    trust_coefficient: Any = 1e-3,
    eps: Any = 0.0,
    weight_decay: Any = 0.0,
    decoupled: Any = False,
    grad_scale: Any = 1.0,
    clip_value: Any = None,
    **common: Any,
) -> Any:
    """LARS (You, Gitman and Ginsburg 2017): momentum, with a learning rate for each array.

    local = trust_coefficient * |param| / (|grad| + weight_decay * |param| + eps), 1 where one of the norms is 0, of the
    gradient without penalty; weight_decay is left out when decoupled. buf = momentum * buf + lr * local * g,
    param -= buf.
    """
    param_norm = np.linalg.norm(param)
    grad_norm = np.linalg.norm(scaled_gradient(grad, grad_scale, clip_value))
    decay_norm = 0.0 if decoupled else weight_decay * param_norm
    local = trust_coefficient * param_norm / (grad_norm + decay_norm + eps)
    if param_norm == 0 or grad_norm == 0:
        local = 1.0
    of_gradient = {"grad_scale": grad_scale, "clip_value": clip_value}
    with common_steps(param, grad, lr, weight_decay=weight_decay, decoupled=decoupled, **of_gradient, **common) as g:
        buf[...] = momentum * buf + lr * local * g
        param -= buf


@np.errstate(all="ignore")
def adafactor_update(
    param: Any,
    grad: Any,
    row_var: Any,
    col_var: Any,
    variance: Any,
    step: Any,
    *,
    lr: Any = 1e-2,
    beta2_decay: Any = -0.8,
    eps: Any = (None, 1e-3),
    d: Any = 1.0,
    decoupled: Any = True,
    **common: Any,
) -> Any:
    """Adafactor (Shazeer and Stern 2018), its averages of squares kept by rows and by columns of the last two axes.

    The newest squares have the weight step**beta2_decay in these averages. v = row_var * col_var / max(mean of row_var
    over the rows, eps1), and below two axes `variance`, the average of g**2 itself. u = g / sqrt(max(v, eps1**2)),
    rate = min(lr, 1 / sqrt(step)) * max(eps2, rms(param)), the parameter's before any decay,
    param -= rate * u / max(1, rms(u) / d). eps is (eps1, eps2); an eps1 of None is float64's.
    """
    eps1 = np.finfo(np.float64).eps if eps[0] is None else eps[0]
    rate = min(lr, 1 / np.sqrt(step)) * np.maximum(eps[1], _root_mean_square(param))
    decay = 1 - step**beta2_decay
    with common_steps(param, grad, lr, decoupled=decoupled, **common) as g:
        if param.ndim < 2:
            average(variance, g**2, decay)
            second = variance
        else:
            average(row_var, _mean(g**2, -1), decay)
            average(col_var, _mean(g**2, -2), decay)
            second = row_var * col_var / np.maximum(_mean(row_var, -2), eps1)
        u = g / np.sqrt(np.maximum(second, eps1**2))
        param -= rate * u / np.maximum(1.0, _root_mean_square(u) / d)


def _mean(x, axis):
    """np.mean without its warning for no values."""
    return x.sum(axis, keepdims=True) / x.shape[axis]


def _root_mean_square(x):
    return np.linalg.norm(x) / np.sqrt(np.size(x))
