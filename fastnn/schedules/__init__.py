"""Schedules: hyperparameters as functions of the step.

``schedule(step)`` is a float for a number and a float64 array for an array of steps (to plot it). The first step is 0,
a step before it raises ValueError, and after its end a schedule keeps its final value. Every rule of `fastnn.optim`
takes one wherever it takes a number, as learning rate, momentum, weight decay or ema_decay:

    SGD(params, lr=warmup_cosine(0.1, 10_000, warmup=500), momentum=one_cycle(0.85, 10_000, start=0.95, final=0.95))

Each name is a class that is called like a function. Its objects are immutable, compare and hash by their arguments,
can be pickled, and show the call that made them; `ReduceOnPlateau`, which follows a metric, is the exception. `value`
is where a schedule starts, or its peak; `steps` is a length and need not be an integer. In the formulas t is the step.
"""

from .base import Schedule
from .cycles import cosine_restarts, cyclic, one_cycle
from .decays import (
    chain,
    constant,
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    linear_warmup,
    piecewise,
    polynomial_decay,
    step_decay,
    warmup_cosine,
)
from .plateau import ReduceOnPlateau

__all__ = [
    "ReduceOnPlateau",
    "Schedule",
    "chain",
    "constant",
    "cosine_decay",
    "cosine_restarts",
    "cyclic",
    "exponential_decay",
    "inverse_time_decay",
    "linear_warmup",
    "one_cycle",
    "piecewise",
    "polynomial_decay",
    "step_decay",
    "warmup_cosine",
]
