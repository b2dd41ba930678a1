"""What all optimisers share: the parameters, their state, and the step.

`Optimizer.step` is the same for all: gather and check every gradient, scale by the global norm, apply the rule to each
parameter, average the weights. A subclass states its hyperparameters, its state arrays and its rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .._engine import check
from . import structure

#: Keywords of every rule, which a group may override ...
RULE_KEYWORDS: dict[str, Any] = {
    "weight_decay": 0.0,
    "decoupled": False,
    "l1": 0.0,
    "maximize": False,
    "clip_value": None,
}
#: ... and those that concern the step as a whole.
STEP_KEYWORDS: dict[str, Any] = {"clip_norm": None, "ema_decay": None, "skip_nonfinite": False, "zero_grads": False}

#: As in torch: keeps the factor max_norm / (norm + _NORM_EPS) finite.
_NORM_EPS = 1e-6


@dataclass(slots=True)
class Parameter:
    array: np.ndarray
    state: dict[str, np.ndarray]
    ema: np.ndarray | None
    step: int = 0


@dataclass(slots=True)
class _Group:
    tree: Any
    hyper: dict[str, Any]
    parameters: list[Parameter] = field(default_factory=list)


def resolved(value: Any, step: int) -> Any:
    """A hyperparameter's value at `step`: schedules, also inside a tuple, are called."""
    if isinstance(value, tuple):
        return tuple(resolved(entry, step) for entry in value)
    return value(step) if callable(value) else value


