"""What all schedules share: the checks, the step, and formulas that serve numbers and arrays alike."""

import dataclasses
import math
import operator
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._engine import check

_HALF_PI = math.pi / 2
_LARGEST = sys.float_info.max


class Operations(NamedTuple):
    """What the formulas need beyond arithmetic, for numbers or for arrays."""

    sin: Callable
    power: Callable  #: stops growing at the largest float, so that 0 times it is 0
    minimum: Callable
    take: Callable  #: (entries, index)
    locate: Callable  #: (increasing boundaries, step): how many of them the step has reached
    dispatch: Callable  #: (schedules, the step at which each starts, step): the value of the one that is running


def _power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:
        return _LARGEST


def _array_power(base: float, exponent: np.ndarray) -> np.ndarray:
    return np.minimum(np.power(base, exponent), _LARGEST)


def _dispatch(schedules: Sequence[Callable], starts: Sequence[float], step: float) -> float:
    running = bisect_right(starts, step) - 1
    return float(schedules[running](step - starts[running]))


def _array_dispatch(schedules: Sequence[Callable], starts: Sequence[float], steps: np.ndarray) -> np.ndarray:
    running = np.searchsorted(starts, steps, side="right") - 1
    result = np.empty(steps.shape)
    for k in np.unique(running):
        here = running == k
        result[here] = schedules[k](steps[here] - starts[k])
    return result


_FOR_NUMBERS = Operations(math.sin, _power, min, operator.getitem, bisect_right, _dispatch)
_FOR_ARRAYS = Operations(
    np.sin, _array_power, np.minimum, np.take, partial(np.searchsorted, side="right"), _array_dispatch
)


def _length(name: str, argument: str, value: Any, zero: bool = False) -> float:
    """`value` as a number > 0 (or 0 where `zero` allows it), an int where it is whole, so that it is shown as one."""
    length = check.number(name, argument, value)
    if not (length > 0 or (zero and length == 0)):
        raise ValueError(f"{name}: {argument} is {value!r}, expected a finite number {'>=' if zero else '>'} 0")
    return int(length) if length.is_integer() else length


def _flag(name: str, argument: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {argument} is {value!r}, expected True or False")
    return bool(value)


def _schedule(name: str, argument: str, value: Any) -> Callable:
    if not callable(value):
        raise TypeError(f"{name}: {argument} has the entry {value!r}, expected schedules")
    return value


def _sequence(of: Callable, name: str, argument: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, (list, tuple, np.ndarray)):
        raise TypeError(f"{name}: {argument} is {values!r}, expected a list or tuple")
    return tuple(of(name, argument, value) for value in values)


def _boundaries(name: str, argument: str, values: Any) -> tuple[float, ...]:
    boundaries = _sequence(_length, name, argument, values)
    if any(later <= earlier for earlier, later in pairwise(boundaries)):
        raise ValueError(f"{name}: {argument} is {boundaries}, expected increasing steps")
    return boundaries


def one_more(name: str, argument: str, values: Sequence, boundaries: Sequence) -> None:
    if len(values) != len(boundaries) + 1:
        raise ValueError(
            f"{name}: {argument} has {len(values)} entries, expected {len(boundaries) + 1}, one more than boundaries"
        )


#: argument -> its check: an argument means the same, and is checked the same, in every schedule
_CHECKS: dict[str, Callable[[str, str, Any], Any]] = {
    **dict.fromkeys(("value", "start", "final", "peak"), check.number),
    **dict.fromkeys(("gamma", "rate", "decay"), partial(check.number, low=0)),
    **dict.fromkeys(("steps", "steps_down", "power"), _length),
    **dict.fromkeys(("staircase", "three_phase"), _flag),
    "warmup": partial(_length, zero=True),
    "multiplier": check.integer,
    "pct_start": partial(check.number, low=0, high=1),
    "mode": partial(check.one_of, allowed=("triangular", "triangular2", "exp_range")),
    "anneal": partial(check.one_of, allowed=("cos", "linear")),
    "values": partial(_sequence, check.number),
    "schedules": partial(_sequence, _schedule),
    "boundaries": _boundaries,
}


def everywhere(value: float, step: Any) -> Any:
    """`value`, of the shape of `step`."""
    return value + 0.0 * step


def between(start: float, final: float, remaining: Any) -> Any:
    """From `start` (remaining 1) to `final` (remaining 0): exact at both, and accurate near a small `final`."""
    return start * remaining + final * (1 - remaining)


class Schedule:
    """Base of all schedules: checks the arguments and the step. A subclass is a frozen dataclass with a `_formula`.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.step_decay(0.1, 10)
    >>> isinstance(lr, fnn.schedules.Schedule), lr == fnn.schedules.step_decay(0.1, 10)
    (True, True)
    >>> lr
    step_decay(0.1, steps=10, gamma=0.1)
    """

    _checks: ClassVar[dict[str, Callable[[str, str, Any], Any]]] = _CHECKS

    def __post_init__(self) -> None:
        name = type(self).__name__
        for argument, value in self._arguments().items():
            object.__setattr__(self, argument, self._checks[argument](name, argument, value))

    def _arguments(self) -> dict[str, Any]:
        names = (entry.name for entry in dataclasses.fields(self) if entry.init)  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        (_, first), *others = self._arguments().items()
        return f"{type(self).__name__}({', '.join([repr(first), *(f'{name}={value!r}' for name, value in others)])})"

    def __call__(self, step: Any) -> Any:
        """The value at `step` >= 0, a number or an array."""
        if (type(step) is int or type(step) is float) and 0 <= step <= _LARGEST:
            return self._formula(step, _FOR_NUMBERS)
        name = type(self).__name__
        steps = check.real_array(name, "step", step).astype(np.float64)
        outside = ~((steps >= 0) & (steps <= _LARGEST))
        if outside.any():
            raise ValueError(f"{name}: step is {steps[outside][0]:g}, expected finite numbers >= 0")
        if steps.ndim == 0:
            return self._formula(float(steps), _FOR_NUMBERS)
        with np.errstate(over="ignore", under="ignore"):
            return self._formula(steps, _FOR_ARRAYS)

    def _formula(self, step: Any, of: Operations) -> Any:
        raise TypeError(f"{type(self).__name__} has no formula")


def share_left(step: Any, steps: float, of: Operations) -> Any:
    """The share of `steps` that is left, from 1 to 0."""
    return (steps - of.minimum(step, steps)) / steps


def half_cosine(remaining: Any, of: Operations) -> Any:
    """``(1 + cos(pi * (1 - remaining))) / 2``, without its cancellation where little remains."""
    sine = of.sin(_HALF_PI * remaining)
    return sine * sine
