"""`fastnn train --save` and `fastnn predict`: a model does afterwards what it did before; bad files are one line."""

import json
import re

import numpy as np
import pytest
from command_line import (
    arrays_in,
    call,
    easy_images,
    easy_set,
    error_line,
    interrupted_at,
    number_after,
    output,
)

import fastnn as fnn
from fastnn.cli import models
from fastnn.cli.training import Run

LINE = re.compile(r"\d+ [012] (0\.\d{4}|1\.0000)")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with set.npz and model.npz, trained on it."""
    folder = tmp_path_factory.mktemp("trained")
    assert call("train", "--data", easy_set(folder), "--epochs", 3, "--save", folder / "model.npz") == 0
    return folder


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--norm", "layer", "--activation", "prelu"],
        ["--norm", "none", "--activation", "maxout", "--whiten", "zca"],
        ["--whiten", "pca", "--activation", "rrelu"],
        ["--activation", "threshold", "--init", "orthogonal", "--lr", "0.01"],
    ],
    ids=" ".join,
)
def test_a_model_predicts_as_before_it_was_saved(tmp_path, capsys, monkeypatch, options):
    path, model = easy_set(tmp_path), tmp_path / "model.npz"
    saved, save = [], models.save

    def noting(place, *parts):
        saved.append(parts)
        save(place, *parts)

    monkeypatch.setattr(models, "save", noting)
    lines = output(capsys, "train", "--data", path, "--epochs", 5, "--batch-size", 10, *options, "--save", model)
    assert lines[-1] == f"model saved as {model}"
    held_out = number_after("held-out accuracy", lines)
    *images, accuracy = output(capsys, "predict", model, path)
    assert [line.split()[0] for line in images] == [str(k) for k in range(150)]
    assert all(LINE.fullmatch(line) for line in images)
    ((network, preparation),) = saved
    pixels, labels = easy_images()
    probabilities = fnn.softmax(network.predict(preparation(pixels.reshape(150, -1).astype(np.float32))))
    assert [line.split()[1:] for line in images] == [[str(row.argmax()), f"{row.max():.4f}"] for row in probabilities]
    share = np.mean(probabilities.argmax(axis=1) == labels)
    assert accuracy == f"accuracy {share:.4f}"
    assert share > 0.9
    assert held_out > 0.9


def test_images_of_an_npy_file(trained, tmp_path, capsys):
    *expected, _ = output(capsys, "predict", trained / "model.npz", trained / "set.npz")
    for images in (easy_images()[0], easy_images()[0].reshape(150, -1).astype(">f8")):
        np.save(tmp_path / "images.npy", images)
        assert output(capsys, "predict", trained / "model.npz", tmp_path / "images.npy") == expected
    np.save(tmp_path / "images.npy", easy_images()[0][:1])
    assert output(capsys, "predict", trained / "model.npz", tmp_path / "images.npy") == expected[:1]


class Rogue:
    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 7)), "images of 7 pixels, expected 30 as"),
        (np.zeros(30), "has dtype float64 and shape (30,)"),
        (np.zeros((0, 30)), "shape (0, 30)"),
        (np.full((2, 30), "a"), "has dtype <U1"),
        (np.full((2, 30), 1j), "has dtype complex128"),
        (np.full((2, 30), np.nan), "NaN or infinite"),
        (np.array([[Rogue()] * 30]), "not a readable .npy file"),
    ],
)
def test_bad_images(trained, tmp_path, capsys, images, message):
    path = tmp_path / "images.npy"
    np.save(path, images, allow_pickle=True)
    line = error_line(capsys, "predict", trained / "model.npz", path)
    assert str(path) in line
    assert message in line


def test_files_that_hold_no_images(trained, tmp_path, capsys):
    model, path = trained / "model.npz", tmp_path / "images.npy"
    assert "No such file" in error_line(capsys, "predict", model, path)
    path.write_bytes(b"hello")
    assert "not a readable .npy file" in error_line(capsys, "predict", model, path)
    path.write_bytes((trained / "set.npz").read_bytes())
    assert "several arrays" in error_line(capsys, "predict", model, path)
    assert "no such file" in error_line(capsys, "predict", model, tmp_path / "set.npz")
    other = easy_set(tmp_path, shape=(4, 4))
    assert "images of 16 pixels, expected 30" in error_line(capsys, "predict", model, other)
    more = easy_set(tmp_path, classes=5)
    assert "labels go up to 4, expected at most 2" in error_line(capsys, "predict", model, more)


def test_files_that_are_no_models(trained, tmp_path, capsys):
    path, images = tmp_path / "model.npz", trained / "set.npz"
    assert f"{path}: no such file" in error_line(capsys, "predict", path, images)
    assert f"{tmp_path}: no such file" in error_line(capsys, "predict", tmp_path, images)
    assert f"{images}: holds no model of fastnn train" in error_line(capsys, "predict", images, images)
    whole = (trained / "model.npz").read_bytes()
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 50]) + whole[middle + 50 :]
    for content in (b"", b"hello", whole[:-50], damaged):
        path.write_bytes(content)
        assert f"{path}: not a readable model" in error_line(capsys, "predict", path, images)
    np.savez(path, allow_pickle=True, settings=np.array(Rogue()))
    assert f"{path}: not a readable model" in error_line(capsys, "predict", path, images)
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert f"{path}: holds" in error_line(capsys, "predict", path, images)


def settings(known, **change):
    """The text of a model's settings with some of them changed; None leaves one out."""
    changed = json.loads(str(known["settings"])) | change
    return np.array(json.dumps({name: value for name, value in changed.items() if value is not None}))


