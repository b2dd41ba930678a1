"""What the loss should start at, and when to stop: the run has diverged, or a metric no longer improves."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._engine import check
from ..optim import structure
from ..schedules.plateau import _count, _metric
from ..typing import ArrayTree


def expected_initial_loss(classes: int) -> float:
    """The cross-entropy of a network that knows nothing, ``log(classes)``: about what the first loss should be.

    Parameters
    ----------
    classes : int
        How many there are, all equally probable.

    Returns
    -------
    float
        log(classes).

    Raises
    ------
    ValueError, TypeError
        If classes is no count.

    Examples
    --------
    >>> import fastnn as fnn
    >>> round(fnn.monitor.expected_initial_loss(10), 4)
    2.3026
    """
    name = "expected_initial_loss"
    classes = check.integer(name, "classes", classes)
    if classes < 1:
        raise ValueError(f"{name}: classes is {classes}, expected an integer >= 1")
    return math.log(classes)


def _given(name: str, state: Any) -> dict[str, Any]:
    """A state as a dict, also if it is what np.load returns."""
    if not hasattr(state, "keys"):
        raise TypeError(f"{name}: state is a {type(state).__name__}, expected what state_dict returned")
    return {key: state[key] for key in state}


def _same_keys(name: str, given: set[str], expected: set[str]) -> None:
    if differing := sorted(given ^ expected):
        raise ValueError(f"{name}: state has other keys than expected, differing in {', '.join(differing)}")


class LossMonitor:
    """Says when a run has diverged: the loss is NaN or infinite, or more than `factor` times the first one.

    Parameters
    ----------
    factor : float
        At least 1. For a first loss below 0 the limit is as far above it: ``first + (factor - 1) * |first|``.

    Attributes
    ----------
    first : float
        The first loss; NaN before it.
    updates : int
        How many losses there were.
    reason : str
        Why the last loss is one to stop at; empty if it is not.

    Raises
    ------
    ValueError, TypeError
        A factor below 1 or that is no number.

    Examples
    --------
    >>> import fastnn as fnn
    >>> watch = fnn.monitor.LossMonitor()
    >>> [watch.update(loss) for loss in (2.3, 1.9, float("nan"))], watch.reason
    ([False, False, True], 'loss is nan at update 3')
    """

    def __init__(self, factor: float = 3.0):
        self.factor = check.number("LossMonitor", "factor", factor, low=1)
        self.first, self.updates, self.reason = math.nan, 0, ""

    def update(self, loss: float) -> bool:
        """Take note of the latest loss.

        Parameters
        ----------
        loss : float
            NaN and infinity are reasons to stop.

        Returns
        -------
        bool
            Whether the run should stop; `reason` says why.

        Raises
        ------
        ValueError, TypeError
            A loss that is no number.
        """
        loss = _metric("LossMonitor.update", "loss", loss)
        self.updates += 1
        if self.updates == 1:
            self.first = loss
        limit = self.first + (self.factor - 1) * abs(self.first)
        if not math.isfinite(loss):
            self.reason = f"loss is {loss} at update {self.updates}"
        elif loss > limit:
            self.reason = (
                f"loss is {loss:.4g} at update {self.updates}, more than {limit:.4g} (the first was {self.first:.4g})"
            )
        else:
            self.reason = ""
        return bool(self.reason)

    def state_dict(self) -> dict[str, float]:
        """What `update` remembers, as a flat dict of numbers, fit for ``np.savez(file, **d)``.

        Returns
        -------
        dict of float
            For `load_state_dict`.
        """
        return {"first": self.first, "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Parameters
        ----------
        state : dict
            From `state_dict`, or np.load of its file.

        Raises
        ------
        ValueError, TypeError
            Missing or unknown keys, or values that cannot be; nothing has been loaded then.
        """
        name = "LossMonitor.load_state_dict"
        given = _given(name, state)
        _same_keys(name, set(given), set(self.state_dict()))
        first, updates = _metric(name, "first", given["first"]), _count(name, "updates", given["updates"])
        self.first, self.updates, self.reason = first, updates, ""


