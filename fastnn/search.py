"""The search for hyperparameters: spaces, grids, random draws, coarse to fine, and cross-validation.

A space is a dict from names to what each may be: a list of choices, or a range:

    space = {"lr": loguniform(1e-5, 1e-1), "dropout": uniform(0, 0.6), "units": [64, 128, 256]}
    results = [(params, validation_accuracy(**params)) for params in random(space, 30, rng=0)]
    finer = refine(results, space)

Random draws find more than a grid of the same size where only some of the hyperparameters matter (Bergstra & Bengio
2012). Learning rates and strengths of regularisation act by their order of magnitude: search them in `loguniform`.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from ._engine import check

#: The best value is at an edge of its range where it is within this share of it.
_EDGE = 0.05


class SearchWarning(UserWarning):
    """The best value is at an edge of what was searched: better ones may lie beyond."""


@dataclass(frozen=True)
class Distribution:
    """A range of numbers, both ends included.

    `position` and `value` translate between the numbers and where draws, grids and refinement see the range as even.
    """

    low: float
    high: float

    logarithmic: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        checked: Callable[[str, str, Any], Any] = check.integer if self.whole else check.number
        low, high = checked(name, "low", self.low), checked(name, "high", self.high)
        if self.logarithmic and low <= 0:
            raise ValueError(f"{name}: low is {low}, expected a number > 0")
        if high < low:
            raise ValueError(f"{name}: high is {high}, expected a number >= low, which is {low}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def position(self, value: float) -> float:
        return math.log(value) if self.logarithmic else float(value)

    def value(self, position: float) -> Any:
        """The nearest number within the range."""
        number = math.exp(position) if self.logarithmic else position
        return min(max(round(number) if self.whole else number, self.low), self.high)

    def sample(self, rng: Any = None) -> Any:
        """One draw, a Python number; rng is None, an int seed or a Generator."""
        half = 0.5 if self.whole else 0.0  # so that after rounding the ends are as likely as the rest
        ends = self.position(self.low - half), self.position(self.high + half)
        return self.value(check.generator(f"{type(self).__name__}.sample", rng).uniform(*ends))

    def contains(self, value: Any) -> bool:
        """Whether a draw could be `value`."""
        if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
            return False
        return self.low <= float(value) <= self.high and (not self.whole or float(value).is_integer())

    def grid(self, n: int) -> list:
        """`n` numbers, evenly spaced from `low` to `high`, or fewer where integers coincide; the middle for n = 1."""
        if check.integer(f"{type(self).__name__}.grid", "n", n) < 1:
            raise ValueError(f"{type(self).__name__}.grid: n is {n}, expected an integer >= 1")
        first, last = self.position(self.low), self.position(self.high)
        if n == 1:
            return [self.value((first + last) / 2)]
        between = [self.value(position) for position in np.linspace(first, last, n)[1:-1].tolist()]
        return list(dict.fromkeys([self.low, *between, self.high]))


class uniform(Distribution):
    """Any number from `low` to `high`."""


class loguniform(Distribution):
    """Any number from `low` > 0 to `high`, every order of magnitude alike."""

    logarithmic = True


class integers(Distribution):
    """An integer from `low` to `high`, both included."""

    whole = True


class logintegers(Distribution):
    """An integer from `low` >= 1 to `high`, both included, every order of magnitude about alike."""

    logarithmic = whole = True


Space = dict[str, Any]


def _entries(name: str, space: Any) -> list[tuple[str, Any]]:
    """(name, Distribution or list) of every entry."""
    if not isinstance(space, dict):
        raise TypeError(f"{name}: space is a {type(space).__name__}, expected a dict")
    entries = []
    for key, value in space.items():
        if not isinstance(value, Distribution):
            if not isinstance(value, (list, tuple, np.ndarray)):
                raise TypeError(f"{name}: space[{key!r}] is {value!r}, expected a list of choices or a distribution")
            value = value.tolist() if isinstance(value, np.ndarray) else list(value)
            if not value:
                raise ValueError(f"{name}: space[{key!r}] is empty, expected one choice or more")
        entries.append((key, value))
    return entries


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination of the choices; the last name varies fastest. Ranges have to be lists: ``range.grid(n)``."""
    entries = _entries("grid", space)
    for key, value in entries:
        if isinstance(value, Distribution):
            raise TypeError(f"grid: space[{key!r}] is {value!r}, expected a list, as its .grid(n) gives")
    names, choices = [key for key, _ in entries], [value for _, value in entries]
    return (dict(zip(names, combination, strict=True)) for combination in itertools.product(*choices))


