"""fastnn inside what people already run, one module a peer: `fastnn.compat.thinc` and so on.

A module imports its peer when it is imported itself; `fastnn` alone needs none of them.
"""

import importlib

_PEERS = ("cs231n", "dask", "mpi", "sklearn", "thinc")
__all__ = [*_PEERS]


def __getattr__(name: str):
    if name in _PEERS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'fastnn.compat' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_PEERS})