class EarlyStopping:
    """Says when a metric has stopped improving, and keeps the weights of its best value.

    Parameters
    ----------
    patience : int
        Stop at this many updates in a row without improvement, at least 1.
    min_delta : float
        Better means by more than this.
    mode : {"min", "max"}
        Whether a smaller or a larger metric is better.

    Attributes
    ----------
    best : float
        The best metric so far, which the improvements are measured from.
    best_step : int
        The update that it came with, counted from 0; -1 before any.
    updates, bad_updates : int
        How many there were, and how many without improvement since the best.

    Raises
    ------
    ValueError, TypeError
        A patience, min_delta or mode that cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> params, stopping = {"w": np.zeros(1)}, fnn.monitor.EarlyStopping(patience=2)
    >>> for loss in (3.0, 1.0, 2.0, 2.0, 0.0):
    ...     params["w"] += 1
    ...     if stopping.update(loss, params):
    ...         break
    >>> stopping.restore(params)
    >>> stopping.best, params["w"]
    (1.0, array([2.]))
    """

    def __init__(self, patience: int, min_delta: float = 0.0, mode: str = "min"):
        name = "EarlyStopping"
        self.patience = check.integer(name, "patience", patience)
        if self.patience < 1:
            raise ValueError(f"{name}: patience is {self.patience}, expected an integer >= 1")
        self.min_delta = check.number(name, "min_delta", min_delta, low=0)
        self.mode = check.one_of(name, "mode", mode, ("min", "max"))
        self.best = math.inf if mode == "min" else -math.inf
        self.best_step, self.updates, self.bad_updates = -1, 0, 0
        self._kept: dict[str, np.ndarray] = {}

    def update(self, metric: float, params: ArrayTree = None) -> bool:
        """Take note of the latest metric and, where it is the best, of the weights that gave it.

        Parameters
        ----------
        metric : float
            NaN is no improvement.
        params : ndarray, list, tuple or (nested) dict of ndarray, optional
            Copied if the metric is the best so far.

        Returns
        -------
        bool
            Whether to stop.

        Raises
        ------
        ValueError, TypeError
            A metric that is no number, or params that hold no arrays.
        """
        name = "EarlyStopping.update"
        metric = _metric(name, "metric", metric)
        arrays = {} if params is None else dict(structure.leaves(name, params))
        if self._improves(metric):
            self._kept = {path: array.copy(order="K") for path, array in arrays.items()}
            self.best, self.best_step, self.bad_updates = metric, self.updates, 0
        else:
            self.bad_updates += 1
        self.updates += 1
        return self.bad_updates >= self.patience

    def _improves(self, metric: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        return sign * metric > sign * self.best + self.min_delta

    def restore(self, params: ArrayTree) -> None:
        """Write the best weights back into the arrays of `params`, in place.

        Parameters
        ----------
        params : ndarray, list, tuple or (nested) dict of ndarray
            Built as those that were kept.

        Raises
        ------
        ValueError, TypeError
            No weights were kept, or other arrays than those; nothing has been written then.
        """
        name = "EarlyStopping.restore"
        if not self._kept:
            raise ValueError(f"{name}: no weights were kept, expected update(metric, params) before")
        arrays = dict(structure.leaves(name, params))
        if differing := sorted(arrays.keys() ^ self._kept.keys()):
            raise ValueError(f"{name}: params has other arrays than were kept, differing in {', '.join(differing)}")
        for path, kept in self._kept.items():
            array = check.same_shape(name, path, arrays[path], kept.shape, "as the array that was kept")
            if array.dtype != kept.dtype:
                raise TypeError(f"{name}: {path} has dtype {array.dtype}, expected {kept.dtype} as was kept")
            if not array.flags.writeable:
                raise ValueError(f"{name}: {path} is read-only, expected an array to write the weights to")
        for path, kept in self._kept.items():
            arrays[path][...] = kept

    def _numbers(self) -> dict[str, float]:
        return {key: getattr(self, key) for key in ("best", "best_step", "updates", "bad_updates")}

    def state_dict(self) -> dict[str, Any]:
        """What `update` remembers as a flat dict of numbers and arrays, fit for ``np.savez(file, **d)``.

        The weights have the names that messages give them, such as ``params["W"]``.

        Returns
        -------
        dict
            For `load_state_dict`. The weights have the names that messages give them, such as ``params["W"]``.
        """
        return self._numbers() | {path: array.copy(order="K") for path, array in self._kept.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Parameters
        ----------
        state : dict
            From `state_dict`, or np.load of its file.

        Raises
        ------
        ValueError, TypeError
            Missing or unknown keys, or values that cannot be; nothing has been loaded then.
        """
        name = "EarlyStopping.load_state_dict"
        given = _given(name, state)
        paths = [key for key in given if key == "params" or key.startswith("params[")]
        _same_keys(name, set(given).difference(paths), set(self._numbers()))
        best = _metric(name, "best", given["best"])
        best_step = check.integer(name, "best_step", given["best_step"])
        updates, bad_updates = (_count(name, key, given[key]) for key in ("updates", "bad_updates"))
        self._kept = {path: np.array(given[path]) for path in paths}
        self.best, self.best_step, self.updates, self.bad_updates = best, best_step, updates, bad_updates
