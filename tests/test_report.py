"""The report of benchmarks: no row is lost, slower ones come first with a reason, senseless data are errors."""

import html.parser
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import reasons
import report
import report_plots
import report_rows
import report_tables
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("matplotlib", reason="the extra `train` is not installed")

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


# --- no row is lost ---------------------------------------------------------------------------------------------------

AWKWARD = ["gelu", "a|b", "<i>x</i>", "x * y", "layer_norm_forward", "Adam & co", "$x$"]
RATIO = st.floats(0.3, 3.0).map(lambda x: round(x, 2)).filter(lambda x: x != 0.95)


@st.composite
def benchmarks(draw):
    """Different benchmarks, some with peers and some without."""
    names = st.tuples(
        st.sampled_from(["activations", "norms", "optimizers"]),
        st.sampled_from(AWKWARD),
        st.sampled_from(["forward out=", "backward", ""]),
        st.sampled_from(["float32", "float64"]),
        st.sampled_from([(1000,), (1_000_000,), (256, 512)]),
        st.sampled_from([1, 2]),
    )
    candidates = st.dictionaries(st.sampled_from(["torch", "torch out", "numpy", "numpy.out"]), RATIO, max_size=3)
    return [
        timed(function, direction, draw(candidates), family=family, dtype=dtype, shape=list(shape), threads=threads)
        for family, function, direction, dtype, shape, threads in draw(
            st.lists(names, min_size=1, max_size=8, unique=True)
        )
    ]


