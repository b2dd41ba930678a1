"""One row for each function of several arrays: what the property tests check and the benchmarks time.

`call(f, arrays)` computes with `f` = fastnn or its reference, after `prepare(f, arrays)` has added what an earlier pass
keeps. The rows of a family stand together; shapes are the benchmarks', the property tests take `small` ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class FusedCase:
    name: str
    make: Callable[[np.random.Generator, tuple[int, ...], Any], Arrays]
    call: Callable[[Any, Arrays], Any]
    shapes: tuple[tuple[int, ...], ...]
    small: tuple[tuple[int, ...], ...]
    prepare: Callable[[Any, Arrays], dict[str, Any]] = lambda f, a: {}
    #: Arrays as large as x that go through memory at least.
    moved: int = 2
    #: Roundings of the dtype, at the scale of the largest value, that the result may be off.
    ulps: float = 16.0
    #: Whether `call` takes the reference too; random functions are compared elsewhere.
    has_reference: bool = True

    def prepared(self, f, rng, shape, dtype) -> tuple[Arrays, dict[str, Any]]:
        """(fresh arrays, the same with what `prepare` adds)."""
        arrays = self.make(rng, shape, dtype)
        return arrays, arrays | self.prepare(f, arrays)


def _normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def _norm(axis, running=False):
    def make(rng, shape, dtype):
        channels = shape[axis]
        arrays = {"x": _normal(rng, shape, dtype) * 3 + 2, "dy": _normal(rng, shape, dtype)}
        arrays |= {"gamma": _normal(rng, channels, dtype), "beta": _normal(rng, channels, dtype)}
        if running:
            arrays |= {"mean": _normal(rng, channels, dtype), "var": rng.random(channels).astype(dtype) + 0.5}
        return arrays

    return make


def _plain(rng, shape, dtype):
    return {"x": _normal(rng, shape, dtype), "dy": _normal(rng, shape, dtype)}


def _classes(rng, shape, dtype):
    return {"x": _normal(rng, shape, dtype), "labels": rng.integers(shape[-1], size=shape[:-1])}


def _binary(rng, shape, dtype):
    return {"x": _normal(rng, shape, dtype), "target": (rng.random(shape) < 0.5).astype(dtype)}


def _regression(rng, shape, dtype):
    return {"x": _normal(rng, shape, dtype), "target": _normal(rng, shape, dtype)}


_IMAGES, _IMAGES_SMALL = ((32, 64, 56, 56), (8, 16, 14, 14), (32, 3, 8, 8)), ((4, 5, 6, 7), (2, 3, 40, 30), (5, 2))
_ROWS, _ROWS_SMALL = ((128, 10), (256, 512), (4096, 1024)), ((5, 7), (3, 4, 33), (40, 1000))
_FLAT, _FLAT_SMALL = ((10,), (1000,), (100_000,), (1_000_000,), (16_000_000,)), ((7,), (3, 50), (40_000,))


def _batch_norm(activation):
    return lambda f, a: f.batch_norm_forward(a["x"], a["gamma"], a["beta"], activation=activation)


def _cache(forward):
    return lambda f, a: {"cache": forward(f, a)[1]}


def _layer_norm(f, a):
    return f.layer_norm_forward(a["x"], a["gamma"], a["beta"])


def _group_norm(f, a):
    channels = a["x"].shape[1]
    return f.group_norm_forward(a["x"], a["gamma"], a["beta"], groups=8 if channels % 8 == 0 else 1)


_NORMS = [
    FusedCase("batch_norm_forward", _norm(1), _batch_norm(None), _IMAGES + _ROWS, _IMAGES_SMALL),
    FusedCase(
        "batch_norm_backward",
        _norm(1),
        lambda f, a: f.batch_norm_backward(a["dy"], a["cache"]),
        _IMAGES + _ROWS,
        _IMAGES_SMALL,
        _cache(_batch_norm(None)),
        3,
    ),
    FusedCase("batch_norm_relu_forward", _norm(1), _batch_norm("relu"), _IMAGES[:1], _IMAGES_SMALL),
    FusedCase(
        "batch_norm_relu_backward",
        _norm(1),
        lambda f, a: f.batch_norm_backward(a["dy"], a["cache"]),
        _IMAGES[:1],
        _IMAGES_SMALL,
        _cache(_batch_norm("relu")),
        3,
    ),
    FusedCase(
        "batch_norm_inference",
        _norm(1, running=True),
        lambda f, a: f.batch_norm_inference(a["x"], a["gamma"], a["beta"], a["mean"], a["var"]),
        _IMAGES[:1] + _ROWS,
        _IMAGES_SMALL,
    ),
    FusedCase("layer_norm_forward", _norm(-1), _layer_norm, _ROWS, _ROWS_SMALL),
    FusedCase(
        "layer_norm_backward",
        _norm(-1),
        lambda f, a: f.layer_norm_backward(a["dy"], a["cache"]),
        _ROWS,
        _ROWS_SMALL,
        _cache(_layer_norm),
        3,
    ),
    FusedCase("rms_norm_forward", _norm(-1), lambda f, a: f.rms_norm_forward(a["x"], a["gamma"]), _ROWS, _ROWS_SMALL),
    FusedCase("group_norm_forward", _norm(1), _group_norm, _IMAGES[:2], _IMAGES_SMALL),
    FusedCase(
        "group_norm_backward",
        _norm(1),
        lambda f, a: f.group_norm_backward(a["dy"], a["cache"]),
        _IMAGES[:2],
        _IMAGES_SMALL,
        _cache(_group_norm),
        3,
    ),
    FusedCase(
        "instance_norm_forward",
        _norm(1),
        lambda f, a: f.instance_norm_forward(a["x"], a["gamma"], a["beta"]),
        _IMAGES[:2],
        _IMAGES_SMALL[:2],
    ),
]

_CLASS_ROWS = ((128, 10), (4096, 1000))
_SOFTMAX = [
    FusedCase("softmax", _plain, lambda f, a: f.softmax(a["x"]), _ROWS, _ROWS_SMALL),
    FusedCase("log_softmax", _plain, lambda f, a: f.log_softmax(a["x"]), _ROWS, _ROWS_SMALL),
    FusedCase("logsumexp", _plain, lambda f, a: f.logsumexp(a["x"]), _ROWS, _ROWS_SMALL, moved=1),
    FusedCase("softmax_columns", _plain, lambda f, a: f.softmax(a["x"], axis=0), _ROWS, _ROWS_SMALL),
    FusedCase(
        "softmax_backward",
        _plain,
        lambda f, a: f.softmax_backward(a["dy"], a["y"]),
        _ROWS,
        _ROWS_SMALL,
        lambda f, a: {"y": f.softmax(a["x"])},
        3,
    ),
    FusedCase("glu", _plain, lambda f, a: f.glu(a["x"]), _ROWS, ((5, 8), (3, 4, 34))),
    FusedCase(
        "softmax_cross_entropy",
        _classes,
        lambda f, a: f.softmax_cross_entropy(a["x"], a["labels"]),
        _CLASS_ROWS,
        _ROWS_SMALL,
    ),
    FusedCase(
        "multiclass_hinge", _classes, lambda f, a: f.multiclass_hinge(a["x"], a["labels"]), _CLASS_ROWS, _ROWS_SMALL
    ),
]


def _loss(name):
    return lambda f, a: getattr(f, name)(a["x"], a["target"])


_LOSSES = [
    *(
        FusedCase(name, _regression, _loss(name), _FLAT, _FLAT_SMALL, moved=3)
        for name in ("mse", "mae", "huber", "log_cosh")
    ),
    *(
        FusedCase(name, _binary, _loss(name), _FLAT, _FLAT_SMALL, moved=3)
        for name in ("binary_cross_entropy_with_logits", "focal")
    ),
]


def _dropout(f, a):
    return f.dropout_forward(a["x"], 0.5, rng=0)


_DROPOUT = [
    FusedCase(
        "dropout_forward",
        _plain,
        _dropout,
        _FLAT,
        _FLAT_SMALL,
        has_reference=False,
    ),
    FusedCase(
        "dropout_backward",
        _plain,
        lambda f, a: f.dropout_backward(a["dy"], a["cache"]),
        _FLAT,
        _FLAT_SMALL,
        _cache(_dropout),
        has_reference=False,
    ),
]

FUSED = {case.name: case for case in (*_NORMS, *_SOFTMAX, *_LOSSES, *_DROPOUT)}


def results(value: Any) -> list[np.ndarray]:
    """The arrays among what a function returns; caches left out."""
    values = value if type(value) is tuple else (value,)
    return [np.asarray(v) for v in values if isinstance(v, (np.ndarray, np.generic))]
