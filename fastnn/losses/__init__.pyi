"""The losses with what their keywords make of the result; the modules beside have the code."""

from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from ..typing import Reduction

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

@overload
def binary_cross_entropy(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def binary_cross_entropy(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def binary_cross_entropy(
    p: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    return_grad: bool,
) -> Any: ...
@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    return_grad: bool,
) -> Any: ...
def elastic_net_penalty(
    w: ArrayLike, l1: float, l2: float, accumulate_into: np.ndarray | None = None
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: Reduction = "mean",
    return_grad: bool,
) -> Any: ...
@overload
def hinge(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def hinge(
    scores: ArrayLike, targets: ArrayLike, *, reduction: Literal["none"], return_grad: Literal[True] = True
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def hinge(scores: ArrayLike, targets: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool) -> Any: ...
@overload
def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    delta: float = 1.0,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    delta: float = 1.0,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def huber(
    prediction: ArrayLike, target: ArrayLike, *, delta: float = 1.0, reduction: Reduction = "mean", return_grad: bool
) -> Any: ...
@overload
def kl_div(
    log_probs: ArrayLike,
    target_probs: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def kl_div(
    log_probs: ArrayLike, target_probs: ArrayLike, *, reduction: Literal["none"], return_grad: Literal[True] = True
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def kl_div(
    log_probs: ArrayLike, target_probs: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool
) -> Any: ...
def l1_penalty(
    w: ArrayLike, strength: float, accumulate_into: np.ndarray | None = None
) -> tuple[np.floating[Any], np.ndarray]: ...
def l2_penalty(
    w: ArrayLike, strength: float, accumulate_into: np.ndarray | None = None
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def log_cosh(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def log_cosh(
    prediction: ArrayLike, target: ArrayLike, *, reduction: Literal["none"], return_grad: Literal[True] = True
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def log_cosh(prediction: ArrayLike, target: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool) -> Any: ...
@overload
def mae(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def mae(
    prediction: ArrayLike, target: ArrayLike, *, reduction: Literal["none"], return_grad: Literal[True] = True
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def mae(prediction: ArrayLike, target: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool) -> Any: ...
@overload
def mse(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def mse(
    prediction: ArrayLike, target: ArrayLike, *, reduction: Literal["none"], return_grad: Literal[True] = True
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def mse(prediction: ArrayLike, target: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool) -> Any: ...
@overload
def multiclass_hinge(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    margin: float = 1.0,
    axis: int = -1,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def multiclass_hinge(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    margin: float = 1.0,
    axis: int = -1,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def multiclass_hinge(
    scores: ArrayLike,
    labels: ArrayLike,
    *,
    margin: float = 1.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    return_grad: bool,
) -> Any: ...
@overload
def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    return_grad: bool,
) -> Any: ...
@overload
def smooth_l1(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    beta: float = 1.0,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def smooth_l1(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    beta: float = 1.0,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def smooth_l1(
    prediction: ArrayLike, target: ArrayLike, *, beta: float = 1.0, reduction: Reduction = "mean", return_grad: bool
) -> Any: ...
@overload
def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Literal["mean", "sum"] = "mean",
    return_grad: Literal[True] = True,
) -> tuple[np.floating[Any], np.ndarray]: ...
@overload
def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Literal["none"],
    return_grad: Literal[True] = True,
) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    return_grad: bool,
) -> Any: ...