@settings(max_examples=15)
@given(benchmarks())
def test_every_benchmark_is_one_line_of_every_form(tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("report")
    markdown, page, docs, _ = made(folder, written(folder, *drawn))
    records = [benchmark["extra_info"] for benchmark in drawn]
    slower = [record for record in records if best(record) is not None and best(record) < 0.95]
    for tables in all_forms(markdown, page, docs):
        lines = {title: table[1:] for title, table in tables.items() if table and table[0][0] == "Function"}
        found = Counter(tuple(line[:5]) for table in lines.values() for line in table)
        assert found == Counter(map(identity, records))
        first = lines.get(report_tables.SLOWER, [])
        assert sorted(tuple(line[:5]) for line in first) == sorted(map(identity, slower))
        assert [float(line[5]) for line in first] == sorted(round(best(record), 3) for record in slower)
        for family in {record["family"] for record in records if record not in slower}:
            there = [identity(record) for record in records if record["family"] == family and record not in slower]
            assert [tuple(line[:5]) for line in lines[family.capitalize()]] == there


def test_a_line_says_all_of_a_row(tmp_path):
    file = written(tmp_path, timed("softmax", "", {"torch out": 2.0, "torch": 1.5, "numpy": 12.0}, shape=[1000, 1000]))
    for tables in all_forms(*made(tmp_path, file)[:3]):
        heading, line = tables["Activations"]
        cells = dict(zip(heading, line, strict=True))
        assert list(cells.values())[:6] == ["softmax", "", "float32", "1000 x 1000", "2", "1.50"]
        assert (cells["fastnn"], cells["p99"], cells["GB/s"], cells["of streaming"]) == (
            "1 ms",
            "1.25 ms",
            "8.0",
            "20%",
        )
        assert (cells["Best peer"], cells["its time"], cells["Other libraries"]) == ("torch", "1.5 ms", "numpy 12.0")


def test_slower_rows_come_first_with_their_reason(tmp_path):
    file = written(
        tmp_path, timed("relu"), timed("mish", ratios={"torch": 0.9499}), timed("gelu", "forward out=", {"jax": 0.7})
    )
    for tables in all_forms(*made(tmp_path, file)[:3]):
        titles = list(tables)
        assert titles == ["Libraries", "Start", "Slower than 0.95 of the best peer", "Activations"]
        heading, *lines = tables[titles[2]]
        assert [(line[0], line[heading.index("Ratio")]) for line in lines] == [("gelu", "0.700"), ("mish", "0.950")]
        gelu, mish = (line[heading.index("Reason")] for line in lines)
        assert "negative tail" in gelu
        assert mish == "reason not known"


def test_an_even_row_is_not_slower(tmp_path):
    file = written(tmp_path, timed(ratios={"torch": 0.95, "numpy": 2.0}), timed("relu", ratios={}))
    markdown, page, docs, _ = made(tmp_path, file)
    assert "No row is." in markdown and "No row is." in page and "No row is." in docs  # noqa: PT018
    for tables in all_forms(markdown, page, docs):
        _, gelu, relu = tables["Activations"]
        assert (gelu[5], relu[5], relu[7]) == ("0.950", "", "none")


# --- summary ----------------------------------------------------------------------------------------------------------


def test_machine_and_versions_are_named_everywhere(tmp_path):
    markdown, page, docs, readme = made(tmp_path, written(tmp_path, timed()))
    for text in (markdown, Page(page).text, docs, readme):
        assert "2031-02-03" in text
        assert "A <fast> CPU, 2 threads, with Python 3.99.1, fastnn 9.8.7, torch 6.5+cpu, numpy 4.3." in text
        assert "1 rows (function, direction, dtype, shape, threads), 1 of them with a peer. In 0 of these" in text
    for tables in all_forms(markdown, page, docs):
        assert tables["Start"][1:] == [
            ["import", "125 ms"],
            ["cold", "1.5 s"],
            ["warm", "250 ms"],
            ["torch import", "2.5 s"],
        ]
    assert "20 GB/s with 1 thread, 40 GB/s with 2 threads" in markdown


def test_libraries_are_compared_by_the_geometric_mean_of_their_fastest_ways(tmp_path):
    file = written(
        tmp_path, timed(ratios={"torch": 9.0, "torch out": 2.0, "numpy": 3.0}), timed("mish", ratios={"torch": 0.5})
    )
    for tables in all_forms(*made(tmp_path, file)[:3]):
        assert tables["Libraries"][1:] == [
            ["torch", "6.5+cpu", "2", "1.00", "0.500", "2.00", "1"],
            ["numpy", "4.3", "1", "3.00", "3.00", "3.00", "0"],
        ]


# --- reasons ----------------------------------------------------------------------------------------------------------

WHY = reasons.Reason("why", "ge*", "forward*", "float32", (10, 1e6), 2, "act*")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"function": "mish"}, False),
        ({"direction": "backward"}, False),
        ({"dtype": "float64"}, False),
        ({"shape": [10]}, True),
        ({"shape": [9]}, False),
        ({"shape": [1001, 1000]}, False),
        ({"threads": 1}, False),
        ({"family": "norms"}, False),
    ],
)
def test_a_reason_is_for_rows_that_match_in_everything(tmp_path, change, expected):
    _, (row,) = report_rows.read(
        [written(tmp_path, timed(**{"function": "gelu", "direction": "forward out="} | change))]
    )
    assert WHY.explains(row) is expected
    assert reasons.Reason("any", row.function).explains(row)


def test_the_first_reason_that_matches_counts(tmp_path):
    _, (row,) = report_rows.read([written(tmp_path, timed())])
    first, second = reasons.Reason("one", "*"), reasons.Reason("two", "gelu")
    assert reasons.reason_for(row, [WHY, first, second]) is first
    assert reasons.reason_for(row, [WHY]) is None


def test_check_fails_for_a_slower_row_without_a_reason(tmp_path, monkeypatch, capsys):
    file = written(tmp_path, timed("softsign", "forward out=", {"torch": 0.5}), timed("relu"))
    arguments = [str(file), "--out", str(tmp_path)]
    assert report.main([*arguments, "--check"]) == 1
    unknown = "reason not known: activations: softsign forward out=, float32, 1,000,000, 2 threads (0.500)"
    assert unknown in capsys.readouterr().err.splitlines()
    assert report.main(arguments) == 0
    monkeypatch.setattr(
        report, "REASONS", (reasons.Reason("because", "softsign"), reasons.Reason("spare", "re*", "b*"))
    )
    capsys.readouterr()
    assert report.main([*arguments, "--check"]) == 0
    assert capsys.readouterr().err.splitlines() == ["unused reason: re* b* *: spare"]
    assert "because" in (tmp_path / "report.md").read_text(encoding="utf-8")


