"""fastnn.compat.mpi: on one rank in a process of its own, and on several under mpiexec."""

import re
import sys

import pytest
from mpi_processes import PROGRAMS, TESTS, command, run, succeeded, unavailable
from processes import run_python


def test_on_one_rank():
    loaded = run([sys.executable, "-c", "import fastnn.compat.mpi"])
    if "mpi4py finds no MPI library" in loaded.stderr:
        unavailable("no MPI library is installed")
    done = run([sys.executable, "-W", "error", str(PROGRAMS / "one_rank.py")])
    parts = ["as_without_ranks", "outputs", "wrong_arguments", "wrong_gradients_and_parameters", "nonfinite_data"]
    assert succeeded(done) == [*parts, "examples"]


@pytest.mark.parametrize("ranks", [2, 3])
def test_batch_norm_over_ranks_is_that_of_the_whole_batch(ranks):
    assert succeeded(run(command(ranks, "-m", "mpi4py", PROGRAMS / "batch_norm.py"))) == ["63 batches"]


@pytest.mark.parametrize("ranks", [2, 3])
def test_gradients_and_errors_are_those_of_all_ranks(ranks):
    done = run(command(ranks, "-m", "mpi4py", PROGRAMS / "gradients.py"))
    assert succeeded(done) == ["averages", "broadcasts", "shards", "errors_on_all_ranks"]


def test_the_program_of_the_how_to_prints_the_same_on_any_number_of_ranks(tmp_path):
    text = (TESTS.parent / "docs" / "howto" / "mpi.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    path = tmp_path / "program.py"
    path.write_text(program)
    alone, shared = (
        [float(succeeded(run(started))[-1].split()[1])]
        for started in ([sys.executable, str(path)], command(3, "-m", "mpi4py", path))
    )
    assert alone == pytest.approx(shared, abs=2e-6)
    assert alone[0] < 1.1


def test_without_an_mpi_library():
    code = """
from fastnn.compat import _peers
def require(module, extra):
    raise RuntimeError("cannot load MPI library")
_peers.require = require
try:
    import fastnn.compat.mpi
except ImportError as error:
    print(error)
"""
    message = run_python(code).stdout
    assert message.startswith("fastnn.compat.mpi: mpi4py finds no MPI library; get one with: apt install openmpi-bin")
    assert "cannot load MPI library" in message
