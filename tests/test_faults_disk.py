"""Disks that are full or read-only: everything works, compiled in memory, and one warning says so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import driver_alone, run_python

import fastnn

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX files")
root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="mounting and setuid need root")

_USE = """
import os, warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import fastnn as fnn
    x = np.linspace(-3, 3, 101, dtype=np.float32)
    y, z = fnn.relu6(x), fnn.softmax(x)
assert (y == np.clip(x, 0, 6)).all() and abs(z.sum() - 1) < 1e-6
messages = [str(w.message) for w in caught]
"""
_WARNED = 'assert len(messages) == 1 and "not kept on disk" in messages[0], messages\n'
_QUIET = "assert not messages, messages\n"


def whole_files(folder: Path) -> list[str]:
    """Names of the files in a cache folder; all of them end up whole or not at all."""
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith(".tmp")]
    return names


@pytest.mark.parametrize("where", ["write", "replace", "mkstemp"])
def test_no_space_left(where, tmp_path):
    """As the system reports it, at each step of keeping a file."""
    call = {"write": "os.fdopen", "replace": "os.replace", "mkstemp": "tempfile.mkstemp"}[where]
    failing = f"def full(*_, **__):\n    raise OSError(errno.ENOSPC, 'No space left on device')\n{call} = full"
    run_python(f"import errno, os, tempfile\n{failing}\n{_USE}{_WARNED}", FASTNN_CACHE_DIR=driver_alone(tmp_path))
    assert whole_files(tmp_path) == ["driver"]


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_limit_on_the_size_of_files(limit, tmp_path):
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n{_USE}{_WARNED}"
    run_python(code, FASTNN_CACHE_DIR=driver_alone(tmp_path))
    assert whole_files(tmp_path) == ["driver"]
    run_python(_USE + _QUIET, FASTNN_CACHE_DIR=str(tmp_path))
    assert len(whole_files(tmp_path)) == 3


def in_own_mounts(commands: str, **environment: str) -> subprocess.CompletedProcess:
    """Shell commands in a mount namespace of their own, which ends with them."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--mount", "true"], capture_output=True).returncode:
        pytest.skip("the system gives no mount namespace")
    return subprocess.run(
        [unshare, "--mount", "sh", "-euc", commands],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


@root
def test_a_full_disk(tmp_path):
    """A tmpfs with room for the driver, and for half a kernel."""
    for name in ("kept", "small"):
        (tmp_path / name).mkdir()
    kept = driver_alone(tmp_path / "kept")
    (tmp_path / "use.py").write_text(_USE + _WARNED)
    commands = f"""
mount -t tmpfs -o size=4m,mode=700 tmpfs {tmp_path}/small
cp -a {kept}/* {tmp_path}/small
dd if=/dev/zero of={tmp_path}/small/filler bs=1k 2>/dev/null || true
truncate -s -4k {tmp_path}/small/filler
{sys.executable} {tmp_path}/use.py
find {tmp_path}/small -name '*.tmp' | grep . && exit 3 || true
"""
    done = in_own_mounts(commands, FASTNN_CACHE_DIR=f"{tmp_path}/small")
    assert done.returncode == 0, done.stdout + done.stderr


@root
@pytest.mark.parametrize("filled", [True, False])
def test_a_read_only_disk(filled, tmp_path):
    """Package, home and temporary folder cannot be written to; what the cache holds already is used."""
    folder = tmp_path / "home" / ".cache" / "fastnn"
    folder.mkdir(parents=True)
    driver_alone(folder)
    if filled:
        run_python(_USE, FASTNN_CACHE_DIR=str(folder))
    (tmp_path / "use.py").write_text(_USE + (_QUIET if filled else _WARNED))
    package = Path(fastnn.__file__).parent
    commands = f"""
mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path}
mount --bind {package} {package} && mount -o remount,bind,ro {package}
! touch {tmp_path}/file 2>/dev/null
! touch {package}/file 2>/dev/null
unset FASTNN_CACHE_DIR XDG_CACHE_HOME
{sys.executable} {tmp_path}/use.py
"""
    done = in_own_mounts(commands, HOME=f"{tmp_path}/home")
    assert done.returncode == 0, done.stdout + done.stderr


@root
def test_another_user(tmp_path):
    """Nobody, who owns no folder here, neither uses root's cache nor fails without one."""
    tmp_path.chmod(0o755)
    folder = driver_alone(tmp_path)
    become = """
import os, sys
os.setgid(65534), os.setuid(65534)
if not all(os.access(path, os.R_OK | os.X_OK) for path in sys.path if path and not path.endswith(".zip")):
    print("unreadable")
    sys.exit()
"""
    if run_python(become + _USE + _WARNED, FASTNN_CACHE_DIR=folder).stdout == "unreadable\n":
        pytest.skip("Python or the package is in a folder of root's own")
