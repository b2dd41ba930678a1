"""A row of times, as the benchmarks' JSON and `fastnn bench --json` have it."""

from typing import Any

from .libraries import limited
from .timing import Timings, interleave
from .work import Ways, Work


def measured(
    work: Work, candidates: Ways, yardsticks: Ways | None = None, *, seconds: float = 2.0, rounds: int | None = None
) -> dict[str, Any]:
    """Time the candidates, "fastnn" among them, on the work's threads; `yardsticks` are no peers."""
    yardsticks = yardsticks or {}
    with limited(work.threads):
        timings = interleave(candidates | yardsticks, seconds=seconds, rounds=rounds, settle=work.threaded)
    return row(work, timings, tuple(yardsticks))


def row(work: Work, timings: Timings, yardsticks: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that was measured of a work."""
    names = [name for name in timings.batches if name not in yardsticks]
    return {
        "family": work.family,
        "function": work.function,
        "direction": work.direction,
        "dtype": work.dtype.name,
        "shape": list(work.shape),
        "elements": work.elements,
        "bytes": work.bytes,
        "threads": work.threads,
        "candidates": {name: {"median": timings.median(name), "p99": timings.p99(name)} for name in names},
        "ratios": {name: timings.ratio(name, "fastnn") for name in names if name != "fastnn"},
        "yardsticks": {name: {"median": timings.median(name)} for name in yardsticks},
    }


def best_ratio(row: dict[str, Any]) -> float:
    """The fastest peer's time in fastnn's; infinite where there is no peer."""
    return min(row["ratios"].values(), default=float("inf"))


def best_ways(row: dict[str, Any]) -> dict[str, str]:
    """library -> its fastest way."""
    found: dict[str, str] = {}
    for way in sorted(row["ratios"], key=row["ratios"].get):
        found.setdefault(way.partition(" ")[0], way)
    return found
