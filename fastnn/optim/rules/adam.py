"""The Adam family: an average of the gradient over the root of an average of its squares."""

from functools import lru_cache
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from ..._engine.primitives import fma, select
from ..._engine.vectors import root
from .._averages import average, weights_of
from .._functional import apply
from .._hyperparameters import RATE, Choice, Flag, Hyperparameter, Number, betas
from .._kernels import Update
from ..base import Optimizer

_EPS = Number(1e-8)


def moments(g, m, v, weights1, weights2):
    """Averages of the gradient and of its square."""
    return average(g, m, weights1), average(g * g, v, weights2)


def _adam(p, g, states, numbers):
    m, v = states
    rate, new1, high1, low1, new2, high2, low2, factor, inside, scale, outside, _ = numbers
    m, v = moments(g, m, v, (new1, high1, low1), (new2, high2, low2))
    return p - rate * (m / fma(root(fma(v, factor, inside)), scale, outside)), (m, v)


def _amsgrad(p, g, states, numbers):
    m, v, top = states
    rate, new1, high1, low1, new2, high2, low2, factor, inside, scale, outside, corrected = numbers
    m, v = moments(g, m, v, (new1, high1, low1), (new2, high2, low2))
    now = v * corrected
    top = select(top > now, top, now)
    return p - rate * (m / fma(root(fma(top, factor, inside)), scale, outside)), (m, v, top)


_ADAM = Update("adam", _adam, ("exp_avg", "exp_avg_sq"), 12)
_AMSGRAD = Update("amsgrad", _amsgrad, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"), 12)


def _denominator(eps, eps_mode, correction, corrected=False):
    """(factor, inside, scale, outside) of the denominator: sqrt(factor * v + inside) * scale + outside.

    v is to be divided by the correction, unless it is `corrected` already.
    """
    factor = 1.0 if corrected else 1.0 / correction
    if eps_mode == "inside":
        return factor, eps, 1.0, 0.0
    return 1.0, 0.0, sqrt(factor), eps / sqrt(correction) if eps_mode == "hat" else eps


class Adam(Optimizer):
    """Adam and AMSGrad; `adam_update` states the formula."""

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": RATE,
        "betas": betas(0.9, 0.999),
        "eps": _EPS,
        "amsgrad": Flag(),
        "eps_mode": Choice(("outside", "inside", "hat")),
        "amsgrad_max": Choice(("uncorrected", "corrected")),
    }
    positional = 4

    @classmethod
    def update(cls, hyper):
        return _AMSGRAD if hyper["amsgrad"] else _ADAM

    @classmethod
    def numbers(cls, hyper, step):
        beta1, beta2 = hyper["betas"]
        correction, corrected = 1.0 - beta2**step, hyper["amsgrad"] and hyper["amsgrad_max"] == "corrected"
        denominator = _denominator(hyper["eps"], hyper["eps_mode"], correction, corrected)
        rate, factor = hyper["lr"] / (1.0 - beta1**step), 1.0 / correction if corrected else 1.0
        return rate, *weights_of(beta1), *weights_of(beta2), *denominator, factor


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 by default (Loshchilov & Hutter, 2019)."""

    overrides: ClassVar[dict[str, Any]] = {"weight_decay": 0.01, "decoupled": True}


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
    amsgrad_max: str = "uncorrected",
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
    param, grad
        As in `sgd_update`.
    exp_avg, exp_avg_sq : ndarray
        m and v, like param; zeros before the first step.
    step : int
        Number of this step, from 1.
    lr, betas, eps
        As above.
    max_exp_avg_sq : ndarray, optional
        AMSGrad: the running maximum of v, which then stands in v's place.
    amsgrad_max : {"uncorrected", "corrected"}
        Whether that is the maximum of v (the paper, torch) or of v / c2 (optax), which stands in place of v / c2.
    **common
        As in `sgd_update`.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization" (2015); Reddi et al., "On the convergence of Adam and
    beyond" (2018) for AMSGrad.
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "eps_mode": eps_mode, "amsgrad_max": amsgrad_max}
    hyper["amsgrad"] = max_exp_avg_sq is not None
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    apply("adam_update", Adam, param, grad, states, step, hyper, **common)


class RAdam(Optimizer):
    """Adam with its early steps rectified; `radam_update` states the formula."""

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": RATE,
        "betas": betas(0.9, 0.999),
        "eps": _EPS,
        "eps_mode": Choice(("hat", "outside", "inside")),
        "step_offset": Number(0.0),
    }
    positional = 3

    @classmethod
    def update(cls, hyper):
        return _ADAM

    @classmethod
    def numbers(cls, hyper, step):
        (beta1, beta2), t = hyper["betas"], step + hyper["step_offset"]
        correction = 1.0 - beta2**t
        most = 2.0 / (1.0 - beta2) - 1.0
        length = most - 2.0 * t * beta2**t / correction
        rate, weights = hyper["lr"] / (1.0 - beta1**t), (*weights_of(beta1), *weights_of(beta2))
        if length <= 5:
            return rate, *weights, 0.0, 0.0, 0.0, 1.0, 1.0
        rate *= sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
        return rate, *weights, *_denominator(hyper["eps"], hyper["eps_mode"], correction), 1.0


def radam_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    eps_mode: str = "hat",
    step_offset: int = 0,
    **common: Any,
) -> None:
    """Rectified Adam, in place.

    With m, v, c1, c2 as in `adam_update`, for ``t = step + step_offset``, ``rho_inf = 2 / (1 - beta2) - 1`` and
    ``rho = rho_inf - 2 t beta2^t / c2``::

        rho <= 5:  param -= lr / c1 * m
        rho > 5:   r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
                   param -= r * (Adam's step of the eps_mode, "hat" as in torch)

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps, eps_mode
        As in `adam_update`.
    step_offset : int
        As above; Thinc counts from 2.
    **common
        As in `sgd_update`.

    References
    ----------
    Liu et al., "On the variance of the adaptive learning rate and beyond" (2020).
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "eps_mode": eps_mode, "step_offset": step_offset}
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    apply("radam_update", RAdam, param, grad, states, step, hyper, **common)


