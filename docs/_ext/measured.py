"""Directives that make tables of measured data: `accuracy-table` and `benchmark-tables`, each with a file of `_data`.

Where the file is missing the page says so.
"""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DTYPES = ("float16", "float32", "float64")
Table = tuple[list[str], list[list[str]]]


class Measured(SphinxDirective):
    """Base: reads the file that is the argument, relative to the documentation's folder."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir, self.arguments[0])
        self.env.note_dependency(str(file))
        if not file.exists():
            return [paragraph("Not measured: there is no such data in this build.")]
        data = json.loads(file.read_text(encoding="utf-8"))
        return [paragraph(machine(data)), *self.content_of(data)]

    def content_of(self, data: dict) -> Iterator[nodes.Node]:
        raise NotImplementedError


class AccuracyTable(Measured):
    """Declared bounds and the largest error found, a row for each function and derivative."""

    def content_of(self, data: dict) -> Iterator[nodes.Node]:
        yield table(*accuracy(data))


class BenchmarkTables(Measured):
    """A section for each file of benchmarks."""

    def content_of(self, data: dict) -> Iterator[nodes.Node]:
        for group, rows in groupby(data["rows"], key=lambda row: row["group"]):
            section = nodes.section(ids=[nodes.make_id(group)])
            section += nodes.title(text=data["titles"].get(group, group))
            section += table(*benchmarks(list(rows)))
            yield section


def machine(data: dict) -> str:
    """Where and when, in a sentence."""
    facts = ", ".join(f"{name} {value}" for name, value in data["machine"].items() if value)
    every = f" Every {data['every']}th float32 was tried." if data.get("every", 1) > 1 else ""
    return f"Measured on {data['date']} with {facts}.{every}"


def accuracy(data: dict) -> Table:
    """A line for each function; of the other libraries that were measured, the largest error."""
    libraries = list(dict.fromkeys(row["library"] for row in data["rows"] if row["library"] != "fastnn"))
    heading = ["Function", "float16", "float32", "float64", "Found in float32", "at x", "Mean", *libraries]
    found = {(row["library"], row["name"], row["derivative"]): row for row in data["rows"]}
    lines = []
    for (library, name, derivative), row in found.items():
        if library != "fastnn":
            continue
        bounds = [f"{row['bounds'][dtype]:g}" if dtype in row["bounds"] else "" for dtype in DTYPES]
        at = f"{float(row['at']):.7g}" if row["max_ulp"] else ""
        others = [found.get((other, name, derivative)) for other in libraries]
        peers = [f"{float(other['max_ulp']):.3g}" if other else "-" for other in others]
        ours = [f"{row['max_ulp']:.3f}", at, f"{row['mean_ulp']:.3f}"]
        lines.append([name + ("_backward" if derivative else ""), *bounds, *ours, *peers])
    return heading, lines


def benchmarks(rows: list[dict]) -> Table:
    """A line for each benchmark; of several ways of one peer ("torch.out", "torch compiled") the fastest counts."""
    peers = list(dict.fromkeys(peer_of(row) for row in rows))
    body = []
    for (function, dtype, size), entries in groupby(rows, key=lambda row: (row["function"], row["dtype"], row["size"])):
        fastest: dict[str, dict] = {}
        for row in sorted(entries, key=lambda row: row["median"], reverse=True):
            fastest[peer_of(row)] = row
        cells = [f"{duration(e['median'])} ({e['ratio']:.1f})" if (e := fastest.get(peer)) else "-" for peer in peers]
        ours = duration(next(iter(fastest.values()))["fastnn"])
        body.append([function, dtype, size, ours, *cells])
    return ["Function", "dtype", "Size", "fastnn", *peers], body


def peer_of(row: dict) -> str:
    return row["peer"].replace(".", " ").split()[0]


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def paragraph(text: str) -> nodes.paragraph:
    return nodes.paragraph(text=text)


def table(heading: list[str], body: list[list[str]]) -> nodes.table:
    result = nodes.table(classes=["measured"])
    group = nodes.tgroup(cols=len(heading))
    result += group
    for _ in heading:
        group += nodes.colspec(colwidth=1)
    group += nodes.thead("", row(heading))
    group += nodes.tbody("", *map(row, body))
    return result


def row(cells: list[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", paragraph(cell)) for cell in cells))


def setup(app: Sphinx) -> dict:
    app.add_directive("accuracy-table", AccuracyTable)
    app.add_directive("benchmark-tables", BenchmarkTables)
    return {"parallel_read_safe": True}
