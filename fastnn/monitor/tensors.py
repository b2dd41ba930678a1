"""Statistics of tensors, fractions of dead and saturated units, the size of updates."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.geometry import contiguous
from ..optim import structure
from ..optim.clip import global_norm
from ._tensor_stats import moments


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

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.monitor.tensor_stats([1.0, 3.0]).mean
    2.0
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


def tensor_stats(x: ArrayLike) -> TensorStats:
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

    Raises
    ------
    TypeError
        If x is not real.

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


def dead_fraction(y: ArrayLike, axis: int | tuple[int, ...] = 0) -> float:
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

    Raises
    ------
    ValueError, TypeError
        A y that is not real, an axis that it does not have or that is given twice.

    Examples
    --------
    >>> import fastnn as fnn
    >>> float(fnn.monitor.dead_fraction([[0.0, 1.0], [0.0, 0.0]]))
    0.5
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


def saturated_fraction(y: ArrayLike, low: float, high: float) -> float:
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

    Raises
    ------
    ValueError, TypeError
        A y that is not real, bounds that are no numbers or in the wrong order.

    Examples
    --------
    >>> import fastnn as fnn
    >>> float(fnn.monitor.saturated_fraction(fnn.tanh([-4.0, 0.5, 1.0, 4.0]), -0.99, 0.99))
    0.5
    """
    name = "saturated_fraction"
    y = check.real_array(name, "y", y)
    low = check.number(name, "low", low)
    high = check.number(name, "high", high, low=low)
    if y.size == 0:
        return math.nan
    with np.errstate(over="ignore"):  # of a bound that is beyond float16
        return float(np.count_nonzero((y <= low) | (y >= high)) / y.size)


def update_ratio(param: ArrayLike, update: ArrayLike) -> float:
    """The norm of an update over the norm of the parameters: ``|update| / |param|``, over all arrays together.

    About 1e-3 is what lectures name as healthy (some notes 1e-4): far above it the learning rate is too high, far
    below too low.

    Parameters
    ----------
    param : ndarray, list, tuple or (nested) dict of ndarray
        The parameters before the update.
    update : ndarray, list, tuple or (nested) dict of ndarray
        What was added to them, structured alike; None stands for nothing.

    Returns
    -------
    float
        inf for parameters of 0 that were updated, NaN if they were not.

    Raises
    ------
    ValueError, TypeError
        Another structure, shape or kind of array than the parameters'.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> W = np.full((2, 2), 10.0)
    >>> before = W.copy()
    >>> fnn.optim.SGD(W, lr=0.1).step(np.full((2, 2), 0.1))
    >>> round(fnn.monitor.update_ratio(before, W - before), 6)
    0.001
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
