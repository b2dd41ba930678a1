"""Draw every activation with its derivative, and an index page of what each is good for and costs on this machine.

Kinks, saturation and dead zones are found from the values of f and f'; formulas and advice are those of the docstrings.
"""

import argparse
import tempfile
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import fastnn as fnn

from . import info
from ._gallery_curves import Curve, curve_of, shape_of
from ._gallery_page import Portrait, page
from ._gallery_picture import picture
from .errors import CommandError, needs
from .models import write_whole

#: Elements (float32) of a timed call, seconds of calls in a sample, and samples of each function.
_ELEMENTS, _SAMPLE, _ROUNDS = 100_000, 1e-3, 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastnn gallery`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="where index.html and the pictures go")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these of fastnn.activations.NAMES (default: all)")


def run(options: argparse.Namespace) -> None:
    """Draw and time, and write the files when all of them are there."""
    names = _chosen(options.only)
    progress = needs("rich.progress")
    console = needs("rich.console").Console(highlight=False, soft_wrap=True)
    needs("matplotlib.figure")
    _prepare(options.folder)
    with progress.Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("drawing", total=len(names) + _ROUNDS)
        curves, shapes, files = [], [], {}
        for name in names:
            bar.update(task, description=name)
            curve = curve_of(name)
            shape = shape_of(curve)
            files[f"{name}.png"] = picture(curve, shape)
            curves.append(curve)
            shapes.append(shape)
            bar.advance(task)
        bar.update(task, description="timing")
        costs = _costs(curves, partial(bar.advance, task))
    portraits = [Portrait(*each) for each in zip(curves, shapes, costs, strict=True)]
    files["index.html"] = page(portraits, whole=not options.only, conditions=_conditions()).encode()
    for name, content in files.items():
        write_whole(options.folder / name, content)
    console.print(f"{len(names)} pictures in {options.folder / 'index.html'}")


def _chosen(only: list[str] | None) -> list[str]:
    names = fnn.activations.NAMES
    for name in only or ():
        if name not in names:
            raise CommandError(f"--only {name}: unknown, expected some of {', '.join(names)}")
    return [name for name in names if not only or name in only]


def _conditions() -> str:
    facts = dict(info.facts())
    return f"{_ELEMENTS:,} float32 on {facts['CPU']}, {fnn.get_num_threads()} threads, fastnn {facts['fastnn']}"


def _costs(curves: list[Curve], tick: Callable[[], None]) -> list[tuple[float, float]]:
    """ns an element, (forward, backward): medians over rounds in each of which every function has its turn."""
    x, dy = np.random.default_rng(0).standard_normal((2, _ELEMENTS), np.float32)
    calls = [call for c in curves for call in (partial(c.f, x), partial(c.backward, dy, x))]
    numbers = [_calls_per_sample(call) for call in calls]
    samples = []
    for _ in range(_ROUNDS):
        samples.append([timeit.timeit(call, number=n) / n for call, n in zip(calls, numbers, strict=True)])
        tick()
    medians = np.median(samples, axis=0) * (1e9 / _ELEMENTS)
    return [(float(forward), float(backward)) for forward, backward in medians.reshape(-1, 2)]


def _calls_per_sample(call: Callable[[], object]) -> int:
    call()  # which compiles it
    return max(1, round(_SAMPLE / min(timeit.repeat(call, number=1, repeat=3))))


def _prepare(folder: Path) -> None:
    """Make the folder, and find out now rather than after the work whether it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except FileExistsError:
        raise CommandError(f"{folder}: is a file, expected a folder") from None
    except OSError as error:
        raise CommandError(f"{folder}: cannot be written ({error.strerror})") from None
