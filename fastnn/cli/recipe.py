"""The recipe of `fastnn train --recipe`: what lectures on training networks say to do, in order, on real images.

Every step says in a few lines what it found; the settings that the searches find are those of the final training.
"""

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import fastnn as fnn

from .data import ImageSet
from .network import Network, Settings
from .training import KEYWORDS, Diverged, Epoch, Plan, Run, batches, optimizers

#: Images to learn by heart, networks of the ensemble, and how much is searched.
_FEW, _ENSEMBLE = 20, 5
_PATIENCE = 5
_COARSE, _COARSE_EPOCHS, _FINE, _FINE_EPOCHS = 12, 3, 8, 6
_RATES = (1e-7, 1e-5, 1e-3, 1e-1, 1e1, 1e3)
_TRIAL_STEPS = 50


@dataclass
class Findings:
    """What the steps found, for plots and for the model to save."""

    trials: list[fnn.recipe.Trial] = field(default_factory=list)
    searched: list[tuple[dict[str, float], float]] = field(default_factory=list)
    history: list[Epoch] = field(default_factory=list)
    network: Network | None = None


def start(settings: Settings, seed: int) -> Callable[[], tuple[Any, Callable]]:
    """A `fastnn.recipe` start function: the same network at every call."""

    def fresh() -> tuple[Any, Callable]:
        rng = np.random.default_rng(seed)
        network = Network(settings, rng)
        return network.params, lambda x, y: network.loss_and_gradients(x, y, rng)[:2]

    return fresh


def follow(
    training: ImageSet, validation: ImageSet, test: ImageSet, settings: Settings, plan: Plan, seed: int, found: Findings
) -> Iterator[str]:
    """All steps after preprocessing; yields the lines of the report and fills in `found`."""
    yield from _initialisation(training, settings, seed)
    yield from _gradients(training, settings, seed)
    yield from _initial_loss(training, settings, seed)
    yield from _overfit(training, settings, seed)
    yield from _learning_rates(training, settings, plan, seed, found)
    yield "search, coarse and then fine: validation loss and accuracy of each"
    space = {
        "lr": fnn.search.loguniform(*_rate_range(found.trials)),
        "l2": fnn.search.loguniform(1e-6, 1e-2),
        "dropout": fnn.search.uniform(0.0, 0.5),
    }
    rng = np.random.default_rng([seed, 1])
    results: list[tuple[dict[str, float], float]] = []
    for name, trials, epochs in (("coarse", _COARSE, _COARSE_EPOCHS), ("fine", _FINE, _FINE_EPOCHS)):
        results = []
        for params in fnn.search.random(space, trials, rng):
            last = _outcome(training, validation, settings, replace(plan, epochs=epochs), params, seed)
            results.append((params, -last.val_loss))
            found.searched.append((params, last.val_accuracy))
            yield f"  {name:6}  {_described(params)}  validation {last.val_loss:.4f} {last.val_accuracy:.4f}"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", fnn.search.SearchWarning)
            space = fnn.search.refine(results, space)
        yield from (f"  {warning.message}" for warning in caught)
    best = max(results, key=lambda result: result[1])[0]
    settings, plan = replace(settings, dropout=best["dropout"], l2=best["l2"]), replace(plan, lr=best["lr"])
    yield f"best: {_described(best)}"
    yield from _train_all(training, validation, test, settings, plan, seed, found)


def _described(params: dict[str, float]) -> str:
    return f"lr {params['lr']:.2e}  l2 {params['l2']:.2e}  dropout {params['dropout']:.2f}"


def _initialisation(training: ImageSet, settings: Settings, seed: int) -> Iterator[str]:
    network = Network(settings, np.random.default_rng(seed))
    spreads = [fnn.monitor.tensor_stats(h).std for h in network.activations(training.images[:500])]
    described = ", ".join(f"{spread:.2f}" for spread in spreads)
    yield f"initialisation {settings.init}: activations of standard deviation {described} by layer"


def _gradients(training: ImageSet, settings: Settings, seed: int) -> Iterator[str]:
    """The first and the last weights' gradients against differences, in float64."""
    network = Network(replace(settings, l2=0.0, l1=0.0, dropout=0.0), np.random.default_rng(seed))
    network.widen()
    images, labels = training.images[:32].astype(np.float64), training.labels[:32]

    def loss_and_gradients() -> tuple[float, Any]:
        return network.loss_and_gradients(images, labels, np.random.default_rng(seed))[:2]

    grads = loss_and_gradients()[1]
    for name, layer, gradient in zip(("first", "last"), (network.params[0], network.params[-1]), (grads[0], grads[-1]),
                                     strict=True):  # fmt: skip
        report = fnn.check_gradient(lambda _: loss_and_gradients()[0], layer["W"], gradient["W"], samples=30)
        verdict = "right" if report.ok else "WRONG"
        yield f"gradient of the {name} weights: relative error {report.max_relative_error:.1e}, {verdict}"


