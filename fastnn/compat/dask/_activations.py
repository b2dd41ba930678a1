"""softmax and its relatives, gated units, and the activations that are more than a ufunc of x."""

from functools import partial
from typing import Any

import numpy as np

from ..._engine import check
from ...activations import gated, parametric, softmax_family
from ...activations.rectified import leaky_relu, leaky_relu_backward
from ._blocks import (
    Result,
    as_dask,
    beside,
    blocks,
    da,
    float_dtype,
    known,
    on_dask,
    one_chunk,
    others,
    stand_in,
    summed,
)
from ._location import located, starts

_ONE_CHUNK = "`axis` must be in one chunk."
_ANY_CHUNKS = "Any chunks will do."


# --- softmax ---------------------------------------------------------------------------------------------------------


def _along_axis(original: Any, x: Any, axis: Any) -> Any:
    """A function of x alone whose result has x's shape."""
    name = original.__name__
    one_chunk(name, "x", x, [check.axis_of(name, axis, x)])
    dtype = original(stand_in(x, [axis % x.ndim]), axis).dtype
    return blocks(original, x, [], [Result(dtype)], name, axis=axis)[0]


def _gradient_along_axis(original: Any, dy: Any, y: Any, axis: Any) -> Any:
    name, y = original.__name__, as_dask(y)
    kept = [check.axis_of(name, axis, y, "y")]
    one_chunk(name, "y", y, kept)
    dy = beside(name, "dy", dy, y, range(y.ndim), "as y")
    dtype = original(stand_in(dy, kept), stand_in(y, kept), axis).dtype
    return blocks(_swapped, y, [(dy, range(y.ndim))], [Result(dtype)], name, function=original, axis=axis)[0]


def _swapped(x: Any, dy: Any, *, function: Any, **options: Any) -> Any:
    return function(dy, x, **options)


@on_dask(softmax_family.softmax, _ONE_CHUNK)
def softmax(x, axis):
    return _along_axis(softmax_family.softmax, x, axis)


@on_dask(softmax_family.log_softmax, _ONE_CHUNK)
def log_softmax(x, axis):
    return _along_axis(softmax_family.log_softmax, x, axis)


@on_dask(softmax_family.softmax_backward, _ONE_CHUNK)
def softmax_backward(dy, y, axis):
    return _gradient_along_axis(softmax_family.softmax_backward, dy, y, axis)


@on_dask(softmax_family.log_softmax_backward, _ONE_CHUNK)
def log_softmax_backward(dy, y, axis):
    return _gradient_along_axis(softmax_family.log_softmax_backward, dy, y, axis)


@on_dask(softmax_family.logsumexp, "Any chunks will do: that of the chunks is that of the whole.")
def logsumexp(x, axis, keepdims):
    original = softmax_family.logsumexp
    of_none = original(stand_in(x, []), axis, keepdims)
    axis = tuple(range(x.ndim)) if axis is None else axis
    if axis == ():
        return x.astype(of_none.dtype)
    meta = np.empty((0,) * of_none.ndim, of_none.dtype)
    return da.reduction(x, original, original, axis=axis, keepdims=keepdims, dtype=meta.dtype, meta=meta)


# --- gated units -----------------------------------------------------------------------------------------------------


@on_dask(gated.glu, _ONE_CHUNK)
def glu(x, axis, gate):
    place = check.axis_of("glu", axis, x)
    one_chunk("glu", "x", x, [place])
    y = gated.glu(stand_in(x, [place]), axis, gate)
    return blocks(gated.glu, x, [], [Result(y.dtype, {place: y.shape[place]})], "glu", axis=axis, gate=gate)[0]


