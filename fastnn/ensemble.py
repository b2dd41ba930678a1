"""Several models as one: averages of their probabilities, votes, and averages of their weights.

Sums are taken in float64 and rounded once, to the dtype that came in.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._engine import check
from .optim import structure
from .typing import ArrayTree


def _weights(name: str, weights: Any, count: int) -> np.ndarray:
    """`weights`, or equal ones, checked."""
    if weights is None:
        return np.ones(count)
    array = check.real_array(name, "weights", weights).astype(np.float64)
    check.same_shape(name, "weights", array, (count,), "to match what is averaged")
    if not (np.isfinite(array).all() and (array >= 0).all() and array.any()):
        raise ValueError(f"{name}: weights is {weights!r}, expected finite numbers >= 0 that are not all 0")
    return array


def _mean(arrays: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    total = np.zeros(arrays[0].shape)
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
        for array, weight in zip(arrays, weights.tolist(), strict=True):
            if weight:  # 0 times infinity would count
                total += np.multiply(array, weight, dtype=np.float64)
    total /= weights.sum()
    return total


def _entries(name: str, argument: str, values: Any) -> list:
    entries = list(values) if isinstance(values, Iterable) and not isinstance(values, (dict, str)) else []
    if not entries:
        raise ValueError(f"{name}: {argument} is {values!r}, expected a list with an entry for each model")
    return entries


def average_probabilities(
    probabilities: Sequence[ArrayLike] | ArrayLike, weights: ArrayLike | None = None
) -> np.ndarray:
    """The mean of several models' probabilities.

    Parameters
    ----------
    probabilities : list of array_like
        One array a model, all of one shape.
    weights : array_like, optional
        How much each model counts, >= 0; only their ratios matter. By default equal.

    Returns
    -------
    ndarray
        Of their shape and common dtype.

    Raises
    ------
    ValueError, TypeError
        No model, arrays of different shapes or that are not real, weights that cannot be.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.ensemble.average_probabilities([[0.5, 0.5], [1.0, 0.0]])
    array([0.75, 0.25])
    """
    name = "average_probabilities"
    arrays = [
        check.real_array(name, f"probabilities[{k}]", entry)
        for k, entry in enumerate(_entries(name, "probabilities", probabilities))
    ]
    for k, array in enumerate(arrays):
        check.same_shape(name, f"probabilities[{k}]", array, arrays[0].shape, "to match probabilities[0]")
    mean = _mean(arrays, _weights(name, weights, len(arrays)))
    return mean.astype(np.result_type(*arrays))[()]


def majority_vote(votes: ArrayLike) -> np.ndarray:
    """The class that most models choose.

    Parameters
    ----------
    votes : list of array_like
        One array a model, all of one shape: integers are labels, floats are probabilities with the classes along the
        last axis, of which the largest is the model's choice (the first of equal ones).

    Returns
    -------
    ndarray
        The class of each sample. Among classes with equally many votes it is, for probabilities, the one with the
        largest mean probability; for labels, or where that is equal too, the lowest.

    Raises
    ------
    ValueError, TypeError
        No model, arrays of different shapes, labels and probabilities mixed.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.ensemble.majority_vote([[0, 1, 2], [0, 1, 1], [2, 1, 0]])
    array([0, 1, 0])
    """
    name = "majority_vote"
    arrays = [np.asarray(vote) for vote in _entries(name, "votes", votes)]
    labels = arrays[0].dtype.kind in "iub"
    for k, array in enumerate(arrays):
        check.same_shape(name, f"votes[{k}]", array, arrays[0].shape, "to match votes[0]")
        if (array.dtype.kind in "iub") != labels or array.dtype.kind not in "iubf":
            raise TypeError(f"{name}: votes[{k}] has dtype {array.dtype}, expected labels or probabilities throughout")
    if labels:
        classes, codes = np.unique(np.stack(arrays), return_inverse=True)
        counts = _counted(codes.reshape(len(arrays), *arrays[0].shape), len(classes))
        return classes[counts.argmax(axis=-1)] if classes.size else arrays[0].copy()
    if not arrays[0].ndim or not arrays[0].shape[-1]:
        raise ValueError(f"{name}: votes[0] has shape {arrays[0].shape}, expected probabilities along the last axis")
    counts = _counted(np.stack([array.argmax(axis=-1) for array in arrays]), arrays[0].shape[-1])
    tied = counts == counts.max(axis=-1, keepdims=True)
    mean = _mean(arrays, _weights(name, None, len(arrays)))
    return np.where(tied, mean, -np.inf).argmax(axis=-1)


def _counted(choices: np.ndarray, classes: int) -> np.ndarray:
    """How many models chose each class: (models, ...) to (..., classes)."""
    counts = np.zeros((*choices.shape[1:], classes), np.int64)
    for choice in choices:
        counts += choice[..., None] == np.arange(classes)
    return counts


def _parameters(name: str, argument: str, params: Any) -> list[np.ndarray]:
    arrays = []
    for path, array in structure.leaves(name, params, argument):
        if array.dtype.type not in (np.float16, np.float32, np.float64):
            raise TypeError(f"{name}: {path} has dtype {array.dtype}, expected float16, float32 or float64")
        arrays.append(array)
    return arrays


def _matching(name: str, argument: str, first: Any, params: Any) -> list[np.ndarray]:
    """The arrays of `params`, which must be built as `first`."""
    arrays = []
    expected = [array for _, array in structure.leaves(name, first)]
    for array, (path, other) in zip(expected, structure.matched(name, first, params, argument), strict=True):
        if not isinstance(other, np.ndarray) or other.dtype != array.dtype:
            found = f"dtype {other.dtype}" if isinstance(other, np.ndarray) else f"type {type(other).__name__}"
            raise TypeError(f"{name}: {path} has {found}, expected an array of {array.dtype} as in the first")
        arrays.append(check.same_shape(name, path, other, array.shape, "as in the first"))
    return arrays


def average_weights(models: Sequence[ArrayTree], weights: ArrayLike | None = None) -> Any:
    """Average several models' parameters, as in stochastic weight averaging.

    The models have to come from one training run, or from one start: the mean of unrelated ones is none. Running
    statistics of batch norm are no parameters: let the averaged model find its own in a pass over the training data.

    Parameters
    ----------
    models : list
        Each an array, a list or tuple, or a (nested) dict of arrays, all built alike.
    weights : array_like, optional
        How much each model counts, >= 0; only their ratios matter. By default equal.

    Returns
    -------
    array, list, tuple or dict
        New arrays of the dtypes given, structured as each model.

    Raises
    ------
    ValueError, TypeError
        No model, models that are not built alike, weights that cannot be.

    References
    ----------
    Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, Averaging weights leads to wider optima and better
    generalization,
    UAI 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> fnn.ensemble.average_weights([{"w": np.array([1.0, 2.0])}, {"w": np.array([3.0, 4.0])}])
    {'w': array([2., 3.])}
    """
    name = "average_weights"
    first, *others = _entries(name, "models", models)
    columns = [_parameters(name, "models[0]", first)]
    columns += [_matching(name, f"models[{k}]", first, other) for k, other in enumerate(others, 1)]
    shares = _weights(name, weights, len(columns))
    means = [_mean(list(arrays), shares).astype(arrays[0].dtype) for arrays in zip(*columns, strict=True)]
    return structure.rebuilt(first, iter(means))


class WeightAverage:
    """The average of a model's parameters over the course of training.

    The average is kept in float64. For an exponential one at every step of an optimiser see its ema_decay, which takes
    no pass of its own.

    Parameters
    ----------
    decay : float, optional
        From 0 to 1: ``average += (1 - decay) * (params - average)``, from the first parameters on. By default all
        updates count alike.

    Attributes
    ----------
    count : int
        How many updates there were.

    Raises
    ------
    ValueError, TypeError
        A decay that cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> params, swa = {"w": np.array([1.0])}, fnn.ensemble.WeightAverage()
    >>> for epoch in range(3):
    ...     params["w"] += 1
    ...     swa.update(params)
    >>> swa.average
    {'w': array([3.])}
    """

    def __init__(self, decay: float | None = None):
        self.decay = None if decay is None else check.number("WeightAverage", "decay", decay, low=0, high=1)
        self.count = 0
        self._averages: list[np.ndarray] = []
        self._like: Any = None

    def update(self, params: ArrayTree) -> None:
        """Take the present parameters into the average; they may change afterwards.

        Parameters
        ----------
        params : ndarray, list, tuple or (nested) dict of ndarray
            Built alike at every update.

        Raises
        ------
        ValueError, TypeError
            Parameters built otherwise than those before.
        """
        name = "WeightAverage.update"
        if not self.count:
            arrays = _parameters(name, "params", params)
            # of the arrays only structure, shape and dtype are of further use
            shells = [np.broadcast_to(np.zeros((), array.dtype), array.shape) for array in arrays]
            self._like = structure.rebuilt(params, iter(shells))
            self._averages = [array.astype(np.float64) for array in arrays]
        else:
            share = 1 / (self.count + 1) if self.decay is None else 1 - self.decay
            with np.errstate(invalid="ignore"):
                for average, array in zip(self._averages, _matching(name, "params", self._like, params), strict=True):
                    average += share * (array - average)
        self.count += 1

    @property
    def average(self) -> Any:
        """New arrays, structured as the parameters.

        Raises
        ------
        ValueError
            Before the first update.
        """
        if not self.count:
            raise ValueError("WeightAverage.average: there was no update yet, expected one")
        dtypes = [array.dtype for _, array in structure.leaves("WeightAverage", self._like)]
        values = (value.astype(dtype) for value, dtype in zip(self._averages, dtypes, strict=True))
        return structure.rebuilt(self._like, values)
