"""Spaces of hyperparameters, and what is tried of them: grids, random draws, Optuna's suggestions."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._engine import check
from ..typing import Rng
from .distributions import Distribution

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
    """Every combination of the choices; the last name varies fastest.

    Parameters
    ----------
    space : dict
        From names to lists of choices; of a range give the list that its ``grid(n)`` returns.

    Returns
    -------
    iterator of dict
        One value for each name.

    Raises
    ------
    TypeError, ValueError
        A space that is no dict, a range, or a list without choices.

    Examples
    --------
    >>> import fastnn as fnn
    >>> list(fnn.search.grid({"lr": [0.1, 0.01], "units": [64]}))
    [{'lr': 0.1, 'units': 64}, {'lr': 0.01, 'units': 64}]
    """
    entries = _entries("grid", space)
    for key, value in entries:
        if isinstance(value, Distribution):
            raise TypeError(f"grid: space[{key!r}] is {value!r}, expected a list, as its .grid(n) gives")
    names, choices = [key for key, _ in entries], [value for _, value in entries]
    return (dict(zip(names, combination, strict=True)) for combination in itertools.product(*choices))


def random(space: Space, n: int, rng: Rng = None) -> Iterator[dict[str, Any]]:
    """Independent draws from the space; choices of a list are equally likely.

    Parameters
    ----------
    space : dict
        From names to lists of choices or ranges.
    n : int
        How many.
    rng : None, int or numpy.random.Generator
        What draws them.

    Returns
    -------
    iterator of dict
        One value for each name.

    Raises
    ------
    TypeError, ValueError
        A space, n or rng that cannot be.

    References
    ----------
    Bergstra and Bengio, Random search for hyper-parameter optimization, JMLR 2012.

    Examples
    --------
    >>> import fastnn as fnn
    >>> space = {"lr": fnn.search.loguniform(1e-4, 1e-1), "units": [64, 128]}
    >>> trials = list(fnn.search.random(space, 20, rng=0))
    >>> len(trials), all(1e-4 <= trial["lr"] <= 1e-1 for trial in trials)
    (20, True)
    """
    entries, generator = _entries("random", space), check.generator("random", rng)
    if check.integer("random", "n", n) < 0:
        raise ValueError(f"random: n is {n}, expected an integer >= 0")
    return ({key: _draw(value, generator) for key, value in entries} for _ in range(n))


def _draw(value: Any, generator: np.random.Generator) -> Any:
    if isinstance(value, Distribution):
        return value.sample(generator)
    return value[int(generator.integers(len(value)))]


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """Draw from the space by an Optuna trial.

    Parameters
    ----------
    trial : optuna.trial.Trial
        Or anything with its suggest_float, suggest_int and suggest_categorical.
    space : dict
        From names to lists of choices or ranges; Optuna wants choices that are None, bool, int, float or str.

    Returns
    -------
    dict
        One value for each name.

    Raises
    ------
    TypeError, ValueError
        A space that cannot be.

    Examples
    --------
    An objective is ``lambda trial: validation_accuracy(**suggest(trial, space))``; here with a trial that always
    takes the
    first choice.

    >>> import fastnn as fnn
    >>> class First:
    ...     def suggest_categorical(self, name, choices):
    ...         return choices[0]
    >>> fnn.search.suggest(First(), {"units": [64, 128]})
    {'units': 64}
    """
    params = {}
    for key, value in _entries("suggest", space):
        if isinstance(value, Distribution):
            suggestion = trial.suggest_int if value.whole else trial.suggest_float
            params[key] = suggestion(key, value.low, value.high, log=value.logarithmic)
        else:
            params[key] = trial.suggest_categorical(key, value)
    return params
