"""Penalties on weights, to be added to a loss.

Each is (penalty, gradient); with `accumulate_into` the gradient is added to that array, in place, which is returned
in its stead.
"""

from typing import Any

import numpy as np


@np.errstate(all="ignore")
def l1_penalty(w: Any, strength: Any, accumulate_into: Any = None) -> Any:
    """strength * sum(|w|) and strength * sign(w), 0 at 0."""
    w = np.asarray(w, np.float64)
    return strength * np.abs(w).sum(), _accumulated(strength * np.sign(w), accumulate_into)


@np.errstate(all="ignore")
def l2_penalty(w: Any, strength: Any, accumulate_into: Any = None) -> Any:
    """strength / 2 * sum(w**2) and strength * w."""
    w = np.asarray(w, np.float64)
    return 0.5 * strength * (w * w).sum(), _accumulated(strength * w, accumulate_into)


def elastic_net_penalty(w: Any, l1: Any, l2: Any, accumulate_into: Any = None) -> Any:
    """l1_penalty of strength l1 plus l2_penalty of strength l2 (Zou and Hastie 2005)."""
    (absolute, sign), (square, slope) = l1_penalty(w, l1), l2_penalty(w, l2)
    return absolute + square, _accumulated(sign + slope, accumulate_into)


def _accumulated(grad, accumulate_into):
    if accumulate_into is None:
        return grad
    accumulate_into += grad
    return accumulate_into
