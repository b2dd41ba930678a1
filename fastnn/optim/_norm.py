"""The norm of all gradients together, from one pass over them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ._cohorts import Batch

#: As in torch: keeps max_norm / (norm + _NORM_EPS) finite.
_NORM_EPS = 1e-6

#: Sums of squares of float64 numbers between these have neither overflowed nor lost what is too small to square; others
#: are added up again with the numbers scaled by _SCALE or its inverse.
_LEAST, _MOST = 1e-200, 1e300
_SCALE = 2.0**600


class Norm(NamedTuple):
    """A 2-norm times a power of two, which keeps it in range."""

    scaled: float
    factor: float = 1.0

    @property
    def value(self) -> float:
        """inf also where the norm of finite numbers is beyond float64."""
        return self.scaled / self.factor

    def finite(self) -> bool:
        """Whether all numbers are."""
        return math.isfinite(self.scaled)

    def clip_factor(self, max_norm: float) -> float:
        """What brings the norm down to max_norm; 0 of an infinite one, NaN of NaN, as in torch."""
        if math.isnan(self.scaled):
            return self.scaled
        if math.isinf(self.value):
            return max_norm * self.factor / self.scaled
        return min(1.0, max_norm / (self.value + _NORM_EPS))


def norm_of(batches: Sequence[Batch]) -> Norm:
    """The 2-norm of all gradients of the batches."""
    sums = [batch.sum_of_squares() for batch in batches]
    total, narrow = sum(sums), all(batch.char == "f" for batch in batches)
    if _LEAST < total < _MOST or (narrow and total == 0):
        return Norm(math.sqrt(total))
    factor = _SCALE if total < _LEAST else 1 / _SCALE
    again = (
        known * factor * factor if batch.char == "f" else batch.sum_of_squares(factor)
        for batch, known in zip(batches, sums, strict=True)
    )
    return Norm(math.sqrt(sum(again)), factor)
