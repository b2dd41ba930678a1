"""Schedules that go up and down, once or again and again."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from .._engine import check
from .base import Operations, Schedule, between, half_cosine, share_left
from .decays import chain, cosine_decay, polynomial_decay

#: Up to here float64 holds every integer.
_LAST_EXACT_STEP = 2**53


@dataclass(frozen=True, repr=False)
class cosine_restarts(Schedule):
    """`cosine_decay` that starts again: cycle k takes ``steps * multiplier**k`` steps.

    Each goes from ``final + (value - final) * decay**k`` towards `final`, which it would reach at the step where the
    next one starts. torch's CosineAnnealingWarmRestarts(T_0=steps, T_mult=multiplier, eta_min=final); Keras's
    CosineDecayRestarts, with t_mul=multiplier (there 2 by default), m_mul=decay and ``alpha = final / value``.

    Parameters
    ----------
    value : float
        Where it starts.
    steps : float
        Length of the first cycle.
    multiplier : int
        How many times as long each cycle is as the one before.
    decay : float
        Factor of the height of each cycle.
    final : float
        What every cycle goes towards.

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
    >>> lr = fnn.schedules.cosine_restarts(0.1, 50)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1 , 0.05, 0.1 , 0.1 ])
    """

    value: float
    steps: float
    _: KW_ONLY
    multiplier: int = 1
    decay: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.multiplier < 1:
            raise ValueError(f"cosine_restarts: multiplier is {self.multiplier}, expected an integer >= 1")

    @cached_property
    def _cycles(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Where each cycle starts, and its length; a table, since a logarithm would miss some starts by a rounding."""
        starts, lengths = [0.0], [float(self.steps)]
        while (start := starts[-1] + lengths[-1]) < _LAST_EXACT_STEP:
            starts.append(start)
            lengths.append(lengths[-1] * self.multiplier)
        return tuple(starts), tuple(lengths)

    def _formula(self, step: Any, of: Operations) -> Any:
        if self.multiplier == 1:
            cycle, position, length = step // self.steps, step % self.steps, self.steps
        else:
            starts, lengths = self._cycles
            cycle = of.locate(starts, step) - 1
            position, length = step - of.take(starts, cycle), of.take(lengths, cycle)
        height = half_cosine(share_left(position, length, of), of)
        return between(self.value, self.final, of.power(self.decay, cycle) * height)


@dataclass(frozen=True, repr=False)
class one_cycle(Schedule):
    """From `start` up to `value` and down to `final`, once, in `steps` steps.

    The peak is at ``t = pct_start * steps - 1`` and the end at ``t = steps - 1``, as in torch.

    Parameters
    ----------
    value, steps : float
        The peak, and the number of steps of the whole.
    start : float, optional
        By default ``value / 25``.
    final : float, optional
        By default ``start / 1e4``.
    pct_start : float
        The share (not a percentage) of the steps up to the peak; 0 begins there, unless there are three phases.
    anneal : {"cos", "linear"}
        The shape of each phase.
    three_phase : bool
        Come down to `start` in as many steps as it took to go up, and to `final` in the rest.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Notes
    -----
    Momentum goes the other way, with start and final above `value`: ``one_cycle(0.85, steps, start=0.95, final=0.95)``.
    torch's OneCycleLR(max_lr=value, total_steps=steps), where ``start = max_lr / div_factor`` and
    ``final = start / final_div_factor``. optax's cosine_onecycle_schedule ends at t = steps and has its peak at the
    integer part of ``pct_start * steps``.

    References
    ----------
    Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates, 2018,
    arXiv:1708.07120.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.one_cycle(0.1, 100)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.004 , 0.0956, 0.0794, 0.    ])
    """

    value: float
    steps: float
    _: KW_ONLY
    start: Any = None
    final: Any = None
    pct_start: float = 0.3
    anneal: str = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        if self.start is None:
            object.__setattr__(self, "start", check.number("one_cycle", "value", self.value) / 25)
        if self.final is None:
            object.__setattr__(self, "final", check.number("one_cycle", "start", self.start) / 1e4)
        super().__post_init__()
        if self._turns[-1] >= self.steps - 1 or (self.three_phase and self._turns[0] == 0):
            raise ValueError(
                f"one_cycle: steps is {self.steps} and pct_start {self.pct_start},"
                f" expected steps for each of {len(self._turns) + 1} phases"
            )

    @property
    def _turns(self) -> tuple[float, ...]:
        """The steps at which a phase starts, the first one aside."""
        peak = max(self.pct_start * self.steps - 1, 0)
        return (peak, 2 * peak) if self.three_phase else (peak,)

    @cached_property
    def _phases(self) -> Schedule:
        levels = [self.start, self.value, *([self.start] if self.three_phase else []), self.final]
        steps = [0, *self._turns, self.steps - 1]
        kind = cosine_decay if self.anneal == "cos" else polynomial_decay
        phases = [
            (begin, kind(levels[k], end - begin, final=levels[k + 1]))
            for k, (begin, end) in enumerate(pairwise(steps))
            if end > begin  # a pct_start near 0 leaves no step to go up in
        ]
        return chain([phase for _, phase in phases], [begin for begin, _ in phases[1:]])

    def _formula(self, step: Any, of: Operations) -> Any:
        return self._phases._formula(step, of)


@dataclass(frozen=True, repr=False)
class cyclic(Schedule):
    """A triangle wave from `value` up to `peak` and back, again and again.

    The height of cycle k above `value` is ``peak - value`` times 1 ("triangular"), ``2**-k`` ("triangular2") or
    ``gamma**t`` ("exp_range"). torch's CyclicLR(base_lr=value, max_lr=peak, step_size_up=steps,
    step_size_down=steps_down); its momentum, which goes the other way, is a second schedule with
    ``value=max_momentum, peak=base_momentum``.

    Parameters
    ----------
    value, steps
        The lower end, and the number of steps up.
    peak : float
        The upper end.
    steps_down : float, optional
        The number of steps down, by default `steps`.
    mode : {"triangular", "triangular2", "exp_range"}
    gamma : float
        From 0 to 1, for "exp_range" alone.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    References
    ----------
    Smith, Cyclical learning rates for training neural networks, WACV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> lr = fnn.schedules.cyclic(0.1, 25, peak=0.2)
    >>> lr(np.array([0, 25, 50, 100])).round(4)
    array([0.1, 0.2, 0.1, 0.1])
    """

    value: float
    steps: float = 2000
    _: KW_ONLY
    peak: float
    steps_down: Any = None
    mode: str = "triangular"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if self.steps_down is None:
            object.__setattr__(self, "steps_down", self.steps)
        super().__post_init__()
        check.number("cyclic", "gamma", self.gamma, 0, 1)

    def _formula(self, step: Any, of: Operations) -> Any:
        total = self.steps + self.steps_down
        position = step % total
        height = of.minimum(position / self.steps, (total - position) / self.steps_down)
        if self.mode == "triangular2":
            height = height * of.power(0.5, step // total)
        elif self.mode == "exp_range":
            height = height * of.power(self.gamma, step)
        return between(self.peak, self.value, height)
