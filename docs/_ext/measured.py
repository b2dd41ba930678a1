"""Directives that make tables of measured data: `accuracy-table` and `benchmark-tables`, each with a file of `_data`.

Where the file is missing the page says so.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DTYPES = ("float16", "float32", "float64")
LONG = 40
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
        return list(self.content_of(data))

    def content_of(self, data: dict) -> Iterator[nodes.Node]:
        raise NotImplementedError


class AccuracyTable(Measured):
    """Declared bounds and the largest error found, a row for each function and derivative."""

    def content_of(self, data: dict) -> Iterator[nodes.Node]:
        yield paragraph(machine(data))
        yield from map(paragraph, comparisons(data))
        yield table(*accuracy(data))


class BenchmarkTables(Measured):
    """What `bench.report` wrote: sentences, and a section for each of its tables."""

    def content_of(self, data: dict) -> Iterator[nodes.Node]:
        yield from map(paragraph, data["facts"])
        for found in data["tables"]:
            section = nodes.section(ids=[nodes.make_id(found["title"])])
            section += nodes.title(text=found["title"])
            if found["note"]:
                section += paragraph(found["note"])
            if found["body"]:
                section += table(found["heading"], found["body"])
            yield section


def machine(data: dict) -> str:
    """Where and when, in a sentence."""
    facts = ", ".join(f"{name} {value}" for name, value in data["machine"].items() if value)
    every = f" Every {data['every']}th float32 was tried." if data.get("every", 1) > 1 else ""
    return f"Measured on {data['date']} with {facts}.{every}"


def comparisons(data: dict) -> Iterator[str]:
    """A sentence for each other library: how its float32 errors compare with fastnn's."""
    ours = {(row["name"], row["derivative"]): row["float32"] for row in data["rows"] if row["library"] == "fastnn"}
    for library in libraries_of(data):
        rows = [row for row in data["rows"] if row["library"] == library]
        pairs = [(ours[row["name"], row["derivative"]], row["float32"]) for row in rows]
        largest = [(float(mine["max_ulp"]), float(theirs["max_ulp"])) for mine, theirs in pairs]
        nans = sum(theirs["nan_mismatches"] > 0 for _, theirs in pairs)
        yield (
            f"{library}, {len(pairs)} functions and derivatives: fastnn's largest error is smaller for"
            f" {sum(mine < theirs for mine, theirs in largest)}, the same for"
            f" {sum(mine == theirs for mine, theirs in largest)}, larger for"
            f" {sum(mine > theirs for mine, theirs in largest)}; its median is no larger for"
            f" {sum(mine['median_ulp'] <= theirs['median_ulp'] for mine, theirs in pairs)}. {library} makes numbers of"
            f" NaNs in {nans}."
        )


def libraries_of(data: dict) -> list[str]:
    return list(dict.fromkeys(row["library"] for row in data["rows"] if row["library"] != "fastnn"))


def accuracy(data: dict) -> Table:
    """A line for each function; of the other libraries that were measured, the largest error."""
    libraries = libraries_of(data)
    heading = ["Function", *(f"{dtype}, bound" for dtype in DTYPES), "at x in float32", "Median", "Mean"]
    found = {(row["library"], row["name"], row["derivative"]): row for row in data["rows"]}
    lines = []
    for (library, name, derivative), row in found.items():
        if library != "fastnn":
            continue
        of_dtypes = [of_bound(row.get(dtype), row["bounds"].get(dtype)) for dtype in DTYPES]
        float32 = row["float32"]
        at = f"{float(float32['at']):.7g}" if float32["max_ulp"] else ""
        peers = [of_peer(found.get((other, name, derivative))) for other in libraries]
        ours = [at, f"{float32['median_ulp']:.3f}", f"{float32['mean_ulp']:.3f}"]
        lines.append([name + ("_backward" if derivative else ""), *of_dtypes, *ours, *peers])
    return [*heading, *libraries], lines


def of_bound(found: dict | None, bound: float | None) -> str:
    """The largest error and what is promised."""
    if found is None:
        return "-"
    return f"{float(found['max_ulp']):.3f}" + ("" if bound is None else f" of {bound:g}")


def of_peer(row: dict | None) -> str:
    if row is None:
        return "-"
    return f"{float(row['float32']['max_ulp']):.3g}" + (", NaN lost" if row["float32"]["nan_mismatches"] else "")


def paragraph(text: str) -> nodes.paragraph:
    return nodes.paragraph(text=text)


def table(heading: list[str], body: list[list[str]]) -> nodes.table:
    """Columns with a cell of more than LONG characters are of a class whose text may take several lines."""
    classes = [["long"] * any(len(cell) > LONG for cell in column) for column in zip(*body, strict=True)]
    result = nodes.table(classes=["measured"])
    group = nodes.tgroup(cols=len(heading))
    result += group
    for _ in heading:
        group += nodes.colspec(colwidth=1)
    group += nodes.thead("", row(heading, classes))
    group += nodes.tbody("", *(row(line, classes) for line in body))
    return result


def row(cells: list[str], classes: list[list[str]]) -> nodes.row:
    entries = (nodes.entry("", paragraph(cell), classes=own) for cell, own in zip(cells, classes, strict=True))
    return nodes.row("", *entries)


def setup(app: Sphinx) -> dict:
    app.add_directive("accuracy-table", AccuracyTable)
    app.add_directive("benchmark-tables", BenchmarkTables)
    return {"parallel_read_safe": True}
