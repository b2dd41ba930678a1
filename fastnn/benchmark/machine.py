"""What this machine can do at most, and how long a program waits before its first result."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..cli.info import facts
from .libraries import load, versions

#: Bytes of an array that no cache holds.
_LARGE = 1 << 27
_REPEATS = 7

_FIRST_CALL = """
import time
import numpy as np
x = np.linspace(-4, 4, 1000, dtype=np.float32)
start = time.perf_counter()
import fastnn as fnn
fnn.gelu(x)
print(time.perf_counter() - start)
"""
_IMPORT = "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"


def description(threads: int, repeats: int = 3) -> dict[str, Any]:
    """All that a report says about the machine; takes some seconds for every repeat."""
    return {
        "streaming": {"1": streaming_rate(1), "N": streaming_rate(threads)},
        "threads": threads,
        "cpu": dict(facts())["CPU"],
        "versions": versions(),
        "start": start_times(repeats),
    }


def streaming_rate(threads: int) -> float:
    """GB/s of a copy from one large array to another, bytes read plus written: the best of some.

    The C library's copy writes past the caches where that is faster, so that the rate is what memory can do.
    """
    source, target = np.zeros(_LARGE, np.uint8), np.ones(_LARGE, np.uint8)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        return max(_rate(pool, parts) for _ in range(_REPEATS))


def _rate(pool, parts) -> float:
    start = time.perf_counter()
    list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))
    return 2 * _LARGE / (time.perf_counter() - start) / 1e9


def start_times(repeats: int) -> dict[str, float]:
    """Seconds in fresh processes: imports, and from before the import of fastnn to the end of a first call of gelu.

    "cold" compiles, "warm" finds the machine code in the cache folder. numpy is imported before either starts.
    """
    cold, warm = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_timed(_FIRST_CALL, FASTNN_CACHE_DIR=folder))
            warm.append(_timed(_FIRST_CALL, FASTNN_CACHE_DIR=folder))
    times = {"import": _import("fastnn", repeats), "cold": statistics.median(cold), "warm": statistics.median(warm)}
    return times | {f"{name} import": _import(name, repeats) for name in ("numpy", "torch", "jax") if load(name)}


def _import(module: str, repeats: int) -> float:
    return statistics.median(_timed(_IMPORT.format(module=module)) for _ in range(repeats))


def _timed(code: str, **environment: str) -> float:
    """The seconds that the code prints when a new interpreter runs it."""
    command, surroundings = [sys.executable, "-c", code], {**os.environ, **environment}
    run = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True)
    return float(run.stdout)
