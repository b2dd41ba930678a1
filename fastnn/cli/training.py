"""One training run: epochs of mini-batches, what they show, early stopping, and a state that can be saved.

The numbers depend on the seed and the plan alone: not on the number of threads, nor on whether the run was stopped in
between and resumed.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import fastnn as fnn

from .data import ImageSet
from .network import Network
from .parallel import OneProcess

#: Learning rates that the rules take where none is given; the others have their own default.
LEARNING_RATES = {"adam": 5e-3, "adamw": 5e-3, "nadam": 5e-3, "radam": 5e-3, "sgd": 0.1, "lion": 5e-4, "lamb": 1e-2}
#: Keywords that a rule is no good without.
KEYWORDS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9, "nesterov": True}, "rmsprop": {"lr": 1e-3}}

SCHEDULES = {
    "constant": lambda lr, steps: fnn.schedules.constant(lr),
    "cosine": lambda lr, steps: fnn.schedules.cosine_decay(lr, steps),
    "warmup-cosine": lambda lr, steps: fnn.schedules.warmup_cosine(lr, max(2, steps), warmup=max(1, steps // 20)),
    "step": lambda lr, steps: fnn.schedules.step_decay(lr, max(1, math.ceil(steps / 3))),
    "exponential": lambda lr, steps: fnn.schedules.exponential_decay(lr, steps, gamma=0.01),
    "inverse-time": lambda lr, steps: fnn.schedules.inverse_time_decay(lr, steps, rate=10.0),
    "linear": lambda lr, steps: fnn.schedules.polynomial_decay(lr, steps),
    "one-cycle": lambda lr, steps: fnn.schedules.one_cycle(lr, max(4, steps)),
}


def optimizers() -> dict[str, type[fnn.optim.Optimizer]]:
    """Every rule by its name in lower case."""
    rules = (getattr(fnn.optim, name) for name in fnn.optim.__all__)
    return {
        rule.__name__.lower(): rule
        for rule in rules
        if isinstance(rule, type) and issubclass(rule, fnn.optim.Optimizer) and rule is not fnn.optim.Optimizer
    }


@dataclass(frozen=True)
class Plan:
    """How to train."""

    optimizer: str = "adam"
    lr: float | None = None
    schedule: str = "cosine"
    epochs: int = 15
    batch_size: int = 64
    #: Epochs without a better validation loss after which to stop; None: never.
    patience: int | None = None
    #: Pixels by which every image is shifted at random, up to, whenever it is seen.
    shift: int = 0


class Epoch(NamedTuple):
    """What an epoch showed; validation figures are NaN where there are no images to validate on."""

    number: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    update_ratio: float
    dead: float


def batches(count: int, size: int) -> list[slice]:
    """Slices of about `size`, none of a single image: batch norm has no variance of that."""
    stops = list(range(size, count - 1, size))
    return [slice(*ends) for ends in zip([0, *stops], [*stops, count], strict=True)]


def shifted(rows: np.ndarray, shape: tuple[int, ...], most: int, rng: np.random.Generator) -> np.ndarray:
    """Images, as rows of pixels, each moved by up to `most` pixels down and across; the rim is repeated."""
    around = [(0, 0), (most, most), (most, most), *[(0, 0)] * (len(shape) - 2)]
    padded = np.pad(rows.reshape(-1, *shape), around, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, shape[:2], axis=(1, 2))
    down, across = rng.integers(0, 2 * most + 1, (2, len(rows)))
    chosen = np.moveaxis(windows[np.arange(len(rows)), down, across], (-2, -1), (1, 2))
    return np.ascontiguousarray(chosen).reshape(rows.shape)


def make_optimizer(network: Network, plan: Plan, steps: int) -> fnn.optim.Optimizer:
    """The plan's rule; only the W of every layer is penalised, as a norm's gain and the biases have no need of it."""
    rule = optimizers()[plan.optimizer]
    keywords = dict(KEYWORDS.get(plan.optimizer, {}))
    lr = plan.lr or LEARNING_RATES.get(plan.optimizer) or keywords.get("lr") or rule.own["lr"].default
    keywords["lr"] = SCHEDULES[plan.schedule](lr, steps)
    weights, others = parted(network.params)
    penalties = {"weight_decay": network.settings.l2, "l1": network.settings.l1}
    optimizer = rule(weights, decoupled=False, **penalties, **keywords)
    optimizer.add_param_group(others, weight_decay=0.0, l1=0.0)
    return optimizer


def parted(layers: list[dict[str, np.ndarray]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(the W of every layer, all others)."""
    weights = [layer["W"] for layer in layers if "W" in layer]
    return weights, [array for layer in layers for name, array in layer.items() if name != "W"]


class Diverged(Exception):
    """The loss is no longer a number, or far above the first one."""


