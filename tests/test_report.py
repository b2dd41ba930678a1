"""The report of benchmarks: no row is lost, and slower ones come first with a reason."""

import json
import subprocess
import sys
from collections import Counter

import pytest
import reasons
import report
import report_rows
import report_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from report_forms import README, ROOT, Page, all_forms, best, identity, made, tables_of_markdown, timed, written

pytest.importorskip("matplotlib", reason="the extra `train` is not installed")


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
