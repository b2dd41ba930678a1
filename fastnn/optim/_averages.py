"""Decaying averages in a rule's formula, as exact in float32 as float32 can be."""

from functools import lru_cache

import numpy as np

from .._engine.primitives import fma


def average(new, old, weights):
    """beta old + (1 - beta) new, from the weights that `weights_of` gives.

    beta is in two parts because in one it would be off: 0.999 in float32 by 1.3e-8, which after thousands of steps is
    1.3e-5 of the average. And old + (1 - beta) (new - old) would never forget a large old value.
    """
    share, high, low = weights
    return fma(share, new, fma(low, old, high * old))


@lru_cache(maxsize=256)
def weights_of(beta: float) -> tuple[float, float, float]:
    """(1 - beta, beta in float32 rounded down, what is missing)."""
    high = np.float32(beta)
    if float(high) > beta:
        high = np.nextafter(high, np.float32(0))
    return 1.0 - beta, float(high), beta - float(high)
