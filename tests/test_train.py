"""The command line: training end to end, the same numbers every time, one clear line for bad input."""

import os
import subprocess
import sys

import numpy as np
import pytest
from command_line import arrays_in, assert_same, easy_set, error_line, number_after, output

import fastnn as fnn
from fastnn import cli
from fastnn.cli.network import NORMS
from fastnn.cli.training import SCHEDULES, optimizers

DIGITS = ["train", "--data", "digits", "--epochs", "2"]


@pytest.fixture(autouse=True)
def as_many_threads_as_before():
    """--threads is for the whole process."""
    with fnn.threads(fnn.get_num_threads()):
        yield


def fastnn(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "fastnn", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        timeout=300,
    )


@pytest.fixture(scope="module")
def digits():
    done = fastnn(*DIGITS, "--seed", 3)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_training_on_digits_reports_every_epoch_and_learns(digits):
    assert digits[0] == "1438 images to train on, 359 held out, layers [64, 256, 128, 10]"
    assert [line.split()[1] for line in digits[1:-1]] == ["1/2", "2/2"]
    assert number_after("held-out accuracy", digits) > 0.93


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_prints_the_same_for_every_number_of_threads(digits, threads, capsys):
    assert output(capsys, *DIGITS, "--seed", 3, "--threads", threads) == digits
    assert output(capsys, *DIGITS, "--seed", 4, "--threads", threads) != digits


@pytest.mark.parametrize(
    ("options", "least"),
    [
        (["--optimizer", "sgd"], 0.9),
        (["--activation", "gelu", "--dropout", "0"], 0.9),
        (["--activation", "maxout", "--norm", "layer"], 0.9),
        (["--norm", "none", "--lr", "0.002"], 0.85),
        (["--whiten", "pca"], 0.85),
        (["--whiten", "zca"], 0.85),
        (["--shift", "1", "--dropout", "0"], 0.85),
        (["--batch-size", "1437"], 0.2),
    ],
    ids=str,
)
def test_options_train_too(options, least, capsys):
    assert number_after("held-out accuracy", output(capsys, *DIGITS, *options)) > least


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_trains(tmp_path, schedule, capsys):
    lines = output(capsys, "train", "--data", easy_set(tmp_path), "--epochs", 4, "--schedule", schedule)
    assert number_after("held-out accuracy", lines) > 0.8
    # a single step
    output(capsys, "train", "--data", easy_set(tmp_path, count=20), "--epochs", 1, "--schedule", schedule)


@pytest.mark.parametrize("optimizer", optimizers())
def test_every_optimizer_trains_and_takes_penalties(tmp_path, optimizer, capsys):
    source, sizes = easy_set(tmp_path), []
    for options in ([], ["--l2", "0.01", "--l1", "0.0001"]):
        model = tmp_path / "model.npz"
        output(capsys, "train", "--data", source, "--epochs", 3, "--optimizer", optimizer, *options, "--save", model)
        sizes.append(sum(float(abs(a).sum()) for name, a in arrays_in(model).items() if name.endswith(".W")))
    assert sizes[1] != sizes[0]
    if optimizer in ("sgd", "adam", "adamw"):
        assert sizes[1] < sizes[0]


@pytest.mark.parametrize("penalty", ["--l1", "--l2"])
def test_penalties_make_the_weights_smaller(tmp_path, penalty, capsys):
    sizes = []
    for strength in (0, 0.001, 0.01):
        model = tmp_path / "model.npz"
        output(capsys, "train", "--data", easy_set(tmp_path), "--epochs", 5, penalty, strength, "--save", model)
        sizes.append(sum(float(abs(a).sum()) for name, a in arrays_in(model).items() if name.endswith(".W")))
    assert sizes[0] > sizes[1] > sizes[2]


def test_early_stopping(tmp_path, capsys):
    model, as_long = tmp_path / "model.npz", tmp_path / "as_long.npz"
    options = ["train", "--data", "digits", "--lr", 0.02, "--schedule", "constant"]
    lines = output(capsys, *options, "--epochs", 60, "--patience", 3, "--save", model)
    epochs = [line.split() for line in lines if line.startswith("epoch")]
    losses = [float(words[words.index("validation") + 1]) for words in epochs]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < 60
    # as many epochs as were the best, and no more, end with the weights that were kept
    output(capsys, *options, "--epochs", best + 1, "--patience", 3, "--save", as_long)
    assert_same(arrays_in(model), arrays_in(as_long))


def test_pictures(tmp_path, capsys):
    where = tmp_path / "a" / "b"
    options = ["train", "--data", easy_set(tmp_path), "--epochs", 2, "--patience", 1, "--plot", where]
    assert output(capsys, *options)[-1] == f"pictures in {where}"
    assert sorted(path.name for path in where.iterdir()) == ["activations.png", "loss.png", "weights.png"]
    for path in where.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        path.unlink()
    output(capsys, *options, "--whiten", "pca")  # whose first weights are no images
    assert sorted(path.name for path in where.iterdir()) == ["activations.png", "loss.png"]


@pytest.mark.parametrize(("shape", "drawn"), [((6, 5, 3), True), ((3, 6, 5), False), ((30,), False)])
def test_weights_are_drawn_where_they_are_images(tmp_path, shape, drawn, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "set.npz", x=rng.random((20, *shape)), y=np.arange(20) % 2)
    output(capsys, "train", "--data", tmp_path / "set.npz", "--epochs", 1, "--plot", tmp_path)
    assert (tmp_path / "weights.png").exists() == drawn


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    path = easy_set(tmp_path)
    line = error_line(capsys, "train", "--data", path, "--plot", path / "pictures")
    assert f"--plot {path / 'pictures'}: cannot be written" in line
    assert f"--plot {path}: cannot be written" in error_line(capsys, "train", "--data", path, "--plot", path)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("lr", ["1e6", "1e30"])