def random(space: Space, n: int, rng: Any = None) -> Iterator[dict[str, Any]]:
    """`n` independent draws from the space; choices of a list are equally likely."""
    entries, generator = _entries("random", space), check.generator("random", rng)
    if check.integer("random", "n", n) < 0:
        raise ValueError(f"random: n is {n}, expected an integer >= 0")
    return ({key: _draw(value, generator) for key, value in entries} for _ in range(n))


def _draw(value: Any, generator: np.random.Generator) -> Any:
    if isinstance(value, Distribution):
        return value.sample(generator)
    return value[int(generator.integers(len(value)))]


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """A draw from the space by an Optuna trial.

        study.optimize(lambda trial: validation_accuracy(**suggest(trial, space)), n_trials=30)

    Parameters
    ----------
    trial : optuna.trial.Trial
        Or anything with its suggest_float, suggest_int and suggest_categorical.
    space : dict
        As everywhere here; Optuna wants choices that are None, bool, int, float or str.
    """
    params = {}
    for key, value in _entries("suggest", space):
        if isinstance(value, Distribution):
            suggestion = trial.suggest_int if value.whole else trial.suggest_float
            params[key] = suggestion(key, value.low, value.high, log=value.logarithmic)
        else:
            params[key] = trial.suggest_categorical(key, value)
    return params


def refine(
    results: Iterable[tuple[dict[str, Any], float]],
    space: Space,
    *,
    keep: int = 3,
    shrink: float = 0.5,
    minimize: bool = False,
) -> Space:
    """A narrower space around the best results, for the next, finer search.

    A range, in log space where it is logarithmic, becomes that of the values kept, and at least `shrink` of its width
    around the best. It stays within what it was, unless the best value is within 5% of an edge: better ones may lie
    beyond, so it warns and the new range goes on past that edge (but not below 0, or 1 for `logintegers`). A list keeps
    the choices kept; a list of three numbers or more whose best is the smallest or the largest goes on by one more.

    Parameters
    ----------
    results : iterable of (params, score)
        What was tried, params as `grid` or `random` gave it. A score of NaN is a failure and ignored.
    space : dict
        The space that was searched.
    keep : int
        How many of the best results count.
    shrink : float
        From 0 to 1.
    minimize : bool
        Whether a lower score is better.

    Warns
    -----
    SearchWarning
        Where the best value is at an edge.
    """
    entries, shrink = _entries("refine", space), check.number("refine", "shrink", shrink, low=0, high=1)
    if check.integer("refine", "keep", keep) < 1:
        raise ValueError(f"refine: keep is {keep}, expected an integer >= 1")
    kept = _best(results, [key for key, _ in entries], keep, minimize)
    finer: Space = {}
    for key, value in entries:
        values = [params[key] for params in kept]
        if isinstance(value, Distribution):
            finer[key], edge = _narrowed_range(key, value, values, shrink)
        else:
            finer[key], edge = _narrowed_list(value, values)
        if edge is not None:
            message = f"refine: the best {key} is {values[0]!r}, at the {edge} edge of {value!r}: better may lie beyond"
            warnings.warn(message, SearchWarning, stacklevel=2)
    return finer


def _best(results: Any, names: list[str], keep: int, minimize: bool) -> list[dict[str, Any]]:
    """The params of the best results, best first."""
    scored = []
    for k, (params, score) in enumerate(results):
        if missing := [key for key in names if key not in params]:
            raise ValueError(f"refine: results[{k}] has no {', '.join(missing)}, expected every name of the space")
        score = _score("refine", f"the score of results[{k}]", score)
        if not math.isnan(score):
            scored.append((score if minimize else -score, params))
    if not scored:
        raise ValueError("refine: results is empty, expected at least one whose score is no NaN")
    return [params for _, params in sorted(scored, key=lambda pair: pair[0])[:keep]]


def _score(name: str, argument: str, value: Any) -> float:
    """`value` as a float, which may be NaN or infinite."""
    array = check.real_array(name, argument, value)
    if array.ndim:
        raise ValueError(f"{name}: {argument} has shape {array.shape}, expected a number")
    return float(array)


