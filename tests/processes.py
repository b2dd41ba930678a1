"""Running Python code in a fresh process, with a time limit."""

import os
import subprocess
import sys


def run_python(code: str, timeout: float = 120, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a new interpreter with further environment variables; its output as text."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    if check:
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
