"""What a report says, as sentences and tables, and their Markdown: the same for every page that shows them."""

import math
import statistics
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from reasons import Reason, reason_for
from report_rows import EVEN, Machine, Row, shape_text, threads_text

UNKNOWN = "reason not known"
SLOWER = f"Slower than {EVEN:g} of the best peer"
#: Columns of words, which begin at the left; numbers end at the right.
WORDS = {"Function", "Direction", "dtype", "Shape", "Best peer", "Other libraries", "Reason", "Library", "Version", ""}
#: Those whose text may take several lines.
LONG = {"Other libraries", "Reason"}
_WHAT = ("Function", "Direction", "dtype", "Shape", "Threads", "Ratio")
_TIMES = ("fastnn", "Best peer", "its time", "p99", "GB/s", "of streaming", "Other libraries")
_LEGEND = (
    "A ratio is a peer's time over fastnn's, the median over interleaved rounds; of several ways of one library the "
    "fastest counts. fastnn is its median time, p99 what 99 of 100 of its calls stay below. GB/s counts what is read "
    "and written, each operand once; beside it is its share of the rate at which as many threads stream through "
    "memory, which arrays that stay in a cache exceed."
)


class Table(NamedTuple):
    title: str
    heading: Sequence[str]
    body: list[list[str]]
    note: str = ""


class Report(NamedTuple):
    """Sentences, tables of the whole, then those of the rows: the slower ones first, a row in one table alone."""

    facts: list[str]
    summary: list[Table]
    rows: list[Table]


def report(machine: Machine, rows: Sequence[Row], reasons: Iterable[Reason]) -> Report:
    slower = [[*what(row), _reason(row, reasons), *times(row)] for row in slowest_first(rows)]
    first = Table(SLOWER, [*_WHAT, "Reason", *_TIMES], slower, "" if slower else "No row is.")
    even = [row for row in rows if not row.slower]
    families = dict.fromkeys(row.family for row in even)
    tables = [
        Table(capital(family), _WHAT + _TIMES, [what(row) + times(row) for row in even if row.family == family])
        for family in families
    ]
    return Report(facts(machine, rows), [libraries(machine, rows), start(machine)], [first, *tables])


def slowest_first(rows: Iterable[Row]) -> list[Row]:
    """The rows where fastnn is slower."""
    return sorted((row for row in rows if row.slower), key=lambda row: row.best.ratio)


def _reason(row: Row, reasons: Iterable[Reason]) -> str:
    reason = reason_for(row, reasons)
    return reason.text if reason else UNKNOWN


# --- sentences and tables ---------------------------------------------------------------------------------------------


def facts(machine: Machine, rows: Sequence[Row]) -> list[str]:
    rates = ", ".join(f"{rate:.3g} GB/s with {threads_text(threads)}" for threads, rate in machine.streaming.items())
    return [counted(rows), f"{measured(machine)} Memory streams at {rates}.", _LEGEND]


def counted(rows: Sequence[Row]) -> str:
    """How many rows there are, and how many are slower."""
    compared, slower = sum(row.best is not None for row in rows), sum(row.slower for row in rows)
    return (
        f"{len(rows)} rows (function, direction, dtype, shape, threads), {compared} of them with a peer. In {slower} "
        f"of these the best peer takes less than {EVEN:g} of fastnn's time."
    )


def measured(machine: Machine) -> str:
    """Where and when, in a sentence."""
    versions = ", ".join(
        f"{name} {version}" for name, version in {"Python": machine.python, **machine.versions}.items()
    )
    return f"Measured on {machine.date} on {machine.cpu}, {threads_text(machine.threads)}, with {versions}."


def libraries(machine: Machine, rows: Sequence[Row]) -> Table:
    """A line for each library: how it compares over all rows that it is in."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        for library, peer in row.libraries.items():
            ratios.setdefault(library, []).append(peer.ratio)
    body = [
        [
            *(library, machine.versions.get(library, ""), str(len(found)), ratio(statistics.geometric_mean(found))),
            *(ratio(min(found)), ratio(max(found)), str(sum(value < EVEN for value in found))),
        ]
        for library, found in sorted(ratios.items(), key=lambda item: -len(item[1]))
    ]
    heading = ["Library", "Version", "Rows", "Geometric mean", "Lowest", "Highest", f"below {EVEN:g}"]
    return Table("Libraries", heading, body, "Ratios of each library's fastest way: its time over fastnn's.")


def start(machine: Machine) -> Table:
    body = [[name, duration(seconds)] for name, seconds in machine.start.items()]
    note = "From a new process; cold and warm are the first call with an empty and with a filled cache of kernels."
    return Table("Start", ["", "Time"], body, note)


def what(row: Row) -> list[str]:
    """A row's first cells: what was timed, and how it compares."""
    best = ratio(row.best.ratio) if row.best else ""
    return [row.function, row.direction, row.dtype, shape_text(row.shape), str(row.threads), best]


