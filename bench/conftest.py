"""The `report` fixture: interleaved timing, pytest-benchmark's record, and a table at the end."""

import numpy as np
import pytest
from timing import interleave

_LINES: list[str] = []


@pytest.fixture
def report(benchmark, request):
    """Time candidates against each other; fastnn's samples are what pytest-benchmark records."""

    def run(direction, dtype, shape, candidates):
        operands, calls = candidates
        timings = interleave(calls)
        size = operands * int(np.prod(shape)) * np.dtype(dtype).itemsize
        ours, torch = timings.median("fastnn"), timings.best("torch")
        benchmark.extra_info.update(
            {name: timings.median(name) for name in calls},
            GBps=size / ours / 1e9,
            vs_numpy=timings.ratio("numpy", "fastnn") if "numpy" in calls else None,
            vs_torch=timings.ratio(torch, "fastnn") if torch else None,
            torch_way=torch,
        )
        label = request.node.callspec.id if hasattr(request.node, "callspec") else request.node.name
        _LINES.append(_line(label, benchmark.extra_info))
        benchmark.pedantic(calls["fastnn"], rounds=3, iterations=max(1, int(2e-4 / ours)))

    return run


def _line(label, info):
    def ratio(key):
        return f"{info[key]:8.2f}" if info[key] else "       -"

    torch = f"{info[info['torch_way']] * 1e6:10.2f}" if info["torch_way"] else "         -"
    return (
        f"{label:45} {info['fastnn'] * 1e6:10.2f} {torch} {info['GBps']:8.1f} {ratio('vs_torch')} {ratio('vs_numpy')}"
    )


def pytest_terminal_summary(terminalreporter):
    if _LINES:
        terminalreporter.section("fastnn against torch's best way and NumPy (median of interleaved rounds)")
        heading = ("", "fastnn us", "torch us", "GB/s", "torch /", "numpy /")
        terminalreporter.write_line("{:45} {:>10} {:>10} {:>8} {:>8} {:>8}".format(*heading))
        for line in _LINES:
            terminalreporter.write_line(line)
