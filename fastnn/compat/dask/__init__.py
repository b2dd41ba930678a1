"""fastnn on Dask arrays: functions of the top level's names and signatures whose results are lazy.

    from fastnn.compat import dask as fnn

Elementwise functions are NumPy ufuncs, which Dask knows how to run block by block; they are fastnn's own here. Norms of
samples, softmax and the losses run block by block where the axis that they need is in one chunk, batch norm over any
chunks by merging their statistics, and dropout draws the mask that a NumPy array of the whole shape would get. What is
wrong with the arguments is said at the call, with the data when it is computed. A call without any Dask array is one of
the top-level function. `fit` and `transform` prepare data larger than memory.

    >>> import dask.array as da
    >>> from fastnn.compat import dask as fnn
    >>> x = da.ones((4, 3), chunks=(2, 3))
    >>> y, cache = fnn.layer_norm_forward(x, activation="relu")
    >>> y
    dask.array<layer_norm_forward, shape=(4, 3), dtype=float64, chunksize=(2, 3), chunktype=numpy.ndarray>
    >>> fnn.softmax(x.rechunk({1: 1}))
    Traceback (most recent call last):
    ValueError: softmax: x has 3 chunks along axis 1, expected one: x.rechunk({1: -1})
"""

from typing import Any

from ... import activations
from ._activations import (
    bias_activation,
    bias_activation_backward,
    glu,
    glu_backward,
    log_softmax,
    log_softmax_backward,
    logsumexp,
    maxout,
    maxout_backward,
    prelu,
    prelu_backward,
    rrelu,
    rrelu_backward,
    rrelu_forward,
    softmax,
    softmax_backward,
)
from ._batch import (
    batch_norm_apply,
    batch_norm_backward,
    batch_norm_backward_apply,
    batch_norm_backward_stats,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_inference_backward,
    batch_norm_stats,
)
from ._dropout import (
    alpha_dropout_backward,
    alpha_dropout_forward,
    drop_path_backward,
    drop_path_forward,
    dropout_backward,
    dropout_forward,
    dropout_mask,
    gaussian_dropout_backward,
    gaussian_dropout_forward,
    spatial_dropout_backward,
    spatial_dropout_forward,
)
from ._losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    focal,
    hinge,
    huber,
    kl_div,
    log_cosh,
    mae,
    mse,
    multiclass_hinge,
    nll_loss,
    smooth_l1,
    softmax_cross_entropy,
)
from ._norms import (
    group_norm_backward,
    group_norm_forward,
    instance_norm_backward,
    instance_norm_forward,
    layer_norm_backward,
    layer_norm_forward,
    rms_norm_backward,
    rms_norm_forward,
)
from ._transformers import fit, inverse_transform, transform

__all__ = [
    "alpha_dropout_backward",
    "alpha_dropout_forward",
    "batch_norm_apply",
    "batch_norm_backward",
    "batch_norm_backward_apply",
    "batch_norm_backward_stats",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "batch_norm_stats",
    "bias_activation",
    "bias_activation_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "drop_path_backward",
    "drop_path_forward",
    "dropout_backward",
    "dropout_forward",
    "dropout_mask",
    "fit",
    "focal",
    "gaussian_dropout_backward",
    "gaussian_dropout_forward",
    "glu",
    "glu_backward",
    "group_norm_backward",
    "group_norm_forward",
    "hinge",
    "huber",
    "instance_norm_backward",
    "instance_norm_forward",
    "inverse_transform",
    "kl_div",
    "layer_norm_backward",
    "layer_norm_forward",
    "log_cosh",
    "log_softmax",
    "log_softmax_backward",
    "logsumexp",
    "mae",
    "maxout",
    "maxout_backward",
    "mse",
    "multiclass_hinge",
    "nll_loss",
    "prelu",
    "prelu_backward",
    "rms_norm_backward",
    "rms_norm_forward",
    "rrelu",
    "rrelu_backward",
    "rrelu_forward",
    "smooth_l1",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "spatial_dropout_backward",
    "spatial_dropout_forward",
    "transform",
]

#: Elementwise functions, ufuncs all: as they are.
_ELEMENTWISE = frozenset(activations.__all__) - {*__all__, "NAMES", "activation"}  # type: ignore[attr-defined]


def __getattr__(name: str) -> Any:
    if name in _ELEMENTWISE:
        return getattr(activations, name)
    raise AttributeError(f"module 'fastnn.compat.dask' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ELEMENTWISE})
