"""The table of `fastnn bench`: with rich on a terminal, else as plain text."""

from importlib.util import find_spec
from typing import Any

from ..benchmark.record import best_ratio, best_ways

#: Below this the row counts as slower: the best of the others takes so much of fastnn's time.
SLOWER = 0.95
_EXPLANATION = (
    "A library's time is that of its fastest way; x is how many times as long as fastnn it takes, the median of rounds."
    "\n99% of the calls take no longer than p99; share is the part of the streaming rate that GB/s is."
)


def show(rows: list[dict[str, Any]], about: dict[str, Any]) -> None:
    """Print the machine, the rows in their order, and what the columns are."""
    versions = ", ".join(f"{library} {version}" for library, version in about["versions"].items())
    print(f"{about['cpu']}, threads: {about['threads']}, streaming {about['streaming']:.1f} GB/s\n{versions}")
    heading, *lines = table(rows, about["streaming"])
    if find_spec("rich") is None or not _shown_by_rich(heading, lines, [_slower(row) for row in rows]):
        widths = [max(map(len, column)) for column in zip(heading, *lines, strict=True)]
        for line in (heading, *lines):
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    slower = sum(map(_slower, rows))
    print(f"{slower} of {len(rows)} rows slower than {SLOWER} of the best of the others, shown first\n{_EXPLANATION}")


def _slower(row: dict[str, Any]) -> bool:
    return best_ratio(row) < SLOWER


def _shown_by_rich(heading: list[str], lines: list[list[str]], slower: list[bool]) -> bool:
    """Whether there is a terminal to show it on."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if console.is_terminal:
        grid = Table(*heading, box=None)
        for line, red in zip(lines, slower, strict=True):
            grid.add_row(*line, style="red" if red else "")
        console.print(grid)
    return console.is_terminal


def table(rows: list[dict[str, Any]], streaming: float) -> list[list[str]]:
    """The heading and a line for each row, a column for each library that has a candidate in any."""
    libraries = list(dict.fromkeys(library for row in rows for library in best_ways(row)))
    heading = ["function", "direction", "size", "fastnn", "p99", "GB/s", "share", *libraries]
    return [heading, *(_line(row, streaming, libraries) for row in rows)]


def _line(row: dict[str, Any], streaming: float, libraries: list[str]) -> list[str]:
    ours, best = row["candidates"]["fastnn"], best_ways(row)
    rate = row["bytes"] / ours["median"] / 1e9
    size = "x".join(map(str, row["shape"]))
    first = [row["function"], row["direction"], size, duration(ours["median"]), duration(ours["p99"])]
    theirs = [_other(row, best[library]) if library in best else "-" for library in libraries]
    return [*first, f"{rate:.1f}", f"{rate / streaming:.0%}", *theirs]


def _other(row: dict[str, Any], way: str) -> str:
    return f"{duration(row['candidates'][way]['median'])} {row['ratios'][way]:.2f}x"


def duration(seconds: float) -> str:
    """Three digits and a unit: 12.3 us."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
