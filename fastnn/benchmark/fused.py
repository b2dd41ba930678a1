"""Functions of several arrays - norms, softmax, losses, dropout: their data, fastnn's own call, and shapes to time.

`call(f, arrays)` computes with `f` = fastnn or its reference, after `prepare(f, arrays)` has added what an earlier pass
keeps; it writes to "out" where the arrays have one. The rows of a family stand together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import fastnn as fnn

from .work import BACKWARD, FRESH, OUT, Work

Arrays = dict[str, np.ndarray]
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Fused:
    name: str
    make: Callable[[np.random.Generator, tuple[int, ...], Any], Arrays]
    call: Callable[[Any, Arrays], Any]
    shapes: Shapes
    prepare: Callable[[Any, Arrays], dict[str, Any]] = lambda f, a: {}
    #: Arrays as large as x that go through memory at least.
    moved: int = 2
    family: str = ""
    takes_out: bool = False

    @property
    def random(self) -> bool:
        return self.family == "dropout"

    @property
    def directions(self) -> tuple[str, ...]:
        """A loss gives value and gradient in one call: it has no direction."""
        if self.name.endswith("_backward"):
            return (BACKWARD,)
        if self.family == "losses":
            return ("",)
        return (OUT, FRESH) if self.takes_out else (FRESH,)

    def prepared(self, f, rng, shape, dtype) -> tuple[Arrays, dict[str, Any]]:
        """(fresh arrays, the same with what `prepare` adds)."""
        arrays = self.make(rng, shape, dtype)
        return arrays, arrays | self.prepare(f, arrays)

    def work(self, direction: str, dtype: Any, shape: tuple[int, ...], threads: int) -> tuple[Work, Callable[[], Any]]:
        """The work and fastnn's call."""
        _, given = self.prepared(fnn, np.random.default_rng(0), shape, np.dtype(dtype).type)
        x = given["x"]
        if self.takes_out and direction != FRESH:
            given["out"] = np.empty_like(x)
        work = Work(self.family, self.name, direction, x.dtype, shape, self.moved * x.nbytes, threads, given)
        return work, lambda: self.call(fnn, given)


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


def _out(a):
    return {"out": a["out"]} if "out" in a else {}


def _cache(forward):
    return lambda f, a: {"cache": forward(f, a)[1]}


_IMAGES = ((32, 64, 56, 56), (8, 16, 14, 14), (32, 3, 8, 8))
_ROWS = ((128, 10), (256, 512), (4096, 1024))
_CLASS_ROWS = ((128, 10), (4096, 1000))
_FLAT = ((10,), (1000,), (100_000,), (1_000_000,), (16_000_000,))


def _batch_norm(activation):
    return lambda f, a: f.batch_norm_forward(a["x"], a["gamma"], a["beta"], activation=activation, **_out(a))


def _batch_norm_backward(f, a):
    return f.batch_norm_backward(a["dy"], a["cache"], **_out(a))


def _batch_norm_inference(f, a):
    return f.batch_norm_inference(a["x"], a["gamma"], a["beta"], a["mean"], a["var"], **_out(a))


def _layer_norm(f, a):
    return f.layer_norm_forward(a["x"], a["gamma"], a["beta"], **_out(a))


def _layer_norm_backward(f, a):
    return f.layer_norm_backward(a["dy"], a["cache"])


def _rms_norm(f, a):
    return f.rms_norm_forward(a["x"], a["gamma"], **_out(a))


def _group_norm(f, a):
    groups = 8 if a["x"].shape[1] % 8 == 0 else 1
    return f.group_norm_forward(a["x"], a["gamma"], a["beta"], groups=groups, **_out(a))


def _group_norm_backward(f, a):
    return f.group_norm_backward(a["dy"], a["cache"])


def _instance_norm(f, a):
    return f.instance_norm_forward(a["x"], a["gamma"], a["beta"], **_out(a))


_NORMS = [
    Fused("batch_norm_forward", _norm(1), _batch_norm(None), _IMAGES + _ROWS, takes_out=True),
    Fused(
        "batch_norm_backward",
        _norm(1),
        _batch_norm_backward,
        _IMAGES + _ROWS,
        _cache(_batch_norm(None)),
        moved=3,
        takes_out=True,
    ),
    Fused("batch_norm_relu_forward", _norm(1), _batch_norm("relu"), _IMAGES[:1], takes_out=True),
    Fused(
        "batch_norm_relu_backward",
        _norm(1),
        _batch_norm_backward,
        _IMAGES[:1],
        _cache(_batch_norm("relu")),
        moved=3,
        takes_out=True,
    ),
    Fused("batch_norm_inference", _norm(1, True), _batch_norm_inference, _IMAGES[:1] + _ROWS, takes_out=True),
    Fused("layer_norm_forward", _norm(-1), _layer_norm, _ROWS, takes_out=True),
    Fused("layer_norm_backward", _norm(-1), _layer_norm_backward, _ROWS, _cache(_layer_norm), moved=3),
    Fused("rms_norm_forward", _norm(-1), _rms_norm, _ROWS, takes_out=True),
    Fused("group_norm_forward", _norm(1), _group_norm, _IMAGES[:2], takes_out=True),
    Fused("group_norm_backward", _norm(1), _group_norm_backward, _IMAGES[:2], _cache(_group_norm), moved=3),
    Fused("instance_norm_forward", _norm(1), _instance_norm, _IMAGES[:2], takes_out=True),
]


def _softmax(name, **keywords):
    return lambda f, a: getattr(f, name)(a["x"], **keywords, **_out(a))


def _softmax_backward(f, a):
    return f.softmax_backward(a["dy"], a["y"], **_out(a))


_SOFTMAX = [
    Fused("softmax", _plain, _softmax("softmax"), _ROWS, takes_out=True),
    Fused("log_softmax", _plain, _softmax("log_softmax"), _ROWS, takes_out=True),
    Fused("logsumexp", _plain, _softmax("logsumexp"), _ROWS, moved=1),
    Fused("softmax_columns", _plain, _softmax("softmax", axis=0), _ROWS, takes_out=True),
    Fused(
        "softmax_backward",
        _plain,
        _softmax_backward,
        _ROWS,
        lambda f, a: {"y": f.softmax(a["x"])},
        moved=3,
        takes_out=True,
    ),
    Fused("glu", _plain, _softmax("glu"), _ROWS),
]


def _loss(name, target="target"):
    return lambda f, a: getattr(f, name)(a["x"], a[target])


_LOSSES = [
    *(
        Fused(name, _classes, _loss(name, "labels"), _CLASS_ROWS)
        for name in ("softmax_cross_entropy", "multiclass_hinge")
    ),
    *(Fused(name, _regression, _loss(name), _FLAT, moved=3) for name in ("mse", "mae", "huber", "log_cosh")),
    *(Fused(name, _binary, _loss(name), _FLAT, moved=3) for name in ("binary_cross_entropy_with_logits", "focal")),
]


def _dropout(f, a):
    return f.dropout_forward(a["x"], 0.5, rng=0, **_out(a))


def _dropout_backward(f, a):
    return f.dropout_backward(a["dy"], a["cache"], **_out(a))


_DROPOUT = [
    Fused("dropout_forward", _plain, _dropout, _FLAT, takes_out=True),
    Fused("dropout_backward", _plain, _dropout_backward, _FLAT, _cache(_dropout), takes_out=True),
]

_FAMILIES = {"norms": _NORMS, "softmax": _SOFTMAX, "losses": _LOSSES, "dropout": _DROPOUT}
FUSED = {row.name: replace(row, family=family) for family, rows in _FAMILIES.items() for row in rows}
