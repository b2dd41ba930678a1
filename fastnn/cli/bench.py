"""Measure functions on this machine against the libraries that are installed, the slower ones first.

Every result is checked before it is timed; all candidates have their turn in every round.
"""

import argparse
import difflib
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fastnn as fnn

from . import _bench_table
from .errors import CommandError
from .info import facts
from .models import check_place, write_whole

_SIZE, _SECONDS = 1_000_000, 25.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastnn bench`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions, by their names in fastnn (default: some)")
    parser.add_argument("--size", type=int, default=_SIZE, metavar="N", help=f"elements, about (default: {_SIZE})")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="default: float32")
    parser.add_argument("--threads", type=int, metavar="N", help="of every library (default: all of fastnn's)")
    parser.add_argument(
        "--seconds", type=float, default=_SECONDS, metavar="S", help=f"to time all, about (default: {_SECONDS:g})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE as well")


def run(options: argparse.Namespace) -> None:
    """Measure, then print the machine and the table."""
    threads = _threads(options.threads)
    if options.size < 1:
        raise CommandError(f"--size {options.size}: expected at least 1")
    if not options.seconds > 0:
        raise CommandError(f"--seconds {options.seconds:g}: expected more than 0")
    if options.json:
        check_place("--json", options.json)
    names = _chosen(options.names)
    # imports every library that is installed: only now that there is something to measure
    from ..benchmark import libraries, machine, record

    streaming = machine.streaming_rate(threads)
    rows = sorted(_measured(names, options, threads), key=record.best_ratio)
    about = {"cpu": dict(facts())["CPU"], "threads": threads, "streaming": streaming, "versions": libraries.versions()}
    _bench_table.show(rows, about)
    if options.json:
        write_whole(options.json, json.dumps({"machine": about, "rows": rows}, indent=1).encode())


def _threads(wanted: int | None) -> int:
    if wanted is not None and wanted < 1:
        raise CommandError(f"--threads {wanted}: expected at least 1")
    with fnn.threads(wanted or fnn.get_num_threads()):
        return fnn.get_num_threads()


def _chosen(names: list[str]) -> tuple[str, ...]:
    from ..benchmark import suite

    for name in names:
        if name not in suite.NAMES:
            near = difflib.get_close_matches(name, suite.NAMES) or suite.MAIN
            raise CommandError(f"{name}: unknown, expected functions such as {', '.join(near)}")
    return tuple(dict.fromkeys(names)) or suite.MAIN


def _measured(names: tuple[str, ...], options: argparse.Namespace, threads: int) -> Iterator[dict[str, Any]]:
    """A row for every function and direction, with a progress bar on a terminal if rich is installed."""
    from ..benchmark import peers, record, suite
    from ..benchmark.libraries import limited

    works = [work for name in names for work in suite.works(name, options.size, options.dtype, threads)]
    for work, ours in _with_progress(works):
        with limited(threads):
            theirs = peers.ways(work)
            peers.check(theirs, work, ours())
        yield record.measured(work, {"fastnn": ours} | theirs, seconds=options.seconds / len(works))


def _with_progress(works: list) -> Iterator:
    if find_spec("rich") is None:
        return iter(works)
    from rich.console import Console
    from rich.progress import track

    console = Console()
    return iter(track(works, "measuring", console=console, disable=not console.is_terminal, transient=True))
