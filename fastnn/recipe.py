"""The checks that come before a long training run: does it learn anything at all, and at which learning rate?

A model is here a structure of parameters and a function ``loss_and_gradients(x, y) -> (loss, grads)`` that reads them;
`start` functions make both, anew at every call.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import optim
from ._engine import check

Loss = Callable[[Any, Any], tuple[float, Any]]
Start = Callable[[], tuple[Any, Loss]]


class InitialLoss(NamedTuple):
    """The loss of an untrained classifier, and what it should be.

    Attributes
    ----------
    loss, expected : float
        What it is, and log(classes).
    ok : bool
        Whether they agree.

    Examples
    --------
    >>> import fastnn as fnn
    >>> print(fnn.recipe.check_initial_loss(2.31, 10))
    2.3100, log(classes) = 2.3026: as it should be
    """

    loss: float
    expected: float
    ok: bool

    def __str__(self) -> str:
        verdict = "as it should be" if self.ok else "off"
        return f"{self.loss:.4f}, log(classes) = {self.expected:.4f}: {verdict}"


def check_initial_loss(loss: float, classes: int, *, tolerance: float = 0.25) -> InitialLoss:
    """Compare the first loss, without any penalty, with log(classes), that of a guess.

    Parameters
    ----------
    loss : float
        Softmax cross-entropy of the untrained network.
    classes : int
        How many there are.
    tolerance : float
        Relative difference that counts as right. A last layer with weights of full size starts above log(classes).

    Returns
    -------
    InitialLoss
        Both losses, and whether they agree.

    Raises
    ------
    ValueError, TypeError
        If classes is no count.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.recipe.check_initial_loss(7.5, 10).ok
    False
    """
    from .monitor import expected_initial_loss

    expected = float(expected_initial_loss(classes))
    return InitialLoss(float(loss), expected, bool(abs(loss - expected) <= tolerance * expected))


class Overfit(NamedTuple):
    """Losses of a network that is to learn a few samples by heart.

    Attributes
    ----------
    losses : list of float
        One a step.
    ok : bool
        Whether the goal was reached.

    Examples
    --------
    >>> import fastnn as fnn
    >>> print(fnn.recipe.Overfit([2.3, 0.5, 0.009], True))
    loss 2.3000 -> 9.00e-03 in 3 steps: learned by heart
    """

    losses: list[float]
    ok: bool

    def __str__(self) -> str:
        verdict = "learned by heart" if self.ok else "NOT learned: look for a mistake before going on"
        return f"loss {self.losses[0]:.4f} -> {self.losses[-1]:.2e} in {len(self.losses)} steps: {verdict}"


def overfit(
    start: Start,
    x: Any,
    y: Any,
    *,
    steps: int = 300,
    goal: float = 1e-2,
    lr: float = 1e-2,
    rule: Callable[..., optim.Optimizer] = optim.Adam,
) -> Overfit:
    """Train on the same few samples until their loss is next to nothing: if that fails, something is wrong.

    Parameters
    ----------
    start : callable
        start() -> (params, loss_and_gradients), without regularisation.
    x, y : array_like
        Some twenty samples.
    steps : int
        At most.
    goal : float
        The loss to get below.
    lr, rule
        ``rule(params, lr=lr)`` makes the optimiser.

    Returns
    -------
    Overfit
        losses, one a step, and whether the goal was reached.

    Raises
    ------
    ValueError, TypeError
        A goal or number of steps that cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> def start():
    ...     params = {"W": np.zeros((2, 2))}
    ...     def loss_and_gradients(x, y):
    ...         loss, grad = fnn.softmax_cross_entropy(x @ params["W"], y)
    ...         return float(loss), {"W": x.T @ grad}
    ...     return params, loss_and_gradients
    >>> fnn.recipe.overfit(start, np.eye(2), np.array([0, 1]), lr=1.0).ok
    True
    """
    check.number("overfit", "goal", goal, low=0)
    if check.integer("overfit", "steps", steps) < 1:
        raise ValueError(f"overfit: steps is {steps}, expected >= 1")
    params, loss_and_gradients = start()
    optimizer, losses = rule(params, lr=lr), []
    for _ in range(steps):
        loss, grads = loss_and_gradients(x, y)
        losses.append(float(loss))
        if not math.isfinite(loss) or loss < goal:
            break
        optimizer.step(grads)
    return Overfit(losses, losses[-1] < goal)


class Trial(NamedTuple):
    """What a learning rate did.

    Attributes
    ----------
    lr : float
        The learning rate.
    losses : list of float
        One a step.
    verdict : str
        "barely moves", "learns" or "diverges".

    Examples
    --------
    >>> import fastnn as fnn
    >>> print(fnn.recipe.Trial(0.1, [2.3, 1.2], "learns"))
    lr  1.0e-01: loss 2.3000 -> 1.2000  learns
    """

    lr: float
    losses: list[float]
    verdict: str  #: "barely moves", "learns" or "diverges"

    def __str__(self) -> str:
        return f"lr {self.lr:8.1e}: loss {self.losses[0]:.4f} -> {_mean_of_last(self.losses):.4f}  {self.verdict}"


def _mean_of_last(losses: Sequence[float]) -> float:
    return float(np.mean(losses[-max(1, len(losses) // 10) :]))


def try_learning_rates(
    start: Start,
    batches: Iterable[tuple[Any, Any]],
    rates: Sequence[float],
    *,
    rule: Callable[..., optim.Optimizer] = optim.Adam,
    moves: float = 0.05,
) -> list[Trial]:
    """Train a little at each of several learning rates, each from the same start.

    Parameters
    ----------
    start : callable
        start() -> (params, loss_and_gradients), the same at every call.
    batches : iterable of (x, y)
        What every trial trains on, some dozens.
    rates : sequence of float
        Learning rates, usually powers of ten.
    rule : callable
        ``rule(params, lr=lr)`` makes the optimiser.
    moves : float
        Share of the first loss by which the last tenth of the losses must be lower to count as learning.

    Returns
    -------
    list of Trial
        "diverges": the loss became NaN or infinite or more than three times the first; the trial ended there.

    Raises
    ------
    ValueError, TypeError
        No batch, or rates that are no numbers >= 0.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> def start():
    ...     params = {"W": np.zeros((2, 2))}
    ...     def loss_and_gradients(x, y):
    ...         loss, grad = fnn.softmax_cross_entropy(x @ params["W"], y)
    ...         return float(loss), {"W": x.T @ grad}
    ...     return params, loss_and_gradients
    >>> batches = [(np.eye(2), np.array([0, 1]))] * 20
    >>> [trial.verdict for trial in fnn.recipe.try_learning_rates(start, batches, [1e-6, 1e-1])]
    ['barely moves', 'learns']
    """
    batches = list(batches)
    if not batches:
        raise ValueError("try_learning_rates: batches is empty, expected at least one")
    return [_try(start, batches, check.number("try_learning_rates", "rates", lr, low=0), rule, moves) for lr in rates]


def _try(start: Start, batches: list, lr: float, rule: Callable[..., optim.Optimizer], moves: float) -> Trial:
    params, loss_and_gradients = start()
    optimizer = rule(params, lr=lr)
    losses: list[float] = []
    with np.errstate(all="ignore"):
        for x, y in batches:
            loss, grads = loss_and_gradients(x, y)
            losses.append(float(loss))
            if not math.isfinite(loss) or loss > 3 * losses[0]:
                return Trial(lr, losses, "diverges")
            optimizer.step(grads)
    return Trial(lr, losses, "learns" if _mean_of_last(losses) < (1 - moves) * losses[0] else "barely moves")
