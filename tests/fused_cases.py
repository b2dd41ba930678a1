"""One row for each function of several arrays, whose data and calls `fastnn.benchmark.fused` has: how it is tested."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.benchmark import fused

_IMAGES = ((4, 5, 6, 7), (2, 3, 40, 30), (5, 2))
_ROWS = ((5, 7), (3, 4, 33), (40, 1000))
_FLAT = ((7,), (3, 50), (40_000,))
_SHAPES = {"norms": _IMAGES, "softmax": _ROWS, "losses": _FLAT, "dropout": _FLAT}
_OTHER_SHAPES = {
    "layer_norm_forward": _ROWS,
    "layer_norm_backward": _ROWS,
    "rms_norm_forward": _ROWS,
    "instance_norm_forward": _IMAGES[:2],
    "glu": ((5, 8), (3, 4, 34)),
    "softmax_cross_entropy": _ROWS,
    "multiclass_hinge": _ROWS,
}


@dataclass(frozen=True)
class FusedCase(fused.Fused):
    small: tuple[tuple[int, ...], ...] = ()
    #: Roundings of the dtype, at the scale of the largest value, that the result may be off.
    ulps: float = 16.0

    @property
    def has_reference(self) -> bool:
        """Whether `call` takes the reference too; random functions are compared elsewhere."""
        return not self.random


FUSED = {
    name: FusedCase(**vars(row), small=_OTHER_SHAPES.get(name, _SHAPES[row.family]))
    for name, row in fused.FUSED.items()
}


def results(value: Any) -> list[np.ndarray]:
    """The arrays among what a function returns; caches left out."""
    values = value if type(value) is tuple else (value,)
    return [np.asarray(v) for v in values if isinstance(v, (np.ndarray, np.generic))]