def _nadam(p, g, states, numbers):
    m, v = states
    rate_now, rate_next, new1, high1, low1, new2, high2, low2, scale, eps = numbers
    m, v = moments(g, m, v, (new1, high1, low1), (new2, high2, low2))
    return p - fma(rate_now, g, rate_next * m) / fma(root(v), scale, eps), (m, v)


_NADAM = Update("nadam", _nadam, ("exp_avg", "exp_avg_sq"), 10)


def _mu(step, beta1, decay):
    return beta1 if decay is None else beta1 * (1.0 - 0.5 * 0.96 ** (step * decay))


@lru_cache(maxsize=64)
def _products(beta1, decay):
    """Running products of mu, as far as they were asked for; the first one is empty."""
    return [1.0]


def _product(step, beta1, decay):
    products = _products(beta1, decay)
    while len(products) <= step and products[-1] > 0:
        products.append(products[-1] * _mu(len(products), beta1, decay))
    return products[step] if step < len(products) else 0.0


class NAdam(Optimizer):
    """Adam with Nesterov momentum; `nadam_update` states the formula."""

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(2e-3),
        "betas": betas(0.9, 0.999),
        "eps": _EPS,
        "momentum_decay": Number(4e-3, optional=True),
    }
    positional = 4

    @classmethod
    def update(cls, hyper):
        return _NADAM

    @classmethod
    def numbers(cls, hyper, step):
        (beta1, beta2), lr, decay = hyper["betas"], hyper["lr"], hyper["momentum_decay"]
        now, following = _mu(step, beta1, decay), _mu(step + 1, beta1, decay)
        product = _product(step, beta1, decay)
        rates = lr * (1.0 - now) / (1.0 - product), lr * following / (1.0 - product * following)
        return *rates, *weights_of(beta1), *weights_of(beta2), 1.0 / sqrt(1.0 - beta2**step), hyper["eps"]


def nadam_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    momentum_decay: float | None = 4e-3,
    **common: Any,
) -> None:
    """Adam with Nesterov momentum, in place.

    With m, v, c2 as in `adam_update`, ``mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)`` and ``P_t`` the product of
    ``mu_1 .. mu_t``::

        param -= lr * ((1 - mu_t) / (1 - P_t) * g + mu_{t+1} / (1 - P_{t+1}) * m) / (sqrt(v / c2) + eps)

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps
        As in `adam_update`.
    momentum_decay : float or None
        As above; None: ``mu_t = beta1`` throughout (optax).
    **common
        As in `sgd_update`.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam" (2016).
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "momentum_decay": momentum_decay}
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    apply("nadam_update", NAdam, param, grad, states, step, hyper, **common)
