"""The rules as objects: each states its hyperparameters, its state arrays and its update formula."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .._engine import check
from .base import Optimizer, Parameter
from .rules import EPS_MODES, MOMENTUM_FORMS, adam_update, checked_betas, sgd_update

Schedule = Callable[[int], float]


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov momentum; `sgd_update` states the formula.

    ``SGD(params, lr=1e-3, momentum=0, dampening=0, nesterov=False, *, momentum_form="torch", ...)``; the keywords of
    all rules are `Optimizer`'s.

    Raises
    ------
    ValueError
        Nesterov momentum without momentum or with dampening; a hyperparameter out of its range.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "lr": 1e-3,
        "momentum": 0.0,
        "dampening": 0.0,
        "nesterov": False,
        "momentum_form": "torch",
    }

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-3,
        momentum: float | Schedule = 0.0,
        dampening: float | Schedule = 0.0,
        nesterov: bool = False,
        *,
        momentum_form: str = "torch",
        **common: Any,
    ):
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            nesterov=nesterov,
            momentum_form=momentum_form,
            **common,
        )

    def _check(self, hyper: dict[str, Any]) -> None:
        check.number(self._name, "momentum", hyper["momentum"], low=0)
        check.number(self._name, "dampening", hyper["dampening"])
        check.one_of(self._name, "momentum_form", hyper["momentum_form"], MOMENTUM_FORMS)
        if hyper["nesterov"] and (not hyper["momentum"] or hyper["dampening"]):
            raise ValueError(f"{self._name}: nesterov needs momentum > 0 and dampening = 0")

    def _state_names(self, hyper: dict[str, Any]) -> tuple[str, ...]:
        return ("buf",) if callable(hyper["momentum"]) or hyper["momentum"] else ()

    def _update(self, parameter: Parameter, grad: np.ndarray, hyper: dict[str, Any]) -> None:
        sgd_update(parameter.array, grad, parameter.state.get("buf"), first=parameter.step == 1, **hyper)


class Adam(Optimizer):
    """Adam and AMSGrad; `adam_update` states the formula.

    ``Adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, amsgrad=False, *, eps_mode="outside", ...)``; the keywords of
    all rules are `Optimizer`'s.
    """

    defaults: ClassVar[dict[str, Any]] = {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "amsgrad": False,
        "eps_mode": "outside",
    }

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float | Schedule = 1e-8,
        amsgrad: bool = False,
        *,
        eps_mode: str = "outside",
        **common: Any,
    ):
        betas = tuple(betas) if isinstance(betas, list) else betas
        super().__init__(params, lr=lr, betas=betas, eps=eps, amsgrad=amsgrad, eps_mode=eps_mode, **common)

    def _check(self, hyper: dict[str, Any]) -> None:
        checked_betas(self._name, hyper["betas"])
        check.number(self._name, "eps", hyper["eps"], low=0)
        check.one_of(self._name, "eps_mode", hyper["eps_mode"], EPS_MODES)

    def _state_names(self, hyper: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if hyper["amsgrad"] else ()))

    def _update(self, parameter: Parameter, grad: np.ndarray, hyper: dict[str, Any]) -> None:
        rest = {key: value for key, value in hyper.items() if key != "amsgrad"} | parameter.state
        adam_update(parameter.array, grad, step=parameter.step, **rest)


class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 by default (Loshchilov & Hutter 2019)."""

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-3,
        betas: Any = (0.9, 0.999),
        eps: float | Schedule = 1e-8,
        amsgrad: bool = False,
        *,
        weight_decay: float | Schedule = 0.01,
        decoupled: bool = True,
        **common: Any,
    ):
        super().__init__(params, lr, betas, eps, amsgrad, weight_decay=weight_decay, decoupled=decoupled, **common)
