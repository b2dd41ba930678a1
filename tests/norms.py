"""What the tests of the normalisations share: problems, ways to lay out an array, and how exact results have to be."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cases import Ulps
from hypothesis import strategies as st
from ulps import spacing

import fastnn as fnn
from fastnn import reference

RESULTS = ("y", "dx", "dgamma", "dbeta")

#: Largest error per result, in ulps at the largest term that goes into a value of its group (see `scales`).
BOUNDS = {
    "batch_norm": (Ulps(0.51, 4.0, 40.0), Ulps(0.51, 3.0, 20.0), Ulps(0.51, 2.0, 10.0), Ulps(0.51, 1.5, 10.0)),
    "layer_norm": (Ulps(0.51, 4.0, 30.0), Ulps(0.51, 4.0, 16.0), Ulps(0.51, 5.0, 30.0), Ulps(0.51, 0.51, 30.0)),
    "rms_norm": (Ulps(0.51, 4.0, 6.0), Ulps(0.51, 4.0, 6.0), Ulps(0.51, 3.0, 6.0)),
    "group_norm": (Ulps(0.51, 4.0, 25.0), Ulps(0.51, 3.5, 20.0), Ulps(0.51, 2.0, 8.0), Ulps(0.51, 0.51, 4.0)),
    "instance_norm": (Ulps(0.51, 4.5, 25.0), Ulps(0.51, 3.0, 20.0), Ulps(0.51, 2.0, 5.0), Ulps(0.51, 0.51, 4.0)),
}

#: (dtype, activation) that the tests compile kernels for; the slopes of all of them are at most 1.
VARIANTS = [("f2", None), ("f4", None), ("f8", None), ("f4", "relu"), ("f8", "tanh")]


@dataclass(frozen=True)
class Problem:
    """A normalisation's arguments."""

    norm: str
    x: Any
    dy: Any
    gamma: Any = None
    beta: Any = None
    options: dict = field(default_factory=dict)

    @property
    def parameters(self):
        """What goes between x and the options: RMS norm has no beta."""
        return (self.gamma,) if self.norm == "rms_norm" else (self.gamma, self.beta)

    def forward(self, **options):
        return getattr(fnn, f"{self.norm}_forward")(self.x, *self.parameters, **self.options, **options)

    def backward(self, cache, **options):
        return getattr(fnn, f"{self.norm}_backward")(self.dy, cache, **options)

    def results(self):
        """y and the gradients."""
        y, cache = self.forward()
        return y, *self.backward(cache)

    def expected(self):
        """The same from the reference."""
        y, cache = getattr(reference, f"{self.norm}_forward")(self.x, *self.parameters, **self.options)
        return y, *getattr(reference, f"{self.norm}_backward")(self.dy, cache)

    def with_(self, **changes):
        """The problem with other fields, and other options where a name is no field's."""
        fields = {name: changes.pop(name) for name in tuple(changes) if name in self.__dataclass_fields__}
        return Problem(**{**vars(self), "options": {**self.options, **changes}, **fields})


def axes_of(norm, shape, options):
    """(shape with groups as an axis of their own, axes of the statistics, axes of gamma and beta)."""
    axis = options.get("axis", -1 if norm in ("layer_norm", "rms_norm") else 1)
    if norm in ("layer_norm", "rms_norm"):
        axes = tuple(k % len(shape) for k in (axis if isinstance(axis, tuple) else (axis,)))
        return shape, axes, axes
    axis %= len(shape)
    if norm == "batch_norm":
        return shape, tuple(k for k in range(len(shape)) if k != axis), (axis,)
    groups = options.get("groups", shape[axis])
    split = (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])
    return split, tuple(k for k in range(len(split)) if k not in (0, axis)), (axis, axis + 1)


def parameter_shape(norm, shape, options):
    """The shape of gamma and beta."""
    split, _, axes = axes_of(norm, shape, options)
    sizes = tuple(split[k] for k in axes)
    return sizes if norm in ("layer_norm", "rms_norm") else (math.prod(sizes),)


def problem(norm, shape, dtype="f8", seed=0, affine=(True, True), **options):
    """Random data with a mean and a deviation of their own in every channel."""
    rng = np.random.default_rng(seed)
    of_parameters = parameter_shape(norm, shape, options)
    x = rng.standard_normal(shape) * rng.uniform(0.5, 3) + rng.uniform(-4, 4)
    gamma, beta = (rng.standard_normal(of_parameters).astype(dtype) if wanted else None for wanted in affine)
    beta = None if norm == "rms_norm" else beta
    return Problem(norm, x.astype(dtype), rng.standard_normal(shape).astype(dtype), gamma, beta, options)