def _narrowed_range(key: str, old: Distribution, values: list, shrink: float) -> tuple[Distribution, str | None]:
    """(the new range, the name of the edge that the best value is at or None)."""
    for value in values:
        if not isinstance(value, Real) or (old.logarithmic and value <= 0):
            raise ValueError(f"refine: results have {key} = {value!r}, expected values of {old!r}")
    positions = [old.position(float(value)) for value in values]
    first, last = old.position(old.low), old.position(old.high)
    width, best = last - first, positions[0]
    low = min(*positions, best - shrink * width / 2)
    high = max(*positions, best + shrink * width / 2)
    # 0, and 1 for logarithms of integers, are ends of what makes sense and not of what was searched
    open_below = old.low != (1 if old.logarithmic and old.whole else 0)
    edge = None
    if width > 0 and best >= last - _EDGE * width:
        edge = "upper"
    elif width > 0 and best <= first + _EDGE * width and open_below:
        edge = "lower"
    low, high = low if edge == "lower" else max(low, first), high if edge == "upper" else min(high, last)
    return _between(old, low, high), edge


def _between(old: Distribution, low: float, high: float) -> Distribution:
    """The range of the kind of `old` from one position to another; integers are rounded outwards."""
    ends = (math.exp(low), math.exp(high)) if old.logarithmic else (low, high)
    if old.whole:
        ends = math.floor(ends[0] + 1e-9), math.ceil(ends[1] - 1e-9)  # the logarithm of 8 is not quite that of 8
        return type(old)(max(ends[0], 1) if old.logarithmic else max(ends[0], min(old.low, 0)), ends[1])
    return type(old)(max(ends[0], 0.0) if old.low >= 0 else ends[0], ends[1])


def _narrowed_list(old: list, values: list) -> tuple[list, str | None]:
    """(the choices among `values`, in their order, and one beyond an edge; the name of the edge or None)."""
    chosen = [choice for choice in old if choice in values]
    numeric = all(isinstance(choice, Real) and not isinstance(choice, bool) for choice in old)
    ordered = sorted(set(old)) if numeric else []
    if len(ordered) < 3 or values[0] not in (ordered[0], ordered[-1]):
        return chosen, None
    if values[0] == ordered[-1]:
        return [*chosen, _beyond(ordered)], "upper"
    beyond = _beyond(ordered[::-1])
    if ordered[0] >= 0 and not 0 < beyond < ordered[0]:
        return chosen, None
    return [beyond, *chosen], "lower"


def _beyond(ordered: list) -> Any:
    """The number that continues a list: by its difference where that is constant or signs are mixed, else its ratio."""
    *_, before, last = ordered
    even = np.allclose(np.diff(ordered), last - before)
    value = 2 * last - before if even or min(ordered) <= 0 else last * last / before
    return round(value) if isinstance(last, int) and isinstance(before, int) else value


@dataclass(frozen=True)
class CrossValidation:
    """The scores of `cross_validate`, one a fold."""

    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the scores."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """Their standard deviation (``np.std``)."""
        return float(np.std(self.scores))

    def __str__(self) -> str:
        return f"{self.mean:.4g} +- {self.std:.2g} ({len(self.scores)} folds)"


def cross_validate(
    fit: Callable[..., float], x: Any, y: Any, folds: int = 5, *, rng: Any = None, stratify: bool = False
) -> CrossValidation:
    """Scores of a model on each of several parts of the data, trained on the others.

    Parameters
    ----------
    fit : callable
        ``fit(x_train, y_train, x_val, y_val)`` trains a new model and returns its score on the last two.
    x, y : array_like
        One sample for each index of the first axis.
    folds : int
        How many parts, 2 or more. Their sizes differ by one at most; every sample is in one of them.
    rng : None, int or numpy.random.Generator
        Which samples go where.
    stratify : bool
        Spread each class over the folds as evenly as it goes; y is then 1-D.
    """
    name = "cross_validate"
    x, y = np.asarray(x), np.asarray(y)
    if not x.ndim or y.shape[:1] != x.shape[:1]:
        raise ValueError(f"{name}: y has shape {y.shape}, expected as many samples as x of shape {x.shape}")
    if stratify and y.ndim != 1:
        raise ValueError(f"{name}: y has shape {y.shape}, expected one class a sample for stratify")
    if not 2 <= check.integer(name, "folds", folds) <= len(x):
        raise ValueError(f"{name}: folds is {folds}, expected an integer from 2 to the {len(x)} samples")
    order = check.generator(name, rng).permutation(len(x))
    if stratify:
        order = order[np.argsort(y[order], kind="stable")]
    fold_of = np.empty(len(x), np.int64)
    fold_of[order] = np.arange(len(x)) % folds
    scores = []
    for fold in range(folds):
        train, validation = fold_of != fold, fold_of == fold
        score = fit(x[train], y[train], x[validation], y[validation])
        scores.append(_score(name, f"the score of fold {fold}", score))
    return CrossValidation(tuple(scores))
