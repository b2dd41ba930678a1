"""Importing a peer package in a version that works, or saying what to install."""

import importlib
import importlib.metadata
import re
from types import ModuleType
from typing import NamedTuple


class Versions(NamedTuple):
    """The releases of a distribution that work: from `first`, before `end`."""

    distribution: str
    first: str
    end: str

    def __str__(self) -> str:
        return f"{self.distribution}>={self.first},<{self.end}"


#: extra of fastnn -> what it installs; pyproject.toml says the same to pip
PEERS = {
    "dask": Versions("dask", "2024.8", "2028"),
    "mpi": Versions("mpi4py", "4", "5"),
    "sklearn": Versions("scikit-learn", "1.5", "2"),
    "thinc": Versions("thinc", "8.2", "10"),
}


def require(module: str, extra: str) -> ModuleType:
    """Import a peer's module.

    Raises
    ------
    ImportError
        If the peer is missing, naming the extra that installs it; or of a version that does not work, naming
        those that do; or broken, with its own message.
    """
    peer = PEERS[extra]
    try:
        version = importlib.metadata.version(peer.distribution)
    except importlib.metadata.PackageNotFoundError:
        advice = f'pip install "fastnn[{extra}]"'
        raise ImportError(
            f"fastnn.compat.{extra}: {peer.distribution} is not installed; get it with: {advice}"
        ) from None
    if not _numbers(peer.first) <= _numbers(version) < _numbers(peer.end):
        found = f"{peer.distribution} {version} is installed"
        raise ImportError(f'fastnn.compat.{extra}: {found}, expected a version that works: pip install "{peer}"')
    return importlib.import_module(module)


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers of a version: (8, 3, 11) of "8.3.11.dev0"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
