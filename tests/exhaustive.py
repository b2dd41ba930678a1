"""Every function of one input and its derivative on all 2^32 float32 inputs, against float64.

    python -m tests.exhaustive                        everything: about an hour on two cores
    python -m tests.exhaustive gelu "gelu'" vmath.exp  these
    python -m tests.exhaustive --every 97             every 97th input
    python -m tests.exhaustive --libraries fastnn torch numpy scipy --json docs/_data/accuracy.json

Prints a table and fails if an error exceeds the bound that the function's row declares. What stands in the JSON file
already, measured with the same sources and stride, is not measured again: a run that was stopped goes on.

The float64 side is fastnn's own kernel, whose distance from the independent reference is measured along the way on
every 1009th input and must stay below 1/1000 ulp of float32.
"""

import argparse
import datetime
import hashlib
import json
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial, reduce
from multiprocessing import get_context
from operator import add
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import exhaustive_rows
from ulp_counts import Counts, count
from ulps import spacing

import fastnn as fnn
from fastnn.cli.info import facts

#: inputs of one job of a worker, and of one pass within it, whose arrays stay in the cache
JOB, PASS = 1 << 26, 1 << 17
CHECKED = 1009
#: largest distance of the float64 side from the reference, in ulps of float32
TRUSTED = 1e-3


@cache
def _rows(library: str) -> dict[str, exhaustive_rows.Row]:
    return exhaustive_rows.rows(library)


def measure(library: str, name: str, every: int, start: int) -> tuple[Counts, float]:
    """The errors of JOB * every consecutive bit patterns, and the largest doubt about the float64 side, in ulps."""
    row, counts, doubt = _rows(library)[name], [], 0.0
    end = min(start + JOB * every, 1 << 32)
    with np.errstate(all="ignore"):
        for first in range(start, end, PASS * every):
            x = np.arange(first, min(first + PASS * every, end), every, dtype=np.uint64).astype(np.uint32)
            x = x.view(np.float32)
            expected = row.exact(x.astype(np.float64))
            counts.append(count(x, row.value(x), expected, row.crossings, row.crossing_bound, row.limit))
            if library == "fastnn":
                doubt = max(doubt, _doubt(row, x[::CHECKED], expected[::CHECKED]))
    return reduce(add, counts), doubt


def _doubt(row, x, expected) -> float:
    """Largest distance of the float64 side from the independent reference, in ulps of float32."""
    x, expected = x[np.abs(x) <= row.limit], expected[np.abs(x) <= row.limit]
    independent = np.asarray(row.reference(x.astype(np.float64)))
    same = (independent == expected) | (np.isnan(independent) & np.isnan(expected))
    distance = np.abs(independent - expected) / spacing(expected, np.float32)
    # beyond float32's range both are the same infinity
    beyond = (np.abs(expected) >= 2.0**128) & (np.abs(independent) >= 2.0**128) & (independent * expected > 0)
    return float(np.max(np.where(same | beyond, 0.0, distance), initial=0.0))


def table(wanted: list[tuple[str, str]], every: int, workers: int, done: dict, finished) -> list[dict]:
    """Measure what is not done, calling `finished(rows)` after each; the rows, printed as they come."""
    from rich.console import Console
    from rich.progress import Progress

    console, rows = Console(highlight=False, soft_wrap=True), []
    console.print(f"{'':24} {'':7} {'max ulp':>8} {'at x':>16} {'median':>7} {'mean':>7} {'> 1/2 ulp':>10}  bound")
    starts = range(0, 1 << 32, JOB * every)
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool,
        Progress(console=console, disable=not console.is_terminal, transient=True) as bar,
    ):
        for library, name in bar.track(wanted):
            row = done.get((library, name))
            if row is None:
                results = list(pool.map(partial(measure, library, name, every), starts))
                row = _summary(library, name, reduce(add, [c for c, _ in results]), max(d for _, d in results))
            rows.append(row)
            finished(rows)
            verdict = "" if within(row) else "  EXCEEDED"
            console.print(
                f"{name:24} {library:7} {float(row['max_ulp']):8.3f} {float(row['at']):16.8g} {row['median_ulp']:7.4f}"
                f" {float(row['mean_ulp']):7.4f} {row['above_half']:10.2%}  {row['bounds']['float32']:g}{verdict}"
            )
    return rows


def _summary(library: str, name: str, counts: Counts, doubt: float) -> dict:
    return {
        "name": name.removesuffix("'"),
        "derivative": name.endswith("'"),
        "library": library,
        "bounds": _rows(library)[name].bounds,
        "max_ulp": _number(counts.largest),
        "at": _number(counts.at),
        "mean_ulp": _number(counts.total / counts.count),
        "median_ulp": counts.median,
        "above_half": counts.above_half / counts.count,
        "inputs": counts.count,
        "doubt_ulp": doubt,
    }


def _number(value: float) -> float | str:
    """JSON has no infinities."""
    return value if math.isfinite(value) else str(value)


def within(row: dict) -> bool:
    """Whether no error of a row exceeds its bound for float32; other libraries declare none here."""
    if row["library"] != "fastnn":
        return True
    return float(row["max_ulp"]) <= row["bounds"]["float32"] and row["doubt_ulp"] <= TRUSTED


def _sources() -> str:
    """Hash of everything that the numbers depend on in this repository."""
    root = Path(fnn.__file__).parent
    files = [*root.rglob("*.py"), *Path(__file__).parent.glob("exhaustive*.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]


def read(file: Path, every: int) -> dict[tuple[str, str], dict]:
    """The rows of a JSON file that need not be measured again."""
    if not file.exists():
        return {}
    data = json.loads(file.read_text(encoding="utf-8"))
    if (data["every"], data["sources"]) != (every, _sources()):
        return {}
    return {(row["library"], row["name"] + "'" * row["derivative"]): row for row in data["rows"]}


def write(file: Path, every: int, rows: list[dict]) -> None:
    """The rows as JSON, with where and when they were measured."""
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    machine = {label: value for label, value in facts() if label not in ("cache folder", "threads")}
    data = {"date": today, "every": every, "sources": _sources(), "machine": machine, "rows": rows}
    aside = file.with_name(f"{file.name}.new")
    aside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    aside.replace(file)


def _one_thread() -> None:
    fnn.set_num_threads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions, derivatives as NAME'; all without one")
    parser.add_argument("--every", type=int, default=1, help="take only every N-th bit pattern")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--libraries", nargs="+", default=["fastnn"], choices=exhaustive_rows.LIBRARIES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to FILE as well; go on from it")
    options = parser.parse_args()
    known = _rows("fastnn")
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    names = options.names or list(known)
    wanted = [(library, name) for library in options.libraries for name in _rows(library) if name in names]
    done = read(options.json, options.every) if options.json else {}
    save = partial(write, options.json, options.every) if options.json else lambda rows: None
    rows = table(wanted, options.every, options.workers, done, save)
    sys.exit(0 if all(map(within, rows)) else 1)


if __name__ == "__main__":
    main()
