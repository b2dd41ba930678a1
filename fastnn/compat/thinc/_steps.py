"""One step of one parameter, with all that thinc does around it, in one pass of an optimiser's kernel."""

from math import inf
from typing import Any

import numpy as np

from ..._engine.fused import launch
from ...optim import Adam
from ...optim._cohorts import Cohort, Slot
from ...optim._hyperparameters import Settings
from ...optim._kernels import AVERAGED, CLEARED, SCALED, SHRUNK_AFTER, Update
from ...optim._parameters import Group

#: A step number at which Adam's bias corrections are 1: thinc has them in the learning rate.
_LATE = 2**40
#: What kernels read of a group; the numbers of a step are given with it.
_SETTINGS = Settings({}, 0, 1.0, (inf, 0.0, 0.0, 0.0, 0.0), inf)
_SINGLE = np.dtype(np.float32)

ADAM = Adam.update({"amsgrad": False})


def steppable(array: Any) -> bool:
    """Whether a kernel can update an array where it is."""
    return type(array) is np.ndarray and array.dtype == _SINGLE and array.flags.carray and array.size > 0


def cohort_of(update: Update, weights: np.ndarray, moments: list[np.ndarray], average: np.ndarray | None) -> Cohort:
    """The tables that a rule's kernel reads for one parameter, of arrays that are `steppable`."""
    slot = Slot("weights", weights, weights, dict(zip(update.states, moments, strict=True)), average, 0)
    return Cohort([slot], Group(None, {}, _SETTINGS, update), 0, writes_grad=True)


def adam_numbers(rate: float, beta1: float, beta2: float, eps: float) -> tuple[float, ...]:
    """What Adam's formula gets for ``weights -= rate * m / (sqrt(v) + eps)``.

    The betas are rounded to float32, as in thinc: 1 - beta2 is off by 1e-5 then, which many steps would show.
    """
    betas = float(np.float32(beta1)), float(np.float32(beta2))
    return Adam.numbers({"lr": rate, "betas": betas, "eps": eps, "eps_mode": "hat", "amsgrad": False}, _LATE)


def step(
    cohort: Cohort, numbers: tuple[float, ...], scale: float = 1.0, shrink: float = 0.0, share: float | None = None
) -> None:
    """Update the weights and clear the gradient that the cohort has located.

    The gradient is multiplied by `scale` before; after the rule the weights lose the part `shrink` of themselves and
    enter their average, if `share` is given, with that weight.
    """
    bits = CLEARED
    if scale != 1:
        bits |= SCALED
    if shrink:
        bits |= SHRUNK_AFTER
    if share is not None:
        bits |= AVERAGED
    words = scale, inf, 0.0, 0.0, shrink, 0.0, share or 0.0, inf, *numbers
    # integers and NumPy's numbers, which schedules may give, would be other words to the kernel
    launch(*cohort.jobs(bits), *cohort.fixed, bits, *map(float, words))
