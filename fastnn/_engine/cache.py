"""Machine code on disk: one checksummed object file a kernel.

The folder's name holds a hash of every source file of the package, of the CPU and of the compilers, so
that a changed line, another processor or an upgrade never meets old code. Files are written aside
and moved into place: processes filling the same cache at once each leave a whole file. The content is
run as machine code, so a folder that others can write to is not read.
"""

import functools
import hashlib
import os
import platform
import sys
import tempfile
import warnings
from importlib import metadata
from pathlib import Path

from .native import COMPILING, host

_MAGIC = b"fastnn1\n"
_DIGEST = 32


def root() -> Path:
    """The cache folder: FASTNN_CACHE_DIR, else the user's own."""
    chosen = os.environ.get("FASTNN_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "fastnn" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fastnn"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastnn"


@functools.cache
def key() -> str:
    """Hash of all that the machine code depends on, the kernel itself aside."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for source in sorted(package.rglob("*.py")):
        digest.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    for part in (*host(), platform.machine(), sys.platform, platform.python_version()):
        digest.update(part.encode() + b"\0")
    for distribution in ("numba", "llvmlite"):
        digest.update(metadata.version(distribution).encode() + b"\0")
    return digest.hexdigest()[:32]


@functools.cache
def folder() -> Path | None:
    """This key's folder, made if need be; None (after one warning) where there is none to be trusted."""
    try:
        path = root() / key()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path.stat()
        if hasattr(os, "getuid") and (state.st_uid != os.getuid() or state.st_mode & 0o022):
            raise PermissionError(f"{path} belongs to another user or is writable by others")
        return path
    except (OSError, RuntimeError) as error:  # RuntimeError: Path.home() of a user without one
        _warn(f"compiled code is not kept on disk: {error}")
        return None


def _warn(text: str) -> None:
    """A warning that stays one where warnings are errors: the work goes on without the disk."""
    try:
        warnings.warn(f"fastnn: {text}", RuntimeWarning, stacklevel=3)
    except RuntimeWarning as warning:
        print(warning, file=sys.stderr)


def read(name: str) -> bytes | None:
    """The payload stored under a name; None if there is none or it is damaged (then it is removed)."""
    place = folder()
    if place is None:
        return None
    path = place / name
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST
    payload = content[start:]
    if content[:start] == _MAGIC + hashlib.sha256(payload).digest():
        return payload
    remove(path)
    return None


def remove(path: Path) -> None:
    """Delete a file if it is there and we may."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _warn(f"damaged cache file {path} stays: {error}")


def write(name: str, payload: bytes) -> None:
    """Store a payload; a full disk or a read-only folder costs one warning and leaves nothing behind."""
    global _writable
    place = folder()
    if place is None or not _writable:
        return
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=place, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
        os.replace(temporary, place / name)
        temporary = None
    except OSError as error:
        _warn(f"compiled code is not kept on disk: {error}")
        _writable = False
    finally:  # of a Ctrl-C too
        if temporary:
            remove(Path(temporary))


#: Until a write has failed: what is there already is still read.
_writable = True


def fetch(name: str, make) -> bytes:
    """The payload stored under a name, made and stored if it is not there."""
    with COMPILING:
        payload = read(name)
        if payload is None:
            payload = make()
            write(name, payload)
        return payload
