"""Dropout (Srivastava et al. 2014), inverted: the scale 1 / (1 - p) is applied in training."""

import numpy as np


def dropout_forward(x, p=0.5, *, mask):
    """(y, cache) with y = x / (1 - p) where mask, else 0.

    The mask (True = kept) is given, since the reference has no random bits of its own: take
    fastnn.dropout_mask of the kernel's cache.
    """
    return _apply(x, p, mask), (p, mask)


def dropout_backward(dy, cache):
    """dy / (1 - p) where the mask kept, else 0."""
    p, mask = cache
    return _apply(dy, p, mask)


def _apply(values, p, mask):
    scale = 1 / (1 - p) if p < 1 else 0.0
    return np.where(mask, np.asarray(values, np.float64) * scale, 0.0)
