"""Running programs under mpiexec, with a time limit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PROGRAMS = TESTS / "mpi_programs"

#: Open MPI runs neither as root, as containers do, nor more ranks than there are cores unless told to.
_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",  # containers forbid it, at which it complains
}


def environment():
    """That of this process, ready for MPI, and with the modules of this folder."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **_ENVIRONMENT, "PYTHONPATH": path}


def unavailable(what):
    """End a test for lack of MPI: skip it, but not where all tests have to run."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, which CI needs")
    pytest.skip(what)


def command(ranks, *arguments):
    """The command that starts Python with these arguments on so many ranks."""
    mpiexec = shutil.which("mpiexec")
    if mpiexec is None:
        unavailable("mpiexec is not on the PATH")
    return [mpiexec, "-n", str(ranks), sys.executable, *map(str, arguments)]


def run(arguments, timeout=600):
    """A command to its end, whatever that is; its output as text."""
    return subprocess.run(
        arguments, env=environment(), capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )


def succeeded(done):
    """What a process that must have succeeded printed, as lines."""
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def fastnn(ranks, *arguments):
    """`fastnn` on so many ranks, or without mpiexec for None."""
    own = ["-m", "fastnn", *map(str, arguments)]
    return run([sys.executable, *own] if ranks is None else command(ranks, *own))
