"""The `measure` fixture and the profiles: which rows are timed, how, and what is kept of them.

    pytest bench                      every row: hours
    pytest bench --profile=report     the rows that the report is made of: a quarter of an hour
    pytest bench --profile=smoke      every function once, to see that the benchmarks work

With --benchmark-json=FILE each benchmark's `extra_info` is a row of `fastnn.benchmark.record`, and `machine_info` says
what the machine can do and how long programs take to start.
"""

from typing import Any

import pytest

import fastnn as fnn
from fastnn.benchmark import machine, record
from fastnn.benchmark.libraries import limited

_ROWS: list[dict[str, Any]] = []


def pytest_addoption(parser):
    parser.addoption("--profile", choices=("everything", "report", "smoke"), default="everything", help="rows to time")


def pytest_configure(config):
    config.addinivalue_line("markers", "report: a row of the report")
    config.addinivalue_line("markers", "smoke: a row to see that the benchmark works; default: a function's first")


def pytest_collection_modifyitems(config, items):
    profile = config.getoption("profile")
    if profile == "everything":
        return
    kept = _smoke(items) if profile == "smoke" else [item for item in items if item.get_closest_marker("report")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _smoke(items):
    marked = [item for item in items if item.get_closest_marker("smoke")]
    first = {item.function: item for item in reversed(items)} | {item.function: None for item in marked}
    return [item for item in items if item in marked or item is first[item.function]]


@pytest.fixture
def measure(benchmark, request):
    """Time candidates against each other; fastnn's samples are what pytest-benchmark records."""

    def run(work, candidates, yardsticks=None):
        rounds = 1 if request.config.getoption("profile") == "smoke" else None
        row = record.measured(work, candidates, yardsticks, rounds=rounds)
        benchmark.extra_info.update(row)
        _ROWS.append(row)
        iterations = max(1, int(2e-4 / row["candidates"]["fastnn"]["median"]))
        with limited(work.threads):
            benchmark.pedantic(candidates["fastnn"], rounds=3, iterations=iterations)

    return run


def pytest_benchmark_update_machine_info(config, machine_info):
    repeats = 1 if config.getoption("profile") == "smoke" else 3
    machine_info["fastnn"] = machine.description(fnn.get_num_threads(), repeats)


def pytest_terminal_summary(terminalreporter):
    if _ROWS:
        terminalreporter.section("fastnn against the best of the others (medians of interleaved rounds)")
        heading = ("", "threads", "fastnn us", "GB/s", "best other us", "ratio")
        terminalreporter.write_line("{:64} {:>7} {:>11} {:>7} {:>14} {:>6}".format(*heading))
        for row in _ROWS:
            terminalreporter.write_line(_line(row))


def _line(row):
    label = " ".join(filter(None, (row["function"], row["direction"], row["dtype"], "x".join(map(str, row["shape"])))))
    ours = row["candidates"]["fastnn"]["median"]
    line = f"{label:64} {row['threads']:7} {ours * 1e6:11.2f} {row['bytes'] / ours / 1e9:7.1f}"
    if row["ratios"]:
        best = min(row["ratios"], key=row["ratios"].get)
        line += f" {row['candidates'][best]['median'] * 1e6:14.2f} {row['ratios'][best]:6.2f} {best}"
    return line
