"""The Adam family: an average of the gradient over the root of an average of its squares."""

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
    """Adam and AMSGrad; `adam_update` states the formula.

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
    amsgrad : bool
        Divide by the largest average of squares so far.
    eps_mode : {"outside", "inside", "hat"}
        Where eps is added.
    amsgrad_max : {"uncorrected", "corrected"}
        Whether that is the largest before or after the correction of its bias.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; Reddi, Kale and Kumar, "On the convergence
    of Adam and beyond", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Adam(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9, -2.1])
    """

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
    """Adam with decoupled weight decay, 0.01 by default; `adam_update` states the formula.

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
    amsgrad, eps_mode, amsgrad_max
        As in `Adam`.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.AdamW(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.899, -2.098])
    """

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
    lr, betas, eps, eps_mode
        As above.
    max_exp_avg_sq : ndarray, optional
        AMSGrad: the running maximum of v, which then stands in v's place.
    amsgrad_max : {"uncorrected", "corrected"}
        Whether that is the maximum of v (the paper, torch) or of v / c2 (optax), which stands in place of v / c2.
    **common
        As in `sgd_update`.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization" (2015); Reddi et al., "On the convergence of Adam and
    beyond" (2018) for AMSGrad.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.adam_update(w, np.array([0.5, -0.1]), m, v, 1, lr=0.1)
    >>> w.round(4)
    array([0.9, 1.1])
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "eps_mode": eps_mode, "amsgrad_max": amsgrad_max}
    hyper["amsgrad"] = max_exp_avg_sq is not None
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq, "max_exp_avg_sq": max_exp_avg_sq}
    apply("adam_update", Adam, param, grad, states, step, hyper, **common)
