"""Train a network (256 and 128 hidden units) on images of digits and report the accuracy on a held-out fifth.

Matrix products are NumPy's, all else is fastnn's. The numbers printed depend on the seed and the options alone, not
on the number of threads.
"""

import argparse
import math
from collections.abc import Callable, Iterator

import numpy as np

import fastnn as fnn

from . import data
from .errors import CommandError, needs
from .network import Network

HIDDEN = [256, 128]
_OPTIMIZERS = {
    "adam": lambda params, lr: fnn.optim.Adam(params, lr=lr),
    "sgd": lambda params, lr: fnn.optim.SGD(params, lr=lr, momentum=0.9, nesterov=True),
}
_NOT_OF_X_ALONE = ("prelu", "rrelu", "threshold")
_LEARNING_RATES = {"adam": 5e-3, "sgd": 0.1}


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
    parser.add_argument("--data", default="mnist", metavar="mnist|digits|FILE.npz", help="image set (default: mnist)")
    parser.add_argument(
        "--activation", default="relu", metavar="NAME", help="a function of x in fastnn.activations.NAMES"
    )
    parser.add_argument("--dropout", type=rate, default=0.3, metavar="P", help="share dropped (default: 0.3)")
    parser.add_argument("--optimizer", choices=_OPTIMIZERS, default="adam", help="update rule (default: adam)")
    parser.add_argument("--lr", type=positive, metavar="RATE", help="first learning rate, decays along a cosine")
    parser.add_argument("--epochs", type=_integer(1), default=15, metavar="N", help="passes (default: 15)")
    parser.add_argument("--batch-size", type=_integer(2), default=64, metavar="N", help="images a step (default: 64)")
    parser.add_argument("--seed", type=_integer(0), default=0, metavar="N", help="of everything random (default: 0)")
    parser.add_argument("--threads", type=_integer(1), metavar="N", help="cores to use (default: all)")


def _choices() -> list[str]:
    """Activations of x alone: the others learn or draw their slopes, or have no default parameters."""
    return [name for name in (*fnn.activations.NAMES, "swish", "hard_silu") if name not in _NOT_OF_X_ALONE]


def run(options: argparse.Namespace) -> None:
    """Load, train, report."""
    if options.activation not in _choices():
        raise CommandError(f"--activation {options.activation}: unknown, expected one of {', '.join(_choices())}")
    console = needs("rich.console").Console(highlight=False, soft_wrap=True)
    progress = needs("rich.progress")
    limit_blas = needs("threadpoolctl").threadpool_limits
    if options.threads is not None:
        fnn.set_num_threads(options.threads)

    images = data.load(options.data)
    # OpenBLAS rounds differently on another number of threads, and the printed numbers must not depend on it.
    with limit_blas(1, user_api="blas"), progress.Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=options.epochs)
        for line in train(images, options):
            bar.console.print(line)
            bar.advance(task)


def train(images: data.ImageSet, options: argparse.Namespace) -> Iterator[str]:
    """Train on an image set; yields the lines of the report."""
    weights_rng, split_rng, batch_rng, dropout_rng = np.random.default_rng(options.seed).spawn(4)
    training, held_out = data.split(images, split_rng)
    sizes = [training.images.shape[1], *HIDDEN, images.classes]
    network = Network(sizes, activation=options.activation, dropout=options.dropout, rng=weights_rng)
    steps = options.epochs * len(list(_batches(len(training.images), options.batch_size)))
    first = options.lr or _LEARNING_RATES[options.optimizer]
    optimizer = _OPTIMIZERS[options.optimizer](network.params, fnn.schedules.cosine_decay(first, steps))
    yield f"{len(training.images)} images to train on, {len(held_out.images)} held out, layers {sizes}"

    for epoch in range(1, options.epochs + 1):
        loss, accuracy = _epoch(network, optimizer, training, options.batch_size, batch_rng, dropout_rng)
        yield f"epoch {epoch:>3}/{options.epochs}  loss {loss:.4f}  accuracy {accuracy:.4f}"
    yield f"held-out accuracy {network.accuracy(held_out.images, held_out.labels):.4f}"


def _batches(count: int, size: int) -> Iterator[slice]:
    """Slices of about `size`, none of a single image: batch norm has no variance of that."""
    stops = list(range(size, count - 1, size))
    yield from map(slice, [0, *stops], [*stops, count])


def _epoch(
    network: Network,
    optimizer: fnn.optim.Optimizer,
    training: data.ImageSet,
    batch_size: int,
    batch_rng: np.random.Generator,
    dropout_rng: np.random.Generator,
) -> tuple[float, float]:
    """One pass over the images in a new order; (mean loss, accuracy) while training."""
    order = batch_rng.permutation(len(training.images))
    loss_sum, right = 0.0, 0
    for batch in _batches(len(order), batch_size):
        chosen = order[batch]
        labels = training.labels[chosen]
        logits, caches = network.forward(training.images[chosen], dropout_rng)
        loss, dlogits = fnn.softmax_cross_entropy(logits, labels)
        optimizer.step(network.backward(dlogits, caches))
        loss_sum += float(loss) * len(chosen)
        right += int(np.count_nonzero(logits.argmax(axis=1) == labels))
    return loss_sum / len(order), right / len(order)
