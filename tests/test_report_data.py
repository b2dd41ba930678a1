"""What a report of benchmarks is made of: senseless data are errors that name the row, and nothing is written."""

import pytest
import report
import report_rows
from report_forms import VERSIONS, timed, written

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
