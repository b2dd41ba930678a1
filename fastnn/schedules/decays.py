"""Schedules that go one way, and those put together from others."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from .base import Operations, Schedule, between, everywhere, half_cosine, one_more, share_left


@dataclass(frozen=True, repr=False)
class constant(Schedule):
    """Always `value`."""

    value: float

    def _formula(self, step: Any, of: Operations) -> Any:
        return everywhere(self.value, step)


@dataclass(frozen=True, repr=False)
class step_decay(Schedule):
    """``value * gamma**floor(t / steps)``: drops every `steps` steps.

    torch's StepLR(step_size=steps); with staircase=True, optax's and Keras's exponential decay.
    """

    value: float
    steps: float
    _: KW_ONLY
    gamma: float = 0.1

    def _formula(self, step: Any, of: Operations) -> Any:
        return self.value * of.power(self.gamma, step // self.steps)


@dataclass(frozen=True, repr=False)
class exponential_decay(Schedule):
    """``value * gamma**(t / steps)``; gamma > 1 grows, as in a search for the largest useful learning rate.

    torch's ExponentialLR (steps=1); exponential_decay of optax (transition_steps, decay_rate) and Keras (decay_steps).
    """

    value: float
    steps: float = 1
    _: KW_ONLY
    gamma: float

    def _formula(self, step: Any, of: Operations) -> Any:
        return self.value * of.power(self.gamma, step / self.steps)


@dataclass(frozen=True, repr=False)
class inverse_time_decay(Schedule):
    """``value / (1 + rate * t / steps)``, with staircase=True ``floor(t / steps)`` instead of ``t / steps``.

    Keras's InverseTimeDecay(decay_steps=steps, decay_rate=rate); "1/t decay" in lecture notes. Not in torch.
    """

    value: float
    steps: float = 1
    _: KW_ONLY
    rate: float
    staircase: bool = False

    def _formula(self, step: Any, of: Operations) -> Any:
        elapsed = step // self.steps if self.staircase else step / self.steps
        return self.value / (1 + self.rate * elapsed)


@dataclass(frozen=True, repr=False)
class polynomial_decay(Schedule):
    """``final + (value - final) * (1 - t / steps)**power``, `final` from t = steps on; linear by default.

    torch's PolynomialLR (final=0) and, with power=1, LinearLR; polynomial_schedule of optax (end_value) and
    PolynomialDecay of Keras (end_learning_rate, by default 1e-4).
    """

    value: float
    steps: float
    _: KW_ONLY
    power: float = 1.0
    final: float = 0.0

    def _formula(self, step: Any, of: Operations) -> Any:
        return between(self.value, self.final, of.power(share_left(step, self.steps, of), self.power))


@dataclass(frozen=True, repr=False)
class cosine_decay(Schedule):
    """``final + (value - final) * (1 + cos(pi * t / steps)) / 2``, `final` from t = steps on.

    Loshchilov & Hutter 2017 (SGDR). torch's CosineAnnealingLR(T_max=steps, eta_min=final) up to T_max, after which
    torch's rises again; in optax and Keras ``alpha = final / value``.
    """

    value: float
    steps: float
    _: KW_ONLY
    final: float = 0.0

    def _formula(self, step: Any, of: Operations) -> Any:
        return between(self.value, self.final, half_cosine(share_left(step, self.steps, of), of))


@dataclass(frozen=True, repr=False)
class linear_warmup(Schedule):
    """``start + (value - start) * t / steps``, `value` from t = steps on (Goyal et al. 2017).

    torch's LinearLR(total_iters=steps) with ``start_factor = start / value``, there 1/3 by default; optax's
    linear_schedule(start, value, steps). Followed by something else: `chain`.
    """

    value: float
    steps: float
    _: KW_ONLY
    start: float = 0.0

    def _formula(self, step: Any, of: Operations) -> Any:
        return between(self.value, self.start, of.minimum(step, self.steps) / self.steps)


@dataclass(frozen=True, repr=False)
class chain(Schedule):
    """One schedule after the other: `schedules[k]` runs from `boundaries[k - 1]` on, where its own step is 0.

    optax's join_schedules, torch's SequentialLR(milestones=boundaries). Any function of the step may be among the
    schedules; for an array of steps it is given the array of those at which it runs.
    """

    schedules: Sequence[Callable]
    boundaries: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        one_more("chain", "schedules", self.schedules, self.boundaries)

    @cached_property
    def _starts(self) -> tuple[float, ...]:
        return (0, *self.boundaries)

    def _formula(self, step: Any, of: Operations) -> Any:
        return of.dispatch(self.schedules, self._starts, step)


@dataclass(frozen=True, repr=False)
class piecewise(Schedule):
    """``values[k]`` for ``boundaries[k - 1] <= t < boundaries[k]``.

    torch's MultiStepLR(milestones=boundaries) and optax's piecewise_constant_schedule, which take factors instead of
    values. Keras's PiecewiseConstantDecay(boundaries, values) changes one step later.
    """

    values: Sequence[float]
    boundaries: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        one_more("piecewise", "values", self.values, self.boundaries)

    def _formula(self, step: Any, of: Operations) -> Any:
        return of.take(self.values, of.locate(self.boundaries, step))


@dataclass(frozen=True, repr=False)
class warmup_cosine(Schedule):
    """`linear_warmup` from `start` to `value` over `warmup` steps, then `cosine_decay` to `final` at t = steps.

    optax's warmup_cosine_decay_schedule(start, value, warmup, steps, final), whose decay_steps also counts the warmup;
    Keras's CosineDecay(start, steps - warmup, warmup_target=value, warmup_steps=warmup).
    """

    value: float
    steps: float
    _: KW_ONLY
    warmup: float
    start: float = 0.0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup >= self.steps:
            raise ValueError(
                f"warmup_cosine: warmup is {self.warmup}, expected less than steps = {self.steps}, which include it"
            )

    @cached_property
    def _phases(self) -> Schedule:
        decay = cosine_decay(self.value, self.steps - self.warmup, final=self.final)
        if not self.warmup:
            return decay
        return chain((linear_warmup(self.value, self.warmup, start=self.start), decay), (self.warmup,))

    def _formula(self, step: Any, of: Operations) -> Any:
        return self._phases._formula(step, of)
