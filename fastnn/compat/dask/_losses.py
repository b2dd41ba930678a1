"""Losses: each block's sum and gradient from one pass, the mean over all chunks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..._engine import check
from ...losses import binary, classes, regression
from ._blocks import Result, as_dask, beside, blocks, has_unknown, on_dask, one_chunk, others, stand_in

_NOTE = "The loss is lazy too, of no axes where it is reduced."


def _evaluated(
    original: Callable[..., Any],
    x: Any,
    operands: Mapping[str, tuple[Any, Sequence[int]]],
    dtype: Any,
    divisor: Any,
    reduction: str,
    return_grad: bool,
    core: tuple[int, ...] = (),
    **options: Any,
) -> Any:
    """(loss, gradient) or the loss alone, lazily: blocks are summed, and divided by `divisor`, which may be lazy.

    The first operand is the target, the others are weights by name. Along the axes `core` of x a loss has no axis.
    """
    name, every = original.__name__, tuple(range(x.ndim))
    call = {"original": original, "names": tuple(operands), "dtype": dtype, "options": options}
    call["options"] |= {"return_grad": return_grad}
    if reduction == "none":
        results = [Result(dtype, dict.fromkeys(core, 1)), Result(dtype)][: 1 + return_grad]
        loss, *grad = blocks(_each, x, operands.values(), results, name, core=core, **call)
        loss = loss.squeeze(core) if core else loss
    else:
        results = [Result(np.float64, dict.fromkeys(every, 1)), Result(dtype)][: 1 + return_grad]
        sums, *grad = blocks(_sum, x, [(divisor, ()), *operands.values()], results, name, **call)
        loss = blocks(_quotient, sums.sum(), [(divisor, ())], [Result(dtype)], name, dtype=dtype)[0]
    return (loss, *grad) if return_grad else loss


def _sum(x: Any, divisor: Any, *operands: Any, dtype: Any, **call: Any) -> Any:
    """The sum over a block, of length 1 along all axes, and the block of the gradient, if that is wanted."""
    loss, *grad = _of_block(x, operands, "sum", **call)
    loss = np.asarray(loss, np.float64).reshape((1,) * x.ndim)
    scale = 1.0 / (divisor or 1)  # gradients of samples that do not count are 0, if none does too
    with np.errstate(all="ignore"):
        return (loss, *[(g * g.dtype.type(scale)).astype(dtype) for g in grad]) if grad else loss


def _each(x: Any, *operands: Any, dtype: Any, core: tuple[int, ...], **call: Any) -> Any:
    """The losses, of length 1 along `core`, and the gradients, if those are wanted."""
    with np.errstate(all="ignore"):
        loss, *grad = (np.asarray(f).astype(dtype, copy=False) for f in _of_block(x, operands, "none", **call))
    loss = np.expand_dims(loss, core)
    return (loss, *grad) if grad else loss


def _of_block(x: Any, operands: Any, reduction: str, *, original: Any, names: Any, options: dict[str, Any]) -> Any:
    """(loss, gradient) or (loss,); float16 as float32, which it is computed in: sums may be beyond float16."""
    x = x.astype(np.float32) if x.dtype == np.float16 else x
    target, *weights = operands
    found = original(x, target, **dict(zip(names[1:], weights, strict=True)), reduction=reduction, **options)
    return found if options["return_grad"] else (found,)


def _quotient(total: Any, divisor: Any, *, dtype: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.asarray(np.divide(total, divisor)).astype(dtype)


def _count(x: Any, axes: Sequence[int]) -> Any:
    """How many values x has over the axes: lazy where lengths are unknown."""
    if not has_unknown(x):
        return int(np.prod([x.shape[k] for k in axes], dtype=np.int64))
    ones = blocks(_ones, x, [], [Result(np.float64, dict.fromkeys(others(x, axes), 1))], "count", axes=tuple(axes))
    return ones[0].sum() / np.prod([x.numblocks[k] for k in others(x, axes)], dtype=np.int64)


def _ones(x: Any, *, axes: tuple[int, ...]) -> np.ndarray:
    return np.ones([n if k in axes else 1 for k, n in enumerate(x.shape)])


# --- of one prediction and one target --------------------------------------------------------------------------------


def _elementwise(
    original: Callable[..., Any],
    x: Any,
    target: Any,
    reduction: str,
    return_grad: bool,
    arguments: tuple[str, str] = ("prediction", "target"),
    weights: dict[str, Any] | None = None,
    samples: bool = False,
    **options: Any,
) -> Any:
    name, x = original.__name__, as_dask(x)
    every = tuple(range(x.ndim))
    operands = {"target": (beside(name, arguments[1], target, x, every, f"as {arguments[0]}"), every)}
    given = {k: _broadcasting(name, k, w, x) for k, w in (weights or {}).items() if w is not None}
    checked = {k: np.ones((), w.dtype) for k, (w, _) in given.items()}
    empty = stand_in(x, []), stand_in(operands["target"][0], [])
    _, grad = original(*empty, reduction=reduction, **checked, **options)
    divisor = _count(x, every[:1] if samples else every) if reduction == "mean" else 1
    return _evaluated(original, x, operands | given, grad.dtype, divisor, reduction, return_grad, **options)


def _broadcasting(name: str, argument: str, weight: Any, x: Any) -> tuple[Any, tuple[int, ...]]:
    """A weight as an operand, cut as x is along the axes where it is not of length 1."""
    weight = as_dask(weight)
    if weight.size == 1:
        return weight.reshape(()), ()
    axes = tuple(range(x.ndim - weight.ndim, x.ndim))
    if weight.ndim > x.ndim or any(n not in (1, x.shape[k]) for n, k in zip(weight.shape, axes, strict=True)):
        raise ValueError(f"{name}: {argument} has shape {weight.shape}, expected one that broadcasts to {x.shape}")
    cut = {d: x.chunks[k] for d, k in enumerate(axes) if weight.shape[d] == x.shape[k]}
    return weight.rechunk(cut), axes


@on_dask(regression.mse, _NOTE)
def mse(prediction, target, reduction, return_grad):
    return _elementwise(regression.mse, prediction, target, reduction, return_grad)


@on_dask(regression.mae, _NOTE)
def mae(prediction, target, reduction, return_grad):
    return _elementwise(regression.mae, prediction, target, reduction, return_grad)


@on_dask(regression.huber, _NOTE)
def huber(prediction, target, delta, reduction, return_grad):
    return _elementwise(regression.huber, prediction, target, reduction, return_grad, delta=delta)


@on_dask(regression.smooth_l1, _NOTE)
def smooth_l1(prediction, target, beta, reduction, return_grad):
    return _elementwise(regression.smooth_l1, prediction, target, reduction, return_grad, beta=beta)


@on_dask(regression.log_cosh, _NOTE)
def log_cosh(prediction, target, reduction, return_grad):
    return _elementwise(regression.log_cosh, prediction, target, reduction, return_grad)


@on_dask(regression.kl_div, _NOTE)
def kl_div(log_probs, target_probs, reduction, return_grad):
    arguments = ("log_probs", "target_probs")
    return _elementwise(regression.kl_div, log_probs, target_probs, reduction, return_grad, arguments, samples=True)


@on_dask(binary.hinge, _NOTE)
def hinge(scores, targets, reduction, return_grad):
    return _elementwise(binary.hinge, scores, targets, reduction, return_grad, ("scores", "targets"))


@on_dask(binary.focal, _NOTE)
def focal(logits, targets, gamma, alpha, reduction, return_grad):
    arguments = ("logits", "targets")
    return _elementwise(binary.focal, logits, targets, reduction, return_grad, arguments, gamma=gamma, alpha=alpha)


@on_dask(binary.binary_cross_entropy_with_logits, _NOTE)
def binary_cross_entropy_with_logits(logits, targets, pos_weight, weight, reduction, return_grad):
    original, weights = binary.binary_cross_entropy_with_logits, {"pos_weight": pos_weight, "weight": weight}
    return _elementwise(original, logits, targets, reduction, return_grad, ("logits", "targets"), weights)


@on_dask(binary.binary_cross_entropy, _NOTE)
def binary_cross_entropy(p, targets, weight, reduction, return_grad):
    arguments, weights = ("p", "targets"), {"weight": weight}
    return _elementwise(binary.binary_cross_entropy, p, targets, reduction, return_grad, arguments, weights)


# --- of one class out of many ----------------------------------------------------------------------------------------

_CLASSES = f"The classes must be in one chunk. A label out of range is found when it is computed. {_NOTE}"


def _of_classes(
    original: Callable[..., Any],
    x: Any,
    labels: Any,
    reduction: str,
    return_grad: bool,
    argument: str,
    weight: Any = None,
    **options: Any,
) -> Any:
    name, x, labels = original.__name__, as_dask(x), as_dask(labels)
    place = check.axis_of(name, options["axis"], x, argument)
    one_chunk(name, argument, x, [place])
    samples, every = others(x, [place]), tuple(range(x.ndim))
    axes = every if labels.ndim == x.ndim else samples
    labels = beside(name, "labels", labels, x, axes, f"to match {argument}")
    operands = {"labels": (labels, axes)}
    weighted = {}
    if weight is not None:
        weight = as_dask(weight).rechunk(-1)
        weighted = {"weight": stand_in(weight)}
        operands["weight"] = weight, (place,)
    empty = stand_in(x, [place]), 0 * stand_in(labels, [place] if axes == every else [])
    _, grad = original(*empty, reduction=reduction, **weighted, **options)
    ignored = options.get("ignore_index")
    divisor: Any = 1
    if reduction == "mean" and axes == samples and (weight is not None or ignored is not None):
        divisor = _sum_of_weights(labels, weight, ignored)
    elif reduction == "mean":
        divisor = _count(x, samples)
    return _evaluated(original, x, operands, grad.dtype, divisor, reduction, return_grad, (place,), **options)


def _sum_of_weights(labels: Any, weight: Any, ignore_index: Any) -> Any:
    """The weights of the labels that count, added up; weight has an axis of its own."""
    result = Result(np.float64, dict.fromkeys(range(labels.ndim), 1))
    operands = [(weight, (labels.ndim,))]
    return blocks(_weights_of_block, labels, operands, [result], "sum_of_weights", ignore_index=ignore_index)[0].sum()


def _weights_of_block(labels: Any, weight: Any, *, ignore_index: int | None) -> np.ndarray:
    """A label out of range, which the loss itself reports, has any weight."""
    counting = labels if ignore_index is None else labels[labels != ignore_index]
    total = counting.size if weight is None else weight.take(counting, mode="clip").sum(dtype=np.float64)
    return np.full((1,) * labels.ndim, total, np.float64)


@on_dask(classes.softmax_cross_entropy, _CLASSES)
def softmax_cross_entropy(logits, labels, axis, weight, ignore_index, label_smoothing, reduction, return_grad):
    options = {"axis": axis, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
    original = classes.softmax_cross_entropy
    return _of_classes(original, logits, labels, reduction, return_grad, "logits", weight, **options)


@on_dask(classes.nll_loss, _CLASSES)
def nll_loss(log_probs, labels, axis, weight, ignore_index, label_smoothing, reduction, return_grad):
    options = {"axis": axis, "ignore_index": ignore_index, "label_smoothing": label_smoothing}
    return _of_classes(classes.nll_loss, log_probs, labels, reduction, return_grad, "log_probs", weight, **options)


@on_dask(classes.multiclass_hinge, _CLASSES)
def multiclass_hinge(scores, labels, margin, axis, reduction, return_grad):
    options = {"margin": margin, "axis": axis}
    return _of_classes(classes.multiclass_hinge, scores, labels, reduction, return_grad, "scores", **options)
