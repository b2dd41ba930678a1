"""Running Python code in a fresh process with a time limit; one that hangs shows where each of its threads stands."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_TESTS = str(Path(__file__).parent)

#: Whether the long forms of the tests run: FASTNN_TEST_FULL=1.
FULL = os.environ.get("FASTNN_TEST_FULL", "") not in ("", "0")


def run_python(code: str, timeout: float = 300, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a new interpreter with further environment variables; its output as text.

    The code may import the tests' modules.
    """
    prologue = f"import faulthandler, sys; faulthandler.enable(); sys.path.append({_TESTS!r})\n"
    process = subprocess.Popen(
        [sys.executable, "-c", prologue + code],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        output, errors = process.communicate()
        raise AssertionError(f"no end after {timeout} s\n{output}\n{errors}") from None
    done = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check:
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def driver_alone(folder: Path) -> str:
    """A cache folder with the driver in it, so that a process that uses it compiles kernels only."""
    from fastnn._engine import cache, runtime

    runtime.start()
    place = folder / cache.key()
    place.mkdir(mode=0o700)
    shutil.copy(cache.root() / cache.key() / "driver", place)
    return str(folder)


def _end(process: subprocess.Popen) -> None:
    """Ends the process and its children, which keep its output open; each shows its stacks.

    A timer of faulthandler's own would not do: a forked child waits for its thread, which it does not have, at its end.
    """
    if not hasattr(os, "killpg"):
        process.kill()
        return
    os.killpg(process.pid, signal.SIGABRT)
    time.sleep(2)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
