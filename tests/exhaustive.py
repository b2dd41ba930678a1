"""Every function of one input and its derivative on all 2^32 float32 inputs, against float64.

    python -m tests.exhaustive                        everything: half an hour on two cores
    python -m tests.exhaustive gelu "gelu'" vmath.exp  these
    python -m tests.exhaustive --every 97             every 97th input
    python -m tests.exhaustive --libraries fastnn torch numpy scipy --json docs/_data/accuracy.json

Also on all 2^16 float16 inputs, and in float64 on a sample of all exponents, dense near kinks and zero crossings,
against arithmetic of arbitrary precision. Prints a table and fails if an error exceeds the bound that the function's
row declares, or if a NaN is not kept. What stands in the JSON file already, measured with the same sources and stride,
is not measured again: a run that was stopped goes on.

The float64 side of float32 is fastnn's own kernel, whose distance from the independent reference is measured along the
way on every 1009th input and must stay below 1/1000 ulp of float32.
"""

import argparse
import datetime
import hashlib
import json
import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, partial, reduce
from multiprocessing import get_context
from operator import add
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import exhaustive_rows
from exhaustive_samples import number, summary
from ulp_counts import Counts, count
from ulps import spacing

import fastnn as fnn
from fastnn.cli.info import facts

#: inputs of one job of a worker, and of one pass within it, whose arrays stay in the cache
JOB, PASS = 1 << 26, 1 << 17
CHECKED = 1009
#: largest distance of the float64 side from the reference, in ulps of float32
TRUSTED = 1e-3
#: Files whose change makes a measurement one of another library: of fastnn.activations, of fastnn._engine.
_FAMILIES = ("rectified", "exponential", "sigmoidal", "smooth", "shrink")
_COMPILERS = ("primitives", "intrinsics", "vector_intrinsics", "vector_type", "vectors", "lanes", "loops", "ufuncs")


@cache
def _rows(library: str) -> dict[str, exhaustive_rows.Row]:
    return exhaustive_rows.rows(library)


def measure(libraries: list[str], name: str, every: int, start: int) -> tuple[list[Counts], float]:
    """The errors of each library on JOB consecutive steps of bit patterns; the largest doubt about the float64 side."""
    rows, doubt = [_rows(library)[name] for library in libraries], 0.0
    counts: list[list[Counts]] = [[] for _ in rows]
    end = min(start + JOB * every, 1 << 32)
    with np.errstate(all="ignore"):
        for first in range(start, end, PASS * every):
            x = np.arange(first, min(first + PASS * every, end), every, dtype=np.uint64).astype(np.uint32)
            x = x.view(np.float32)
            expected = rows[0].exact(x.astype(np.float64))
            doubt = max(doubt, _doubt(rows[0], x[::CHECKED], expected[::CHECKED]))
            for row, found in zip(rows, counts, strict=True):
                found.append(count(x, row.value(x), expected, row.crossings, row.crossing_bound, row.limit))
    return [reduce(add, found) for found in counts], doubt


def measure_others(libraries: list[str], name: str) -> list[dict]:
    """Of each library the summaries of float16 and float64."""
    found = [{dtype: summary(_rows(library)[name], dtype) for dtype in ("float16", "float64")} for library in libraries]
    return [{dtype: value for dtype, value in row.items() if value} for row in found]


def _doubt(row, x, expected) -> float:
    """Largest distance of the float64 side from the independent reference, in ulps of float32."""
    x, expected = x[np.abs(x) <= row.limit], expected[np.abs(x) <= row.limit]
    independent = np.asarray(row.reference(x.astype(np.float64)))
    same = (independent == expected) | (np.isnan(independent) & np.isnan(expected))
    for place, width in row.crossings:  # where an absolute error is allowed, a thousandth of that
        allowed = TRUSTED * row.crossing_bound * np.finfo(np.float32).eps
        same |= (np.abs(x - place) < width) & (np.abs(independent - expected) <= allowed)
    distance = np.abs(independent - expected) / spacing(expected, np.float32)
    # beyond float32's range both are the same infinity
    beyond = (np.abs(expected) >= 2.0**128) & (np.abs(independent) >= 2.0**128) & (independent * expected > 0)
    return float(np.max(np.where(same | beyond, 0.0, distance), initial=0.0))


