"""The schedule that follows a metric instead of the step."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, ClassVar

from .._engine import check
from .base import Operations, Schedule, everywhere


def _count(name: str, argument: str, value: Any) -> int:
    count = check.integer(name, argument, value)
    if count < 0:
        raise ValueError(f"{name}: {argument} is {count}, expected an integer >= 0")
    return count


def _metric(name: str, argument: str, value: Any) -> float:
    """`value` as a float, which may be NaN or infinite."""
    array = check.real_array(name, argument, value)
    if array.ndim:
        raise ValueError(f"{name}: {argument} has shape {array.shape}, expected a number")
    return float(array)


@dataclass(eq=False, repr=False)
class ReduceOnPlateau(Schedule):
    """A value that is multiplied by `factor` when a metric has stopped improving, whatever the step.

    torch's ReduceLROnPlateau(min_lr=minimum, eps=0).

    Parameters
    ----------
    value : float
        The value to begin with.
    mode : {"min", "max"}
        Whether a smaller or a larger metric is better.
    factor : float
        From 0 to 1.
    patience : int
        How many updates in a row without improvement are put up with; the next one reduces the value.
    threshold, threshold_mode
        Better means beyond ``best * (1 -+ threshold)`` ("rel") or ``best -+ threshold`` ("abs").
    cooldown : int
        How many updates after a reduction do not count.
    minimum : float
        The value is not reduced below this.

    Attributes
    ----------
    value, best : float
        The present value, and the best metric so far.
    bad_updates, cooldown_left : int
        Updates without improvement since the last one or the last reduction, and those that will not count.

    Raises
    ------
    ValueError, TypeError
        An argument out of its range or of an unsuitable type; when called, a step below 0 or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.ones(2)
    >>> lr = fnn.schedules.ReduceOnPlateau(0.1, patience=1)
    >>> opt = fnn.optim.SGD(w, lr=lr)
    >>> [round(lr.update(loss), 3) for loss in (1.0, 0.5, 0.6, 0.6, 0.6)]
    [0.1, 0.1, 0.1, 0.01, 0.01]
    """

    _checks: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(("value", "minimum", "threshold"), partial(check.number, low=0)),
        **dict.fromkeys(("patience", "cooldown"), _count),
        "factor": partial(check.number, low=0, high=1),
        "mode": partial(check.one_of, allowed=("min", "max")),
        "threshold_mode": partial(check.one_of, allowed=("rel", "abs")),
    }

    value: float
    _: KW_ONLY
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    minimum: float = 0.0
    best: float = field(init=False)
    bad_updates: int = field(init=False, default=0)
    cooldown_left: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.best = math.inf if self.mode == "min" else -math.inf

    def _formula(self, step: Any, of: Operations) -> Any:
        return everywhere(self.value, step)

    def update(self, metric: float) -> float:
        """Take note of the latest metric, where NaN is no improvement.

        Parameters
        ----------
        metric : float
            The latest.

        Returns
        -------
        float
            The value from now on.

        Raises
        ------
        ValueError, TypeError
            A metric that is no number.
        """
        metric = _metric("ReduceOnPlateau.update", "metric", metric)
        if self._improves(metric):
            self.best, self.bad_updates = metric, 0
        else:
            self.bad_updates += 1
        if self.cooldown_left:
            self.cooldown_left, self.bad_updates = self.cooldown_left - 1, 0
        if self.bad_updates > self.patience:
            self.value = min(self.value, max(self.value * self.factor, self.minimum))
            self.cooldown_left, self.bad_updates = self.cooldown, 0
        return self.value

    def _improves(self, metric: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        limit = self.best
        if math.isfinite(limit):  # so that the first metric counts even where the threshold is 1
            limit = (
                limit * (1 + sign * self.threshold) if self.threshold_mode == "rel" else limit + sign * self.threshold
            )
        return sign * metric > sign * limit

    def state_dict(self) -> dict[str, float]:
        """What `update` changes, as a flat dict of numbers, fit for ``np.savez(file, **d)``.

        Returns
        -------
        dict of float
            For `load_state_dict`.
        """
        return {name: getattr(self, name) for name in ("value", "best", "bad_updates", "cooldown_left")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned (or np.load of its file).

        Parameters
        ----------
        state : dict
            From `state_dict`.

        Raises
        ------
        ValueError, TypeError
            Missing or unknown keys, or values that cannot be; nothing has been loaded then.
        """
        name = "ReduceOnPlateau.load_state_dict"
        given = {key: state[key] for key in state}
        if differing := sorted(given.keys() ^ self.state_dict().keys()):
            raise ValueError(f"{name}: state has other keys than expected, differing in {', '.join(differing)}")
        value = check.number(name, "value", given["value"], low=0)
        best = _metric(name, "best", given["best"])
        counts = [_count(name, key, given[key]) for key in ("bad_updates", "cooldown_left")]
        self.value, self.best = value, best
        self.bad_updates, self.cooldown_left = counts
