"""Activations as curves of one variable, and what the curves show: kinks, saturation, dead zones.

All of it is found from values of f and f'; nothing here knows one function from another.
"""

import inspect
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import fastnn as fnn

#: A unit with a slope below this hardly learns: it is saturated.
SATURATED = 1e-3

#: Kinks are looked for from -_REACH to _REACH, one in each of _STEPS intervals; what f' changes by inside an interval
#: halved _HALVINGS times is rounding or a jump.
_REACH, _STEPS, _HALVINGS, _JUMP = 16.0, 6400, 50, 1e-6
#: Places of kinks and of saturation are rounded to so many digits, far less than they are known to.
_DIGITS = 9

#: Parameters for a picture of the functions that have no defaults.
_CHOSEN = {"threshold": {"threshold": 1.0, "value": 0.0}, "prelu": {"alpha": 0.25}}


@dataclass(frozen=True)
class Curve:
    """An activation of x alone, its parameters at their defaults or chosen."""

    name: str
    f: Callable[[Any], Any]
    backward: Callable[[Any, Any], Any]
    parameters: dict[str, float]

    def derivative(self, x: Any) -> Any:
        return self.backward(np.ones_like(x), x)


def curve_of(name: str) -> Curve:
    """The curve of a name in `fastnn.activations.NAMES`."""
    f, f_backward = fnn.activation(name)
    chosen = _CHOSEN.get(name, {})
    return Curve(name, partial(f, **chosen), _gradient(name, f, partial(f_backward, **chosen)), chosen or _defaults(f))


def _gradient(name: str, f: Callable, f_backward: Callable) -> Callable:
    """dx of (dy, x)."""
    if name == "prelu":  # which has a gradient of its slope as well
        return lambda dy, x: f_backward(dy, x)[0]
    if name == "rrelu":  # outside training it is a leaky rectifier with the mean slope
        return partial(fnn.leaky_relu_backward, negative_slope=-float(f(-1.0)))
    return f_backward


def _defaults(f: Callable) -> dict[str, float]:
    if isinstance(f, np.ufunc):
        return {}
    declared = inspect.signature(f).parameters.values()
    return {p.name: p.default for p in declared if isinstance(p.default, float)}


class Shape(NamedTuple):
    """What a curve shows.

    kinks : where f' jumps
    breaks : where f itself jumps
    saturated : f' is below `SATURATED` below the first number and above the second; infinite if at no finite place
    flat : intervals on which f' is exactly 0
    mean : of f(x) for a standard normal x
    """

    kinks: tuple[float, ...]
    breaks: tuple[float, ...]
    saturated: tuple[float, float]
    flat: tuple[tuple[float, float], ...]
    mean: float


def shape_of(curve: Curve) -> Shape:
    """All of a `Shape`, in float64."""
    kinks = _jumps(curve.derivative)
    return Shape(kinks, _jumps(curve.f), _saturated(curve.derivative), _flat(curve.derivative, kinks), _mean(curve.f))


def _jumps(g: Callable) -> tuple[float, ...]:
    """Where g jumps: each interval is halved towards the larger change, which stays only if it is a jump."""
    line = np.linspace(-_REACH, _REACH, _STEPS + 1)
    low, high = line[:-1], line[1:]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        before = abs(g(middle) - g(low)) >= abs(g(high) - g(middle))
        low, high = np.where(before, low, middle), np.where(before, middle, high)
    found = high[abs(g(high) - g(low)) > _JUMP]
    return tuple(sorted({_rounded(x) for x in found}))


def _rounded(x: float) -> float:
    return round(float(x), _DIGITS) + 0.0  # no -0.0


def _saturated(derivative: Callable) -> tuple[float, float]:
    below = _saturated_above(lambda x: derivative(-x))
    return _rounded(-below), _rounded(_saturated_above(derivative))


def _saturated_above(derivative: Callable) -> float:
    line = np.sinh(np.linspace(-8, 8, 4001))  # -1490 to 1490, close together in the middle
    last = np.flatnonzero(abs(derivative(line)) >= SATURATED)[-1]
    if last == line.size - 1:
        return math.inf
    steep, level = line[last], line[last + 1]
    for _ in range(_HALVINGS):
        middle = (steep + level) / 2
        if abs(derivative(middle)) >= SATURATED:
            steep = middle
        else:
            level = middle
    return float(level)


def _flat(derivative: Callable, kinks: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """Of the intervals between kinks, those where the gradient is exactly 0."""
    inside = np.linspace(0.01, 0.99, 99)
    bounded = itertools.pairwise([-_REACH, *kinks, _REACH])
    unbounded = itertools.pairwise([-math.inf, *kinks, math.inf])
    return tuple(
        interval
        for (low, high), interval in zip(bounded, unbounded, strict=True)
        if not derivative(low + (high - low) * inside).any()
    )


def _mean(f: Callable) -> float:
    line = np.linspace(-_REACH, _REACH, _STEPS + 1)
    density = np.exp(-(line**2) / 2)
    return float((f(line) * density).sum() / density.sum())