def table(wanted: list[tuple[str, str]], every: int, workers: int, done: dict, finished) -> list[dict]:
    """Measure what is not done, calling `finished(rows)` after each function; the rows, printed as they come."""
    from rich.console import Console
    from rich.progress import Progress

    console, rows = Console(highlight=False, soft_wrap=True), []
    console.print(f"{'':24} {'':7} {'max ulp':>8} {'at x':>16} {'median':>7} {'mean':>7} {'> 1/2 ulp':>10}  bound")
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool,
        Progress(console=console, disable=not console.is_terminal, transient=True) as bar,
    ):
        for name in bar.track(list(dict.fromkeys(name for _, name in wanted))):
            libraries = [library for library, of in wanted if of == name]
            missing = [library for library in libraries if (library, name) not in done]
            done.update(_measured(pool, missing, name, every) if missing else {})
            rows += [done[library, name] for library in libraries]
            finished(rows)
            for library in libraries:
                console.print(_line(done[library, name]))
    return rows


def _measured(pool: Executor, libraries: list[str], name: str, every: int) -> dict[tuple[str, str], dict]:
    others = pool.submit(measure_others, libraries, name)
    jobs = list(pool.map(partial(measure, libraries, name, every), range(0, 1 << 32, JOB * every)))
    doubt = max(doubt for _, doubt in jobs)
    sums = [reduce(add, found) for found in zip(*(counts for counts, _ in jobs), strict=True)]
    return {
        (library, name): _row(library, name, counts, doubt) | dtypes
        for library, counts, dtypes in zip(libraries, sums, others.result(), strict=True)
    }


def _row(library: str, name: str, counts: Counts, doubt: float) -> dict:
    float32 = {
        "max_ulp": number(counts.largest),
        "at": number(counts.at),
        "mean_ulp": number(counts.total / counts.count),
        "median_ulp": counts.median,
        "above_half": counts.above_half / counts.count,
        "inputs": counts.count,
        "nan_mismatches": counts.nan_mismatches,
    }
    return {
        "name": name.removesuffix("'"),
        "derivative": name.endswith("'"),
        "library": library,
        "bounds": _rows(library)[name].bounds,
        "doubt_ulp": doubt,
        "float32": float32,
    }


def _line(row: dict) -> str:
    found = row["float32"]
    return (
        f"{row['name'] + row['derivative'] * chr(39):24} {row['library']:7} {float(found['max_ulp']):8.3f}"
        f" {float(found['at']):16.8g} {found['median_ulp']:7.4f} {float(found['mean_ulp']):7.4f}"
        f" {found['above_half']:10.2%}  {row['bounds']['float32']:g}{'' if within(row) else '  EXCEEDED'}"
    )


def within(row: dict) -> bool:
    """Whether no error of a row exceeds its bounds; other libraries declare none here."""
    if row["library"] != "fastnn":
        return True
    close = all(float(row[dtype]["max_ulp"]) <= bound for dtype, bound in row["bounds"].items() if dtype in row)
    return close and row["float32"]["nan_mismatches"] == 0 and row["doubt_ulp"] <= TRUSTED


def _sources() -> str:
    """Hash of the formulas, of what they are made of, and of what measures them."""
    package, tests = Path(fnn.__file__).parent, Path(__file__).parent
    files = [package / "vmath.py", *package.glob("_engine/simd_math/*.py")]
    files += [package / "activations" / f"{family}.py" for family in _FAMILIES]
    files += [package / "_engine" / f"{module}.py" for module in _COMPILERS]
    files += [*tests.glob("exhaustive_*.py"), *tests.glob("ulp*.py")]
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
    os.environ["OMP_NUM_THREADS"] = "1"  # for torch, which a worker imports when it needs it
    fnn.set_num_threads(1)


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
