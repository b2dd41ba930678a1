"""thinc's optimisers with a parameter's whole step as one pass over its memory."""

from math import sqrt
from typing import Any

import numpy as np

from ...optim import SGD as _SGDRule
from ...optim import RAdam as _RAdamRule
from ...optim._cohorts import Cohort
from ...optim._kernels import Update
from .._peers import require
from ._steps import ADAM, adam_numbers, cohort_of, step, steppable

_api: Any = require("thinc.api", "thinc")
_Optimizer: Any = _api.Optimizer

_SGD = _SGDRule.update({"momentum": 0.0})


class _Known(dict):
    """Cohorts by key, with the arrays that they are of; a copy or a pickle begins without any."""

    def __reduce__(self):
        return _Known, ()


class Optimizer(_Optimizer):
    """thinc's `Optimizer` on fastnn's kernels: SGD, Adam and RAdam.

    ::

        gradient += L2 * weights                              unless L2_is_weight_decay
        gradient *= min(1, grad_clip / norm(gradient))
        m = beta1 m + (1 - beta1) gradient,   v = beta2 v + (1 - beta2) gradient^2
        weights -= lr_scale * learn_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)
        weights -= lr_scale * learn_rate * L2 * weights       if L2_is_weight_decay
        average += (1 - min((1 + t) / (10 + t), 0.9999)) * (weights - average)
        gradient = 0

    all but the first line and the norm in one pass. thinc's own optimiser takes the operations for this from the
    type of the weights, not from the model, so that the model's ops have no say in it; this one is used instead.

    Arguments, attributes (`mom1`, `mom2`, `averages`, `nr_update`), schedules and results, up to rounding, are those
    of thinc's. Weights or gradients that are not float32 in C order are left to thinc.

    Parameters
    ----------
    learn_rate : float, list or schedule
    L2, beta1, beta2, eps, grad_clip : float, list or schedule
    use_averages, use_radam, L2_is_weight_decay : bool
        As in thinc.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.thinc import Adam
    >>> optimizer = Adam(0.1)
    >>> weights, gradient = np.ones(3, np.float32), np.full(3, 0.5, np.float32)
    >>> weights, gradient = optimizer((1, "W"), weights, gradient)
    >>> weights.round(3), gradient
    (array([0.9, 0.9, 0.9], dtype=float32), array([0., 0., 0.], dtype=float32))
    """

    __slots__ = ("_known",)

    def __init__(
        self,
        learn_rate: Any,
        *,
        L2: Any = 0.0,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        eps: Any = 1e-8,
        grad_clip: Any = 1.0,
        use_averages: bool = True,
        use_radam: bool = False,
        L2_is_weight_decay: bool = True,
    ):
        numbers = {"L2": L2, "beta1": beta1, "beta2": beta2, "eps": eps, "grad_clip": grad_clip}
        flags = {"use_averages": use_averages, "use_radam": use_radam, "L2_is_weight_decay": L2_is_weight_decay}
        super().__init__(learn_rate, **numbers, **flags)
        self._known: _Known = _Known()

    def __call__(self, key, weights, gradient, *, lr_scale=1.0):
        """Update the weights, and clear the gradient, in place; both are returned."""
        cohort = self._cohort(key, weights)
        if cohort is None or cohort.locate([gradient]) >= 0:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        self.nr_update[key] += 1
        count = self.nr_update[key]
        decay, limit, rate = self._now("L2", key), self._now("grad_clip", key), self._now("learn_rate", key)
        if decay and not self.L2_is_weight_decay:
            gradient += decay * weights
        scale = 1.0
        if limit:
            norm = sqrt(cohort.sum_of_squares())
            scale = limit / norm if norm >= limit else 1.0
        step(
            cohort,
            self._numbers(key, cohort.group.update, rate, lr_scale, count),
            scale,
            lr_scale * rate * decay if self.L2_is_weight_decay else 0.0,
            None if self.averages is None else 1.0 - min((1.0 + count) / (10.0 + count), 0.9999),
        )
        return weights, gradient

    def _now(self, name: str, key: Any) -> float:
        """A hyperparameter's value at this step; from thinc 9 on the attribute is a schedule."""
        value = getattr(self, name)
        return value(self.step, **self._schedule_args(key)) if callable(value) else value

    def _update(self, key: Any) -> Update | None:
        """The kernel of the rule that the betas choose, None for one that thinc has not."""
        beta1, beta2 = self._now("b1", key), self._now("b2", key)
        if self.use_radam or (beta1 > 0 and beta2 > 0):
            return ADAM
        return None if beta2 > 0 else _SGD

    def _numbers(self, key: Any, update: Update, rate: float, lr_scale: float, count: int) -> tuple[float, ...]:
        """What the rule's formula gets; RAdam takes no notice of lr_scale, as in thinc."""
        if update is _SGD:
            return _SGDRule.numbers(
                {"lr": rate * lr_scale, "momentum": 0.0, "dampening": 0.0, "momentum_form": "torch"}, count
            )
        beta1, beta2, eps = (self._now(name, key) for name in ("b1", "b2", "eps"))
        if self.use_radam:
            hyper = {"lr": rate, "betas": (beta1, beta2), "eps": eps, "eps_mode": "hat", "step_offset": 1}
            return _RAdamRule.numbers(hyper, count)
        rate *= lr_scale * (1.0 - beta2**count) ** 0.5 / (1.0 - beta1**count)
        return adam_numbers(rate, beta1, beta2, eps)

    def _cohort(self, key: Any, weights: Any) -> Cohort | None:
        """The tables for these weights and the state that the key has now; None if thinc has to do it."""
        update = self._update(key)
        if update is None or not steppable(weights):
            return None
        state = [self._state(table, key, weights.size) for table in (self.mom1, self.mom2)] if update.states else []
        average = None if self.averages is None else self._state(self.averages, key, weights.shape)
        arrays = [weights, *state, *([] if average is None else [average])]
        cohort, known = self._known.get(key, (None, []))
        if cohort is None or len(known) != len(arrays) or any(a is not b for a, b in zip(known, arrays, strict=True)):
            if not all(steppable(array) and array.size == weights.size for array in arrays):
                return None
            cohort = cohort_of(update, weights, state, average)
            self._known[key] = cohort, arrays
        return cohort

    @staticmethod
    def _state(table: dict[Any, np.ndarray], key: Any, shape: Any) -> np.ndarray:
        if key not in table:
            table[key] = np.zeros(shape, np.float32)
        return table[key]


