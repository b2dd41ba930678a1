"""Calls of the `fastnn` command in this very process, and small image sets for them."""

import contextlib

import numpy as np

from fastnn import cli


def call(*arguments):
    """The exit code of a call, however it ends."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code


def output(capsys, *arguments):
    """What a call that must succeed prints, as lines; nothing may be on standard error."""
    code = call(*arguments)
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out.splitlines()


def error_line(capsys, *arguments, after=None):
    """The one line on standard error of a call that must end with 2; with `after`, that is how the report began."""
    code = call(*arguments)
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == "" if after is None else captured.out.startswith(after)
    (line,) = captured.err.splitlines()
    return line


def number_after(words, lines):
    """The number in the one line that begins with these words."""
    (line,) = (line for line in lines if line.startswith(words))
    return float(line.split()[-1])


def easy_images(count=150, shape=(6, 5), classes=3, seed=0):
    """Images of a bright row each, on noise: (uint8 images, uint8 labels)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count)
    images = rng.integers(0, 60, (count, *shape))
    images[np.arange(count), 1 + labels] += 150
    return images.astype(np.uint8), labels.astype(np.uint8)


def easy_set(folder, **options):
    """The path of an .npz of them."""
    path = folder / "set.npz"
    images, labels = easy_images(**options)
    np.savez(path, x=images, y=labels)
    return path


def arrays_in(path):
    """All that is in an .npz file."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def assert_same(found, expected):
    """Two dicts of arrays agree to the last bit."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].tobytes() == array.tobytes(), name


@contextlib.contextmanager
def interrupted_at(monkeypatch, owner, name, calls):
    """A Ctrl-C at the start of that call of a function or method."""
    original, count = getattr(owner, name), 0

    def counting(*args, **kwargs):
        nonlocal count
        count += 1
        if count == calls:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, counting)
        yield
    assert count >= calls, "the call was never reached"
