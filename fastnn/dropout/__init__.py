"""Dropout and its relatives, whose masks are functions of (seed, p, shape) and therefore never stored.

A forward pass draws one integer seed from the caller's generator; element i of the mask depends on that seed and on i
alone (counter-based bits: Philox4x32-10, Salmon et al. 2011), whatever the number of threads and the layout of x.
Backward makes the same bits again from the cache, a few bytes.
"""

from .channels import (
    drop_path_backward,
    drop_path_forward,
    spatial_dropout_backward,
    spatial_dropout_forward,
)
from .elements import (
    alpha_dropout_backward,
    alpha_dropout_forward,
    dropout_backward,
    dropout_forward,
    dropout_mask,
    gaussian_dropout_backward,
    gaussian_dropout_forward,
)

__all__ = [
    "alpha_dropout_backward",
    "alpha_dropout_forward",
    "drop_path_backward",
    "drop_path_forward",
    "dropout_backward",
    "dropout_forward",
    "dropout_mask",
    "gaussian_dropout_backward",
    "gaussian_dropout_forward",
    "spatial_dropout_backward",
    "spatial_dropout_forward",
]
