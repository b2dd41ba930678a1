"""Rules that divide the gradient by the root of its summed or averaged squares, entry by entry."""

from typing import Any

import numpy as np

from ._common import average, common_steps, denominator


@np.errstate(all="ignore")
def adagrad_update(
    param: Any,
    grad: Any,
    sum_sq: Any,
    *,
    lr: Any,
    eps: Any = 1e-10,
    lr_decay: Any = 0.0,
    step: Any = 1,
    eps_mode: Any = "outside",
    **common: Any,
) -> Any:
    """Adagrad (Duchi, Hazan and Singer 2011).

    s += g**2, param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(s) + eps); "inside": g / sqrt(s + eps).
    """
    with common_steps(param, grad, lr, **common) as g:
        sum_sq += g**2
        param -= lr / (1 + (step - 1) * lr_decay) * g / denominator(sum_sq, eps, eps_mode)


@np.errstate(all="ignore")
def rmsprop_update(
    param: Any,
    grad: Any,
    square_avg: Any,
    *,
    lr: Any,
    alpha: Any = 0.99,
    eps: Any = 1e-8,
    momentum: Any = 0.0,
    eps_mode: Any = "outside",
    momentum_form: Any = "torch",
    grad_avg: Any = None,
    buf: Any = None,
    **common: Any,
) -> Any:
    """RMSprop (Tieleman and Hinton 2012), centred (Graves 2013) when grad_avg is given.

    v = alpha * v + (1 - alpha) * g**2, d = sqrt(v) + eps ("inside": sqrt(v + eps)), param -= lr * g / d. Centred:
    a = alpha * a + (1 - alpha) * g, and v - a**2, a variance and so not below 0, stands for v in d.
    Momentum "torch": buf = momentum * buf + g / d, param -= lr * buf; "velocity": buf = momentum * buf - lr * g / d,
    param += buf.
    """
    with common_steps(param, grad, lr, **common) as g:
        average(square_avg, g**2, alpha)
        second = square_avg
        if grad_avg is not None:
            average(grad_avg, g, alpha)
            second = np.maximum(square_avg - grad_avg**2, 0.0)
        direction = g / denominator(second, eps, eps_mode)
        if buf is None or momentum == 0:
            param -= lr * direction
        elif momentum_form == "velocity":
            buf[...] = momentum * buf - lr * direction
            param += buf
        else:
            buf[...] = momentum * buf + direction
            param -= lr * buf


@np.errstate(all="ignore")
def adadelta_update(
    param: Any,
    grad: Any,
    square_avg: Any,
    acc_delta: Any,
    *,
    lr: Any = 1.0,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    **common: Any,
) -> Any:
    """Adadelta (Zeiler 2012).

    v = rho * v + (1 - rho) * g**2, delta = sqrt(u + eps) / sqrt(v + eps) * g, u = rho * u + (1 - rho) * delta**2,
    param -= lr * delta.
    """
    with common_steps(param, grad, lr, **common) as g:
        average(square_avg, g**2, rho)
        delta = np.sqrt(acc_delta + eps) / np.sqrt(square_avg + eps) * g
        average(acc_delta, delta**2, rho)
        param -= lr * delta
