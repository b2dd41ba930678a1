"""The functions by name, on arrays of a given size: what `fastnn bench` measures."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import fastnn as fnn

from .activations import activation, fastnn_call
from .fused import FUSED
from .work import BACKWARD, OUT, Work

#: prelu has an array of slopes and rrelu draws its own: neither is a function of x alone.
ACTIVATIONS = tuple(name for name in fnn.activations.NAMES if name not in ("prelu", "rrelu"))
NAMES = (*ACTIVATIONS, *FUSED)

#: A choice for someone who names none.
MAIN = (
    *("relu", "sigmoid", "tanh", "gelu", "silu"),
    *("softmax", "layer_norm_forward", "layer_norm_backward", "batch_norm_forward"),
    *("softmax_cross_entropy", "mse", "dropout_forward"),
)


def works(name: str, size: int, dtype: Any, threads: int) -> Iterator[tuple[Work, Callable[[], Any]]]:
    """The works of a function with fastnn's calls, forward and backward, on about `size` elements."""
    if name in FUSED:
        row = FUSED[name]
        yield row.work(row.directions[0], dtype, _shape(max(row.shapes, key=math.prod), size), threads)
        return
    for direction in (OUT, BACKWARD):
        work = activation(name, direction, dtype, (size,), threads)
        yield work, fastnn_call(work)


def _shape(largest: tuple[int, ...], size: int) -> tuple[int, ...]:
    """As many rows or samples of the largest shape as come near the size, of which batch norm needs two."""
    _, *rest = largest
    return (max(2, round(size / math.prod(rest))), *rest)
