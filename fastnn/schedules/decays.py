"""Schedules that go one way, and those put together from others."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from .base import Operations, Schedule, between, everywhere, half_cosine, one_more, share_left


@dataclass(frozen=True, repr=False)
class constant(Schedule):
    """The same at every step: `value`.

    Parameters
    ----------
    value : float
        The value.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.constant(0.1)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1, 0.1, 0.1, 0.1])
    """

    value: float

    def _formula(self, step: Any, of: Operations) -> Any:
        return everywhere(self.value, step)


@dataclass(frozen=True, repr=False)
class step_decay(Schedule):
    """``value * gamma**floor(t / steps)``: drops every `steps` steps.

    torch's StepLR(step_size=steps); with staircase=True, optax's and Keras's exponential decay.

    Parameters
    ----------
    value : float
        Where it starts.
    steps : float
        After how many steps it drops.
    gamma : float
        Factor of each drop.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.step_decay(0.1, 50)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1  , 0.1  , 0.01 , 0.001])
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

    Parameters
    ----------
    value : float
        Where it starts.
    steps : float
        In how many steps it falls by the factor gamma.
    gamma : float
        The factor.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.exponential_decay(0.1, 50, gamma=0.5)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1   , 0.0707, 0.05  , 0.025 ])
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

    Parameters
    ----------
    value : float
        Where it starts.
    steps : float
        The unit of time.
    rate : float
        How fast it falls: after ``steps / rate`` steps it is half of `value`.
    staircase : bool
        Fall in steps.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.inverse_time_decay(0.1, 50, rate=1.0)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1   , 0.0667, 0.05  , 0.0333])
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

    Parameters
    ----------
    value : float
        Where it starts.
    steps : float
        Length.
    power : float
        1 falls in a line.
    final : float
        Where it ends.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.polynomial_decay(0.1, 100)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1  , 0.075, 0.05 , 0.   ])
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

    torch's CosineAnnealingLR(T_max=steps, eta_min=final) up to T_max, after which torch's rises again; in optax and
    Keras ``alpha = final / value``.

    Parameters
    ----------
    value : float
        Where it starts.
    steps : float
        Length.
    final : float
        Where it ends.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    References
    ----------
    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.cosine_decay(0.1, 100)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1   , 0.0854, 0.05  , 0.    ])
    """

    value: float
    steps: float
    _: KW_ONLY
    final: float = 0.0

    def _formula(self, step: Any, of: Operations) -> Any:
        return between(self.value, self.final, half_cosine(share_left(step, self.steps, of), of))


@dataclass(frozen=True, repr=False)
class linear_warmup(Schedule):
    """``start + (value - start) * t / steps``, `value` from t = steps on.

    torch's LinearLR(total_iters=steps) with ``start_factor = start / value``, there 1/3 by default; optax's
    linear_schedule(start, value, steps). Followed by something else: `chain`.

    Parameters
    ----------
    value : float
        Where it ends.
    steps : float
        Length.
    start : float
        Where it starts.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    References
    ----------
    Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour, 2017, arXiv:1706.02677.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.linear_warmup(0.1, 50)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.  , 0.05, 0.1 , 0.1 ])
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

    Parameters
    ----------
    schedules : sequence of callable
        What runs, one after the other.
    boundaries : sequence of float
        The steps at which the second and each later one starts.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.chain([fnn.schedules.linear_warmup(0.1, 50), fnn.schedules.constant(0.1)], [50])
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.  , 0.05, 0.1 , 0.1 ])
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

    Parameters
    ----------
    values : sequence of float
        One more than boundaries.
    boundaries : sequence of float
        The steps at which the value changes.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.piecewise([0.1, 0.01], [50])
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1 , 0.1 , 0.01, 0.01])
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

    Parameters
    ----------
    value : float
        The peak.
    steps : float
        Length of the whole, the warmup included.
    warmup : float
        Steps up to the peak.
    start, final : float
        Where it starts and ends.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    References
    ----------
    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.warmup_cosine(0.1, 100, warmup=50)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.  , 0.05, 0.1 , 0.  ])
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