def test_divergence_is_one_line(tmp_path, norm, lr, capsys):
    options = ["--data", easy_set(tmp_path), "--optimizer", "sgd", "--lr", lr, "--norm", norm]
    line = error_line(capsys, "train", *options, "--save", tmp_path / "model.npz", after="120 images")
    assert "training diverged: loss is " in line
    assert "a smaller --lr may help" in line
    assert not (tmp_path / "model.npz").exists()


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels")])
def test_a_file_of_images(tmp_path, names, capsys):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=150)
    images = (rng.random((150, 4, 5)) * 50 + 60 * labels[:, None, None]).astype(np.uint8)
    path = tmp_path / "set.npz"
    np.savez(path, **dict(zip(names, (images, labels.astype(np.uint8)), strict=True)))
    lines = output(capsys, "train", "--data", path, "--epochs", 3, "--batch-size", 10)
    assert lines[0] == "120 images to train on, 30 held out, layers [20, 256, 128, 3]"
    assert number_after("held-out accuracy", lines) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "--epochs: '0' is not an integer >= 1"),
        (["--batch-size", "1"], "--batch-size: '1' is not an integer >= 2"),
        (["--dropout", "1"], "--dropout: '1' is not a number from 0 to less than 1"),
        (["--lr", "nan"], "--lr: 'nan' is not a number > 0"),
        (["--seed", "-1"], "--seed: '-1' is not an integer >= 0"),
        (["--threads", "0"], "--threads: '0' is not an integer >= 1"),
        (["--optimizer", "adamant"], "--optimizer: invalid choice: 'adamant' (choose from "),
        (["--schedule", "cosinus"], "--schedule: invalid choice: 'cosinus' (choose from "),
        (["--norm", "weight"], "--norm: invalid choice: 'weight' (choose from "),
        (["--init", "hen"], "--init: invalid choice: 'hen' (choose from "),
        (["--whiten", "white"], "--whiten: invalid choice: 'white' (choose from "),
        (["--l2", "-1"], "--l2: '-1' is not a number >= 0"),
        (["--patience", "0"], "--patience: '0' is not an integer >= 1"),
        (["--recipe", "--checkpoint", "a.npz"], "--checkpoint: of a single training, not of a --recipe"),
        (["--activation", "rulu"], "--activation rulu: unknown, expected one of "),
        (["--data", "nowhere.npz"], "--data nowhere.npz: no such file"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_bad_options(options, message, capsys):
    assert message in error_line(capsys, "train", *options)


def test_unknown_names_list_the_known_ones(capsys):
    assert all(name in error_line(capsys, "train", "--activation", "rulu") for name in ("relu", "gelu", "maxout"))
    assert all(name in error_line(capsys, "train", "--optimizer", "adamant") for name in optimizers())
    assert all(name in error_line(capsys, "train", "--schedule", "cosinus") for name in SCHEDULES)


def test_options_that_do_not_go_with_the_images(tmp_path, capsys):
    flat = tmp_path / "flat.npz"
    np.savez(flat, **images())
    assert "images of shape (8,) have no rows" in error_line(capsys, "train", "--data", flat, "--shift", 1)
    path = easy_set(tmp_path)
    line = error_line(capsys, "train", "--data", path, "--shift", 1, "--whiten", "pca")
    assert "--shift 1: --whiten pca leaves no pixels" in line
    assert "--shift 5: more than images of shape (6, 5)" in error_line(capsys, "train", "--data", path, "--shift", 5)


def test_too_few_images_to_validate_on(tmp_path, capsys):
    path = easy_set(tmp_path, count=10)
    assert output(capsys, "train", "--data", path, "--epochs", 1)[0].startswith("8 images to train on, 2 held out")
    for options in (["--patience", 2], ["--recipe"]):
        line = error_line(capsys, "train", "--data", path, *options, after="8 images to train on, 2 held out")
        assert "8 images are too few to hold a share of 0.1 out" in line


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
    assert message in error_line(capsys, "train", "--data", path)


def test_files_that_are_no_image_sets(tmp_path, capsys):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((50, 8)), y=np.arange(50) % 3)
    whole = path.read_bytes()
    damaged = whole[:400] + bytes(200) + whole[600:]
    for content in (b"", b"hello", b"PK\x03\x04 broken", whole[:-30], damaged):
        path.write_bytes(content)
        assert "not a readable .npz file" in error_line(capsys, "train", "--data", path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert "a single array" in error_line(capsys, "train", "--data", tmp_path / "one.npy")
    assert "has no data_batch*.bin in it" in error_line(capsys, "train", "--data", tmp_path)


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    line = error_line(capsys, "train")
    assert line == 'fastnn train: error: threadpoolctl is not installed; get it with: pip install "fastnn[train]"'


def test_info_and_version(capsys):
    assert cli.main(["info"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["numpy"] == np.__version__
    assert {"fastnn", "python", "numba", "llvmlite", "CPU", "SIMD", "threads", "cache"} <= shown.keys()
    done = fastnn("--version")
    assert done.stdout.strip() == f"fastnn {shown['fastnn']}"
    assert "expected" in error_line(capsys) or "required" in error_line(capsys)