@pytest.mark.parametrize(
    "change",
    [
        lambda known: {"settings": np.array("no json")},
        lambda known: {"settings": np.array("[1]")},
        lambda known: {"settings": settings(known, sizes=None)},
        lambda known: {"settings": settings(known, sizes=3)},
        lambda known: {"settings": settings(known, sizes=[30, 256, 128, 4])},
        lambda known: {"settings": settings(known, sizes=[-30, 256, 128, 3])},
        lambda known: {"settings": settings(known, sizes=[30, 10**9, 10**9, 3])},
        lambda known: {"settings": settings(known, activation="rulu")},
        lambda known: {"settings": settings(known, activation="maxout")},
        lambda known: {"settings": settings(known, norm="weight")},
        lambda known: {"settings": settings(known, init="rulu")},
        lambda known: {"settings": settings(known, colour="red")},
        lambda known: {"param.0.W": known["param.0.W"][1:]},
        lambda known: {"param.0.W": np.full((30, 256), "a")},
        lambda known: {"param.1.beta": None},
        lambda known: {"running.0": None},
        lambda known: {"preparation.mean": None},
        lambda known: {"preparation.mean": np.zeros(())},
        lambda known: {"preparation.mean": np.zeros(5)},
        lambda known: {"preparation.scale": np.zeros(3)},
        lambda known: {"preparation.matrix": np.zeros((3, 3))},
    ],
)
def test_damaged_models(trained, tmp_path, capsys, change):
    path = tmp_path / "model.npz"
    known = arrays_in(trained / "model.npz")
    changed = known | change(known)
    np.savez(path, **{name: array for name, array in changed.items() if array is not None})
    line = error_line(capsys, "predict", path, trained / "set.npz")
    assert line.startswith(f"fastnn predict: error: {path}: a damaged model (")


@pytest.mark.parametrize("option", ["--save", "--checkpoint"])
def test_places_that_cannot_be_written(tmp_path, capsys, option):
    path = easy_set(tmp_path)
    for place in (tmp_path, tmp_path / "nowhere" / "model.npz", path / "model.npz"):
        line = error_line(capsys, "train", "--data", path, option, place)
        assert f"{option} {place}: cannot be written" in line
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "expected"), [(OSError(28, "No space left on device"), 2), (KeyboardInterrupt(), 130)]
)
def test_nothing_is_left_half_written(trained, tmp_path, capsys, monkeypatch, error, expected):
    path = tmp_path / "model.npz"
    path.write_bytes(b"older")

    def full(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(models.os, "replace", full)
        assert call("train", "--data", trained / "set.npz", "--epochs", 1, "--save", path) == expected
    (line,) = capsys.readouterr().err.splitlines()
    assert ("cannot be written (No space left on device)" in line) == (expected == 2)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"older"


def test_a_model_replaces_an_older_one_and_can_be_read_by_others(trained, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(b"older")
    assert call("train", "--data", trained / "set.npz", "--epochs", 3, "--save", path) == 0
    assert path.read_bytes() == (trained / "model.npz").read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644


def test_interrupted_training_leaves_a_model(tmp_path, capsys, monkeypatch):
    path, model = easy_set(tmp_path), tmp_path / "model.npz"
    with interrupted_at(monkeypatch, Run, "_step", 7):
        lines = output(capsys, "train", "--data", path, "--epochs", 9, "--save", model)
    assert "interrupted: keeping the weights of the last step so far" in lines
    assert lines[-1] == f"model saved as {model}"
    *_, accuracy = output(capsys, "predict", model, path)
    assert accuracy.startswith("accuracy ")
