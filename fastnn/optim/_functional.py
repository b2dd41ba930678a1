"""A rule as a function of one parameter, in place: what every `*_update` does."""

from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from .._engine import check
from .._engine.fused import launch
from .._engine.shield import shielded
from ._cohorts import Cohort, Order, Slot
from ._hyperparameters import RULE_KEYWORDS, Settings, resolved, settings
from ._kernels import CLEARED, SCALED
from ._parameters import Group
from .base import Optimizer


def apply(
    name: str,
    rule: type[Optimizer],
    param: Any,
    grad: Any,
    states: dict[str, Any],
    step: Any,
    hyper: dict[str, Any],
    grad_scale: float = 1.0,
    zero_grads: bool = False,
    shapes: dict[str, tuple[int, ...]] | None = None,
    **common: Any,
) -> None:
    """One step of `rule` for `param`.

    Parameters
    ----------
    states : dict
        State arrays; those that the hyperparameters make no use of may be None.
    step : int
        Number of the step, from 1.
    hyper : dict
        The rule's own hyperparameters.
    grad_scale, zero_grads, **common
        The common keywords, see `Optimizer`; grad_scale multiplies the gradient.
    shapes : dict, optional
        Of those states that have another shape than param.
    """
    now = _settings(name, rule, hyper | common)
    step = check.integer(name, "step", step)
    if not 1 <= step < 1 << 63:  # more than a float64 takes would raise an OverflowError halfway
        raise ValueError(f"{name}: step is {step if step < 1 else 'too large'}, expected 1 to 2**63 - 1")
    if not isinstance(grad_scale, Real):
        raise TypeError(f"{name}: grad_scale is {grad_scale!r}, expected a number")
    update = rule.update(now.hyper)
    states = {key: states[key] for key in shapes or update.states}
    _check_states(name, param, states, shapes or {})
    order: Order = "F" if param.flags.fnc and not update.rows else "C"
    taken = _checked_grad(name, param, grad, zero_grads, order)

    slot = Slot("param", param, _dense(param, order), {}, None, 0)
    slot.states = {key: _dense(state, order) for key, state in states.items()}
    cohort = Cohort([slot], Group(None, {}, now, update), step, zero_grads)
    cohort.locate([taken])
    changed = [(state, slot.states[key]) for key, state in states.items() if slot.states[key] is not state]
    scale = now.sign * float(grad_scale)
    bits = now.options | (CLEARED if zero_grads else 0) | (SCALED if scale != 1 else 0)
    numbers = rule.numbers(now.hyper, step)
    arguments = (*cohort.jobs(bits), *cohort.fixed, bits, scale, *now.common, 0.0, now.limit, *numbers)
    if cohort.copies or changed:
        if caught := shielded(partial(_launch_with_copies, cohort, arguments, changed)):
            raise caught
    else:
        launch(*arguments)
    if zero_grads and taken is not grad:
        grad[...] = 0


def _settings(name: str, rule: type[Optimizer], given: dict[str, Any]) -> Settings:
    kinds = rule.kinds()
    for keyword in given:
        if keyword not in kinds:
            raise TypeError(f"{name}: unknown keyword {keyword!r}, expected one of {', '.join(RULE_KEYWORDS)}")
    defaults = {key: kinds[key].default for key in RULE_KEYWORDS} | rule.overrides
    values = resolved(name, kinds, defaults | given, 0)
    rule.check(name, values)
    return settings(values, rule.own_decay)


def _launch_with_copies(cohort: Cohort, arguments: tuple, changed: list[tuple[np.ndarray, np.ndarray]]) -> None:
    cohort.take_with_copies(arguments)
    for state, dense in changed:
        state[...] = dense


def _dense(array: np.ndarray, order: Order) -> np.ndarray:
    """An array without gaps in the given order: itself where it is one."""
    dense = type(array) is np.ndarray and array.flags[order] and array.flags.aligned
    return array if dense else np.array(array, order=order)


def _check_states(name: str, param: Any, states: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> None:
    if not isinstance(param, np.ndarray) or param.dtype.type not in (np.float32, np.float64):
        found = param.dtype if isinstance(param, np.ndarray) else type(param).__name__
        raise TypeError(f"{name}: param is {found}, expected an array of float32 or float64")
    check.updated_array(name, "param", param, param.shape, "")
    for argument, state in states.items():
        check.updated_array(name, argument, state, shapes.get(argument) or param.shape, "to match param")
        if state.dtype != param.dtype:
            raise TypeError(f"{name}: {argument} has dtype {state.dtype}, expected {param.dtype} to match param")


def _checked_grad(name: str, param: np.ndarray, grad: Any, zero_grads: bool, order: Order) -> np.ndarray:
    """The gradient as it lies in the parameter's dense form."""
    if zero_grads and not (isinstance(grad, np.ndarray) and grad.flags.writeable):
        raise TypeError(f"{name}: grad is not a writable array, which zero_grads needs")
    grad = check.like_parameter(name, "grad", grad, param.dtype, "param")
    check.same_shape(name, "grad", grad, param.shape, "to match param")
    return np.require(grad, None, [order, "A"]).view(param.dtype, np.ndarray)
