"""A row of times, as the benchmarks' JSON has it."""

from typing import Any

from .timing import Timings
from .work import Work


def row(work: Work, timings: Timings, yardsticks: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that was measured of a work; `yardsticks` are the candidates that are no peers."""
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
