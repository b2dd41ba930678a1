"""The rows of a report: what benchmarks left in the files of pytest-benchmark, checked.

A benchmark's `extra_info` says what was timed (family, function, direction, dtype, shape, elements, bytes, threads),
the times of fastnn and each of its peers ("candidates"), and each peer's time over fastnn's ("ratios", medians over
rounds). The first word of a candidate's name is its library. `machine_info["fastnn"]` says where.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fastnn.cli.errors import CommandError

#: A ratio to the best peer below this is a row where fastnn is slower.
EVEN = 0.95


class Time(NamedTuple):
    """Seconds a call."""

    median: float
    p99: float


class Peer(NamedTuple):
    """A candidate beside fastnn, and its time over fastnn's."""

    name: str
    ratio: float

    @property
    def library(self) -> str:
        return self.name.partition(" ")[0]


@dataclass(frozen=True)
class Row:
    """One benchmark; `streaming` is the rate, in GB/s, at which so many threads go through memory."""

    family: str
    function: str
    direction: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    bytes: int
    threads: int
    times: dict[str, Time]
    peers: tuple[Peer, ...]
    streaming: float

    @property
    def key(self) -> tuple:
        return self.family, self.function, self.direction, self.dtype, self.shape, self.threads

    @property
    def ours(self) -> Time:
        return self.times["fastnn"]

    @property
    def rate(self) -> float:
        """GB/s, read and written."""
        return self.bytes / self.ours.median / 1e9

    @property
    def libraries(self) -> dict[str, Peer]:
        """The fastest candidate of each library, the fastest library first."""
        fastest: dict[str, Peer] = {}
        for peer in sorted(self.peers, key=lambda peer: peer.ratio):
            fastest.setdefault(peer.library, peer)
        return fastest

    @property
    def best(self) -> Peer | None:
        return min(self.peers, key=lambda peer: peer.ratio, default=None)

    @property
    def slower(self) -> bool:
        return self.best is not None and self.best.ratio < EVEN

    def __str__(self) -> str:
        work = f"{self.function} {self.direction}".rstrip()
        return f"{self.family}: {work}, {self.dtype}, {shape_text(self.shape)}, {threads_text(self.threads)}"


class Machine(NamedTuple):
    """Where and when it was measured: rates in GB/s by number of threads, start times in seconds."""

    date: str
    cpu: str
    python: str
    threads: int
    streaming: dict[int, float]
    versions: dict[str, str]
    start: dict[str, float]


def shape_text(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,}" if len(shape) == 1 else " x ".join(map(str, shape))


def threads_text(threads: int) -> str:
    return f"{threads} thread{'s' * (threads > 1)}"


def read(files: Iterable[Path]) -> tuple[Machine, list[Row]]:
    """The machine, whose start times are the first file's, and the rows of all files."""
    machines, rows, known = [], [], set()
    for file in files:
        report = _loaded(file)
        machines.append(_machine(report, file))
        if _identity(machines[-1]) != _identity(machines[0]):
            raise CommandError(f"{file}: of another machine, number of threads or version than the reports before it")
        for benchmark in report["benchmarks"]:
            row = _row(benchmark, machines[-1])
            if row.key in known:
                raise CommandError(f"{row}: measured twice")
            known.add(row.key)
            rows.append(row)
    return machines[0], rows


def _identity(machine: Machine) -> tuple:
    return machine.cpu, machine.python, machine.threads, machine.versions


def _loaded(file: Path) -> dict:
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise CommandError(f"{file}: is no JSON ({error})") from None
    if not isinstance(report, dict) or not isinstance(report.get("benchmarks"), list):
        raise CommandError(f"{file}: is no report of pytest-benchmark (--benchmark-json)")
    return report


def _machine(report: dict, file: Path) -> Machine:
    whole = _Reader(str(file), report)
    machine_info = _Reader(f"{file}: machine_info", whole.table("machine_info"))
    take = _Reader(f"{machine_info.what}.fastnn", machine_info.table("fastnn"))
    threads = take.integer("threads")
    return Machine(
        whole.text("datetime")[:10],
        take.text("cpu"),
        machine_info.text("python_version"),
        threads,
        {1: take.positive("streaming", "1"), threads: take.positive("streaming", "N")},
        take.table("versions"),
        {name: take.positive("start", name) for name in take.table("start")},
    )


def _row(benchmark: dict, machine: Machine) -> Row:
    record = benchmark.get("extra_info", {})
    take = _Reader(benchmark.get("fullname", "a benchmark without a name"), record)
    candidates = take.table("candidates")
    times = {
        name: Time(take.positive("candidates", name, "median"), take.positive("candidates", name, "p99"))
        for name in ("fastnn", *candidates)
    }
    shape, threads = record.get("shape"), take.integer("threads")
    if not isinstance(shape, list) or not all(type(n) is int for n in shape):
        raise take.wrong("shape", shape, "a list of integers")
    if threads not in machine.streaming:
        raise take.wrong(
            "threads", threads, f"one of {', '.join(map(str, machine.streaming))}, whose streaming rates are known"
        )
    return Row(
        *(take.text(name) for name in ("family", "function", "direction", "dtype")),
        tuple(shape),
        take.integer("elements"),
        take.integer("bytes"),
        threads,
        times,
        tuple(Peer(name, take.positive("ratios", name)) for name in candidates if name != "fastnn"),
        machine.streaming[threads],
    )


class _Reader:
    """Entries of a record by their path; what is missing or senseless is an error that names the record."""

    def __init__(self, what: str, record: dict) -> None:
        self.what, self.record = what, record

    def wrong(self, name: str, value: Any, expected: str) -> CommandError:
        return CommandError(f"{self.what}: {name} is {value!r}, expected {expected}")

    def _entry(self, *path: str) -> Any:
        value: Any = self.record
        for name in path:
            if not isinstance(value, dict) or name not in value:
                raise CommandError(f"{self.what}: has no {'.'.join(path)}")
            value = value[name]
        return value

    def text(self, name: str) -> str:
        value = self._entry(name)
        if not isinstance(value, str):
            raise self.wrong(name, value, "a text")
        return value

    def integer(self, name: str) -> int:
        value = self._entry(name)
        if type(value) is not int or value < 1:
            raise self.wrong(name, value, "an integer from 1")
        return value

    def positive(self, *path: str) -> float:
        value = self._entry(*path)
        if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
            raise self.wrong(".".join(path), value, "a positive number")
        return value

    def table(self, name: str) -> dict:
        value = self._entry(name)
        if not isinstance(value, dict):
            raise self.wrong(name, value, "a table")
        return value
