"""Rules that follow an average of the gradient, or its sign: SGD, Lion, Rprop."""

from typing import Any, ClassVar

import numpy as np

from ..._engine.primitives import fma, select
from .._averages import average, weights_of
from .._cohorts import like
from .._functional import apply
from .._hyperparameters import RATE, Choice, Flag, Hyperparameter, Number, Numbers, betas
from .._kernels import Update, nothing
from ..base import Optimizer


def _sgd(p, g, states, numbers):
    rate, _, _, share_now = numbers
    return fma(rate * share_now, g, p), ()


def _sgd_momentum(p, g, states, numbers):
    (buf,) = states
    rate, momentum, share, _ = numbers
    buf = fma(momentum, buf, share * g)
    return fma(rate, buf, p), (buf,)


def _sgd_nesterov(p, g, states, numbers):
    (buf,) = states
    rate, momentum, share, share_now = numbers
    buf = fma(momentum, buf, share * g)
    return fma(rate, fma(momentum, buf, share_now * g), p), (buf,)


_SGD = Update("sgd", _sgd, (), 4, work=0.15)
_SGD_MOMENTUM = Update("sgd_momentum", _sgd_momentum, ("buf",), 4, work=0.2)
_SGD_NESTEROV = Update("sgd_nesterov", _sgd_nesterov, ("buf",), 4, work=0.2)


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov momentum; `sgd_update` states the formula.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    momentum : float
        Share of the last step's buffer that stays.
    dampening : float
        The share of a gradient, the first one aside, that does not enter the momentum.
    nesterov : bool
        Step as if the momentum had been applied already; needs momentum and no dampening.
    momentum_form : {"torch", "velocity"}
        Whether the learning rate is applied to the momentum or is part of it: they differ when it changes.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated; nesterov without momentum or with dampening.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.SGD(w, lr=0.1, momentum=0.9)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.95, -2.05])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": RATE,
        "momentum": Number(0.0),
        "dampening": Number(0.0, low=-np.inf),
        "nesterov": Flag(),
        "momentum_form": Choice(("torch", "velocity")),
    }
    positional = 4

    @classmethod
    def check(cls, name, hyper):
        if hyper["nesterov"] and (not hyper["momentum"] or hyper["dampening"]):
            raise ValueError(f"{name}: nesterov needs momentum > 0 and dampening = 0")

    @classmethod
    def update(cls, hyper):
        if not hyper["momentum"]:
            return _SGD
        return _SGD_NESTEROV if hyper["nesterov"] else _SGD_MOMENTUM

    @classmethod
    def numbers(cls, hyper, step):
        lr, momentum = hyper["lr"], hyper["momentum"]
        share = 1.0 if step == 1 else 1.0 - hyper["dampening"]
        if hyper["momentum_form"] == "velocity":
            return 1.0, momentum, -lr * share, -lr
        return -lr, momentum, share, 1.0


