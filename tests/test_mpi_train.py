"""`mpiexec -n N fastnn train`: the numbers of one process, files written once, an end for all where one rank fails."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_line import arrays_in, assert_same, easy_set, number_after
from mpi_processes import PROGRAMS, command, environment, fastnn, run, succeeded
from processes import run_python

from fastnn.cli.training import Epoch

#: Rounding differs, as the matrices are of other sizes, and training in float32 makes more of it at every step.
TOLERANCE = 1e-5
SHOWN = [Epoch._fields.index(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")]


def history(state):
    """The figures of every epoch at full precision."""
    return arrays_in(state)["history"][:, SHOWN]


@pytest.mark.parametrize("ranks", [2, 3])
def test_networks_in_float64_train_as_in_one_process(ranks):
    lines = succeeded(run(command(ranks, "-m", "mpi4py", PROGRAMS / "training_in_double.py")))
    assert [line.split("'")[3] for line in lines] == ["batch", "batch", "layer", "none"]


@pytest.mark.parametrize(
    ("ranks", "batch", "options"),
    [
        (2, 32, ["--dropout", "0.3"]),
        (2, 25, ["--optimizer", "sgd", "--activation", "prelu", "--patience", "2", "--shift", "1", "--l2", "0.001"]),
        (3, 11, ["--optimizer", "nadam", "--norm", "layer", "--activation", "tanh", "--schedule", "one-cycle"]),
    ],
    ids=str,
)
def test_losses_are_those_of_one_process_with_the_whole_batches(tmp_path, ranks, batch, options):
    arguments = ["train", "--data", "digits", "--epochs", 4, *options]
    printed, states = [], []
    for count, size in ((ranks, batch), (None, ranks * batch)):
        states.append(tmp_path / f"{count}.npz")
        printed.append(succeeded(fastnn(count, *arguments, "--batch-size", size, "--checkpoint", states[-1])))
    assert len(history(states[0])) == 4
    np.testing.assert_allclose(history(states[0]), history(states[1]), rtol=TOLERANCE)
    # each line once, and up to its last digits the same
    assert [line.split()[:2] for line in printed[0]] == [line.split()[:2] for line in printed[1]]
    accuracies = (number_after("held-out accuracy", lines) for lines in printed)
    np.testing.assert_allclose(*accuracies, atol=0.01)


def test_files_are_written_once(tmp_path):
    source, model, pictures = easy_set(tmp_path), tmp_path / "model.npz", tmp_path / "pictures"
    arguments = ["train", "--data", source, "--epochs", 2, "--batch-size", 8]
    lines = succeeded(fastnn(2, *arguments, "--save", model, "--plot", pictures))
    assert lines[-2:] == [f"model saved as {model}", f"pictures in {pictures}"]
    assert [line.split()[0] for line in lines] == ["120", "epoch", "epoch", "held-out", "model", "pictures"]
    assert sorted(path.name for path in pictures.iterdir()) == ["activations.png", "loss.png", "weights.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "pictures", "set.npz"]
    assert number_after("accuracy", succeeded(fastnn(None, "predict", model, source))) > 0.9


def test_a_failing_rank_ends_all_and_the_run_goes_on_from_its_checkpoint(tmp_path):
    arguments = ["--data", str(easy_set(tmp_path)), "--epochs", "5", "--batch-size", "5"]  # 12 steps an epoch
    state, whole = tmp_path / "state.npz", tmp_path / "whole.npz"
    done = run(command(2, PROGRAMS / "failing_rank.py", *arguments, "--checkpoint", state))
    assert done.returncode == 1
    assert "ZeroDivisionError: on purpose" in done.stderr
    assert len(history(state)) == 3
    resumed = succeeded(fastnn(2, "train", *arguments, "--checkpoint", state))
    assert resumed[1] == "resumed after epoch 3"
    succeeded(fastnn(2, "train", *arguments, "--checkpoint", whole))
    assert_same(arrays_in(state), arrays_in(whole))
    # one process with batches of the same size has nothing left to do
    finished = succeeded(fastnn(None, "train", *arguments[:-1], 10, "--checkpoint", state))
    assert finished[1:] == ["resumed after epoch 5", resumed[-1]]


@pytest.mark.parametrize("whom", ["mpiexec", "a rank"])
def test_a_ctrl_c_ends_all(tmp_path, whom):
    state = tmp_path / "state.npz"
    arguments = ["train", "--data", easy_set(tmp_path), "--epochs", 100_000, "--checkpoint", state]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(2, "-u", "-m", "fastnn", *arguments), env=environment(), **pipes) as process:
        try:
            seen = ""
            while not seen.startswith("epoch   3/"):
                seen = process.stdout.readline()
                assert seen, process.stderr.read()
            ranks = training(state)
            assert len(ranks) == 2
            os.kill(process.pid if whom == "mpiexec" else ranks[-1], signal.SIGINT)
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode != 0
    if whom == "a rank":
        assert "interrupted" in err.splitlines()
    deadline = time.monotonic() + 20
    while training(state):
        assert time.monotonic() < deadline, "ranks are left behind"
        time.sleep(0.1)
    assert len(history(state)) >= 3


def training(state):
    """Ids of the Python processes that train with this checkpoint."""
    listed = subprocess.run(
        [shutil.which("ps"), "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True
    )
    rows = (line.strip().partition(" ") for line in listed.stdout.splitlines())
    return [int(pid) for pid, _, started in rows if started.startswith(sys.executable) and str(state) in started]


def test_bad_input_is_reported_once(tmp_path):
    done = fastnn(2, "train", "--data", tmp_path / "nowhere.npz")
    assert (done.returncode, done.stdout) == (2, "")
    told = [line for line in done.stderr.splitlines() if "nowhere" in line]
    path = tmp_path / "nowhere.npz"
    assert told == [f"fastnn train: error: --data {path}: no such file (nor one of the image sets mnist, digits)"]


def test_divergence(tmp_path):
    done = fastnn(2, "train", "--data", easy_set(tmp_path), "--optimizer", "sgd", "--lr", 1e30, "--norm", "none")
    assert done.returncode == 2
    (told,) = (line for line in done.stderr.splitlines() if line.startswith("fastnn train"))
    assert "training diverged: loss is " in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--recipe"], "--recipe: for one process, without mpiexec"),
        (["--activation", "rulu"], "--activation rulu: unknown, expected one of "),
        (["--save", "/nowhere/model.npz"], "--save /nowhere/model.npz: cannot be written"),
    ],
)
def test_bad_options(options, message):
    done = fastnn(2, "train", "--data", "digits", *options)
    assert (done.returncode, done.stdout) == (2, "")
    (told,) = (line for line in done.stderr.splitlines() if line.startswith("fastnn train"))
    assert told.startswith(f"fastnn train: error: {message}")


# --- whether there are ranks at all -----------------------------------------------------------------------------------

_TRAIN = """
import sys
from fastnn import cli
code = cli.main(["train", "--data", {source!r}, "--epochs", "1"])
print(code, [name for name in ("mpi4py", "fastnn.compat.mpi") if name in sys.modules])
"""


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OMPI_COMM_WORLD_SIZE": "1", "PMIX_RANK": "0"},
        {"PMI_SIZE": "1"},
        {"PMIX_RANK": "0", "SLURM_STEP_NUM_TASKS": "1"},
    ],
)
def test_one_process_does_not_load_mpi(tmp_path, variables):
    done = run_python(_TRAIN.format(source=str(easy_set(tmp_path))), **variables)
    assert done.stdout.splitlines()[-1] == "0 []"


_ABSENT = """
import importlib.metadata
version = importlib.metadata.version
def without_mpi4py(distribution):
    if distribution == "mpi4py":
        raise importlib.metadata.PackageNotFoundError(distribution)
    return version(distribution)
importlib.metadata.version = without_mpi4py
"""


@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({"OMPI_COMM_WORLD_SIZE": "2", "PMIX_RANK": "1"}, "2"),
        ({"PMI_SIZE": "2"}, "2"),
        ({"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "2"}, "2"),
        ({"PMIX_RANK": "1"}, "several"),
    ],
)
def test_under_mpiexec_without_mpi4py(variables, size):
    done = run_python(_ABSENT + _TRAIN.format(source="digits"), **variables)
    assert done.stdout.splitlines() == ["2 []"]
    advice = 'get it with: pip install "fastnn[mpi]"'
    expected = f"one of {size} processes: fastnn.compat.mpi: mpi4py is not installed; {advice}"
    assert done.stderr.splitlines() == [f"fastnn train: error: {expected}"]


def test_under_the_mpiexec_of_another_mpi():
    done = run_python(_TRAIN.format(source="digits"), PMI_SIZE="2")
    if "mpi4py finds no MPI library" in done.stderr:
        pytest.skip("no MPI library is installed")
    (line,) = done.stderr.splitlines()
    assert line.startswith("fastnn train: error: one of 2 processes, but ")
    assert line.endswith(" knows of 1: use its own mpiexec")
