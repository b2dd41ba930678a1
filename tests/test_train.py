"""The command line: training end to end, the same numbers every time, one clear line for bad input."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn import cli

DIGITS = ["train", "--data", "digits", "--epochs", "2"]


def fastnn(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "fastnn", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        timeout=300,
    )


def held_out_accuracy(text):
    last = text.splitlines()[-1]
    assert last.startswith("held-out accuracy ")
    return float(last.split()[-1])


@pytest.fixture(scope="module")
def digits():
    done = fastnn(*DIGITS, "--seed", 3)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_on_digits_reports_every_epoch_and_learns(digits):
    lines = digits.splitlines()
    assert lines[0] == "1438 images to train on, 359 held out, layers [64, 256, 128, 10]"
    assert [line.split()[1] for line in lines[1:-1]] == ["1/2", "2/2"]
    assert held_out_accuracy(digits) > 0.93


def test_the_same_seed_prints_the_same_for_every_number_of_threads(digits):
    one = fastnn(*DIGITS, "--seed", 3, "--threads", 1, OPENBLAS_NUM_THREADS="1")
    assert one.stdout == digits
    assert fastnn(*DIGITS, "--seed", 4).stdout != digits


@pytest.mark.parametrize(
    "options", [["--optimizer", "sgd"], ["--activation", "gelu", "--dropout", "0"], ["--batch-size", "1437"]]
)
def test_options_train_too(options, capsys):
    assert cli.main([*DIGITS, *options]) == 0
    assert held_out_accuracy(capsys.readouterr().out) > (0.9 if "--batch-size" not in options else 0.2)


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels")])
def test_a_file_of_images(tmp_path, names, capsys):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=150)
    images = (rng.random((150, 4, 5)) * 50 + 60 * labels[:, None, None]).astype(np.uint8)
    path = tmp_path / "set.npz"
    np.savez(path, **dict(zip(names, (images, labels.astype(np.uint8)), strict=True)))
    assert cli.main(["train", "--data", str(path), "--epochs", "3", "--batch-size", "10"]) == 0
    text = capsys.readouterr().out
    assert "120 images to train on, 30 held out, layers [20, 256, 128, 3]" in text
    assert held_out_accuracy(text) > 0.9


def error_line(arguments, capsys):
    """The one line on standard error of a call that must end with 2 and print nothing else."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "--epochs: '0' is not an integer >= 1"),
        (["--batch-size", "1"], "--batch-size: '1' is not an integer >= 2"),
        (["--dropout", "1"], "--dropout: '1' is not a number from 0 to less than 1"),
        (["--lr", "nan"], "--lr: 'nan' is not a number > 0"),
        (["--seed", "-1"], "--seed: '-1' is not an integer >= 0"),
        (["--threads", "0"], "--threads: '0' is not an integer >= 1"),
        (["--optimizer", "adamant"], "--optimizer: invalid choice: 'adamant'"),
        (["--activation", "rulu"], "--activation rulu: unknown, expected one of "),
        (["--data", "nowhere.npz"], "--data nowhere.npz: no such file"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_bad_options(options, message, capsys):
    assert message in error_line(["train", *options], capsys)


def images(**change):
    return {"x": np.zeros((20, 8)), "y": np.arange(20) % 3, **change}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros(3)}, "has arrays a, expected x and y, or images and labels"),
        (images(y=np.zeros(20)), "labels have dtype float64, expected integers"),
        (images(y=np.zeros(19, int)), "labels have shape (19,), expected (20,)"),
        (images(y=np.full(20, -1)), "labels go from -1 to -1"),
        (images(y=np.full(20, 10**9)), "expected classes 0 to C - 1"),
        (images(x=np.zeros(20)), "images have shape (20,)"),
        (images(x=np.full((20, 2), "a")), "images have dtype <U1"),
        (images(x=np.full((20, 2), np.nan)), "NaN or infinite"),
        (images(x=np.zeros((3, 2)), y=np.zeros(3, int)), "at least 10 images"),
        (images(x=np.full((20, 2), None)), "not a readable .npz file"),
    ],
)
def test_bad_files(arrays, message, tmp_path, capsys):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    assert message in error_line(["train", "--data", path], capsys)


def test_files_that_are_no_image_sets(tmp_path, capsys):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((50, 8)), y=np.arange(50) % 3)
    whole = path.read_bytes()
    damaged = whole[:400] + bytes(200) + whole[600:]
    for content in (b"", b"hello", b"PK\x03\x04 broken", whole[:-30], damaged):
        path.write_bytes(content)
        assert "not a readable .npz file" in error_line(["train", "--data", path], capsys)
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert "a single array" in error_line(["train", "--data", tmp_path / "one.npy"], capsys)
    assert "no such file" in error_line(["train", "--data", tmp_path], capsys)


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    line = error_line(["train"], capsys)
    assert line == 'fastnn train: error: threadpoolctl is not installed; get it with: pip install "fastnn[train]"'


def test_info_and_version(capsys):
    assert cli.main(["info"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["numpy"] == np.__version__
    assert {"fastnn", "python", "numba", "llvmlite", "CPU", "SIMD", "threads", "cache"} <= shown.keys()
    done = fastnn("--version")
    assert done.stdout.strip() == f"fastnn {shown['fastnn']}"
    assert "expected" in error_line([], capsys) or "required" in error_line([], capsys)