class Run:
    """A network on its way through a plan.

    Parameters
    ----------
    network : Network
    training : ImageSet
    validation : ImageSet or None
        What early stopping watches.
    plan : Plan
    rng : numpy.random.Generator
        Of the order of the images and of dropout.
    ranks : OneProcess
        The processes that share every batch.
    """

    def __init__(
        self,
        network: Network,
        training: ImageSet,
        validation: ImageSet | None,
        plan: Plan,
        rng: np.random.Generator,
        ranks: OneProcess | None = None,
    ):
        self.network, self.training, self.validation, self.plan = network, training, validation, plan
        self.ranks = ranks or OneProcess()
        self.ranks.share(network)
        self.batch_rng, self.dropout_rng = rng.spawn(2)
        steps = plan.epochs * len(batches(len(training.images), plan.batch_size))
        self.optimizer = make_optimizer(network, plan, steps)
        self.stopping = fnn.monitor.EarlyStopping(plan.patience or plan.epochs + 1)
        self.watch = fnn.monitor.LossMonitor()
        self.history: list[Epoch] = []
        self.stopped = False

    def epochs(self) -> Iterator[Epoch]:
        """Train to the end of the plan, or until early stopping; the best weights are in the network then.

        Raises
        ------
        Diverged
            The loss is NaN or has grown to more than three times the first one.
        """
        while len(self.history) < self.plan.epochs and not self.stopped:
            self.history.append(self._epoch(len(self.history) + 1))
            if self.validation is not None:
                self.stopped = self.stopping.update(self.history[-1].val_loss, self._weights())
            yield self.history[-1]
        if self.plan.patience is not None:
            self.keep_best()

    def keep_best(self) -> bool:
        """Put the weights of the best epoch so far back; False if there is nothing to tell it by."""
        if self.stopping.best_step < 0:
            return False
        self.stopping.restore(self._weights())
        return True

    def _weights(self) -> list[Any]:
        return [self.network.params, self.network.running]

    @np.errstate(all="ignore")  # what overflows shows in the loss
    def _epoch(self, number: int) -> Epoch:
        order = self.batch_rng.permutation(len(self.training.images))
        loss_sum, right, ratio = 0.0, 0, math.nan
        parts = batches(len(order), self.plan.batch_size)
        middle = len(parts) // 2
        for k, part in enumerate(parts):
            chosen = order[part]
            images, labels = self.training.images[chosen], self.training.labels[chosen]
            if self.plan.shift:
                images = shifted(images, self.training.shape, self.plan.shift, self.batch_rng)
            loss, grads, known = self.ranks.loss_and_gradients(self.network, images, labels, self.dropout_rng)
            if self.watch.update(loss + self.network.penalty()):
                raise Diverged(self.watch.reason)
            moved = self._step(grads, measured=k == middle)
            ratio = moved if k == middle else ratio
            loss_sum += loss * len(chosen)
            right += known
        val_loss, val_accuracy, dead = self.ranks.from_first(lambda: (*self._validated(), self._dead()))
        return Epoch(number, loss_sum / len(order), right / len(order), val_loss, val_accuracy, ratio, dead)

    def _step(self, grads: list[dict[str, np.ndarray]], measured: bool) -> float:
        """Take a step; if `measured`, how large it was for the first layer's weights."""
        weights = self.network.params[0]["W"]
        before = weights.copy() if measured else None
        self.optimizer.step(list(parted(grads)))
        return math.nan if before is None else fnn.monitor.update_ratio(before, weights - before)

    def _validated(self) -> tuple[float, float]:
        if self.validation is None:
            return math.nan, math.nan
        logits = self.network.predict(self.validation.images)
        loss = fnn.softmax_cross_entropy(logits, self.validation.labels, return_grad=False)
        return float(loss), float(np.mean(logits.argmax(axis=1) == self.validation.labels))

    def _dead(self) -> float:
        """The largest share of dead units in a layer, on images to validate on or else some to train on."""
        images = (self.validation or self.training).images[:500]
        return max((fnn.monitor.dead_fraction(h) for h in self.network.activations(images)), default=0.0)

    def state(self) -> dict[str, Any]:
        """All of it as arrays and numbers, for ``np.savez``."""
        generators = [rng.bit_generator.state for rng in (self.batch_rng, self.dropout_rng)]
        state: dict[str, Any] = {"history": np.array(self.history, np.float64).reshape(-1, len(Epoch._fields))}
        state |= {f"optimizer.{key}": value for key, value in self.optimizer.state_dict().items()}
        state |= {f"stopping.{key}": value for key, value in self.stopping.state_dict().items()}
        state |= {f"watch.{key}": value for key, value in self.watch.state_dict().items()}
        return state | {"generators": np.array(json.dumps(generators)), "stopped": self.stopped}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on where a run with the same network and plan was when it gave this state."""
        for part in ("optimizer", "stopping", "watch"):
            own = {key.removeprefix(f"{part}."): value for key, value in state.items() if key.startswith(f"{part}.")}
            getattr(self, part).load_state_dict(own)
        for rng, known in zip((self.batch_rng, self.dropout_rng), json.loads(str(state["generators"])), strict=True):
            rng.bit_generator.state = known
        self.history = [Epoch(int(row[0]), *row[1:].tolist()) for row in state["history"]]
        self.stopped = bool(state["stopped"])
