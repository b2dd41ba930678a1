"""What to watch in a training run: statistics of tensors, dead and saturated units, the size of updates, the loss.

    assert abs(first_loss - expected_initial_loss(classes)) < 0.1
    watch, stopping = LossMonitor(), EarlyStopping(patience=5, mode="max")
    for epoch in range(epochs):
        ...                                   # optimizer.step(grads) on every batch
        if watch.update(loss):
            raise SystemExit(watch.reason)    # "loss is nan at update 17"
        if stopping.update(validation_accuracy, params):
            break
    stopping.restore(params)                  # the best weights, in place

Structures of parameters are those of `fastnn.optim`; results are Python numbers.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._engine import check
from ._engine.geometry import contiguous
from ._tensor_stats import moments
from .optim import structure
from .optim.clip import global_norm
from .schedules.plateau import _count, _metric

__all__ = [
    "EarlyStopping",
    "LossMonitor",
    "TensorStats",
    "dead_fraction",
    "expected_initial_loss",
    "saturated_fraction",
    "tensor_stats",
    "update_ratio",
]


@dataclass(frozen=True)
class TensorStats:
    """What `tensor_stats` returns; `print` shows it in one line.

    Attributes
    ----------
    count : int
        Number of elements.
    mean, std, min, max : float
        Of the finite elements; NaN if there are none. The standard deviation divides by their number.
    zero, nan, inf, subnormal : float
        Fractions of all elements: 0 (of either sign), NaN, infinite (of either sign), and not 0 but too small for the
        full precision of the array's dtype. NaN for an empty array.
    """

    count: int
    mean: float
    std: float
    min: float
    max: float
    zero: float
    nan: float
    inf: float
    subnormal: float

    def __str__(self) -> str:
        kinds = {"zero": self.zero, "NaN": self.nan, "inf": self.inf, "subnormal": self.subnormal}
        parts = [f"{name} {getattr(self, name):.4g}" for name in ("mean", "std", "min", "max")]
        parts += [f"{100 * fraction:.3g}% {name}" for name, fraction in kinds.items() if fraction > 0]
        return f"{self.count:,} values: {', '.join(parts)}"


def tensor_stats(x: Any) -> TensorStats:
    """Statistics of a tensor from one pass over its memory.

    Parameters
    ----------
    x : array_like
        Of any shape and strides; float16, float32 or float64, integers and bools counting as float64.

    Returns
    -------
    TensorStats
        Mean, standard deviation, min and max are those of the finite elements alone, computed in float64: neither a
        large mean nor numbers whose squares overflow cost accuracy.

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> print(fnn.monitor.tensor_stats([0.0, 1.0, 5.0, np.nan]))
    4 values: mean 2, std 2.16, min 0, max 5, 25% zero, 25% NaN
    """
    array = check.real_array("tensor_stats", "x", x)
    n = array.size
    if n == 0:
        return TensorStats(0, *(math.nan,) * 8)
    mean, std, low, high, *counts = moments(contiguous(array.ravel(order="K")))
    return TensorStats(n, mean, std, low, high, *(count / n for count in counts))


def dead_fraction(y: Any, axis: int | tuple[int, ...] = 0) -> float:
    """Fraction of the units that are 0 (not > 0) for every sample: of ReLU, those that no gradient reaches.

    Parameters
    ----------
    y : array_like
        Outputs of a layer for a batch, as large as can be had: a unit is dead only if no sample wakes it.
    axis : int or tuple of ints, default 0
        The axes of the samples; all others are those of the units. (0, 2, 3) takes the channels of (N, C, H, W).

    Returns
    -------
    float
        NaN for an empty array.
    """
    name = "dead_fraction"
    y = check.real_array(name, "y", y)
    axes = tuple(check.axis_of(name, a, y, "y") for a in (axis if isinstance(axis, tuple) else (axis,)))
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}: axis is {axis}, expected each axis of y, of shape {y.shape}, once")
    if y.size == 0:
        return math.nan
    alive = (y > 0).any(axis=axes)
    return float((alive.size - np.count_nonzero(alive)) / alive.size)


def saturated_fraction(y: Any, low: float, high: float) -> float:
    """Fraction of the elements that are <= low or >= high, where the activation is flat.

    For tanh -0.99 and 0.99 are usual, for sigmoid 0.01 and 0.99; for the clipped ones take their bounds.

    Parameters
    ----------
    y : array_like
        Outputs of an activation.
    low, high : float
        With low <= high.

    Returns
    -------
    float
        NaN for an empty array; NaN elements are not saturated.
    """
    name = "saturated_fraction"
    y = check.real_array(name, "y", y)
    low = check.number(name, "low", low)
    high = check.number(name, "high", high, low=low)
    if y.size == 0:
        return math.nan
    with np.errstate(over="ignore"):  # of a bound that is beyond float16
        return float(np.count_nonzero((y <= low) | (y >= high)) / y.size)


def update_ratio(param: Any, update: Any) -> float:
    """The norm of an update over the norm of the parameters: ``|update| / |param|``, over all arrays together.

    About 1e-3 is what lectures name as healthy (some notes 1e-4): far above it the learning rate is too high, far
    below too low.

        before = W.copy()
        optimizer.step(grads)
        update_ratio(before, W - before)

    Parameters
    ----------
    param : ndarray, list, tuple or (nested) dict of ndarray
        The parameters before the update.
    update : same structure
        What was added to them; None stands for nothing.

    Returns
    -------
    float
        inf for parameters of 0 that were updated, NaN if they were not.
    """
    name = "update_ratio"
    arrays, updates = [], []
    changes = structure.matched(name, param, update, "update")
    for (path, array), (change_path, change) in zip(structure.leaves(name, param, "param"), changes, strict=True):
        arrays.append(_at_least_single(check.real_array(name, path, array)))
        if change is not None:
            change = check.real_array(name, change_path, change)
            updates.append(_at_least_single(check.same_shape(name, change_path, change, array.shape, f"as {path}")))
    size, step = global_norm(arrays), global_norm(updates)
    if size == 0:
        return math.inf if step > 0 else math.nan
    return step / size


def _at_least_single(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def expected_initial_loss(classes: int) -> float:
    """The cross-entropy of a network that knows nothing, ``log(classes)``: about what the first loss should be.

    Parameters
    ----------
    classes : int
        How many there are, all equally probable.
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
    """

    def __init__(self, factor: float = 3.0):
        self.factor = check.number("LossMonitor", "factor", factor, low=1)
        self.first, self.updates, self.reason = math.nan, 0, ""

    def update(self, loss: Any) -> bool:
        """Take note of the latest loss; True, with a `reason`, if the run should stop."""
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
        """What `update` remembers, as a flat dict of numbers, fit for ``np.savez(file, **d)``."""
        return {"first": self.first, "updates": self.updates}

    def load_state_dict(self, state: Any) -> None:
        """Take over what `state_dict` returned (or np.load of its file); nothing on an error."""
        name = "LossMonitor.load_state_dict"
        given = _given(name, state)
        _same_keys(name, set(given), set(self.state_dict()))
        first, updates = _metric(name, "first", given["first"]), _count(name, "updates", given["updates"])
        self.first, self.updates, self.reason = first, updates, ""


class EarlyStopping:
    """Says when a metric has stopped improving, and keeps the weights of its best value.

        stopping = EarlyStopping(patience=5)
        while not stopping.update(validation_loss(), params):
            train_an_epoch()
        stopping.restore(params)

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

    def update(self, metric: Any, params: Any = None) -> bool:
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

    def restore(self, params: Any) -> None:
        """Write the best weights back into the arrays of `params`, in place.

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
        """
        return self._numbers() | {path: array.copy(order="K") for path, array in self._kept.items()}

    def load_state_dict(self, state: Any) -> None:
        """Take over what `state_dict` returned (or np.load of its file); nothing on an error."""
        name = "EarlyStopping.load_state_dict"
        given = _given(name, state)
        paths = [key for key in given if key == "params" or key.startswith("params[")]
        _same_keys(name, set(given).difference(paths), set(self._numbers()))
        best = _metric(name, "best", given["best"])
        best_step = check.integer(name, "best_step", given["best_step"])
        updates, bad_updates = (_count(name, key, given[key]) for key in ("updates", "bad_updates"))
        self._kept = {path: np.array(given[path]) for path in paths}
        self.best, self.best_step, self.updates, self.bad_updates = best, best_step, updates, bad_updates
