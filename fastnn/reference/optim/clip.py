"""Norms of gradients and their clipping, on nested lists, tuples and dicts of float64 arrays."""

from typing import Any

import numpy as np


def _arrays(grads):
    if isinstance(grads, dict):
        grads = list(grads.values())
    if isinstance(grads, (list, tuple)):
        return [array for entry in grads for array in _arrays(entry)]
    return [] if grads is None else [grads]


def global_norm(grads: Any) -> Any:
    """sqrt(sum of g^2 over all arrays), the largest entry taken out first."""
    arrays = [np.asarray(array, np.float64) for array in _arrays(grads)]
    largest = np.max([np.abs(array).max(initial=0.0) for array in arrays], initial=0.0)
    if largest == 0 or not np.isfinite(largest):
        return float(largest)
    return float(largest * np.sqrt(sum(np.sum((array / largest) ** 2) for array in arrays)))


def clip_by_global_norm(grads: Any, max_norm: Any) -> Any:
    """g *= min(1, max_norm / (norm + 1e-6)) for every array, in place (Pascanu et al. 2013); the norm before."""
    norm = global_norm(grads)
    factor = np.minimum(1.0, max_norm / (norm + 1e-6))
    for array in _arrays(grads):
        if factor != 1:
            array *= factor
    return norm


def clip_by_value(grads: Any, clip_value: Any) -> Any:
    """Every entry limited to +-clip_value, in place."""
    for array in _arrays(grads):
        np.clip(array, -clip_value, clip_value, out=array)
