"""fastnn.benchmark and `fastnn bench`: candidates compute what fastnn does, times are summed up as they should be."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from command_line import call, error_line, output
from processes import run_python

import fastnn as fnn
from fastnn.benchmark import activations, libraries, machine, peers, record, suite, timing
from fastnn.benchmark.fused import FUSED
from fastnn.benchmark.work import BACKWARD, DIRECTIONS, FROM_OUTPUT, OUT, Work
from fastnn.cli import _bench_table

ROOT = Path(__file__).parents[1]


@pytest.fixture
def numpy_alone(monkeypatch):
    monkeypatch.setattr(peers.torch_peer, "torch", None)
    monkeypatch.setattr(peers.torch_fused, "torch", None)
    for peer in (peers.numpy_peer, peers.numexpr_peer, peers.jax_peer, peers.onnx_peer, peers.array_fused):
        monkeypatch.setattr(peer, "load", lambda module: None)


def test_all_activations_are_measured():
    assert set(suite.ACTIVATIONS) == set(CASES)
    assert set(suite.MAIN) <= set(suite.NAMES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_of_every_library(case, dtype):
    for direction in DIRECTIONS:
        if direction != FROM_OUTPUT or case.from_output:
            work = activations.activation(case.name, direction, dtype, (1000,), fnn.get_num_threads())
            peers.check(peers.ways(work), work, activations.fastnn_call(work)())


@pytest.mark.parametrize("name", FUSED)
def test_fused_functions_of_every_library(name):
    row = FUSED[name]
    for direction in row.directions:
        shape = min(row.shapes[1:] or row.shapes, key=math.prod)
        work, ours = row.work(direction, "float32", shape, fnn.get_num_threads())
        peers.check(peers.ways(work), work, ours())


def test_without_other_libraries(numpy_alone):
    work = activations.activation("relu", OUT, "float32", (10,), 1)
    assert list(peers.ways(work)) == ["numpy", "numpy out"]
    work, _ = FUSED["softmax"].work(OUT, "float32", (3, 4), 1)
    assert list(peers.ways(work)) == ["numpy"]
    work, _ = FUSED["group_norm_forward"].work(OUT, "float32", (2, 8, 3, 3), 1)
    assert peers.ways(work) == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x * np.float32(1.001), "numpy wrong"),
        (lambda x: x.astype("f8"), "float64"),
        (lambda x: x[:-1], r"\(999,\)"),
        (lambda x: np.where(x == x.max(), np.float32(np.nan), x), "numpy wrong"),
    ],
)
def test_a_wrong_result_is_noticed(wrong, message):
    work = activations.activation("tanh", OUT, "float32", (1000,), 1)
    right = np.tanh(work.arrays["x"])
    peers.check({"numpy": lambda: right}, work, right)
    with pytest.raises(AssertionError, match=message):
        peers.check({"numpy wrong": lambda: wrong(right)}, work, right)


@pytest.mark.parametrize("wrong", [lambda x: x, lambda x: 0 * x, lambda x: x * (np.arange(x.size) % 2)])
def test_a_wrong_dropout_is_noticed(wrong):
    work, ours = FUSED["dropout_forward"].work(OUT, "float32", (1000,), 1)
    peers.check({"fastnn": ours}, work, ours())
    with pytest.raises(AssertionError):
        peers.check({"numpy wrong": lambda: wrong(work.arrays["x"])}, work, ours())


def test_in_place_leaves_the_works_array():
    work = activations.activation("gelu", DIRECTIONS[2], "float32", (100,), 1)
    before = work.arrays["x"].copy()
    for way in [activations.fastnn_call(work), *peers.ways(work).values()]:
        way(), way()
    np.testing.assert_array_equal(work.arrays["x"], before)


def test_summary_of_times():
    ours = [[1.0, 3.0], [2.0, 2.0], [5.0, 5.0]]
    theirs = [[4.0, 4.0], [2.0, 2.0], [20.0, 10.0]]
    timings = timing.Timings({"fastnn": ours, "numpy": theirs})
    assert timings.samples("numpy") == [4, 2, 15]
    assert (timings.median("fastnn"), timings.median("numpy")) == (2, 4)
    assert timings.ratio("numpy", "fastnn") == 2  # of 2, 1 and 3
    assert timings.p99("numpy") == pytest.approx(np.percentile([4, 4, 2, 2, 20, 10], 99))


@pytest.mark.parametrize(("seconds", "rounds"), [(0, timing.FEWEST_ROUNDS), (1e9, timing.MOST_ROUNDS)])
def test_candidates_have_their_turn_in_every_round(monkeypatch, seconds, rounds):
    pauses, turns = [], []
    monkeypatch.setattr(timing.time, "sleep", pauses.append)
    calls = {name: lambda name=name: turns.append(name) for name in "ab"}
    timings = timing.interleave(calls, seconds=seconds)
    assert [len(batches) for batches in timings.batches.values()] == [rounds, rounds]
    assert pauses == [timing.SETTLE] * 2 * rounds
    changes = [a for a, b in zip(turns, [*turns[1:], ""], strict=True) if a != b]
    assert "".join(changes) == "ab" * (rounds + 1)  # once to see how long they take
    assert len(timing.interleave(calls, rounds=1, settle=False).batches["a"]) == 1
    assert len(pauses) == 2 * rounds


def test_a_sample_waits_for_threads_that_spin(monkeypatch):
    spent, pauses = iter([0.0, 0.009, 0.009, 0.018, 0.018, 0.0181]), []
    monkeypatch.setattr(timing.time, "process_time", lambda: next(spent))
    monkeypatch.setattr(timing.time, "sleep", pauses.append)
    timing._settle()
    assert pauses == [timing.SETTLE] * 3


def test_a_sample_is_long_enough():
    (batches,) = timing.interleave({"a": lambda: sum(range(100))}, rounds=1).batches["a"]
    assert len(batches) > 5
    assert len(timing.interleave({"a": lambda: timing.time.sleep(0.03)}, rounds=1).batches["a"][0]) == 1


def _work(**changes):
    given = {"family": "f", "function": "g", "direction": OUT, "dtype": np.dtype("f4"), "shape": (2, 3), "bytes": 48}
    return Work(**{**given, "threads": 2, **changes})


def test_a_row():
    timings = timing.Timings({"fastnn": [[1.0]], "torch out": [[3.0]], "torch": [[2.0]], "copy": [[0.5]]})
    row = record.row(_work(), timings, ("copy",))
    assert json.loads(json.dumps(row)) == row
    assert row == {
        "family": "f",
        "function": "g",
        "direction": "forward out=",
        "dtype": "float32",
        "shape": [2, 3],
        "elements": 6,
        "bytes": 48,
        "threads": 2,
        "candidates": {name: {"median": t, "p99": t} for name, t in (("fastnn", 1), ("torch out", 3), ("torch", 2))},
        "ratios": {"torch out": 3.0, "torch": 2.0},
        "yardsticks": {"copy": {"median": 0.5}},
    }
    assert (record.best_ratio(row), record.best_ways(row)) == (2.0, {"torch": "torch"})
    assert record.best_ratio(record.row(_work(), timing.Timings({"fastnn": [[1.0]]}))) == math.inf


def test_measured_on_the_threads_of_the_work():
    seen = set()
    row = record.measured(_work(threads=1), {"fastnn": lambda: seen.add(fnn.get_num_threads())}, rounds=1)
    assert seen == {1}
    assert row["candidates"]["fastnn"]["median"] > 0


@pytest.mark.parametrize(
    ("shape", "threads", "threaded"), [((40_000,), 2, True), ((40_000,), 1, False), ((9,), 2, False)]
)
def test_works_that_use_threads(shape, threads, threaded):
    assert _work(shape=shape, threads=threads).threaded is threaded


def test_thread_limits_are_given_back():
    before = fnn.get_num_threads()
    with libraries.limited(1):
        assert fnn.get_num_threads() == 1
        assert not libraries.on_all_cores(before + 10_000)
    assert fnn.get_num_threads() == before


def test_versions():
    found = libraries.versions()
    assert next(iter(found)) == "fastnn"
    assert (found["fastnn"], found["numpy"]) == (fnn.__version__, np.__version__)
    assert libraries.load("no_such_library") is None


def test_machine(monkeypatch):
    monkeypatch.setattr(machine, "_LARGE", 1 << 20)
    assert 0.01 < machine.streaming_rate(2) < 10_000
    seconds = machine._timed("import os; print(len(os.environ['PROBE']))", PROBE="abc")
    assert seconds == 3
    assert 0 < machine._import("json", 1) < 60


@pytest.mark.parametrize(("name", "size"), [("relu", 77), ("softmax", 100_000), ("batch_norm_forward", 5), ("mse", 50)])
def test_works_of_a_name(name, size):
    works = [work for work, _ in suite.works(name, size, "float64", 1)]
    assert [work.direction for work in works] == ([OUT, BACKWARD] if name == "relu" else [FUSED[name].directions[0]])
    assert {work.dtype.name for work in works} == {"float64"}
    assert all(work.elements == size or len(work.shape) > 1 for work in works)
    assert suite._shape((4096, 1024), 100_000) == (98, 1024)


@pytest.fixture
def quick(monkeypatch, numpy_alone):
    monkeypatch.setattr(machine, "_LARGE", 1 << 20)
    monkeypatch.setattr(timing, "FEWEST_ROUNDS", 1)


def test_command(capsys, quick, tmp_path):
    lines = output(
        capsys, "bench", "tanh", "softmax", "--size", 100, "--seconds", 1e-9, "--json", tmp_path / "rows.json"
    )
    assert lines[2].split() == ["function", "direction", "size", "fastnn", "p99", "GB/s", "share", "numpy"]
    data = json.loads((tmp_path / "rows.json").read_text())
    assert sorted(row["function"] for row in data["rows"]) == ["softmax", "tanh", "tanh"]
    for line, row in zip(lines[3:6], data["rows"], strict=True):
        assert re.split("  +", line)[:2] == [row["function"], row["direction"]]
    assert data["machine"]["versions"]["fastnn"] == fnn.__version__
    ratios = [record.best_ratio(row) for row in data["rows"]]
    assert ratios == sorted(ratios)
    assert lines[6].startswith(f"{sum(ratio < 0.95 for ratio in ratios)} of 3 rows slower")


def test_table():
    rows = [
        record.row(_work(), timing.Timings({"fastnn": [[2e-6]], "torch": [[1e-6]], "torch out": [[4e-6]]})),
        record.row(_work(direction=""), timing.Timings({"fastnn": [[2e-6]], "numpy": [[0.5]]})),
    ]
    assert _bench_table.table(rows, 0.1) == [
        ["function", "direction", "size", "fastnn", "p99", "GB/s", "share", "torch", "numpy"],
        ["g", "forward out=", "2x3", "2 us", "2 us", "0.0", "24%", "1 us 0.50x", "-"],
        ["g", "", "2x3", "2 us", "2 us", "0.0", "24%", "-", "500 ms 250000.00x"],
    ]
    assert [_bench_table.duration(t) for t in (2, 3e-3, 12.34e-6, 5e-9)] == ["2 s", "3 ms", "12.3 us", "5 ns"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["geluu"], "geluu: unknown, expected functions such as gelu"),
        (["relu", "nonsense"], "nonsense: unknown, expected functions such as relu, sigmoid, tanh"),
        (["--size", 0], "--size 0: expected at least 1"),
        (["--threads", 0], "--threads 0: expected at least 1"),
        (["--seconds", 0], "--seconds 0: expected more than 0"),
        (["--json", "/nowhere/x.json"], "--json /nowhere/x.json: cannot be written"),
    ],
)
def test_wrong_arguments(capsys, arguments, message):
    assert error_line(capsys, "bench", *arguments).startswith(f"fastnn bench: error: {message}")


def test_unknown_dtype(capsys):
    assert call("bench", "--dtype", "float16") == 2
    assert "float32" in capsys.readouterr().err


def test_command_with_numpy_alone():
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in ("torch", "jax", "onnxruntime", "numexpr", "rich"))
    arguments = ["bench", "relu", "--size", "100", "--seconds", "1e-9"]
    run = run_python(f"import sys\n{blocked}from fastnn import cli\nsys.exit(cli.main({arguments!r}))")
    assert "relu" in run.stdout


@pytest.mark.parametrize(("profile", "rows"), [("smoke", 1), ("report", 12)])
def test_rows_of_the_profiles(profile, rows, request):
    """Every activation has its rows: the report's directions, sizes, dtypes and numbers of threads."""
    if profile == "report" and fnn.get_num_threads() == 1:
        rows = 10  # all threads are one: the row of one is not another
    command = [sys.executable, "-m", "pytest", "bench/bench_activations.py", f"--profile={profile}", "-q"]
    run = subprocess.run([*command, "--collect-only"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    found = [line.partition("[")[2].partition("-")[0] for line in run.stdout.splitlines() if "::" in line]
    assert {name: found.count(name) for name in found} == dict.fromkeys(CASES, rows)
