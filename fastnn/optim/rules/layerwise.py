"""Rules whose step has the length of the parameter: LARS and LAMB."""

from math import sqrt
from typing import Any, ClassVar

import numpy as np

from ..._engine.primitives import fma, select
from ..._engine.vectors import root
from .._averages import weights_of
from .._functional import apply
from .._hyperparameters import RATE, Choice, Hyperparameter, Number, betas
from .._kernels import Update, nothing
from ..base import Optimizer
from .adam import moments


def _lars_measure(p, raw, g, states, numbers):
    return p, raw, states


def _lars(p, g, states, numbers, trust):
    (buf,) = states
    _, _, _, rate, momentum = numbers
    buf = fma(momentum, buf, rate * trust * g)
    return p - buf, (buf,)


_LARS = Update("lars", _lars, ("buf",), 5, _lars_measure)


class LARS(Optimizer):
    """Momentum with a step of the length of the layer; `lars_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    momentum : float
        Of the steps.
    trust_coefficient : float
        The length of a step, before lr, as a share of the parameter's.
    eps : float
        Added to the norm of the gradient.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    You, Gitman and Ginsburg, "Large batch training of convolutional networks", 2017, arXiv:1708.03888.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.LARS(w, lr=10.0)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9842, -2.0158])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(1e-2),
        "momentum": Number(0.9),
        "trust_coefficient": RATE,
        "eps": Number(0.0),
    }
    positional = 4

    @classmethod
    def update(cls, hyper):
        return _LARS

    @classmethod
    def numbers(cls, hyper, step):
        decay = 0.0 if hyper["decoupled"] else hyper["weight_decay"]
        return hyper["trust_coefficient"], decay, hyper["eps"], hyper["lr"], hyper["momentum"]


def lars_update(
    param: np.ndarray,
    grad: Any,
    buf: np.ndarray,
    *,
    lr: float,
    momentum: float = 0.9,
    trust_coefficient: float = 1e-3,
    eps: float = 0.0,
    **common: Any,
) -> None:
    """LARS, in place.

    With ``|.|`` the 2-norm over the array, and g before weight decay in the ratio::

        ratio = trust_coefficient * |param| / (|g| + weight_decay * |param| + eps),   1 where either norm is 0
        buf = momentum * buf + lr * ratio * (g + weight_decay * param)
        param -= buf

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    buf : ndarray
        Like param; zeros before the first step.
    lr, momentum, trust_coefficient, eps
        As above.
    **common
        As in `sgd_update`. Decoupled weight decay is not in the ratio.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    You, Gitman & Ginsburg, "Large batch training of convolutional networks" (2017).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, buf = np.ones(2), np.zeros(2)
    >>> fnn.optim.lars_update(w, np.array([0.5, -0.1]), buf, lr=10.0)
    >>> w.round(4)
    array([0.9861, 1.0028])
    """
    hyper = {"lr": lr, "momentum": momentum, "trust_coefficient": trust_coefficient, "eps": eps}
    apply("lars_update", LARS, param, grad, {"buf": buf}, 1, hyper, **common)


def _lamb_direction(p, m, v, numbers):
    _, _, _, _, _, _, _, _, _, _, correction, scale, eps, decay, shift = numbers
    zero = nothing()
    sign = select(p > zero, shift, select(p < zero, -shift, zero))
    return correction * (m / fma(root(v), scale, eps)) + fma(decay, p, sign)


def _lamb_measure(p, raw, g, states, numbers):
    m, v = states
    _, _, _, _, new1, high1, low1, new2, high2, low2, _, _, _, _, _ = numbers
    m, v = moments(g, m, v, (new1, high1, low1), (new2, high2, low2))
    return p, _lamb_direction(p, m, v, numbers), (m, v)


def _lamb(p, g, states, numbers, trust):
    m, v = states
    _, _, _, rate, _, _, _, _, _, _, _, _, _, _, _ = numbers
    return fma(-rate * trust, _lamb_direction(p, m, v, numbers), p), states


_LAMB = Update("lamb", _lamb, ("exp_avg", "exp_avg_sq"), 15, _lamb_measure)


class LAMB(Optimizer):
    """Adam with a step of the length of the layer; `lamb_update` states the formula. Its decay is decoupled.

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
    decoupled, weight_decay, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.LAMB(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.8419, -2.1581])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": RATE,
        "betas": betas(0.9, 0.999),
        "eps": Number(1e-6),
        "decoupled": Choice((True, False)),
    }
    positional = 3
    own_decay = True

    @classmethod
    def update(cls, hyper):
        return _LAMB

    @classmethod
    def numbers(cls, hyper, step):
        beta1, beta2 = hyper["betas"]
        decay, l1 = (hyper["weight_decay"], hyper["l1"]) if hyper["decoupled"] else (0.0, 0.0)
        corrections = 1.0 / (1.0 - beta1**step), 1.0 / sqrt(1.0 - beta2**step)
        weights = *weights_of(beta1), *weights_of(beta2)
        return 1.0, 0.0, 0.0, hyper["lr"], *weights, *corrections, hyper["eps"], decay, l1


def lamb_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    exp_avg_sq: np.ndarray,
    step: int,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-6,
    **common: Any,
) -> None:
    """LAMB, in place.

    With m, v, c1, c2 as in `adam_update` and ``|.|`` the 2-norm over the array::

        u = m / c1 / (sqrt(v / c2) + eps) + weight_decay * param + l1 * sign(param)
        param -= lr * |param| / |u| * u,    lr * u where either norm is 0

    Parameters
    ----------
    param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps
        As in `adam_update`.
    **common
        As in `sgd_update`; decoupled (True by default) is the decay above, otherwise it enters the gradient.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    You et al., "Large batch optimization for deep learning: training BERT in 76 minutes" (2020).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.lamb_update(w, np.array([0.5, -0.1]), m, v, 1, lr=0.1)
    >>> w.round(4)
    array([0.9, 1.1])
    """
    hyper = {"lr": lr, "betas": betas, "eps": eps}
    states = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    apply("lamb_update", LAMB, param, grad, states, step, hyper, **common)
