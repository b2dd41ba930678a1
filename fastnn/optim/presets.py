"""Rules with the defaults and conventions of other systems: torch, Keras, optax, cs231n and thinc.

Checked against torch 2.13, Keras 3.15, optax 0.2.8, thinc 9.1 and the cs231n assignments and notes; docs/optimizers.md
says what differs between them.
"""

from typing import Any

from .._engine import check
from ..typing import ArrayTree
from .base import Optimizer

_KERAS: dict[str, Any] = {"eps": 1e-7, "decoupled": True}


def _thinc_average(step: int) -> float:
    """The decay of thinc's averaged weights, which warms up."""
    return min((2 + step) / (11 + step), 0.9999)


_THINC: dict[str, Any] = {"decoupled": "after", "clip_param_norm": 1.0, "ema_decay": _thinc_average}

#: {system: {rule: keywords in which it deviates from fastnn's defaults}}; a rule that is not here the system has not.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "torch": {
        "sgd": {},
        "adagrad": {},
        "rmsprop": {},
        "adadelta": {},
        "adam": {},
        "adamw": {},
        "adamax": {},
        "nadam": {},
        "radam": {},
        "adafactor": {},
        "rprop": {},
    },
    "keras": {
        "sgd": {"lr": 1e-2, "momentum_form": "velocity", "decoupled": True},
        "adagrad": {**_KERAS, "lr": 1e-3, "eps_mode": "inside", "initial_accumulator": 0.1},
        "rmsprop": {**_KERAS, "lr": 1e-3, "alpha": 0.9, "eps_mode": "inside", "momentum_form": "velocity"},
        "adadelta": {**_KERAS, "lr": 1e-3, "rho": 0.95},
        "adam": {**_KERAS, "eps_mode": "hat"},
        "adamw": {**_KERAS, "eps_mode": "hat", "weight_decay": 4e-3},
        "adamax": {**_KERAS, "lr": 1e-3, "eps_mode": "outside"},
        "nadam": {**_KERAS, "lr": 1e-3, "momentum_decay": 1.0},
        "lion": {"lr": 1e-3},
        "lamb": {"eps": 1e-7},
        # Keras adds 1e-30 to the squared gradient; here eps[0] is the root of the least estimate of it
        "adafactor": {"lr": 1e-3, "eps": (1e-15, 1e-3)},
    },
    "optax": {
        "sgd": {},
        "adagrad": {"eps": 1e-7, "eps_mode": "inside", "initial_accumulator": 0.1},
        "rmsprop": {"alpha": 0.9, "eps_mode": "inside", "momentum_form": "velocity"},
        "adadelta": {},
        "adam": {"amsgrad_max": "corrected"},
        "adamw": {"amsgrad_max": "corrected", "weight_decay": 1e-4},
        "adamax": {"decoupled": True},
        "nadam": {"momentum_decay": None, "decoupled": True},
        "radam": {"eps_mode": "outside"},
        "lion": {"weight_decay": 1e-3},
        "lamb": {},
        "lars": {},
        "adabelief": {},
    },
    "cs231n": {
        "sgd": {"lr": 1e-2, "momentum_form": "velocity"},
        "adagrad": {"eps": 1e-8},
        "rmsprop": {},
        "adam": {},
    },
    "thinc": {
        "sgd": _THINC,
        "adam": {**_THINC, "eps_mode": "hat"},
        "radam": {**_THINC, "step_offset": 1},
    },
}

#: Rules whose weight decay in that system no keyword here gives: what it does there.
_OTHER_DECAY = {
    ("keras", "lamb"): "decays outside the trust ratio",
    ("keras", "adafactor"): "takes the step size from the decayed weights",
    ("optax", "lars"): "divides by the norm of the decayed gradient",
}


def preset(system: str, rule: str, params: ArrayTree, **keywords: Any) -> Optimizer:
    """A rule with all the defaults and conventions of another system.

    Where the eps goes, whether the learning rate is inside the momentum, how the weights decay, what is clipped and
    averaged: all as there, and all of it fastnn's own keywords, so that any of it can be given otherwise.

    Parameters
    ----------
    system : {"torch", "keras", "optax", "cs231n", "thinc"}
        Where the system prescribes no learning rate (optax, thinc's SGD) fastnn's own default holds.
    rule : str
        A class of `fastnn.optim` in lower case, such as "rmsprop".
    params : ndarray, list, tuple or (nested) dict of ndarray
        As for every rule.
    **keywords
        The rule's keywords under fastnn's names; they override the system's.

    Returns
    -------
    Optimizer
        An instance of the rule's class.

    Raises
    ------
    ValueError
        An unknown system, a rule that it lacks, or a weight decay that works there as in no rule here.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> weights = np.ones(3)
    >>> opt = fnn.optim.preset("keras", "rmsprop", weights, momentum=0.9)
    >>> opt.step(np.full(3, 0.1))
    """
    check.one_of("preset", "system", system, PRESETS)
    rules = PRESETS[system]
    if not isinstance(rule, str) or rule not in rules:
        raise ValueError(f"preset: {system} has no rule {rule!r}, expected one of {', '.join(sorted(rules))}")
    if (system, rule) in _OTHER_DECAY and keywords.get("weight_decay"):
        raise ValueError(
            f"preset: weight_decay is {keywords['weight_decay']!r}, expected 0 for {system}'s {rule},"
            f" which {_OTHER_DECAY[system, rule]}"
        )
    return _rule_class(rule)(params, **{**rules[rule], **keywords})


def _rule_class(rule: str) -> type[Optimizer]:
    from fastnn import optim  # not at the top: it imports this module

    return next(getattr(optim, name) for name in optim.__all__ if name.lower() == rule)
