"""The `measure` fixture: interleaved timing, a row of pytest-benchmark's record, and a table at the end."""

from typing import Any

import pytest

import fastnn as fnn
from fastnn.benchmark import machine, record
from fastnn.benchmark.libraries import limited
from fastnn.benchmark.timing import interleave

_ROWS: list[dict[str, Any]] = []


@pytest.fixture
def measure(benchmark):
    """Time candidates against each other; fastnn's samples are what pytest-benchmark records."""

    def run(work, candidates, yardsticks=None):
        yardsticks = yardsticks or {}
        with limited(work.threads):
            timings = interleave(candidates | yardsticks, settle=work.threaded)
            row = record.row(work, timings, tuple(yardsticks))
            benchmark.extra_info.update(row)
            _ROWS.append(row)
            iterations = max(1, int(2e-4 / timings.median("fastnn")))
            benchmark.pedantic(candidates["fastnn"], rounds=3, iterations=iterations)

    return run


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["fastnn"] = machine.description(fnn.get_num_threads())


def pytest_terminal_summary(terminalreporter):
    if _ROWS:
        terminalreporter.section("fastnn against the best of the others (medians of interleaved rounds)")
        for row in _ROWS:
            terminalreporter.write_line(str(row))
