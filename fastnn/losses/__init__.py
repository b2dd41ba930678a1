"""Losses: the value and its gradient in one call."""

from .binary import binary_cross_entropy, binary_cross_entropy_with_logits, focal, hinge
from .classes import multiclass_hinge, nll_loss, softmax_cross_entropy
from .penalties import elastic_net_penalty, l1_penalty, l2_penalty
from .regression import huber, kl_div, log_cosh, mae, mse, smooth_l1

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "elastic_net_penalty",
    "focal",
    "hinge",
    "huber",
    "kl_div",
    "l1_penalty",
    "l2_penalty",
    "log_cosh",
    "mae",
    "mse",
    "multiclass_hinge",
    "nll_loss",
    "smooth_l1",
    "softmax_cross_entropy",
]
