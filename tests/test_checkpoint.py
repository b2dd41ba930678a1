"""Runs of `fastnn train` that were stopped: what they keep, and that resumed ones end with the very same bits."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from command_line import arrays_in, assert_same, call, easy_set, error_line, interrupted_at, output

from fastnn import cli
from fastnn.cli import models, train
from fastnn.cli.training import Run

STEPS = 12  # an epoch, of 120 images


def options(folder, *more):
    return ["train", "--data", folder / "set.npz", "--epochs", 5, "--batch-size", 10, *more]


@pytest.fixture
def folder(tmp_path):
    easy_set(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--patience", "2", "--lr", "0.01"],
        ["--optimizer", "sgd", "--schedule", "one-cycle", "--l2", "0.01", "--norm", "layer", "--shift", "1"],
        ["--optimizer", "nadam", "--activation", "rrelu", "--l1", "0.001", "--norm", "none", "--lr", "0.001"],
        ["--optimizer", "radam", "--activation", "prelu", "--whiten", "zca", "--schedule", "warmup-cosine"],
        ["--optimizer", "rprop", "--activation", "maxout", "--schedule", "step"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("step", [STEPS + 1, 3 * STEPS - 4])
def test_a_resumed_run_ends_with_the_same_bits(folder, capsys, monkeypatch, more, step):
    whole = output(capsys, *options(folder, *more, "--save", folder / "whole.npz"))
    again = [*options(folder, *more), "--checkpoint", folder / "state.npz", "--save", folder / "model.npz"]
    with interrupted_at(monkeypatch, Run, "_step", step):
        stopped = output(capsys, *again)
    assert any(line.startswith("interrupted: keeping the weights") for line in stopped)
    done = (step - 1) // (STEPS if "--patience" not in more else 11)
    resumed = output(capsys, *again)
    assert resumed[1] == f"resumed after epoch {done}"
    assert resumed[2:-1] == whole[1 + done : -1]
    assert_same(arrays_in(folder / "model.npz"), arrays_in(folder / "whole.npz"))
    # nothing is left to do
    finished = output(capsys, *again)
    assert finished[-2:] == resumed[-2:]
    assert not any(line.startswith("epoch") for line in finished)
    assert_same(arrays_in(folder / "model.npz"), arrays_in(folder / "whole.npz"))


def test_stopped_while_the_checkpoint_is_written(folder, capsys, monkeypatch):
    output(capsys, *options(folder, "--save", folder / "whole.npz"))
    again = [*options(folder), "--checkpoint", folder / "state.npz"]
    with interrupted_at(monkeypatch, models.os, "replace", 3):
        output(capsys, *again)
    assert sorted(path.name for path in folder.iterdir()) == ["set.npz", "state.npz", "whole.npz"]
    assert output(capsys, *again, "--save", folder / "model.npz")[1] == "resumed after epoch 2"
    assert_same(arrays_in(folder / "model.npz"), arrays_in(folder / "whole.npz"))


@pytest.mark.parametrize(
    "other",
    [
        ["--lr", "0.5"],
        ["--epochs", "6"],
        ["--seed", "1"],
        ["--optimizer", "sgd"],
        ["--activation", "tanh"],
        ["--norm", "layer"],
        ["--schedule", "linear"],
        ["--batch-size", "11"],
        ["--dropout", "0.1"],
        ["--whiten", "zca"],
        ["--patience", "2"],
        ["--init", "normal"],
        ["--shift", "1"],
        ["--l2", "0.1"],
    ],
    ids=" ".join,
)
def test_a_checkpoint_of_other_options(folder, capsys, other):
    state = folder / "state.npz"
    output(capsys, "train", "--data", folder / "set.npz", "--epochs", 1, "--checkpoint", state)
    before = state.read_bytes()
    arguments = ["train", "--data", folder / "set.npz", "--epochs", 1, "--checkpoint", state]
    line = error_line(capsys, *arguments, *other, after="120 images")
    assert f"--checkpoint {state}: not of a run with these options, but with {other[0]} " in line
    assert state.read_bytes() == before


def test_checkpoints_that_are_none(folder, capsys):
    state = folder / "state.npz"
    output(capsys, *options(folder, "--save", folder / "model.npz"))
    arguments = options(folder, "--checkpoint", state)
    for content in (b"", b"hello", (folder / "model.npz").read_bytes()[:-50]):
        state.write_bytes(content)
        assert f"{state}: not a readable model" in error_line(capsys, *arguments, after="120 images")
    state.write_bytes((folder / "set.npz").read_bytes())
    assert f"{state}: holds no model" in error_line(capsys, *arguments, after="120 images")
    state.write_bytes((folder / "model.npz").read_bytes())
    assert f"{state}: is a model, not a checkpoint" in error_line(capsys, *arguments, after="120 images")


@pytest.mark.parametrize(
    "change",
    [
        {"options": np.array("no json")},
        {"options": np.array("[1]")},
        {"generators": np.array("[]")},
        {"generators": np.array('[{"a": 1}, {"a": 1}]')},
        {"history": np.zeros((1, 2))},
        {"history": np.array(["a"])},
        {"history": None},
        {"stopped": None},
        {"watch.first": None},
        {"stopping.best": np.array("a")},
        {"param.0.W": np.zeros((2, 2))},
    ],
    ids=str,
)
def test_damaged_checkpoints(folder, capsys, change):
    state = folder / "state.npz"
    output(capsys, *options(folder, "--checkpoint", state))
    entries = {name: array for name, array in (arrays_in(state) | change).items() if array is not None}
    np.savez(state, **entries)
    line = error_line(capsys, *options(folder, "--checkpoint", state), after="120 images")
    assert f"--checkpoint {state}: " in line


def test_ctrl_c_keeps_the_best_weights(folder, capsys, monkeypatch):
    more = ["--patience", 9, "--lr", 0.02, "--schedule", "constant"]
    arguments = ["train", "--data", "digits", "--epochs", 9, *more, "--save", folder / "model.npz"]
    with interrupted_at(monkeypatch, Run, "_epoch", 7):
        lines = output(capsys, *arguments)
    words = [line.split() for line in lines if line.startswith("epoch")]
    assert len(words) == 6
    best = int(np.argmin([float(line[line.index("validation") + 1]) for line in words]))
    assert "interrupted: keeping the weights of the best epoch so far" in lines
    # the same run, with the best as its last
    arguments[4] = best + 1
    output(capsys, *arguments[:-1], folder / "best.npz")
    assert_same(arrays_in(folder / "model.npz"), arrays_in(folder / "best.npz"))


def test_ctrl_c_before_there_is_a_best(folder, capsys, monkeypatch):
    with interrupted_at(monkeypatch, Run, "_step", 3):
        lines = output(capsys, *options(folder, "--patience", 3))
    assert lines[1] == "interrupted: keeping the weights of the last step so far"
    assert lines[2].startswith("held-out accuracy")


def test_ctrl_c_while_a_line_is_shown():
    def lines():
        try:
            yield "one"
            yield "two"
        except KeyboardInterrupt:
            yield "stopped"
        yield "end"

    shown = []

    def show(line):
        shown.append(line)
        if line == "one":
            raise KeyboardInterrupt

    train._show(lines(), show)
    assert shown == ["one", "stopped", "end"]


def test_ctrl_c_before_the_training(folder, capsys, monkeypatch):
    with interrupted_at(monkeypatch, train.data, "load", 1):
        assert call(*options(folder)) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    assert cli.main(["info"]) == 0


@pytest.mark.skipif(os.name == "nt", reason="a process there gets no SIGINT of its own")
def test_a_real_ctrl_c(folder):
    arguments = ["--data", "digits", "--epochs", "5000", "--save", str(folder / "model.npz")]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "fastnn", "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        seen = ""
        while not seen.startswith("epoch   2/"):
            seen = process.stdout.readline()
            assert seen, process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert "interrupted: keeping the weights of the last step so far\nheld-out accuracy 0.9" in out
    assert out.endswith(f"model saved as {folder / 'model.npz'}\n")
    assert call("predict", folder / "model.npz", "digits") == 0