def _initial_loss(training: ImageSet, settings: Settings, seed: int) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    some = slice(0, 500)
    plain = Network(replace(settings, l2=0.0, l1=0.0, dropout=0.0), rng)
    logits, _ = plain.forward(training.images[some], rng)
    loss = float(fnn.softmax_cross_entropy(logits, training.labels[some], return_grad=False))
    yield f"first loss: {fnn.recipe.check_initial_loss(loss, settings.sizes[-1])}"
    penalised = Network(replace(settings, l2=0.1), np.random.default_rng(seed))
    with_penalty = loss + penalised.penalty()
    verdict = "up, as it should be" if with_penalty > loss else "NOT up"
    yield f"first loss with l2 = 0.1: {with_penalty:.4f}, {verdict}"


def _overfit(training: ImageSet, settings: Settings, seed: int) -> Iterator[str]:
    bare = replace(settings, l2=0.0, l1=0.0, dropout=0.0)
    result = fnn.recipe.overfit(start(bare, seed), training.images[:_FEW], training.labels[:_FEW])
    yield f"{_FEW} images: {result}"


def _learning_rates(training: ImageSet, settings: Settings, plan: Plan, seed: int, found: Findings) -> Iterator[str]:
    parts = batches(len(training.images), plan.batch_size)[:_TRIAL_STEPS]
    data = [(training.images[part], training.labels[part]) for part in parts]
    rule = _rule(plan)
    found.trials = fnn.recipe.try_learning_rates(start(settings, seed), data, _RATES, rule=rule)
    yield f"learning rates, {len(data)} steps each:"
    for trial in found.trials:
        yield f"  {trial}"


def _rule(plan: Plan) -> Callable[..., Any]:
    return lambda params, lr: optimizers()[plan.optimizer](params, **KEYWORDS.get(plan.optimizer, {}) | {"lr": lr})


def _rate_range(trials: list[fnn.recipe.Trial]) -> tuple[float, float]:
    """Around the rates that learned; where none did, those in the middle."""
    good = [trial.lr for trial in trials if trial.verdict == "learns"] or [1e-4, 1e-2]
    return min(good) / 3, max(good) * 3


def _outcome(
    training: ImageSet, validation: ImageSet, settings: Settings, plan: Plan, params: dict[str, float], seed: int
) -> Epoch:
    """The last epoch of a short training; one without hope where it diverges."""
    rng = np.random.default_rng([seed, 2])
    network = Network(replace(settings, dropout=params["dropout"], l2=params["l2"]), rng)
    run = Run(network, training, validation, replace(plan, lr=params["lr"], patience=None), rng)
    try:
        *_, last = run.epochs()
    except Diverged:
        return Epoch(0, math.inf, 0.0, math.inf, 0.0, math.nan, math.nan)
    return last


def _train_all(
    training: ImageSet,
    validation: ImageSet,
    test: ImageSet,
    settings: Settings,
    plan: Plan,
    seed: int,
    found: Findings,
) -> Iterator[str]:
    """The final training, stopped early, then the rest of the ensemble; a Ctrl-C keeps what has been reached."""
    plan = replace(plan, patience=plan.patience or _PATIENCE)

    def begin(member: int) -> Run:
        rng = np.random.default_rng([seed, 3, member])
        return Run(Network(settings, rng), training, validation, plan, rng)

    runs, stopped = [begin(0)], ""
    found.history, found.network = runs[0].history, runs[0].network
    try:
        for epoch in runs[0].epochs():
            yield described(epoch, plan.epochs)
    except KeyboardInterrupt:
        stopped = interrupted(runs[0])
    if runs[0].stopped:
        yield f"stopped early: no better validation loss for {plan.patience} epochs"
    yield f"test accuracy of the single model {runs[0].network.accuracy(test.images, test.labels):.4f}"
    try:
        while not stopped and len(runs) < _ENSEMBLE:
            runs.append(begin(len(runs)))
            deque(runs[-1].epochs(), maxlen=0)
    except KeyboardInterrupt:
        stopped = "interrupted: no ensemble"
    if stopped:
        yield stopped
        return
    each = [fnn.softmax(run.network.predict(test.images)) for run in runs]
    together = fnn.ensemble.average_probabilities(each).argmax(axis=1)
    yield f"test accuracy of an ensemble of {_ENSEMBLE} {np.mean(together == test.labels):.4f}"


def interrupted(run: Run) -> str:
    """Keep the best of what a run has reached, and say so."""
    return f"interrupted: keeping the weights of the {'best epoch' if run.keep_best() else 'last step'} so far"


def described(epoch: Epoch, epochs: int) -> str:
    """A line for an epoch."""
    line = f"epoch {epoch.number:>3}/{epochs}  loss {epoch.loss:.4f}  accuracy {epoch.accuracy:.4f}"
    if not math.isnan(epoch.val_loss):
        line += f"  validation {epoch.val_loss:.4f} {epoch.val_accuracy:.4f}"
    return f"{line}  update/weight {epoch.update_ratio:.1e}  dead {epoch.dead:.2f}"