class Optimizer:
    """Base of all rules; see `SGD` or `Adam` for the use.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64, updated in place.
    weight_decay, decoupled, l1
        ``g += weight_decay * param + l1 * sign(param)``; decoupled: ``param -= lr * (the same)`` instead.
    maximize : bool
        Ascend.
    clip_norm : float, optional
        Scale all gradients by ``min(1, clip_norm / (norm + 1e-6))``, norm being that of all of them together.
    clip_value : float, optional
        Limit each gradient entry to +-clip_value.
    ema_decay : float, optional
        Keep averaged weights in `ema`: the weights themselves after the first step, from then on
        ``ema += (1 - ema_decay) * (param - ema)``.
    skip_nonfinite : bool
        A NaN or infinite gradient anywhere: leave parameters and state alone and count in `skipped`.
    zero_grads : bool
        Set the gradient arrays to 0 once used.

    Any number among the hyperparameters may be a schedule ``f(step) -> float``, called with 0 at the first step.
    """

    #: Rule-specific hyperparameters and their defaults, set by each class.
    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, params: Any, **hyper: Any):
        self._name = type(self).__name__
        known = {**self.defaults, **RULE_KEYWORDS, **STEP_KEYWORDS}
        for keyword in hyper:
            if keyword not in known:
                raise TypeError(f"{self._name}: unknown keyword {keyword!r}, expected one of {', '.join(known)}")
        self._options = {key: hyper.pop(key, default) for key, default in STEP_KEYWORDS.items()}
        self._hyper = {**self.defaults, **RULE_KEYWORDS, **hyper}
        self._check_options(resolved_now(self._options))
        self._groups: list[_Group] = []
        self.step_count = 0
        self.skipped = 0
        self._add(params, self._hyper)

    # The three methods below are what a rule states.

    def _check(self, hyper: dict[str, Any]) -> None:
        """Raises for hyperparameters (without schedules) that the rule cannot use."""

    def _state_names(self, hyper: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays that a parameter needs."""
        return ()

    def _update(self, parameter: Parameter, grad: np.ndarray, hyper: dict[str, Any]) -> None:
        """Applies the rule; `parameter.step` already counts this step."""
        raise TypeError(f"{self._name} is a base class, not a rule")

    # ------------------------------------------------------------------------------------------------

    def add_param_group(self, params: Any, **overrides: Any) -> None:
        """Add parameters with hyperparameters of their own; from then on `step` takes one structure per group."""
        for keyword in overrides:
            if keyword not in self._hyper:
                raise TypeError(f"{self._name}: cannot override {keyword!r}, expected one of {', '.join(self._hyper)}")
        self._add(params, {**self._hyper, **overrides})

    def _add(self, params: Any, hyper: dict[str, Any]) -> None:
        self._check_common(resolved_now(hyper))
        self._check(resolved_now(hyper))
        seen = {id(parameter.array) for parameter in self._parameters()}
        group = _Group(params, hyper)
        for path, array in structure.leaves(self._name, params):
            if array.dtype.type not in (np.float32, np.float64):
                raise TypeError(f"{self._name}: {path} has dtype {array.dtype}, expected float32 or float64")
            check.updated_array(self._name, path, array, array.shape, "")
            if id(array) in seen:
                raise ValueError(f"{self._name}: {path} is there twice, expected every array once")
            seen.add(id(array))
            state = {key: np.zeros_like(array) for key in self._state_names(hyper)}
            group.parameters.append(Parameter(array, state, None if self._ema_off else array.copy()))
        self._groups.append(group)

    @property
    def _ema_off(self) -> bool:
        return self._options["ema_decay"] is None

    def _check_options(self, options: dict[str, Any]) -> None:
        if options["clip_norm"] is not None:
            check.number(self._name, "clip_norm", options["clip_norm"], low=0)
        if options["ema_decay"] is not None:
            check.number(self._name, "ema_decay", options["ema_decay"], 0, 1)

    def _check_common(self, hyper: dict[str, Any]) -> None:
        for key in ("lr", "weight_decay", "l1"):
            check.number(self._name, key, hyper[key], low=0)
        if hyper["clip_value"] is not None:
            check.number(self._name, "clip_value", hyper["clip_value"], low=0)

    def _parameters(self) -> Iterator[Parameter]:
        for group in self._groups:
            yield from group.parameters

    def _gradients(self, grads: Any) -> list[np.ndarray | None]:
        """One gradient (or None) a parameter, all of them checked."""
        if len(self._groups) > 1 and not (isinstance(grads, (list, tuple)) and len(grads) == len(self._groups)):
            raise ValueError(f"{self._name}: grads must be a list of {len(self._groups)}, one structure per group")
        trees = [group.tree for group in self._groups]
        pairs = structure.matched(self._name, *((trees, grads) if len(trees) > 1 else (trees[0], grads)))
        return [self._gradient(path, g, p) for (path, g), p in zip(pairs, self._parameters(), strict=True)]

    def _gradient(self, path: str, grad: Any, parameter: Parameter) -> np.ndarray | None:
        if grad is None:
            return None
        if self._options["zero_grads"] and not (isinstance(grad, np.ndarray) and grad.flags.writeable):
            raise TypeError(f"{self._name}: {path} is not a writable array, which zero_grads needs")
        if isinstance(grad, np.ndarray) and self._options["zero_grads"]:
            check.real_array(self._name, path, grad)
        else:
            grad = check.real_array(self._name, path, grad)
        return check.same_shape(self._name, path, grad, parameter.array.shape, "to match its parameter")

    def step(self, grads: Any) -> None:
        """Update every parameter in place.

        Parameters
        ----------
        grads
            Gradients, structured like the parameters; None for a parameter without one this step, which then
            keeps its value, its state and its own step count.

        Raises
        ------
        ValueError, TypeError
            Another structure or shape than the parameters have; nothing has been updated then.
        """
        gradients = self._gradients(grads)
        options = resolved_at(self._options, self.step_count)
        self._check_options(options)
        hypers = [resolved_at(group.hyper, self.step_count) for group in self._groups]
        for hyper in hypers:
            self._check_common(hyper)
            self._check(hyper)
        if options["skip_nonfinite"] and not all(g is None or np.isfinite(g).all() for g in gradients):
            self.skipped += 1
            self._clear(gradients, options)
            return

        scale = _clip_scale(gradients, options["clip_norm"])
        remaining = iter(gradients)
        for group, hyper in zip(self._groups, hypers, strict=True):
            for parameter in group.parameters:
                grad = next(remaining)
                if grad is not None:
                    parameter.step += 1
                    self._update(parameter, grad, {**hyper, "grad_scale": scale})
        self._average(options["ema_decay"])
        self._clear(gradients, options)
        self.step_count += 1

    def _average(self, decay: float | None) -> None:
        if decay is None:
            return
        share = 1 - decay if self.step_count else 1.0
        for parameter in self._parameters():
            if parameter.ema is not None:
                parameter.ema += share * (parameter.array - parameter.ema)

    def _clear(self, gradients: list[np.ndarray | None], options: dict[str, Any]) -> None:
        if options["zero_grads"]:
            for grad in gradients:
                if grad is not None:
                    grad[...] = 0

    @property
    def ema(self) -> Any:
        """The averaged weights, structured as the parameters (a list of structures for several groups), or None."""
        if self._ema_off:
            return None
        averages = (parameter.ema for parameter in self._parameters() if parameter.ema is not None)
        trees = [structure.rebuilt(group.tree, averages) for group in self._groups]
        return trees if len(trees) > 1 else trees[0]

    def state_dict(self) -> dict[str, Any]:
        """The whole state as one flat dict of arrays (copies) and numbers, fit for ``np.savez(file, **d)``.

        Keys are "step_count", "skipped" and, for the k-th parameter, "k.step", "k.ema" and "k.<state array>".
        """
        result: dict[str, Any] = {"step_count": self.step_count, "skipped": self.skipped}
        for k, parameter in enumerate(self._parameters()):
            result[f"{k}.step"] = parameter.step
            for key, array in parameter.state.items():
                result[f"{k}.{key}"] = array.copy()
            if parameter.ema is not None:
                result[f"{k}.ema"] = parameter.ema.copy()
        return result

    def load_state_dict(self, state: Any) -> None:
        """Take over what `state_dict` of an optimiser with the same parameters returned (or np.load of its file).

        Raises
        ------
        ValueError
            Missing or unknown keys, or arrays of another shape; nothing has been loaded then.
        """
        name, own = f"{self._name}.load_state_dict", self.state_dict()
        given = {key: state[key] for key in state}
        if given.keys() != own.keys():
            differing = sorted(given.keys() ^ own.keys())
            raise ValueError(f"{name}: state has other keys than expected, differing in {', '.join(differing[:5])}")
        for key, value in own.items():
            if isinstance(value, np.ndarray):
                given[key] = check.real_array(name, key, given[key])
                check.same_shape(name, key, given[key], value.shape, "to match its parameter")
            else:
                given[key] = check.integer(name, key, given[key])
        self.step_count, self.skipped = given["step_count"], given["skipped"]
        for k, parameter in enumerate(self._parameters()):
            parameter.step = given[f"{k}.step"]
            for key, array in parameter.state.items():
                array[...] = given[f"{k}.{key}"]
            if parameter.ema is not None:
                parameter.ema[...] = given[f"{k}.ema"]


def resolved_at(values: dict[str, Any], step: int) -> dict[str, Any]:
    """All hyperparameters' values at `step`."""
    return {key: resolved(value, step) for key, value in values.items()}


def resolved_now(values: dict[str, Any]) -> dict[str, Any]:
    """The values at the first step: what a constructor can check."""
    return resolved_at(values, 0)


def _clip_scale(gradients: list[np.ndarray | None], max_norm: float | None) -> float:
    """The factor that brings the gradients' common norm down to max_norm; NaN for a non-finite norm, as in torch."""
    if max_norm is None:
        return 1.0
    with np.errstate(all="ignore"):
        total = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients if g is not None)
        return float(np.minimum(1.0, max_norm / (np.sqrt(total) + _NORM_EPS)))