def times(row: Row) -> list[str]:
    """A row's other cells."""
    best = row.best
    others = [peer for peer in row.libraries.values() if best and peer.library != best.library]
    return [
        duration(row.ours.median),
        *((best.name, duration(row.times[best.name].median)) if best else ("none", "")),
        *(duration(row.ours.p99), rate(row.rate), f"{row.rate / row.streaming:.0%}"),
        ", ".join(f"{peer.library} {ratio(peer.ratio)}" for peer in others),
    ]


# --- the README's block -----------------------------------------------------------------------------------------------

#: Directions, the first that there is; names may say it themselves and come with none.
_FORWARD, _BACKWARD = ("forward out=", "", "forward fresh"), ("backward", "")
#: What stands in the README, as far as it was measured: float32, all threads, of the size nearest to this.
_CHOSEN = (
    *(("activations", name, _FORWARD) for name in ("relu", "sigmoid", "tanh", "gelu")),
    ("activations", "gelu", _BACKWARD),
    ("softmax", "softmax", _FORWARD),
    *(("norms", name, _FORWARD) for name in ("batch_norm_forward", "layer_norm_forward")),
    ("norms", "batch_norm_backward", _BACKWARD),
    ("losses", "softmax_cross_entropy", _FORWARD),
    ("dropout", "dropout_forward", _FORWARD),
    ("optimizers", "Adam", _FORWARD),
)
_SIZE = 1_000_000


def chosen(rows: Sequence[Row], threads: int) -> list[Row]:
    """A few rows that stand for all, and the worst of all, last."""
    usual = [row for row in rows if row.dtype == "float32" and row.threads == threads]
    found = []
    for family, function, directions in _CHOSEN:
        named = [row for row in usual if (row.family, row.function) == (family, function)]
        fitting = [row for row in named if row.direction in directions]
        order = [(directions.index(row.direction), abs(math.log(row.elements / _SIZE))) for row in fitting]
        found += [fitting[order.index(min(order))]] if fitting else []
    worst = sorted((row for row in rows if row.best), key=lambda row: row.best.ratio)[:1]
    return [row for row in found if row not in worst] + worst


def block(machine: Machine, rows: Sequence[Row], command: str) -> str:
    """Markdown for the README."""
    columns = ("Function", "Direction", "dtype", "Shape", "fastnn", "GB/s", "Best peer", "its time", "Ratio")
    found = chosen(rows, machine.threads)
    lines = [dict(zip(_WHAT + _TIMES, what(row) + times(row), strict=True)) for row in found]
    table = Table("", columns, [[line[column] for column in columns] for line in lines])
    text = f"{counted(rows)} The last row of the table is the worst of all. {measured(machine)} To repeat it:"
    return f"{_markdown_table(table)}\n\n{text}\n\n```sh\n{command}\n```"


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(found: Report) -> str:
    """The whole report."""
    parts = ["# Benchmarks", *found.facts]
    for table in chain(found.summary, found.rows):
        parts += [f"## {table.title}", table.note, _markdown_table(table) if table.body else ""]
    return "\n\n".join(filter(None, parts)) + "\n"


def _markdown_table(table: Table) -> str:
    rule = ["---" if name in WORDS else "--:" for name in table.heading]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in (table.heading, rule, *table.body))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- numbers ----------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    seconds = float(f"{seconds:.3g}")  # 999.6 µs is 1 ms
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def ratio(value: float) -> str:
    """Three digits, or all before the point."""
    return (
        f"{value:.3f}"
        if value < 1
        else f"{value:.2f}"
        if value < 10
        else f"{value:.1f}"
        if value < 100
        else f"{value:,.0f}"
    )


def rate(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
