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
    """Adam with the largest gradient in place of the root mean square; `adamax_update` states the formula.

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
    eps_mode : {"inside", "outside"}
        Whether eps is added to the gradient's magnitude or to the largest one.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Adamax(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9, -2.1])
    """

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
    """Adamax, in place.

    With m and c1 as in `adam_update`::

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

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization" (2015), section 7.1.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m, u = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.adamax_update(w, np.array([0.5, -0.1]), m, u, 1, lr=0.1)
    >>> w.round(4)
    array([0.9, 1.1])
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
    """Adam with the spread of the gradient around its average; `adabelief_update` states the formula.

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
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.AdaBelief(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.8889, -2.1111])
    """

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
    """AdaBelief, in place.

    With m, c1, c2 as in `adam_update`::

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

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m, s = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.adabelief_update(w, np.array([0.5, -0.1]), m, s, 1, lr=0.1)
    >>> w.round(4)
    array([0.8889, 1.1111])
    """
    hyper, states = {"lr": lr, "betas": betas, "eps": eps}, {"exp_avg": exp_avg, "exp_avg_var": exp_avg_var}
    apply("adabelief_update", AdaBelief, param, grad, states, step, hyper, **common)
