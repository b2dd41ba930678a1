"""Reports of benchmarks that were never run, and their tables as they are read back from every form."""

import html.parser
import json
import re
from pathlib import Path

import report

ROOT = Path(__file__).parents[1]
VERSIONS = {"fastnn": "9.8.7", "torch": "6.5+cpu", "numpy": "4.3"}
MACHINE = {
    "streaming": {"1": 20.0, "N": 40.0},
    "threads": 2,
    "cpu": "A <fast> CPU",
    "versions": VERSIONS,
    "start": {"import": 0.125, "cold": 1.5, "warm": 0.25, "torch import": 2.5},
}
README = f"# Title\r\n\r\ntext\n{report.START}\nold\n{report.END}\r\nmore\n"


def timed(function="gelu", direction="backward", ratios=None, **more):
    """A benchmark as pytest-benchmark records it; fastnn's median is 1 ms, a peer's that times its ratio."""
    ratios = {"torch out": 2.0, "torch": 3.0, "numpy": 5.0} if ratios is None else ratios
    given = {"family": "activations", "dtype": "float32", "shape": [1_000_000], "threads": 2} | more
    elements = 1
    for n in given["shape"]:
        elements *= n
    times = {"fastnn": 1.0, **ratios}
    record = {
        **given,
        "function": function,
        "direction": direction,
        "elements": elements,
        "bytes": 8 * elements,
        "candidates": {name: {"median": 1e-3 * x, "p99": 1.25e-3 * x} for name, x in times.items()},
        "ratios": ratios,
        "yardsticks": {"copy": {"median": 1e-3}},
    }
    return {"fullname": f"bench/bench_x.py::test[{function}-{direction}]", "extra_info": record}


def written(folder, *benchmarks, name="times.json", **machine):
    """A file of these benchmarks."""
    info = {"python_version": "3.99.1", "fastnn": MACHINE | machine}
    file = folder / name
    whole = {"datetime": "2031-02-03T04:05:06", "machine_info": info, "benchmarks": benchmarks}
    file.write_text(json.dumps(whole), encoding="utf-8")
    return file


def made(folder, *files, **options):
    """(Markdown, HTML, data of the documentation, README) of these files."""
    readme, docs, out = folder / "README.md", folder / "docs.json", folder / "out"
    readme.write_bytes(README.encode())
    arguments = [*files, "--out", out, "--readme", readme, "--docs", docs]
    assert report.main([str(argument) for argument in arguments]) == 0
    pages = [path.read_text(encoding="utf-8") for path in (out / "report.md", out / "report.html", docs)]
    return *pages, readme.read_bytes().decode()


# --- tables as they are read back -------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Tables as lists of lines under the heading before them; tags, which must nest; all text."""

    EMPTY = ("meta", "path", "use", "rect")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.tables, self.text, self.title = [], [], {}, "", ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag in ("h2", "h3"):
            self.title = ""
        if tag == "table":
            self.tables[self.title] = []
        if tag == "tr":
            self.tables[self.title].append([])
        if tag in ("th", "td"):
            self.tables[self.title][-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("h2", "h3"):
            self.title += data
        if self.open and self.open[-1] in ("th", "td"):
            self.tables[self.title][-1][-1] += data

    def all(self, attribute):
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


def tables_of_markdown(text):
    tables, title = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("|") and "---" not in line.replace("--:", "---"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            tables.setdefault(title, []).append([re.sub(r"\\([|*<])", r"\1", cell[1:-1]) for cell in cells])
    return tables


def tables_of_docs(text):
    return {table["title"]: [table["heading"], *table["body"]] for table in json.loads(text)["tables"]}


def all_forms(markdown, page, docs):
    return [tables_of_markdown(markdown), Page(page).tables, tables_of_docs(docs)]


def identity(record):
    """What tells a row from the others, as tables write it."""
    shape = record["shape"]
    size = f"{shape[0]:,}" if len(shape) == 1 else " x ".join(str(n) for n in shape)
    return record["function"], record["direction"], record["dtype"], size, str(record["threads"])


def best(record):
    return min(record["ratios"].values(), default=None)
