"""From coarse to fine: a narrower space around the best results."""

import math
import warnings
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from .._engine import check
from ._scores import _score
from .distributions import Distribution
from .spaces import Space, _entries

#: The best value is at an edge of its range where it is within this share of it.
_EDGE = 0.05


class SearchWarning(UserWarning):
    """The best value is at an edge of what was searched: better ones may lie beyond."""


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

    Returns
    -------
    dict
        The narrower space.

    Raises
    ------
    ValueError, TypeError
        Results without a score or a name of the space, or an argument that cannot be.

    Warns
    -----
    SearchWarning
        Where the best value is at an edge.

    Examples
    --------
    >>> import fastnn as fnn
    >>> space = {"units": fnn.search.integers(0, 100)}
    >>> fnn.search.refine([({"units": 10}, 0.2), ({"units": 50}, 0.9), ({"units": 60}, 0.8)], space, keep=2)
    {'units': integers(low=25, high=75)}
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