@np.errstate(all="ignore")
def scales(given):
    """Per result, the size of the terms whose sum or difference a value is: the largest of its group, or their sum.

    With these, and not the result itself, its rounding errors grow: terms may cancel.
    """
    shape = np.shape(given.x)
    split, over, along = axes_of(given.norm, shape, given.options)
    others = tuple(k for k in range(len(split)) if k not in along)
    x, dy = (np.asarray(a, np.float64).reshape(split) for a in (given.x, given.dy))
    gamma, beta = (
        np.asarray(default if p is None else p, np.float64) for p, default in ((given.gamma, 1.0), (given.beta, 0.0))
    )
    gamma, beta = (
        np.abs(p).reshape([n if k in along else 1 for k, n in enumerate(split)]) if p.ndim else p for p in (gamma, beta)
    )
    deviation = x if given.norm == "rms_norm" else x - x.mean(over, keepdims=True)
    eps = given.options.get("eps", 1e-6 if given.norm == "rms_norm" else 1e-5)
    rstd = 1 / np.sqrt((deviation**2).mean(over, keepdims=True) + eps)
    x_hat, h = np.abs(deviation * rstd), np.abs(gamma * dy)
    y = np.broadcast_to((gamma * x_hat + beta).max(over, keepdims=True), split)
    dx = rstd * (h.max(over, keepdims=True) + x_hat.max(over, keepdims=True) * (h * x_hat).mean(over, keepdims=True))
    # a small x_hat has the absolute error of those of the order of 1
    sums = np.sum(np.abs(dy) * np.maximum(x_hat, 1), others), np.sum(np.abs(dy), others)
    of_parameters = parameter_shape(given.norm, shape, given.options)
    return y.reshape(shape), np.broadcast_to(dx, split).reshape(shape), *(s.reshape(of_parameters) for s in sums)


def error(actual, expected, scale):
    """The largest |actual - expected| in ulps of actual's dtype at `scale`; NaN and inf have to match."""
    expected = np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    with np.errstate(all="ignore"):
        distance = np.abs(actual.astype(np.float64) - expected) / spacing(scale, actual.dtype)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return float(np.max(np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance)), initial=0.0))


def check(given, results=None, wider=1):
    """The results, by default those of the problem itself, are the reference's within `wider` times BOUNDS."""
    results = given.results() if results is None else results
    expected = given.expected()
    assert len(results) == len(expected)
    inputs = (given.x, given.x, given.gamma, given.beta)
    rows = zip(RESULTS, results, expected, scales(given), BOUNDS[given.norm], inputs, strict=False)
    for name, actual, wanted, scale, bound, like in rows:
        if wanted is None:
            assert actual is None, name
            continue
        dtype = result_dtype(like)
        assert actual.dtype == dtype, name
        found = error(actual, wanted, scale)
        assert found <= wider * bound.of(dtype), f"{name}: {found} ulps of {dtype}"


def result_dtype(array):
    """Native, and float64 for integers."""
    dtype = np.asarray(array).dtype
    return np.dtype(dtype.type if dtype.kind == "f" else np.float64)


def unaligned(x, offset=1):
    """x, `offset` bytes past where its elements belong."""
    memory = np.empty(x.nbytes + 64 + offset, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    copy = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


def _read_only(x):
    copy = x.copy()
    copy.flags.writeable = False
    return copy


#: The same values, stored differently.
LAYOUTS = {
    "C": np.copy,
    "F": np.asfortranarray,
    "channels last": lambda x: np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1) if x.ndim > 1 else x,
    "sliced": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: np.flip(np.flip(x).copy()),
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": unaligned,
    "read-only": _read_only,
}
layouts = st.sampled_from(sorted(LAYOUTS))
variants = st.sampled_from(VARIANTS)
affine = st.tuples(st.booleans(), st.booleans())
epsilons = st.sampled_from([1e-5, 1e-3, 0.5])
seeds = st.integers(0, 2**20)


def stored_as(given, x_layout, dy_layout):
    """The problem with x and dy laid out by name, gamma and beta by those of x."""
    lay = LAYOUTS[x_layout]
    of_parameters = {name: None if p is None else lay(p) for name, p in (("gamma", given.gamma), ("beta", given.beta))}
    return given.with_(x=lay(given.x), dy=LAYOUTS[dy_layout](given.dy), **of_parameters)
