"""What a hyperparameter may be: its default, its check, and schedules in its place."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from ._kernels import DECAYED, EACH_SCALED, SCALED, SHRUNK, SHRUNK_AFTER


@dataclass(frozen=True)
class Number:
    """A number from low to high, as a float; `below` excludes high itself, `optional` admits None."""

    default: float | None = None
    low: float = 0.0
    high: float = math.inf
    below: bool = False
    optional: bool = False

    def checked(self, name: str, key: str, value: Any) -> float | None:
        if value is None and self.optional:
            return None
        number = check.number(name, key, value, self.low, self.high)
        if self.below and number == self.high:
            raise ValueError(f"{name}: {key} is {value!r}, expected a number below {self.high:g}")
        return number


@dataclass(frozen=True)
class Numbers:
    """A tuple of numbers, each with a check of its own."""

    default: tuple
    entries: tuple[Number, ...]

    def checked(self, name: str, key: str, value: Any) -> tuple:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, (tuple, list)) or len(value) != len(self.entries):
            raise ValueError(f"{name}: {key} is {value!r}, expected {len(self.entries)} numbers")
        return tuple(entry.checked(name, key, each) for entry, each in zip(self.entries, value, strict=True))


@dataclass(frozen=True)
class Choice:
    """One of a few values, the first being the default."""

    allowed: tuple

    @property
    def default(self) -> Any:
        return self.allowed[0]

    def checked(self, name: str, key: str, value: Any) -> Any:
        value = bool(value) if isinstance(value, np.bool_) else value
        for allowed in self.allowed:
            if type(value) is type(allowed) and value == allowed:
                return allowed
        raise ValueError(f"{name}: {key} is {value!r}, expected one of {', '.join(map(str, self.allowed))}")


@dataclass(frozen=True)
class Flag:
    """True or False."""

    default: bool = False

    def checked(self, name: str, key: str, value: Any) -> bool:
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name}: {key} is {value!r}, expected True or False")
        return bool(value)


Hyperparameter = Number | Numbers | Choice | Flag

RATE = Number(1e-3)
BETA = Number(0.0, 0, 1, below=True)


def betas(first: float, second: float) -> Numbers:
    """Two decay rates of averages, from 0 to less than 1."""
    return Numbers((first, second), (BETA, BETA))


#: Keywords of every rule, which a group may override ...
RULE_KEYWORDS: dict[str, Hyperparameter] = {
    "weight_decay": Number(0.0),
    "decoupled": Choice((False, True, "after")),
    "l1": Number(0.0),
    "maximize": Flag(),
    "clip_value": Number(optional=True),
    "clip_param_norm": Number(optional=True),
}
#: ... and those that concern the step as a whole.
STEP_KEYWORDS: dict[str, Hyperparameter] = {
    "clip_norm": Number(optional=True),
    "ema_decay": Number(high=1.0, optional=True),
    "skip_nonfinite": Flag(),
    "zero_grads": Flag(),
}


def scheduled(values: dict[str, Any]) -> dict[str, Any]:
    """Those that are, or have in them, a schedule f(step) -> float."""

    def has_schedule(value: Any) -> bool:
        return callable(value) or (isinstance(value, (tuple, list)) and any(map(callable, value)))

    return {key: value for key, value in values.items() if has_schedule(value)}


def resolved(name: str, kinds: dict[str, Hyperparameter], values: dict[str, Any], step: int) -> dict[str, Any]:
    """Every hyperparameter's value at a step, checked; only numbers may be schedules."""
    return {
        key: kinds[key].checked(name, key, _at(value, step) if isinstance(kinds[key], (Number, Numbers)) else value)
        for key, value in values.items()
    }


def _at(value: Any, step: int) -> Any:
    if isinstance(value, (tuple, list)):
        return tuple(_at(entry, step) for entry in value)
    return value(step) if callable(value) else value


class Settings(NamedTuple):
    """A group's hyperparameters at one step, and what they are to the kernels (see `_kernels`)."""

    hyper: dict[str, Any]
    options: int
    sign: float
    common: tuple[float, float, float, float, float]
    limit: float


def settings(hyper: dict[str, Any], own_decay: bool = False) -> Settings:
    """`own_decay`: decoupled decay is up to the rule's formula."""
    clip, limit, decoupled = hyper["clip_value"], hyper["clip_param_norm"], hyper["decoupled"]
    weight_decay, l1, lr, options = hyper["weight_decay"], hyper["l1"], hyper["lr"], 0
    if clip is not None or hyper["maximize"]:
        options |= SCALED
    if limit is not None:
        options |= EACH_SCALED
    if (weight_decay or l1) and not (own_decay and decoupled):
        options |= {False: DECAYED, True: SHRUNK, "after": SHRUNK_AFTER}[decoupled]
    common = (math.inf if clip is None else clip, weight_decay, l1, lr * weight_decay, lr * l1)
    return Settings(hyper, options, -1.0 if hyper["maximize"] else 1.0, common, math.inf if limit is None else limit)
