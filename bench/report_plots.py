"""The report's plots, each an SVG that stands in the page itself and takes the page's colour for text and axes."""

import html
import io
import re
import statistics
from collections.abc import Callable, Iterable
from itertools import cycle
from typing import Any, NamedTuple

from report_rows import EVEN, Row, threads_text

from fastnn.cli.errors import needs

#: Colours that can be read on white and on black alike, and marks for those who cannot tell them apart.
_COLOURS = ("#2f86eb", "#e8730c", "#2f9e44", "#ae3ec9", "#d6336c", "#0c8599", "#b08900", "#868e96")
_MARKS = "osD^vP*X"
SLOWER = "#e03131"
#: Stands for the page's own colour while matplotlib draws.
_INK = "#010203"
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color"), _INK
    ),
}
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


class Style(NamedTuple):
    colour: str
    mark: str


def styles(names: Iterable[str]) -> dict[str, Style]:
    """A colour and a mark for each name, the same in every plot."""
    return dict(zip(names, cycle(map(Style, _COLOURS, _MARKS)), strict=False))


# --- time against size ------------------------------------------------------------------------------------------------


def panels(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows that differ in size alone, under what they have in common; those of one size only are no line."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        work = f"{row.function} {row.direction}".rstrip()
        found.setdefault(f"{work}, {row.dtype}, {threads_text(row.threads)}", []).append(row)
    return {name: group for name, group in found.items() if len({row.elements for row in group}) > 1}


def time_against_size(name: str, rows: Iterable[Row], known: dict[str, Style]) -> str:
    """A line for each library, the fastest of its ways at each size; both axes logarithmic."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for row in sorted(rows, key=lambda row: row.elements):
        lines.setdefault("fastnn", []).append((row.elements, row.ours.median))
        for library, peer in row.libraries.items():
            lines.setdefault(library, []).append((row.elements, row.times[peer.name].median))

    def draw(axes):
        for library, points in reversed(lines.items()):
            colour, mark = known[library]
            width = 2.2 if library == "fastnn" else 1.2
            axes.plot(*zip(*points, strict=True), color=colour, marker=mark, markersize=4, linewidth=width)
        axes.set(xscale="log", yscale="log", xlabel="elements")
        _ticks(axes.xaxis)
        _ticks(axes.yaxis, "s")

    return _svg(draw, 320, 220, f"Time against size of {name}: {', '.join(lines)}")


def legend(title: str, known: dict[str, Style]) -> str:
    """What the colours and marks mean."""

    def draw(axes):
        for name, (colour, mark) in known.items():
            axes.plot([], [], color=colour, marker=mark, label=name)
        axes.axis("off")
        axes.legend(loc="center", ncols=len(known), mode="expand")

    return _svg(draw, 100 * len(known), 36, f"{title}, legend: {', '.join(known)}", left=0, right=0, bottom=0, top=0)


# --- roofline ---------------------------------------------------------------------------------------------------------


def roofline(families: dict[str, list[Row]], threads: int, roof: float) -> str:
    """GB/s against the bytes that a call moves, a point for each row, below the rate at which memory streams."""

    def draw(axes):
        for family, (colour, mark) in styles(families).items():
            points = [(row.bytes, row.rate) for row in families[family] if row.threads == threads]
            if points:
                axes.plot(*zip(*points, strict=True), mark, color=colour, markersize=4, alpha=0.7, label=family)
        axes.axhline(roof, color=_INK, linestyle="--", linewidth=1, label=f"memory, {roof:.3g} GB/s")
        axes.set(xscale="log", yscale="log", xlabel="read and written by a call", ylabel="GB/s")
        _ticks(axes.xaxis, "B")
        _ticks(axes.yaxis)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    text = f"Rate against bytes, {threads_text(threads)}, memory streaming at {roof:.3g} GB/s"
    return _svg(draw, 760, 380, text, right=150)


# --- speed-ups --------------------------------------------------------------------------------------------------------


def bars(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows with peers, by function and direction."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.best:
            found.setdefault(f"{row.function} {row.direction}".rstrip(), []).append(row)
    return found


def mean_ratio(rows: Iterable[Row], library: str | None) -> float | None:
    """The geometric mean of a library's ratios over the rows that it is in, or without one of the best peers'."""
    peers = [row.libraries.get(library) if library else row.best for row in rows]
    ratios = [peer.ratio for peer in peers if peer]
    return statistics.geometric_mean(ratios) if ratios else None


def speedups(family: str, rows: Iterable[Row], known: dict[str, Style]) -> str:
    """A bar for each function and direction, of the best peers; marks are those of each library."""
    groups = dict(reversed(bars(rows).items()))

    def draw(axes):
        means = [mean_ratio(group, None) for group in groups.values()]
        colours = [SLOWER if mean < EVEN else known["fastnn"].colour for mean in means]
        axes.barh(list(groups), [mean - 1 for mean in means], left=1, color=colours, alpha=0.45, height=0.7)
        for library, (colour, mark) in known.items():
            marks = {name: mean for name, group in groups.items() if (mean := mean_ratio(group, library))}
            axes.plot(list(marks.values()), list(marks), mark, color=colour, markersize=4)
        axes.axvline(1, color=_INK, linewidth=1)
        axes.set(xscale="log", ylim=(-0.6, len(groups) - 0.4))
        _ticks(axes.xaxis)
        axes.grid(axis="y", visible=False)

    text = f"Speed-ups of {family} over the best peer and over each library"
    return _svg(draw, 760, 40 + 17 * len(groups), text, left=210, bottom=25)


# --- SVG --------------------------------------------------------------------------------------------------------------


def _svg(
    draw: Callable[[Any], None],
    width: int,
    height: int,
    text: str,
    *,
    left: int = 55,
    right: int = 12,
    bottom: int = 42,
    top: int = 10,
) -> str:
    """What draw(axes) draws, with a text for those who do not see it; sizes and margins in pixels."""
    matplotlib, figure_module = needs("matplotlib"), needs("matplotlib.figure")
    file = io.StringIO()
    # ids are hashes of content and salt: unlike ones for unlike plots
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": text}):
        figure = figure_module.Figure(figsize=(width / 96, height / 96))
        figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
        draw(figure.subplots())
        figure.savefig(file, format="svg", transparent=True, metadata=_METADATA)
    return _inline(file.getvalue(), text)


def _ticks(axis: Any, unit: str = "") -> None:
    """Of a logarithmic axis: 1 µs, 10 µs, ..., and those between them where it is short."""
    ticker = needs("matplotlib.ticker")
    low, high = axis.get_view_interval()
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(ticker.EngFormatter(unit, sep=" " if unit else ""))
    axis.set_minor_locator(ticker.NullLocator())


def _inline(svg: str, text: str) -> str:
    """Without prologue, fonts, a style for the whole page, and the ids that nothing refers to."""
    box, body = re.search(r'<svg [^>]*(viewBox="[^"]+")[^>]*>(.*)', svg, re.DOTALL).groups()
    body = re.sub(r'<style.*?</style>|font-family: [^;"]+;? ?| id="[a-z0-9.]+_\d+"', "", body, flags=re.DOTALL)
    return f'<svg {box} role="img" aria-label="{html.escape(text)}">{body}'.replace(_INK, "currentColor")