# --- the README -------------------------------------------------------------------------------------------------------


def test_only_what_stands_between_the_markers_changes(tmp_path):
    readme = made(tmp_path, written(tmp_path, timed()))[3]
    before, after = README.split("old\n")
    assert readme.startswith(before)
    assert readme.endswith(after)
    assert "| gelu | backward |" in readme[len(before) : -len(after)]
    assert report.COMMAND in readme
    assert report.with_block(readme, "old") == README


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        f"{report.START} alone",
        f"{report.END} before {report.START}",
        f"{report.START}{report.END}{report.END}",
    ],
)
def test_a_readme_without_its_markers_is_left_alone(tmp_path, capsys, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    arguments = [str(written(tmp_path, timed())), "--out", str(tmp_path / "out"), "--readme", str(readme)]
    assert report.main(arguments) == 2
    expected = f"python -m bench.report: error: --readme: expected {report.START} and after it {report.END}, each once"
    assert capsys.readouterr().err.splitlines() == [expected]
    assert readme.read_text() == text
    assert not (tmp_path / "out").exists()


def test_the_readme_has_main_functions_near_a_million_elements_and_always_the_worst_row(tmp_path):
    sizes = [timed("relu", "forward out=", shape=[n]) for n in (1000, 900_000, 16_000_000)]
    others = [timed("relu", "forward out=", dtype="float64"), timed("relu", "forward out=", threads=1), timed("rare")]
    worst = timed("rarest", "backward", {"torch": 0.6}, dtype="float64", shape=[10], threads=1)
    softmax = [timed("softmax", "forward fresh", family="softmax")]
    softmax += [timed("softmax", "forward out=", shape=[1000, 1000], family="softmax")]
    steps = [timed("Adam", "", family="thinc"), timed("Adam", "", shape=[20, 50_000], family="optimizers")]
    readme = made(tmp_path, written(tmp_path, worst, *sizes, *others, *softmax, *steps))[3]
    _, *lines = tables_of_markdown(readme)["Title"]
    assert [line[:4] for line in lines] == [
        ["relu", "forward out=", "float32", "900,000"],
        ["softmax", "forward out=", "float32", "1000 x 1000"],
        ["Adam", "", "float32", "20 x 50000"],
        ["rarest", "backward", "float64", "10"],
    ]
    again = made(
        tmp_path, written(tmp_path, timed("relu", "forward out="), timed("tanh", "forward out=", {"jax": 9.0}))
    )[3]
    assert [line[0] for line in tables_of_markdown(again)["Title"][1:]] == ["tanh", "relu"]


# --- data that are none -----------------------------------------------------------------------------------------------

MISSING = object()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, -1.0, None, "1", True, MISSING])
@pytest.mark.parametrize(
    "path",
    [
        ("candidates", "fastnn", "median"),
        ("candidates", "fastnn", "p99"),
        ("candidates", "torch", "median"),
        ("ratios", "torch"),
        ("elements",),
        ("bytes",),
        ("threads",),
    ],
)
def test_senseless_numbers_are_errors_that_name_the_row(tmp_path, capsys, path, value):
    broken = timed("mish")
    place = broken["extra_info"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    if value is MISSING:
        del place[path[-1]]
    assert report.main([str(written(tmp_path, timed(), broken)), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert broken["fullname"] in line
    assert ".".join(path) in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": "1e6"}, "shape is '1e6', expected a list of integers"),
        ({"shape": [1.5]}, "shape is [1.5], expected a list of integers"),
        ({"dtype": None}, "dtype is None, expected a text"),
        ({"candidates": []}, "candidates is [], expected a table"),
        ({"candidates": {}}, "has no candidates.fastnn.median"),
        ({"threads": 3}, "threads is 3, expected one of 1, 2, whose streaming rates are known"),
    ],
)
def test_other_senseless_entries(tmp_path, change, message):
    broken = timed("mish")
    broken["extra_info"] |= change
    with pytest.raises(report_rows.CommandError) as error:
        report_rows.read([written(tmp_path, broken)])
    assert str(error.value) == f"{broken['fullname']}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "is no JSON"),
        ("[]", "is no report of pytest-benchmark (--benchmark-json)"),
        ('{"benchmarks": 1}', "is no report of pytest-benchmark (--benchmark-json)"),
        ('{"benchmarks": []}', "has no machine_info"),
        ('{"benchmarks": [], "machine_info": {}}', "machine_info: has no fastnn"),
        ('{"benchmarks": [], "machine_info": {"fastnn": {"threads": 2}}}', "has no datetime"),
    ],
)
def test_unknown_formats(tmp_path, capsys, text, message):
    file = tmp_path / "file.json"
    if text is not None:
        file.write_text(text)
    assert report.main([str(file), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"python -m bench.report: error: {file}: {message}")


def test_benchmarks_of_another_format_are_errors(tmp_path):
    old = {"fullname": "bench/bench_old.py::test_old", "extra_info": {"fastnn": 1e-3, "torch": 2e-3}}
    with pytest.raises(report_rows.CommandError, match=r"bench_old\.py::test_old: has no candidates"):
        report_rows.read([written(tmp_path, old)])


def test_files_are_put_together_if_they_are_of_one_machine(tmp_path):
    one, two = written(tmp_path, timed()), written(tmp_path, timed("relu"), name="two.json", start={"import": 9.0})
    machine, rows = report_rows.read([one, two])
    assert [row.function for row in rows] == ["gelu", "relu"]
    assert machine.start["import"] == 0.125
    for change in ({"cpu": "another"}, {"threads": 4}, {"versions": VERSIONS | {"torch": "7"}}):
        other = written(tmp_path, timed("relu"), name="other.json", **change)
        with pytest.raises(report_rows.CommandError, match=r"other\.json: of another machine"):
            report_rows.read([one, other])
    with pytest.raises(report_rows.CommandError, match=r"gelu backward, float32, 1,000,000, 2 threads: measured twice"):
        report_rows.read([one, one])


# --- the page and its plots -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A page of 200 rows, in 40 panels of five sizes: a quarter of what a report has."""
    folder = tmp_path_factory.mktemp("large")
    sizes = (1000, 10_000, 100_000, 1_000_000, 16_000_000)
    libraries = {name: 1.5 + k for k, name in enumerate(("torch", "numpy", "numexpr", "jax", "onnxruntime", "scipy"))}
    rows = [
        timed(f"function_{k}", direction, libraries, shape=[n], family=f"family {k % 5}")
        for k in range(20)
        for direction in ("forward out=", "backward")
        for n in sizes
    ]
    return made(folder, written(folder, *rows))[1]


def test_the_page_is_of_moderate_size(large):
    assert len(large.encode()) < 5e6 / 4
    assert large.count("<figcaption>") == 40 + 5 + 2


def test_the_page_stands_alone(large):
    page = Page(large)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    assert not page.all("src")
    for outside in ("http:", "https:", "@import", "url(h", "url(/"):
        assert outside not in large
    identifiers = page.all("id")
    assert len(set(identifiers)) == len(identifiers)
    links = page.all("href") + page.all("xlink:href") + re.findall(r"url\(([^)]*)\)", large)
    assert len(links) > 1000
    assert all(link.startswith("#") and link[1:] in set(identifiers) for link in links)
    assert all(len(attributes["aria-label"]) > 20 for tag, attributes in page.tags if tag == "svg")


@pytest.fixture
def several(tmp_path):
    """Rows of two sizes with two libraries, and of one size."""
    rows = [
        timed("gelu", "backward", {"torch out": 2.0, "torch": 4.0, "numpy": 8.0}, shape=[n]) for n in (1000, 10_000)
    ]
    rows += [timed("gelu", "backward", {"torch": 0.5}, threads=1), timed("relu", "backward", {"numpy": 0.25})]
    return report_rows.read([written(tmp_path, *rows)])[1]


def lines_of(svg, colour):
    """Numbers of points of the lines of a colour."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*fill: none; stroke: {colour}', svg)
    return [len(re.findall("[ML]", path)) for path in paths]


def test_a_panel_has_a_line_for_each_library(several):
    panels = report_plots.panels(several)
    assert {name: len(rows) for name, rows in panels.items()} == {"gelu backward, float32, 2 threads": 2}
    known = report_plots.styles(["fastnn", "torch", "numpy"])
    (rows,) = panels.values()
    svg = report_plots.time_against_size("gelu", rows, known)
    assert [lines_of(svg, style.colour) for style in known.values()] == [[2], [2], [2]]
    assert all(f">{tick}</text>" in svg for tick in ("1 ms", "2 ms", "5 ms", "1k", "10k"))


def test_speedups_are_geometric_means_and_red_below_even(several):
    known = report_plots.styles(["fastnn", "torch", "numpy"])
    bars = report_plots.bars(several)
    assert list(bars) == ["gelu backward", "relu backward"]
    assert report_plots.mean_ratio(bars["gelu backward"], None) == pytest.approx((2 * 2 * 0.5) ** (1 / 3))
    assert report_plots.mean_ratio(bars["gelu backward"], "numpy") == pytest.approx(8.0)
    assert report_plots.mean_ratio(bars["relu backward"], "torch") is None
    svg = report_plots.speedups("activations", several, known)
    assert svg.count(report_plots.SLOWER) == 1
    assert report_plots.SLOWER not in report_plots.speedups("activations", bars["gelu backward"], known)
    assert "gelu backward" in svg


def test_the_roof_is_the_rate_of_memory(several):
    svg = report_plots.roofline({"Activations": several}, 2, 40.0)
    assert "memory, 40 GB/s" in svg
    (colour, _) = report_plots.styles(["Activations"])["Activations"]
    assert len(re.findall(rf"<use [^>]*fill: {colour}", svg)) == 3 + 1  # of two threads, and the legend's
    assert "memory, 20 GB/s" in report_plots.roofline({"Activations": several}, 1, 20.0)


def test_matplotlib_is_an_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert report.main([str(written(tmp_path, timed())), "--out", str(tmp_path / "out")]) == 2
    message = 'matplotlib is not installed; get it with: pip install "fastnn[train]"'
    assert capsys.readouterr().err == f"python -m bench.report: error: {message}\n"
    assert not (tmp_path / "out").exists()


# --- numbers, and what is committed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.0, "2 s"), (0.0123, "12.3 ms"), (4.56e-5, "45.6 µs"), (7e-8, "70 ns"), (9.996e-4, "1 ms"), (9.99e-4, "999 µs")],
)
def test_durations(seconds, text):
    assert report_tables.duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(0.7512, "0.751"), (1.0, "1.00"), (12.34, "12.3"), (1234.5, "1,234")])
def test_ratios(value, text):
    assert report_tables.ratio(value) == text


def test_the_command_runs_as_documented(tmp_path):
    command = [sys.executable, "-m", "bench.report", written(tmp_path, timed()), "--out", tmp_path / "made" / "here"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[:2] == [
        str(tmp_path / "made" / "here" / f"report.{form}") for form in ("md", "html")
    ]


def test_the_documentation_has_data_of_this_form():
    file = ROOT / "docs" / "_data" / "benchmarks.json"
    assert file.stat().st_size < 400_000
    tables = json.loads(file.read_text(encoding="utf-8"))["tables"]
    assert [table["title"] for table in tables[:3]] == ["Libraries", "Start", report_tables.SLOWER]
    assert len(tables) > 3
    for table in tables:
        assert {len(line) for line in table["body"]} <= {len(table["heading"])}
