"""Adam with another scale of the gradient than its root mean square: Adamax and AdaBelief."""

from math import sqrt
from typing import Any, ClassVar

import numpy as np

from ..._engine.primitives import fma, select
from ..._engine.vectors import magnitude, root
from .._averages import average, weights_of
from .._functional import apply
from .._hyperparameters import RATE, Choice, Hyperparameter, Number, betas
from .._kernels import Update
from ..base import Optimizer


def _adamax(p, g, states, numbers):
    m, u = states
    rate, new1, high1, low1, beta2, inside, outside = numbers
    m = average(g, m, (new1, high1, low1))
    now, u = magnitude(g) + inside, beta2 * u
    u = select(u > now, u, now)
    return p - rate * (m / (u + outside)), (m, u)


_ADAMAX = Update("adamax", _adamax, ("exp_avg", "exp_inf"), 7)


class Adamax(Optimizer):
    """Adam with the largest late gradient in place of the root mean square; `adamax_update` states the formula."""

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(2e-3),
        "betas": betas(0.9, 0.999),
        "eps": Number(1e-8),
        "eps_mode": Choice(("inside", "outside")),
    }
    positional = 3

    @classmethod
    def update(cls, hyper):
        return _ADAMAX

    @classmethod
    def numbers(cls, hyper, step):
        (beta1, beta2), eps = hyper["betas"], hyper["eps"]
        places = (eps, 0.0) if hyper["eps_mode"] == "inside" else (0.0, eps)
        return hyper["lr"] / (1.0 - beta1**step), *weights_of(beta1), beta2, *places


def adamax_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    exp_inf: np.ndarray,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    eps_mode: str = "inside",
    **common: Any,
) -> None:
    """Adamax, in place: with m and c1 as in `adam_update`::

        eps_mode "inside":   u = max(beta2 u, |g| + eps);  param -= lr / c1 * m / u          torch, optax
        eps_mode "outside":  u = max(beta2 u, |g|);        param -= lr / c1 * m / (u + eps)  Keras

    Parameters
    ----------
    param, grad, exp_avg, step, lr, betas, eps
        As in `adam_update`.
    exp_inf : ndarray
        u, like param; zeros before the first step.
    eps_mode
        As above.
    **common
        As in `sgd_update`.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization" (2015), section 7.1.
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "eps_mode": eps_mode}
    states = {"exp_avg": exp_avg, "exp_inf": exp_inf}
    apply("adamax_update", Adamax, param, grad, states, step, hyper, **common)


def _adabelief(p, g, states, numbers):
    m, s = states
    rate, new1, high1, low1, new2, high2, low2, scale, eps = numbers
    m = average(g, m, (new1, high1, low1))
    s = average((g - m) * (g - m), s, (new2, high2, low2)) + eps
    return p - rate * (m / fma(root(s), scale, eps)), (m, s)


_ADABELIEF = Update("adabelief", _adabelief, ("exp_avg", "exp_avg_var"), 9)


class AdaBelief(Optimizer):
    """Adam with the spread of the gradient around its average; `adabelief_update` states the formula."""

    own: ClassVar[dict[str, Hyperparameter]] = {"lr": RATE, "betas": betas(0.9, 0.999), "eps": Number(1e-16)}
    positional = 3

    @classmethod
    def update(cls, hyper):
        return _ADABELIEF

    @classmethod
    def numbers(cls, hyper, step):
        (beta1, beta2), lr = hyper["betas"], hyper["lr"]
        rate, scale = lr / (1.0 - beta1**step), 1.0 / sqrt(1.0 - beta2**step)
        return rate, *weights_of(beta1), *weights_of(beta2), scale, hyper["eps"]


def adabelief_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    exp_avg_var: np.ndarray,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-16,
    **common: Any,
) -> None:
    """AdaBelief, in place: with m, c1, c2 as in `adam_update`::

        s = beta2 s + (1 - beta2) (g - m)^2 + eps
        param -= lr / c1 * m / (sqrt(s / c2) + eps)

    Parameters
    ----------
    param, grad, exp_avg, step, lr, betas, eps
        As in `adam_update`.
    exp_avg_var : ndarray
        s, like param; zeros before the first step.
    **common
        As in `sgd_update`.

    References
    ----------
    Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients" (2020).
    """
    hyper, states = {"lr": lr, "betas": betas, "eps": eps}, {"exp_avg": exp_avg, "exp_avg_var": exp_avg_var}
    apply("adabelief_update", AdaBelief, param, grad, states, step, hyper, **common)
