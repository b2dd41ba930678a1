"""The work of fastnn's activations: data as a network has them, and fastnn's own call."""

from collections.abc import Callable
from typing import Any

import numpy as np

import fastnn as fnn

from .work import BACKWARD, FRESH, FROM_OUTPUT, IN_PLACE, OUT, Work

#: Arrays that a direction reads and writes.
_OPERANDS = {OUT: 2, FRESH: 2, IN_PLACE: 2, BACKWARD: 3, FROM_OUTPUT: 3}
#: Parameters of the functions that have no defaults.
_PARAMETERS = {"threshold": (0.5, 20.0)}


def activation(name: str, direction: str, dtype: Any, shape: tuple[int, ...], threads: int) -> Work:
    """The work, by the name of the function."""
    rng = np.random.default_rng(0)
    x, f, parameters = rng.standard_normal(shape, dtype), getattr(fnn, name), _PARAMETERS.get(name, ())
    x[x == 0] = 1  # at kinks the libraries' derivatives differ; of 16 million numbers two are zeros
    arrays = {"x": x}
    if direction in (BACKWARD, FROM_OUTPUT):
        arrays["dy"] = rng.standard_normal(shape, dtype)
    if direction == FROM_OUTPUT:
        arrays["y"] = f(x, *parameters)
    if direction not in (FRESH, IN_PLACE):
        arrays["out"] = np.empty_like(x)
    return Work("activations", name, direction, x.dtype, shape, _OPERANDS[direction] * x.nbytes, threads, arrays)


def fastnn_call(work: Work) -> Callable[[], np.ndarray]:
    """What fastnn does; in place it applies the function to one array over and over, each call here to a new one."""
    a, name = work.arrays, work.function
    parameters = _PARAMETERS.get(name, ())
    f = getattr(fnn, name + {BACKWARD: "_backward", FROM_OUTPUT: "_backward_from_output"}.get(work.direction, ""))
    if work.direction == OUT:
        return lambda: f(a["x"], *parameters, out=a["out"])
    if work.direction == FRESH:
        return lambda: f(a["x"], *parameters)
    if work.direction == IN_PLACE:
        z = a["x"].copy()
        return lambda: f(z, *parameters, out=z)
    kept = a["y"] if work.direction == FROM_OUTPUT else a["x"]
    return lambda: f(a["dy"], kept, *parameters, out=a["out"])
