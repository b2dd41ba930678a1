"""Every elementwise function and its derivative on all 2^32 float32 inputs, against the float64 reference.

    python -m tests.exhaustive                 everything: hours
    python -m tests.exhaustive gelu tanh       these
    python -m tests.exhaustive --every 97      every 97th input of all

Prints a table and fails if an error exceeds the bound that the function's row declares.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES
from ulps import ulp_error

import fastnn as fnn
from fastnn import reference

CHUNK = 1 << 21


def measure(name: str, derivative: bool, every: int, start: int) -> tuple[float, float, float, int, int]:
    """(largest error, the input that has it, sum of errors, count above 1/2, count) of one chunk of bit patterns."""
    case = CASES[name]
    x = np.arange(start, min(start + CHUNK * every, 1 << 32), every, dtype=np.uint64).astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        if derivative:
            one = np.float32(1)
            actual = getattr(fnn, f"{name}_backward")(one, x, *case.default)
            expected = getattr(reference, f"{name}_backward")(one, x, *map(np.float32, case.default))
        else:
            actual = getattr(fnn, name)(x, *case.default)
            expected = getattr(reference, name)(x, *map(np.float32, case.default))
        error = ulp_error(actual, expected)
        if derivative:
            for crossing, width in case.crossings:
                near = np.abs(x - crossing) < width
                close = np.abs(actual - expected) <= case.crossing_bound * np.finfo(np.float32).eps
                error = np.where(near & close, 0.0, error)
    worst = int(error.argmax())
    return float(error[worst]), float(x[worst]), float(error.sum()), int((error > 0.5).sum()), len(x)


def table(names: list[str], every: int, workers: int) -> bool:
    """Print a row for each function and derivative; whether all are within their bounds."""
    from rich.console import Console
    from rich.progress import Progress

    console, good = Console(highlight=False, soft_wrap=True), True
    console.print(f"{'':24} {'max ulp':>8} {'at x':>16} {'mean ulp':>9} {'> 1/2 ulp':>10}  bound")
    starts = range(0, 1 << 32, CHUNK * every)
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool,
        Progress(console=console, disable=not console.is_terminal, transient=True) as bar,
    ):
        for name in names:
            for derivative in (False, True):
                results = []
                task = bar.add_task(f"{name}{chr(39) * derivative}", total=len(starts))
                for result in pool.map(partial(measure, name, derivative, every), starts):
                    results.append(result)
                    bar.advance(task)
                bar.remove_task(task)
                bound = getattr(CASES[name], "backward" if derivative else "forward").float32
                top, at = max(result[:2] for result in results)
                count = sum(result[4] for result in results)
                mean, above = sum(r[2] for r in results) / count, sum(r[3] for r in results) / count
                verdict = "" if top <= bound else "  EXCEEDED"
                good = good and not verdict
                label = f"{name}{chr(39) * derivative}"
                console.print(f"{label:24} {top:8.3f} {at:16.8g} {mean:9.4f} {above:10.2%}  {bound:g}{verdict}")
    return good


def _one_thread() -> None:
    fnn.set_num_threads(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions; all without one")
    parser.add_argument("--every", type=int, default=1, help="take only every N-th bit pattern")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    unknown = set(options.names) - set(CASES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(CASES)}")
    sys.exit(0 if table(options.names or list(CASES), options.every, options.workers) else 1)


if __name__ == "__main__":
    main()
