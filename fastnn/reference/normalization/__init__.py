"""The reference normalisations."""

from .batch import (
    BatchGradStats,
    BatchStats,
    batch_norm_apply,
    batch_norm_backward,
    batch_norm_backward_apply,
    batch_norm_backward_stats,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_inference_backward,
    batch_norm_stats,
    merge_batch_stats,
)
from .group import group_norm_backward, group_norm_forward, instance_norm_backward, instance_norm_forward
from .layer import layer_norm_backward, layer_norm_forward, rms_norm_backward, rms_norm_forward

__all__ = [
    "BatchGradStats",
    "BatchStats",
    "batch_norm_apply",
    "batch_norm_backward",
    "batch_norm_backward_apply",
    "batch_norm_backward_stats",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "batch_norm_stats",
    "group_norm_backward",
    "group_norm_forward",
    "instance_norm_backward",
    "instance_norm_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "merge_batch_stats",
    "rms_norm_backward",
    "rms_norm_forward",
]
