"""The libraries that fastnn is compared with, each of them optional, and how many threads they may use."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import Any

import fastnn as fnn

#: module -> distribution, where the names differ
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}
MODULES = ("numpy", "scipy", "numexpr", "torch", "jax", "onnxruntime", "numba", "sklearn", "thinc", "dask")


@cache
def load(module: str) -> Any:
    """A module; None if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def versions() -> dict[str, str]:
    """library -> version of all that are installed, fastnn first."""
    found = {"fastnn": fnn.__version__}
    for module in MODULES:
        distribution = _DISTRIBUTIONS.get(module, module)
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[distribution] = metadata.version(distribution)
    return found


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """`threads` for fastnn, torch and numexpr; onnxruntime's sessions are told when made, and JAX cannot be told.

    JAX takes the number from the machine when it starts; `on_all_cores` says whether it can be compared with.
    """
    torch, numexpr = load("torch"), load("numexpr")
    before = torch.get_num_threads() if torch else 0
    numexpr_before = numexpr.set_num_threads(threads) if numexpr else 0
    if torch:
        torch.set_num_threads(threads)
    try:
        with fnn.threads(threads):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)
        if numexpr:
            numexpr.set_num_threads(numexpr_before)


def on_all_cores(threads: int) -> bool:
    """Whether that is every core that the process may run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return threads == cores