def sgd_update(
    param: np.ndarray,
    grad: Any,
    buf: np.ndarray | None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    momentum_form: str = "torch",
    first: bool = False,
    **common: Any,
) -> None:
    """Gradient descent with momentum, in place.

    ::

        buf = momentum * buf + (1 - dampening) * g         momentum_form "torch"
        param -= lr * (g + momentum * buf if nesterov else buf)

        buf = momentum * buf - lr * (1 - dampening) * g    momentum_form "velocity"
        param += (momentum * buf - lr * g if nesterov else buf)

    Parameters
    ----------
    param : ndarray
        float32 or float64, updated in place.
    grad : array_like
        Of param's shape and dtype.
    buf : ndarray or None
        The momentum, like param; None without momentum.
    lr, momentum, dampening, nesterov, momentum_form
        As above; the forms differ when lr changes.
    first : bool
        The first step, whose gradient enters buf undampened (as in torch).
    **common
        weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm: see `Optimizer`; grad_scale multiplies the
        gradient, zero_grads clears it.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, buf = np.ones(2), np.zeros(2)
    >>> fnn.optim.sgd_update(w, np.array([0.5, -0.1]), buf, lr=0.1, momentum=0.9)
    >>> w.round(4)
    array([0.95, 1.01])
    """
    if momentum and buf is None:
        raise TypeError(f"sgd_update: buf is None, expected an array like param for momentum {momentum:g}")
    hyper: dict[str, Any] = {"lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov}
    hyper["momentum_form"] = momentum_form
    states = {"buf": buf if momentum else None}
    apply("sgd_update", SGD, param, grad, states, 1 if first else 2, hyper, **common)


def _lion(p, g, states, numbers):
    (m,) = states
    rate, new1, high1, low1, new2, high2, low2 = numbers
    direction = average(g, m, (new1, high1, low1))
    zero = nothing()
    step = select(direction > zero, rate, select(direction < zero, -rate, direction))
    return p - step, (average(g, m, (new2, high2, low2)),)


_LION = Update("lion", _lion, ("exp_avg",), 7, work=0.2)


class Lion(Optimizer):
    """Steps of one size in the direction of a sign; `lion_update` states the formula. Its decay is decoupled.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    betas : tuple of two floats
        Share of the momentum in the step, and what of it stays.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Lion(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9, -2.1])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {"lr": Number(1e-4), "betas": betas(0.9, 0.99)}
    positional = 2
    overrides: ClassVar[dict[str, Any]] = {"decoupled": True}

    @classmethod
    def update(cls, hyper):
        return _LION

    @classmethod
    def numbers(cls, hyper, step):
        beta1, beta2 = hyper["betas"]
        return hyper["lr"], *weights_of(beta1), *weights_of(beta2)


def lion_update(
    param: np.ndarray,
    grad: Any,
    exp_avg: np.ndarray,
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.99),
    **common: Any,
) -> None:
    """Lion, in place: ``param -= lr * sign(beta1 * m + (1 - beta1) * g)``, then ``m = beta2 * m + (1 - beta2) * g``.

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    exp_avg : ndarray
        m, like param; zeros before the first step.
    lr, betas
        As above.
    **common
        As in `sgd_update`; decoupled is True by default.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms" (2023).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, m = np.ones(2), np.zeros(2)
    >>> fnn.optim.lion_update(w, np.array([0.5, -0.1]), m, lr=0.1)
    >>> w.round(4)
    array([0.9, 1.1])
    """
    apply("lion_update", Lion, param, grad, {"exp_avg": exp_avg}, 1, {"lr": lr, "betas": betas}, **common)


def _rprop(p, g, states, numbers):
    prev, size = states
    down, up, least, most = numbers
    zero = nothing()
    same = ((g > zero) & (prev > zero)) | ((g < zero) & (prev < zero))
    opposed = ((g > zero) & (prev < zero)) | ((g < zero) & (prev > zero))
    size = select(same, size * up, select(opposed, size * down, size))
    size = select(size > most, most, select(size < least, least, size))
    g = select(opposed, zero, g)
    step = select(g > zero, size, select(g < zero, -size, g))
    return p - step, (g, size)


_RPROP = Update("rprop", _rprop, ("prev", "step_size"), 4, work=0.3)


class Rprop(Optimizer):
    """Step sizes of each weight's own, from the signs of the gradient; `rprop_update` states the formula.

    For gradients of the whole data: the signs of small batches change for no reason.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float
        The first step size.
    etas : tuple of two floats
        Factors of the size where the gradient has changed its sign, and where it has kept it.
    step_sizes : tuple of two floats
        The smallest and the largest size.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", ICNN
    1993.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Rprop(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.9, -2.1])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(1e-2),
        "etas": Numbers((0.5, 1.2), (Number(low=0, high=1), Number(low=1))),
        "step_sizes": Numbers((1e-6, 50.0), (Number(), Number())),
    }
    positional = 3

    @classmethod
    def check(cls, name, hyper):
        least, most = hyper["step_sizes"]
        if not callable(least) and not callable(most) and least > most:
            raise ValueError(f"{name}: step_sizes is {hyper['step_sizes']!r}, expected (least, most)")

    @classmethod
    def update(cls, hyper):
        return _RPROP

    @classmethod
    def numbers(cls, hyper, step):
        return *hyper["etas"], *hyper["step_sizes"]

    @classmethod
    def initial(cls, hyper, names, array):
        return {"prev": like(array, 0.0), "step_size": like(array, hyper["lr"])}


def rprop_update(
    param: np.ndarray,
    grad: Any,
    prev: np.ndarray,
    step_size: np.ndarray,
    *,
    lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50.0),
    **common: Any,
) -> None:
    """Resilient propagation, in place.

    With ``a = sign(g) * sign(prev)``::

        step_size *= (etas[1] where a > 0, etas[0] where a < 0), limited to step_sizes
        g = 0 where a < 0
        param -= sign(g) * step_size
        prev = g

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    prev : ndarray
        The gradient before, like param; zeros before the first step.
    step_size : ndarray
        Like param; lr, or any start, before the first step.
    lr
        For decoupled decay only.
    etas, step_sizes
        As above: (shrink, grow), (least, most).
    **common
        As in `sgd_update`.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Riedmiller & Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm" (1993); this
    is the variant of torch, without going back.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, prev, size = np.ones(2), np.zeros(2), np.full(2, 0.1)
    >>> fnn.optim.rprop_update(w, np.array([0.5, -0.1]), prev, size)
    >>> w.round(4)
    array([0.9, 1.1])
    """
    hyper = {"lr": lr, "etas": etas, "step_sizes": step_sizes}
    apply("rprop_update", Rprop, param, grad, {"prev": prev, "step_size": step_size}, 1, hyper, **common)
