"""Adam with another start or another momentum: RAdam and NAdam."""

from functools import lru_cache
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from ..._engine.primitives import fma
from ..._engine.vectors import root
from .._averages import weights_of
from .._functional import apply
from .._hyperparameters import RATE, Choice, Hyperparameter, Number, betas
from .._kernels import Update
from ..base import Optimizer
from .adam import _ADAM, _EPS, _denominator, moments


class RAdam(Optimizer):
    """Adam with its early steps rectified; `radam_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    betas : tuple of two floats
        Decay rates of the averages of the gradient and of its square.
    eps : float
        Added to the denominator.
    eps_mode : {"hat", "outside", "inside"}
        Where eps is added.
    step_offset : int
        Added to the step count.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.RAdam(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.95, -2.05])
    """

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

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Liu et al., "On the variance of the adaptive learning rate and beyond" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.radam_update(w, np.array([0.5, -0.1]), m, v, 1, lr=0.1)
    >>> w.round(4)
    array([0.95, 1.01])
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
    # 1 - product is 1 long before; and a subnormal number times 0.9 may be itself, for ever
    while len(products) <= step and products[-1] > 1e-300:
        products.append(products[-1] * _mu(len(products), beta1, decay))
    return products[step] if step < len(products) else 0.0


class NAdam(Optimizer):
    """Adam with Nesterov momentum; `nadam_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    betas : tuple of two floats
        Decay rates of the averages of the gradient and of its square.
    eps : float
        Added to the denominator.
    momentum_decay : float or None
        How fast the momentum warms up; None: it is betas[0] throughout.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.NAdam(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.8944, -2.1056])
    """

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

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam" (2016).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.nadam_update(w, np.array([0.5, -0.1]), m, v, 1, lr=0.1)
    >>> w.round(4)
    array([0.8944, 1.1056])
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "momentum_decay": momentum_decay}
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    apply("nadam_update", NAdam, param, grad, states, step, hyper, **common)
