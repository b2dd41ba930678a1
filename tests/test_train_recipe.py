"""`fastnn train --recipe`: every step says what it found, and the settings found are those of the final training."""

import re

import pytest
from command_line import call, easy_set, error_line, interrupted_at, number_after, output

import fastnn as fnn
from fastnn.cli import recipe
from fastnn.cli.training import Run


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Less of everything."""
    for name, value in {"_COARSE": 4, "_COARSE_EPOCHS": 1, "_FINE": 3, "_FINE_EPOCHS": 2, "_ENSEMBLE": 3}.items():
        monkeypatch.setattr(recipe, name, value)


def test_on_digits(tmp_path, capsys):
    arguments = ["train", "--recipe", "--data", "digits", "--epochs", 4]
    model, where = tmp_path / "model.npz", tmp_path / "pictures"
    lines = output(capsys, *arguments, "--save", model, "--plot", where)
    text = "\n".join(lines)
    assert lines[0] == "1438 images to train on, 359 held out, layers [64, 256, 128, 10]"
    assert re.search(r"first loss: 2\.\d{4}, log\(classes\) = 2\.3026: as it should be", text)
    assert re.search(r"first loss with l2 = 0\.1: \d+\.\d{4}, up, as it should be", text)
    assert re.search(r"20 images: loss .* learned by heart", text)
    verdicts = [line.split()[-1] for line in lines if line.startswith("  lr ")]
    assert (len(verdicts), verdicts[0], verdicts[-1]) == (6, "moves", "diverges")
    assert "learns" in verdicts
    assert "WRONG" not in text
    searched = [line for line in lines if line.startswith(("  coarse", "  fine"))]
    assert [line.split()[0] for line in searched] == ["coarse"] * 4 + ["fine"] * 3
    fine = [(float(line.split("validation ")[1].split()[0]), line) for line in searched[4:]]
    (best,) = (line.removeprefix("best: ") for line in lines if line.startswith("best: "))
    assert best in min(fine)[1]
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == ["1/4", "2/4", "3/4", "4/4"]
    assert number_after("test accuracy of the single model", lines) > 0.9
    assert number_after("test accuracy of an ensemble of 3", lines) > 0.9
    assert lines[-2:] == [f"model saved as {model}", f"pictures in {where}"]
    names = ["activations.png", "loss.png", "search.png", "weights.png"]
    assert sorted(path.name for path in where.iterdir()) == names
    assert all((where / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for name in names)


@pytest.mark.parametrize(
    "more", [[], ["--optimizer", "sgd", "--activation", "maxout", "--norm", "layer"], ["--norm", "none"]], ids=str
)
def test_the_same_seed_prints_the_same(tmp_path, capsys, more):
    arguments = ["train", "--recipe", "--data", easy_set(tmp_path), "--epochs", 2, *more]
    with fnn.threads(fnn.get_num_threads()):
        printed = [output(capsys, *arguments, "--threads", threads) for threads in (1, 2)]
        assert printed[0] == printed[1]
        assert output(capsys, *arguments, "--seed", 1) != printed[0]


def test_activations_of_every_kind(tmp_path, capsys):
    for name in ("prelu", "rrelu", "threshold"):
        lines = output(capsys, "train", "--recipe", "--data", easy_set(tmp_path), "--epochs", 2, "--activation", name)
        assert number_after("test accuracy of the single model", lines) > 0.5


def test_what_a_ctrl_c_keeps(tmp_path, capsys, monkeypatch):
    model = tmp_path / "model.npz"
    arguments = ["train", "--recipe", "--data", easy_set(tmp_path), "--epochs", 3, "--save", model]
    searched = 4 * 1 + 3 * 2
    # in the search there is nothing yet
    with interrupted_at(monkeypatch, Run, "_epoch", searched):
        assert call(*arguments) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not model.exists()
    # in the final training its best epoch
    with interrupted_at(monkeypatch, Run, "_epoch", searched + 3):
        lines = output(capsys, *arguments)
    assert "interrupted: keeping the weights of the best epoch so far" in lines
    assert lines[-1] == f"model saved as {model}"
    single = number_after("test accuracy of the single model", lines)
    assert 0 <= single <= 1
    assert "ensemble" not in "".join(lines)
    model.unlink()
    # after that the single model
    with interrupted_at(monkeypatch, Run, "_epoch", searched + 5):
        lines = output(capsys, *arguments)
    assert lines[-2:] == ["interrupted: no ensemble", f"model saved as {model}"]


def test_a_final_training_that_diverges_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recipe, "_outcome", lambda *args: recipe.Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.0, 0.0))
    monkeypatch.setattr(recipe, "_rate_range", lambda trials: (1e20, 1e21))
    line = error_line(capsys, "train", "--recipe", "--data", easy_set(tmp_path), after="120 images")
    assert "training diverged: " in line
