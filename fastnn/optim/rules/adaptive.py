"""Rules that divide by the root of an average of squares: Adagrad, RMSprop, Adadelta."""

from typing import Any, ClassVar

import numpy as np

from ..._engine.primitives import fma, select
from ..._engine.vectors import root
from .._averages import average, weights_of
from .._cohorts import like
from .._functional import apply
from .._hyperparameters import Choice, Flag, Hyperparameter, Number
from .._kernels import Update, nothing
from ..base import Optimizer


def _adagrad(p, g, states, numbers):
    (s,) = states
    rate, inside, outside = numbers
    s = fma(g, g, s)
    return p - rate * (g / (root(s + inside) + outside)), (s,)


_ADAGRAD = Update("adagrad", _adagrad, ("sum_sq",), 3, work=0.3)


def _eps(hyper):
    """(eps under the root, eps beside it)."""
    return (hyper["eps"], 0.0) if hyper["eps_mode"] == "inside" else (0.0, hyper["eps"])


class Adagrad(Optimizer):
    """Steps shrink by the root of the sum of all squares; `adagrad_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    eps : float
        Added to the denominator.
    initial_accumulator : float
        Where the sum of squares begins.
    lr_decay : float
        Step t has the learning rate ``lr / (1 + (t - 1) * lr_decay)``.
    eps_mode : {"outside", "inside"}
        Whether eps is added to the root or under it.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Adagrad(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9, -2.1])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(0.01),
        "eps": Number(1e-10),
        "initial_accumulator": Number(0.0),
        "lr_decay": Number(0.0),
        "eps_mode": Choice(("outside", "inside")),
    }
    positional = 4

    @classmethod
    def update(cls, hyper):
        return _ADAGRAD

    @classmethod
    def numbers(cls, hyper, step):
        return hyper["lr"] / (1.0 + (step - 1) * hyper["lr_decay"]), *_eps(hyper)

    @classmethod
    def initial(cls, hyper, names, array):
        return {"sum_sq": like(array, hyper["initial_accumulator"])}


def adagrad_update(
    param: np.ndarray,
    grad: Any,
    sum_sq: np.ndarray,
    *,
    lr: float,
    eps: float = 1e-10,
    lr_decay: float = 0.0,
    step: int = 1,
    eps_mode: str = "outside",
    **common: Any,
) -> None:
    """Adagrad, in place: ``s += g^2``, then ``param -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(s) + eps)``.

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    sum_sq : ndarray
        s, like param; zeros, or any start, before the first step.
    lr, eps, lr_decay
        As above.
    step : int
        Number of this step, from 1; matters with lr_decay only.
    eps_mode : {"outside", "inside"}
        As above, or ``sqrt(s + eps)`` (optax).
    **common
        As in `sgd_update`.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization" (2011).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, s = np.ones(2), np.zeros(2)
    >>> fnn.optim.adagrad_update(w, np.array([0.5, -0.1]), s, lr=0.1)
    >>> w.round(4)
    array([0.9, 1.1])
    """
    hyper = {"lr": lr, "eps": eps, "lr_decay": lr_decay, "eps_mode": eps_mode}
    apply("adagrad_update", Adagrad, param, grad, {"sum_sq": sum_sq}, step, hyper, **common)


def _spread(v, a):
    """A variance: of rounding it may be below 0."""
    w = fma(-a, a, v)
    return select(w < nothing(), nothing(), w)


def _scaled(g, w, inside, outside):
    return g / (root(w + inside) + outside)


def _rmsprop(p, g, states, numbers):
    (v,) = states
    rate, new, high, low, inside, outside, _, share_now = numbers
    v = average(g * g, v, (new, high, low))
    return fma(rate * share_now, _scaled(g, v, inside, outside), p), (v,)


def _rmsprop_momentum(p, g, states, numbers):
    v, buf = states
    rate, new, high, low, inside, outside, momentum, share_now = numbers
    v = average(g * g, v, (new, high, low))
    buf = fma(momentum, buf, share_now * _scaled(g, v, inside, outside))
    return fma(rate, buf, p), (v, buf)


def _rmsprop_centered(p, g, states, numbers):
    v, a = states
    rate, new, high, low, inside, outside, _, share_now = numbers
    v, a = average(g * g, v, (new, high, low)), average(g, a, (new, high, low))
    return fma(rate * share_now, _scaled(g, _spread(v, a), inside, outside), p), (v, a)


def _rmsprop_centered_momentum(p, g, states, numbers):
    v, a, buf = states
    rate, new, high, low, inside, outside, momentum, share_now = numbers
    v, a = average(g * g, v, (new, high, low)), average(g, a, (new, high, low))
    buf = fma(momentum, buf, share_now * _scaled(g, _spread(v, a), inside, outside))
    return fma(rate, buf, p), (v, a, buf)


#: (centered, with momentum) -> kernels
_RMSPROP = {
    (False, False): Update("rmsprop", _rmsprop, ("square_avg",), 8),
    (False, True): Update("rmsprop_momentum", _rmsprop_momentum, ("square_avg", "buf"), 8),
    (True, False): Update("rmsprop_centered", _rmsprop_centered, ("square_avg", "grad_avg"), 8),
    (True, True): Update("rmsprop_both", _rmsprop_centered_momentum, ("square_avg", "grad_avg", "buf"), 8),
}


class RMSprop(Optimizer):
    """Steps divided by the root mean square of late gradients; `rmsprop_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    alpha : float
        Decay rate of the average of squares.
    eps : float
        Added to the denominator.
    momentum : float
        Of the steps.
    centered : bool
        Divide by the standard deviation instead.
    eps_mode : {"outside", "inside"}
        Whether eps is added to the root or under it.
    momentum_form : {"torch", "velocity"}
        Whether the learning rate is applied to the momentum or is part of it.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Hinton, Srivastava and Swersky, "Lecture 6e of Neural networks for machine learning", 2012; Graves, "Generating
    sequences with recurrent neural networks", 2013, for the centred form.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.RMSprop(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0., -3.])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(0.01),
        "alpha": Number(0.99, high=1),
        "eps": Number(1e-8),
        "momentum": Number(0.0),
        "centered": Flag(),
        "eps_mode": Choice(("outside", "inside")),
        "momentum_form": Choice(("torch", "velocity")),
    }
    positional = 5

    @classmethod
    def update(cls, hyper):
        return _RMSPROP[bool(hyper["centered"]), bool(hyper["momentum"])]

    @classmethod
    def numbers(cls, hyper, step):
        lr, momentum = hyper["lr"], hyper["momentum"]
        shared = *weights_of(hyper["alpha"]), *_eps(hyper), momentum
        return (1.0, *shared, -lr) if hyper["momentum_form"] == "velocity" else (-lr, *shared, 1.0)


def rmsprop_update(
    param: np.ndarray,
    grad: Any,
    square_avg: np.ndarray,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    eps_mode: str = "outside",
    momentum_form: str = "torch",
    grad_avg: np.ndarray | None = None,
    buf: np.ndarray | None = None,
    **common: Any,
) -> None:
    """RMSprop, in place.

    With ``v = alpha v + (1 - alpha) g^2`` and, centred, ``a = alpha a + (1 - alpha) g``, ``w = max(v - a^2, 0)``
    (otherwise w is v)::

        d = sqrt(w) + eps                                    or, with eps_mode "inside", sqrt(w + eps)
        param -= lr * g / d
        buf = momentum * buf + g / d;  param -= lr * buf     with momentum
        buf = momentum * buf - lr * g / d;  param += buf     the same in velocity form

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    square_avg : ndarray
        v, like param; zeros before the first step.
    lr, alpha, eps, momentum, eps_mode, momentum_form
        As above.
    grad_avg : ndarray, optional
        a, like param: makes the rule centred.
    buf : ndarray, optional
        The momentum, like param.
    **common
        As in `sgd_update`.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Hinton, Srivastava & Swersky, "Lecture 6e of Neural networks for machine learning" (2012); Graves, "Generating
    sequences with recurrent neural networks" (2013) for the centred form.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, s = np.ones(2), np.zeros(2)
    >>> fnn.optim.rmsprop_update(w, np.array([0.5, -0.1]), s, lr=0.1, alpha=0.75)
    >>> w.round(4)
    array([0.8, 1.2])
    """
    if momentum and buf is None:
        raise TypeError(f"rmsprop_update: buf is None, expected an array like param for momentum {momentum:g}")
    hyper: dict[str, Any] = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum}
    hyper["centered"] = grad_avg is not None
    hyper |= {"eps_mode": eps_mode, "momentum_form": momentum_form}
    states = {"square_avg": square_avg, "grad_avg": grad_avg, "buf": buf if momentum else None}
    apply("rmsprop_update", RMSprop, param, grad, states, 1, hyper, **common)


def _adadelta(p, g, states, numbers):
    v, u = states
    rate, new, high, low, eps = numbers
    v = average(g * g, v, (new, high, low))
    delta = root(u + eps) / root(v + eps) * g
    return p - rate * delta, (v, average(delta * delta, u, (new, high, low)))


_ADADELTA = Update("adadelta", _adadelta, ("square_avg", "acc_delta"), 5)


class Adadelta(Optimizer):
    """Steps in the units of the parameter; `adadelta_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    rho : float
        Decay rate of both averages of squares.
    eps : float
        Added under both roots.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", 2012, arXiv:1212.5701.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Adadelta(w)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9968, -2.0032])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {"lr": Number(1.0), "rho": Number(0.9, high=1), "eps": Number(1e-6)}
    positional = 3

    @classmethod
    def update(cls, hyper):
        return _ADADELTA

    @classmethod
    def numbers(cls, hyper, step):
        return hyper["lr"], *weights_of(hyper["rho"]), hyper["eps"]


def adadelta_update(
    param: np.ndarray,
    grad: Any,
    square_avg: np.ndarray,
    acc_delta: np.ndarray,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    **common: Any,
) -> None:
    """Adadelta, in place: steps in the units of the parameter.

    With averages v of the squared gradient and u of the squared step::

        v = rho v + (1 - rho) g^2
        delta = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho u + (1 - rho) delta^2
        param -= lr * delta

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    square_avg, acc_delta : ndarray
        v and u, like param; zeros before the first step.
    lr, rho, eps
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
    Zeiler, "ADADELTA: an adaptive learning rate method" (2012).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, v, u = np.ones(2), np.zeros(2), np.zeros(2)
    >>> fnn.optim.adadelta_update(w, np.array([0.5, -0.1]), v, u)
    >>> w.round(4)
    array([0.9968, 1.0032])
    """
    hyper, states = {"lr": lr, "rho": rho, "eps": eps}, {"square_avg": square_avg, "acc_delta": acc_delta}
    apply("adadelta_update", Adadelta, param, grad, states, 1, hyper, **common)