@_api.registry.optimizers("fastnn.Adam.v1")
def Adam(
    learn_rate: Any = 0.001,
    *,
    L2: Any = 0.0,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    eps: Any = 1e-8,
    grad_clip: Any = 1.0,
    L2_is_weight_decay: bool = True,
    use_averages: bool = True,
) -> Optimizer:
    """thinc's `Adam` as an `Optimizer` of this module; in a config ``@optimizers = "fastnn.Adam.v1"``.

    Parameters
    ----------
    learn_rate, L2, beta1, beta2, eps, grad_clip, L2_is_weight_decay, use_averages
        As in thinc; numbers may be lists or schedules.

    Returns
    -------
    Optimizer

    Examples
    --------
    >>> from fastnn.compat.thinc import Adam
    >>> optimizer = Adam(0.001, L2=1e-6)
    """
    numbers = {"L2": L2, "beta1": beta1, "beta2": beta2, "eps": eps, "grad_clip": grad_clip}
    return Optimizer(learn_rate, **numbers, L2_is_weight_decay=L2_is_weight_decay, use_averages=use_averages)


@_api.registry.optimizers("fastnn.RAdam.v1")
def RAdam(
    learn_rate: Any = 0.001,
    *,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    eps: Any = 1e-8,
    L2: Any = 0.0,
    L2_is_weight_decay: bool = True,
    grad_clip: Any = 1.0,
    use_averages: bool = True,
) -> Optimizer:
    """thinc's `RAdam` as an `Optimizer` of this module; in a config ``@optimizers = "fastnn.RAdam.v1"``.

    Parameters
    ----------
    learn_rate, beta1, beta2, eps, L2, L2_is_weight_decay, grad_clip, use_averages
        As in thinc; numbers may be lists or schedules.

    Returns
    -------
    Optimizer

    Examples
    --------
    >>> from fastnn.compat.thinc import RAdam
    >>> optimizer = RAdam(0.001)
    """
    numbers = {"L2": L2, "beta1": beta1, "beta2": beta2, "eps": eps, "grad_clip": grad_clip}
    flags = {"L2_is_weight_decay": L2_is_weight_decay, "use_averages": use_averages, "use_radam": True}
    return Optimizer(learn_rate, **numbers, **flags)


@_api.registry.optimizers("fastnn.SGD.v1")
def SGD(
    learn_rate: Any,
    *,
    L2: Any = 0.0,
    grad_clip: Any = 1.0,
    L2_is_weight_decay: bool = True,
    use_averages: bool = True,
) -> Optimizer:
    """thinc's `SGD`, which has no momentum, as an `Optimizer`; in a config ``@optimizers = "fastnn.SGD.v1"``.

    Parameters
    ----------
    learn_rate, L2, grad_clip, L2_is_weight_decay, use_averages
        As in thinc; numbers may be lists or schedules.

    Returns
    -------
    Optimizer

    Examples
    --------
    >>> from fastnn.compat.thinc import SGD
    >>> optimizer = SGD(0.01)
    """
    numbers = {"L2": L2, "grad_clip": grad_clip, "beta1": 0.0, "beta2": 0.0}
    return Optimizer(learn_rate, **numbers, L2_is_weight_decay=L2_is_weight_decay, use_averages=use_averages)
