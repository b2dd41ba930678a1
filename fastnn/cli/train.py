"""Train a network (256 and 128 hidden units) on images and report the accuracy on a held-out fifth.

With --recipe the whole way there: the first loss, a few images learned by heart, learning rates tried, a coarse and a
fine search, the training, an ensemble. Matrix products are NumPy's, all else is fastnn's. The numbers printed depend on
the seed and the options alone, not on the number of threads. Started by mpiexec, all processes train one network, each
on --batch-size images a step.
"""

import argparse
import json
import math
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastnn as fnn

from . import data, models, parallel, plots, recipe
from .errors import CommandError, needs
from .network import NORMS, Network, Settings, activations
from .preparation import WHITENINGS, Preparation
from .training import SCHEDULES, Diverged, Plan, Run, optimizers

HIDDEN = (256, 128)
_HELD_OUT, _VALIDATION = 1 / 5, 1 / 10
#: Pixels from which on a recipe shifts images: of 8 pixels one is as much as a stroke.
_LEAST_SHIFTED = 16
_INITS = (
    "he_normal",
    "he_uniform",
    "xavier_normal",
    "xavier_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
    "normal",
    "uniform",
    "truncated_normal",
    "zeros",
)


def _integer(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer >= {low}")
        return value

    return parse


def _real(expected: str, valid: Callable[[float], bool]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and valid(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
        return value

    return parse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastnn train`."""
    rate = _real("a number from 0 to less than 1", lambda p: 0 <= p < 1)
    positive = _real("a number > 0", lambda lr: lr > 0)
    strength = _real("a number >= 0", lambda value: value >= 0)
    add = parser.add_argument
    add(
        "--data", default="mnist", metavar="mnist|digits|FILE", help="images: .npz, IDX, CIFAR-10 .bin (default: mnist)"
    )
    add("--recipe", action="store_true", help="walk through the whole recipe, with the settings that it finds")
    add("--activation", default="relu", metavar="NAME", help="any of fastnn.activations.NAMES, or maxout")
    add("--norm", choices=NORMS, default="batch", help="normalisation (default: batch)")
    add("--init", choices=_INITS, default="he_normal", help="initial weights (default: he_normal)")
    add("--whiten", choices=WHITENINGS, default="none", help="decorrelate the pixels (default: none)")
    add("--dropout", type=rate, default=0.3, metavar="P", help="share dropped (default: 0.3)")
    add("--l2", type=strength, default=0.0, metavar="S", help="adds S/2 * sum(W^2) to the loss (default: 0)")
    add("--l1", type=strength, default=0.0, metavar="S", help="adds S * sum(|W|) to the loss (default: 0)")
    add("--optimizer", choices=optimizers(), metavar="RULE", default="adam", help="update rule (default: adam)")
    add("--schedule", choices=SCHEDULES, default="cosine", help="of the learning rate (default: cosine)")
    add("--lr", type=positive, metavar="RATE", help="the learning rate at its largest")
    add(
        "--shift",
        type=_integer(0),
        metavar="PIXELS",
        help="move images at random (default: 0; large ones in a recipe 1)",
    )
    add("--epochs", type=_integer(1), default=15, metavar="N", help="passes (default: 15)")
    add("--patience", type=_integer(1), metavar="N", help="stop after N epochs without a better validation loss")
    add("--batch-size", type=_integer(2), default=64, metavar="N", help="images a step (default: 64)")
    add("--seed", type=_integer(0), default=0, metavar="N", help="of everything random (default: 0)")
    add("--threads", type=_integer(1), metavar="N", help="cores to use (default: all)")
    add("--save", type=Path, metavar="MODEL.npz", help="write the model, for fastnn predict")
    add("--checkpoint", type=Path, metavar="FILE.npz", help="the state after every epoch; goes on from it")
    add("--plot", type=Path, metavar="DIR", help="write pictures of the run (PNG)")


def run(options: argparse.Namespace) -> None:
    """Load, train, report."""
    ranks = parallel.started()
    with ranks.together():
        if options.activation not in activations():
            known = ", ".join(activations())
            raise CommandError(f"--activation {options.activation}: unknown, expected one of {known}")
        if options.checkpoint and options.recipe:
            raise CommandError("--checkpoint: of a single training, not of a --recipe")
        if options.recipe and ranks.size > 1:
            raise CommandError("--recipe: for one process, without mpiexec")
        options.batch_size *= ranks.size  # from here on that of all ranks together
        _run(options, ranks)


def _run(options: argparse.Namespace, ranks: parallel.OneProcess) -> None:
    console = needs("rich.console").Console(highlight=False, soft_wrap=True, quiet=not ranks.first)
    progress = needs("rich.progress")
    limit_blas = needs("threadpoolctl").threadpool_limits
    if options.threads is not None:
        fnn.set_num_threads(options.threads)
    for option in ("save", "checkpoint"):
        if getattr(options, option) is not None and ranks.first:
            models.check_place(f"--{option}", getattr(options, option))
    if options.plot is not None and ranks.first:
        plots.folder(options.plot)

    images = data.load(options.data)
    # OpenBLAS rounds differently on another number of threads, and the printed numbers must not depend on it.
    silent = ranks.size > 1 or not console.is_terminal  # mpiexec's own pipes pass for terminals
    with limit_blas(1, user_api="blas"), progress.Progress(console=console, disable=silent) as bar:
        bar.add_task("training", total=None)
        try:
            _show(train(images, options, ranks), bar.console.print)
        except Diverged as error:
            raise CommandError(f"training diverged: {error}; a smaller --lr may help") from None


def _show(lines: Generator[str, None, None], show: Callable[[str], None]) -> None:
    """Show lines as they come. Where a Ctrl-C finds one being shown, it goes to their maker, as at any other moment."""
    for line in lines:
        try:
            show(line)
        except KeyboardInterrupt as stop:
            show(lines.throw(stop))


def train(images: data.ImageSet, options: argparse.Namespace, ranks: parallel.OneProcess) -> Generator[str, None, None]:
    """Train on an image set; yields the lines of the report."""
    weights_rng, split_rng, run_rng, validation_rng = np.random.default_rng(options.seed).spawn(4)
    training, test = data.split(images, _HELD_OUT, split_rng)
    raw = training.images
    preparation = Preparation.fit(raw, options.whiten)
    training, test = (each._replace(images=preparation(each.images)) for each in (training, test))
    settings = Settings((training.images.shape[1], *HIDDEN, images.classes), options.activation, options.norm,
                        options.dropout, options.init, options.l2, options.l1)  # fmt: skip
    plan = Plan(options.optimizer, options.lr, options.schedule, options.epochs, options.batch_size, options.patience,
                _shift(options, images.shape))  # fmt: skip
    yield f"{len(training.images)} images to train on, {len(test.images)} held out, layers {list(settings.sizes)}"
    if options.recipe:
        yield f"pixels before: {fnn.monitor.tensor_stats(raw)}"
        yield f"pixels after:  {fnn.monitor.tensor_stats(training.images)}"
    found = recipe.Findings()
    if options.recipe:
        training, validation = data.split(training, _VALIDATION, validation_rng)
        yield from recipe.follow(training, validation, test, settings, plan, options.seed, found)
    else:
        whole, validation = training, None
        if options.patience is not None:
            training, validation = data.split(whole, _VALIDATION, validation_rng)
        network = Network(settings, weights_rng)
        found.network = network
        yield from _single(Run(network, training, validation, plan, run_rng, ranks), preparation, options, found)
        yield f"held-out accuracy {network.accuracy(test.images, test.labels):.4f}"
    if ranks.first:
        yield from _results(found, preparation, training, images.shape, options)


def _shift(options: argparse.Namespace, shape: tuple[int, ...]) -> int:
    """Pixels; none by default where images have no rows and columns, or lose them."""
    fixed = len(shape) not in (2, 3) or options.whiten == "pca"
    if fixed and options.shift:
        why = "--whiten pca leaves no pixels" if options.whiten == "pca" else f"images of shape {shape} have no rows"
        raise CommandError(f"--shift {options.shift}: {why} to move")
    if options.shift and options.shift >= min(shape[:2]):
        raise CommandError(f"--shift {options.shift}: more than images of shape {shape} can be moved")
    small = fixed or min(shape[:2]) < _LEAST_SHIFTED
    return int(options.recipe and not small) if options.shift is None else options.shift


def _single(run: Run, preparation: Preparation, options: argparse.Namespace, found: recipe.Findings) -> Iterator[str]:
    """One training, from its checkpoint if there is one; a Ctrl-C in its only process keeps what has been reached."""
    found.history = run.history
    known = np.array(json.dumps(_that_count(options)))
    if options.checkpoint and run.ranks.from_first(options.checkpoint.exists):
        _resume(run, options)
        found.history = run.history
        yield f"resumed after epoch {len(run.history)}"
    try:
        for epoch in run.epochs():
            if options.checkpoint and run.ranks.first:
                models.save(options.checkpoint, run.network, preparation, **run.state(), options=known)
            yield recipe.described(epoch, run.plan.epochs)
    except KeyboardInterrupt:
        if run.ranks.size > 1:
            raise
        yield recipe.interrupted(run)


def _that_count(options: argparse.Namespace) -> dict[str, Any]:
    """The options that the numbers of a single training depend on."""
    others = ("command", "recipe", "threads", "save", "checkpoint", "plot")
    return {name: value for name, value in vars(options).items() if name not in others}


def _resume(run: Run, options: argparse.Namespace) -> None:
    path = options.checkpoint
    entries = run.ranks.from_first(lambda: models.load(path))
    if "options" not in entries:
        raise CommandError(f"--checkpoint {path}: is a model, not a checkpoint")
    try:
        known = dict(json.loads(str(entries["options"])))
        differing = [name for name, value in _that_count(options).items() if known.get(name) != value]
        if differing:
            were = ", ".join(f"--{name.replace('_', '-')} {known.get(name)}" for name in differing)
            raise CommandError(f"--checkpoint {path}: not of a run with these options, but with {were}")
        models.put(run.network, entries)
        run.load_state(entries)
    except (KeyError, TypeError, ValueError) as error:
        raise CommandError(f"--checkpoint {path}: does not fit this run ({error})") from None


def _results(
    found: recipe.Findings,
    preparation: Preparation,
    training: data.ImageSet,
    shape: tuple[int, ...],
    options: argparse.Namespace,
) -> Iterator[str]:
    """Write what was asked for."""
    network: Any = found.network
    if options.save is not None:
        models.save(options.save, network, preparation)
        yield f"model saved as {options.save}"
    if options.plot is not None:
        where = options.plot
        plots.loss_curves(where / "loss.png", found.history)
        plots.activation_histograms(where / "activations.png", network, training.images[:500])
        if found.searched:
            plots.search_scatter(where / "search.png", found.searched)
        if preparation.matrix is None and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
            plots.first_weights(where / "weights.png", network, shape)
        yield f"pictures in {where}"
