"""Losses of one prediction and one target at a time: value and gradient of every element from one pass over memory.

A loss is two scalar formulas of (prediction, target, a, b, c), its parameters last. What they have in common, an
exponential above all, is computed once: both are inlined into one loop, where LLVM merges equal expressions. Values are
summed in float64, a partial sum for each chunk of the launch, so that the sum does not depend on the threads.
"""

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from .._engine import check
from .._engine.fused import Kernel, launch
from .._engine.geometry import contiguous
from .._engine.primitives import select, to_f64
from .._engine.vectors import LANES, Lanewise, below, put_real, real, splat, stored, total, wide, word, working

REDUCTIONS = ("mean", "sum", "none")

# Words of the context. VALUES and GRADIENTS are 0 where they are not wanted. A number as a parameter stands in its
# word itself; with weights that is an array's address, and its stride the word STRIDES further on.
X, TARGET, VALUES, GRADIENTS, PARTIALS = 1, 2, 3, 4, 5
COUNT, CHUNK, SCALE, PARAMETERS = 6, 7, 8, 9
STRIDES = 3


def _times(gradient, scale):
    return gradient * scale


scaled = Lanewise(_times)


def _number(context, k, i, count):
    """The k-th parameter, the same for every element."""
    return real(context, PARAMETERS + k)


def _weight(context, k, i, count):
    """The k-th parameter of the elements from i on: an array of its own, or with stride 0 one vector for all."""
    return stored.load_part(word(context, PARAMETERS + k), i * word(context, PARAMETERS + STRIDES + k), count)


def _value(formula, exact):
    """A formula of vectors with a float64 result, computed in float64 where `exact`, else in the working dtype."""
    formula = Lanewise(formula)

    def in_double(x, t, a, b, c):
        return formula(wide(x), wide(t), a, b, c)

    def in_working(x, t, a, b, c):
        return wide(formula(x, t, a, b, c))

    return in_double if exact else in_working


def _gradient(formula, exact):
    """A formula of vectors with a result of the working dtype, computed in float64 where `exact`."""
    formula = Lanewise(formula)

    def in_double(x, t, a, b, c):
        return working.narrowed(formula(wide(x), wide(t), a, b, c))

    return in_double if exact else formula


def _job(value, gradient, parameter):
    def body(context, x, target, values, gradients, i, count):
        """Write what is wanted of `count` elements; their values."""
        p, t = stored.load_part(x, i, count), stored.load_part(target, i, count)
        a, b, c = parameter(context, 0, i, count), parameter(context, 1, i, count), parameter(context, 2, i, count)
        v = value(p, t, a, b, c)
        if values:
            stored.store_part(values, i, working.narrowed(v), count)
        if gradients:
            stored.store_part(gradients, i, scaled(gradient(p, t, a, b, c), real(context, SCALE)), count)
        return v

    def job(context, index):
        x, target = word(context, X), word(context, TARGET)
        values, gradients = word(context, VALUES), word(context, GRADIENTS)
        begin = index * word(context, CHUNK)
        end = min(begin + word(context, CHUNK), word(context, COUNT))
        whole = end - (end - begin) % LANES
        zero = splat(to_f64(0.0))
        s = zero
        for i in range(begin, whole, LANES):
            s = s + body(context, x, target, values, gradients, i, LANES)
        if whole < end:
            rest = end - whole
            s = s + select(below(rest), body(context, x, target, values, gradients, whole, rest), zero)
        put_real(word(context, PARTIALS), index, total(s))
        return 0

    return job


#: Elements of a chunk: some microseconds of work, and few enough for two cores to share 100,000 evenly.
_CHUNK = 1 << 13


class Fused:
    """The kernel of a value and a gradient formula.

    `work` is its time in ns an element on one core. `exact` has values computed in float64, for formulas that are cheap
    or cancel, `exact_gradient` gradients as well; `weights` makes the parameters arrays.
    """

    def __init__(
        self,
        name: str,
        value: Callable,
        gradient: Callable,
        *,
        work: float,
        exact: bool = False,
        exact_gradient: bool = False,
        weights: bool = False,
    ):
        job = _job(_value(value, exact), _gradient(gradient, exact_gradient), _weight if weights else _number)
        self.kernel, self.work = Kernel(name, job), work

    def sweep(
        self,
        x: np.ndarray,
        target: np.ndarray,
        values: np.ndarray | None,
        gradients: np.ndarray | None,
        scale: float,
        parameters: tuple,
    ) -> float:
        """Fill `values`, and `gradients` times scale, where they are given; the sum of the values."""
        n = x.size
        chunks = -(-n // _CHUNK)
        partials = np.empty(chunks)
        job, work = self.kernel[x.dtype.char], int(n * self.work)
        launch(job, chunks, work, x, target, values, gradients, partials, n, _CHUNK, scale, *parameters)
        return partials.item() if chunks == 1 else sum(partials.tolist())


_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
NO_PARAMETERS = (0.0, 0.0, 0.0)


def evaluate(
    name: str,
    fused: Fused,
    prediction: Any,
    target: Any,
    reduction: str,
    return_grad: bool,
    parameters: tuple = NO_PARAMETERS,
    arguments: tuple[str, str] = ("prediction", "target"),
    samples: bool = False,
) -> Any:
    """(loss, gradient) or the loss alone; the mean is over elements, or over `samples`, the length of the first axis.

    The mean of nothing is NaN.
    """
    prediction, target = operands(name, prediction, target, arguments)
    if type(reduction) is not str or reduction not in REDUCTIONS:
        check.one_of(name, "reduction", reduction, REDUCTIONS)
    shape, dtype = prediction.shape, prediction.dtype
    divisor, scale = 1, 1.0
    if reduction == "mean":
        divisor = (shape[0] if shape else 1) if samples else prediction.size
        scale = 1.0 / (divisor or 1)
    grad = np.empty(shape, dtype) if return_grad else None
    values = np.empty(shape, dtype) if reduction == "none" else None
    loss = fused.sweep(prediction, target, values, grad, scale, parameters)
    result = scalar(loss / divisor if divisor else np.nan, dtype) if values is None else values[()]
    return result if grad is None else (result, grad if shape else grad[()])


def operands(name: str, x: Any, target: Any, arguments: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Both in C order and of x's dtype."""
    fast = type(x) is type(target) is np.ndarray and ready(x) and target.dtype is x.dtype and target.flags.carray
    if fast and x.shape == target.shape:
        return x, target
    x, target = check.real_array(name, arguments[0], x), check.real_array(name, arguments[1], target)
    check.same_shape(name, arguments[1], target, x.shape, f"as {arguments[0]}")
    with np.errstate(all="ignore"):
        return contiguous(x), contiguous(target, x.dtype)


def ready(x: np.ndarray) -> bool:
    """Whether a kernel can take an array as it is."""
    return (x.dtype is _FLOAT32 or x.dtype is _FLOAT64) and x.flags.carray


def nonnegative(name: str, argument: str, value: Any) -> float:
    """`value` as a finite float >= 0; at once where it is one."""
    if type(value) is float and 0.0 <= value < inf:
        return value
    return check.number(name, argument, value, low=0)


def scalar(value: float, dtype: np.dtype) -> Any:
    """A Python float as a NumPy scalar, silently inf where it is too large."""
    kind = dtype.type
    if abs(value) < 65504.0:  # in every dtype: `errstate` costs more than the rest of a small call
        return kind(value)
    with np.errstate(over="ignore"):
        return kind(value)