@on_dask(gated.glu_backward, _ONE_CHUNK)
def glu_backward(dy, x, axis, gate):
    name, x = "glu_backward", as_dask(x)
    place = check.axis_of(name, axis, x)
    one_chunk(name, "x", x, [place])
    y = blocks(gated.glu, x, [], [Result(x.dtype, {place: x.shape[place] // 2})], name, axis=axis, gate=gate)[0]
    dy = beside(name, "dy", dy, y, range(x.ndim), "as y")
    dtype = gated.glu_backward(stand_in(dy, [place]), stand_in(x, [place]), axis, gate).dtype
    options = {"function": gated.glu_backward, "axis": axis, "gate": gate}
    return blocks(_swapped, x, [(dy, range(x.ndim))], [Result(dtype)], name, **options)[0]


@on_dask(gated.maxout, _ONE_CHUNK)
def maxout(x, pieces, axis):
    place = check.axis_of("maxout", axis, x)
    one_chunk("maxout", "x", x, [place])
    of_axis = gated.maxout(stand_in(x, [place]), pieces, axis)
    results = [Result(r.dtype, {place: r.shape[place]}) for r in of_axis]
    return tuple(blocks(gated.maxout, x, [], results, "maxout", pieces=pieces, axis=axis))


@on_dask(gated.maxout_backward, _ONE_CHUNK)
def maxout_backward(dy, winner, pieces, axis):
    name, dy = "maxout_backward", as_dask(dy)
    place = check.axis_of(name, axis, dy, "dy")
    one_chunk(name, "dy", dy, [place])
    winner = beside(name, "winner", winner, dy, range(dy.ndim), "as dy")
    dx = gated.maxout_backward(stand_in(dy, [place]), stand_in(winner, [place]) * 0, pieces, axis)
    result = Result(dx.dtype, {place: dx.shape[place]})
    operands = [(winner, range(dy.ndim))]
    return blocks(gated.maxout_backward, dy, operands, [result], name, pieces=pieces, axis=axis)[0]


# --- one parameter for each channel ----------------------------------------------------------------------------------


@on_dask(gated.bias_activation, _ANY_CHUNKS)
def bias_activation(x, bias, activation, axis):
    name = "bias_activation"
    x, bias, place = _with_bias(name, x, bias, axis)
    dtype = gated.bias_activation(stand_in(x, [place]), stand_in(bias), activation, axis).dtype
    options = {"activation": activation, "axis": axis}
    return blocks(gated.bias_activation, x, [(bias, [place])], [Result(dtype)], name, **options)[0]


@on_dask(gated.bias_activation_backward, _ANY_CHUNKS)
def bias_activation_backward(dy, x, bias, activation, axis):
    name = "bias_activation_backward"
    x, bias, place = _with_bias(name, x, bias, axis)
    dy, every = beside(name, "dy", dy, x, range(x.ndim), "as x"), range(x.ndim)
    options = {"activation": activation, "axis": axis}
    of_none = gated.bias_activation_backward(stand_in(dy, [place]), stand_in(x, [place]), stand_in(bias), **options)
    results = [Result(of_none[0].dtype), Result(np.float64, dict.fromkeys(others(x, [place]), 1))]
    operands = [(dy, every), (bias, [place])]
    options |= {"function": gated.bias_activation_backward, "place": place}
    dx, partial = blocks(_with_sums, x, operands, results, name, **options)
    return dx, summed(partial, [place], bias.shape, of_none[1].dtype)


def _with_bias(name: str, x: Any, bias: Any, axis: Any) -> tuple[Any, Any, int]:
    x = as_dask(x)
    place = check.axis_of(name, axis, x)
    known(name, "x", x, [place])
    return x, beside(name, "bias", bias, x, [place], f"to match axis {axis} of x"), place


def _with_sums(x: Any, dy: Any, parameter: Any, *, function: Any, place: int | None, **options: Any) -> Any:
    """(dx, the parameter's gradient as float64, of length 1 along all axes but `place`)."""
    dx, gradient = function(dy, x, parameter, **options)
    shape = [1] * dx.ndim
    if place is not None:
        shape[place] = -1
    return dx, np.asarray(gradient, np.float64).reshape(shape)


@on_dask(parametric.prelu, _ANY_CHUNKS)
def prelu(x, alpha, axis):
    x, alpha, places = _with_slopes("prelu", x, alpha, axis)
    dtype = parametric.prelu(stand_in(x, places), stand_in(alpha), axis).dtype
    return blocks(parametric.prelu, x, [(alpha, places)], [Result(dtype)], "prelu", axis=axis)[0]


@on_dask(parametric.prelu_backward, _ANY_CHUNKS)
def prelu_backward(dy, x, alpha, axis):
    name, shape = "prelu_backward", np.shape(alpha)
    x, alpha, places = _with_slopes(name, x, alpha, axis)
    dy = beside(name, "dy", dy, x, range(x.ndim), "as x")
    of_none = parametric.prelu_backward(stand_in(dy, places), stand_in(x, places), stand_in(alpha), axis)
    results = [Result(of_none[0].dtype), Result(np.float64, dict.fromkeys(others(x, places), 1))]
    operands = [(dy, range(x.ndim)), (alpha.astype(np.float64), places)]
    options = {"function": parametric.prelu_backward, "axis": axis, "place": places[0] if places else None}
    dx, partial = blocks(_with_sums, x, operands, results, name, **options)
    return dx, summed(partial, places, shape, float_dtype(alpha))


def _with_slopes(name: str, x: Any, alpha: Any, axis: Any) -> tuple[Any, Any, list[int]]:
    """x, alpha beside it, and the axes of x that alpha has: none for a single slope."""
    x, alpha = as_dask(x), as_dask(alpha)
    if alpha.size == 1:
        return x, alpha.reshape(()), []
    place = check.axis_of(name, axis, x)
    known(name, "x", x, [place])
    return x, beside(name, "alpha", alpha, x, [place], f"to match axis {axis} of x"), [place]


# --- random slopes ---------------------------------------------------------------------------------------------------


_WHATEVER = "Any chunks will do: the slopes are those of the same call with a NumPy array."


@on_dask(parametric.rrelu, _WHATEVER)
def rrelu(x, lower, upper, training, rng):
    if training:
        return rrelu_forward(x, lower, upper, rng=rng)[0]
    dtype = parametric.rrelu(stand_in(x, []), lower, upper).dtype
    return blocks(parametric.rrelu, x, [], [Result(dtype)], "rrelu", lower=lower, upper=upper)[0]


@on_dask(parametric.rrelu_forward, _WHATEVER)
def rrelu_forward(x, lower, upper, rng):
    name = "rrelu_forward"
    known(name, "x", x, range(x.ndim))
    y, cache = parametric.rrelu_forward(stand_in(x, []), lower, upper, rng=rng)
    options = {"cache": cache._replace(x=y), "shape": x.shape}
    return blocks(_leaky, x, starts(x), [Result(y.dtype)], name, **options)[0], cache._replace(x=x)


@on_dask(parametric.rrelu_backward, _WHATEVER)
def rrelu_backward(dy, cache):
    name = "rrelu_backward"
    if not isinstance(cache, parametric.RReLUCache):
        raise TypeError(f"{name}: cache is of type {type(cache).__name__}, expected one from rrelu_forward")
    x = as_dask(cache.x)
    dy = beside(name, "dy", dy, x, range(x.ndim), "as x")
    empty = cache._replace(x=parametric.rrelu(stand_in(x, [])))
    dtype = parametric.rrelu_backward(stand_in(dy, []), empty).dtype
    operands = [*starts(x), (dy, range(x.ndim))]
    return blocks(_leaky, x, operands, [Result(dtype)], name, cache=empty, shape=x.shape)[0]


def _leaky(x: Any, *operands: Any, cache: parametric.RReLUCache, shape: tuple[int, ...]) -> Any:
    """The block of y; that of dx, if that of dy comes after where the block begins."""
    slopes = located(partial(_slopes, cache), shape, operands[: x.ndim], x.shape)
    dy = operands[x.ndim :]
    return leaky_relu_backward(dy[0], x, slopes) if dy else leaky_relu(x, slopes)


def _slopes(cache: parametric.RReLUCache, first: int, end: int) -> np.ndarray:
    """The slopes of the elements from `first` to `end`, in C order, of the whole array.

    A state of Philox makes four float64 numbers or eight float32 ones.
    """
    dtype = np.float64 if cache.x.dtype == np.float64 else np.float32
    state, skipped = divmod(first, 32 // np.dtype(dtype).itemsize)
    generator = np.random.Generator(np.random.Philox(key=cache.seed, counter=state))
    uniform = generator.random(end - first + skipped, dtype)[skipped:]
    return uniform * dtype(cache.upper - cache.lower) + dtype(cache.lower)
