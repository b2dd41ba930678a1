"""How a function of NumPy arrays becomes one of Dask arrays: checked at once, run block by block when computed.

Every result of a block has the axes of x: what is summed over an axis, or has none, is of length 1 along it. So one
index describes all arrays of a call, and sums over blocks are Dask's own.
"""

import functools
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from ..._engine import check
from .._peers import require

da = require("dask.array", "dask")

F = TypeVar("F", bound=Callable[..., Any])


class LazyCache:
    """Base of what a forward pass over Dask arrays keeps for its backward pass."""


def on_dask(original: F, note: str) -> Callable[[Callable[..., Any]], F]:
    """Decorator: a function for Dask arrays under the signature of fastnn's own, which takes all other calls.

    The decorated function gets the arguments by name, without `out`; `note` goes into the docstring.
    """
    signature = inspect.signature(original)
    summary, _, rest = (inspect.getdoc(original) or "").partition("\n\n")

    def decorate(implementation: Callable[..., Any]) -> F:
        @functools.wraps(implementation)
        def function(*args: Any, **keywords: Any) -> Any:
            if not any(map(_is_lazy, (*args, *keywords.values()))):
                return original(*args, **keywords)
            bound = signature.bind(*args, **keywords)
            bound.apply_defaults()
            out = bound.arguments.pop("out", None)
            if out is not None:
                raise TypeError(f"{function.__name__}: out is a {type(out).__name__}, expected None with Dask arrays")
            return implementation(**bound.arguments)

        function.__doc__ = f"{summary}\n\nOn Dask arrays: lazy, without `out`. {note}\n\n{rest}"
        function.__signature__ = signature  # type: ignore[attr-defined]
        return cast(F, function)

    return decorate


def _is_lazy(argument: Any) -> bool:
    """Whether it is a Dask array or holds some, as caches and statistics do."""
    parts = argument if isinstance(argument, tuple) else (argument,)
    return any(isinstance(part, (da.Array, LazyCache)) for part in parts)


class Result(NamedTuple):
    """One of a block function's results: its dtype, and the length of its blocks along axes where x's is another."""

    dtype: Any
    lengths: dict[int, int] | None = None


def blocks(
    function: Callable[..., Any],
    x: Any,
    operands: Iterable[tuple[Any, Sequence[int]]],
    results: Sequence[Result],
    name: str,
    /,
    **options: Any,
) -> list[Any]:
    """The results, as Dask arrays, of function(block of x, those of the operands beside it, **options).

    An operand is an array with the axes of x that its own are, cut as x is along them; or any other object, given to
    every block as it is. A function of several results returns a tuple.
    """
    index = tuple(range(x.ndim))
    pairs = [x, index]
    for operand, axes in operands:
        pairs += [operand, tuple(axes) if isinstance(operand, da.Array) else None]
    call = functools.partial(function, **options)
    if len(results) == 1:
        return [_blockwise(call, index, pairs, results[0], name)]
    together = _blockwise(call, index, pairs, Result(object), name)
    return [_blockwise(operator.itemgetter(k), index, [together, index], r, name) for k, r in enumerate(results)]


def _blockwise(function: Any, index: tuple[int, ...], pairs: list[Any], result: Result, name: str) -> Any:
    meta = np.empty((0,) * len(index), result.dtype)
    how = {"align_arrays": False, "concatenate": True, "adjust_chunks": result.lengths}
    return da.blockwise(function, index, *pairs, token=name, dtype=meta.dtype, meta=meta, **how)


def one_chunk(function: str, argument: str, x: Any, axes: Iterable[int]) -> None:
    """Raise unless x has a single chunk, of known length, along each of the axes."""
    axes = tuple(axes)
    several = [k for k in axes if x.numblocks[k] > 1]
    if several:
        counts = ", ".join(f"{x.numblocks[k]} chunks along axis {k}" for k in several)
        advice = ", ".join(f"{k}: -1" for k in several)
        raise ValueError(f"{function}: {argument} has {counts}, expected one: {argument}.rechunk({{{advice}}})")
    known(function, argument, x, axes)


def known(function: str, argument: str, x: Any, axes: Iterable[int]) -> None:
    """Raise unless the lengths of x along the axes are known."""
    for k in axes:
        if math.isnan(x.shape[k]):
            raise ValueError(
                f"{function}: {argument} has chunks of unknown length along axis {k},"
                f" expected known ones: {argument}.compute_chunk_sizes()"
            )


def has_unknown(x: Any) -> bool:
    """Whether the length of any axis is unknown, as after a selection by a mask."""
    return any(math.isnan(n) for n in x.shape)


def beside(function: str, argument: str, value: Any, x: Any, axes: Sequence[int], why: str) -> Any:
    """`value` as a Dask array whose axes are the given ones of x, cut as x is along them."""
    array, chunks = as_dask(value), tuple(x.chunks[k] for k in axes)
    expected = tuple(x.shape[k] for k in axes)
    if array.ndim == len(axes) and (has_unknown(array) or any(map(math.isnan, expected))):
        if array.numblocks != tuple(len(c) for c in chunks):
            raise ValueError(
                f"{function}: {argument} has chunks {array.chunks}, expected {chunks} {why};"
                " where lengths are unknown, compute_chunk_sizes() makes them known"
            )
        return array
    check.same_shape(function, argument, array, expected, why)
    return array.rechunk(chunks)


def as_dask(value: Any) -> Any:
    """A Dask array as it is, anything else as one of a single chunk; None stays None."""
    if value is None or isinstance(value, da.Array):
        return value
    return da.from_array(np.asarray(value), chunks=-1)


def stand_in(array: Any, kept: Iterable[int] | None = None) -> Any:
    """A NumPy array like a Dask array, of length 0 along all axes but those to be kept (None: keep all).

    What fastnn's own function makes of it are the checks, the errors and the dtype of the result.
    """
    if array is None:
        return None
    kept = range(array.ndim) if kept is None else tuple(kept)
    return np.ones([n if k in kept else 0 for k, n in enumerate(array.shape)], array.dtype)


def others(x: Any, axes: Iterable[int]) -> tuple[int, ...]:
    """The axes of x but the given ones."""
    axes = tuple(axes)
    return tuple(k for k in range(x.ndim) if k not in axes)


def summed(partial: Any, kept: Sequence[int], shape: tuple[int, ...], dtype: Any) -> Any:
    """Sums of the blocks, float64, added up over all axes of x but `kept`, as an array of `shape` and dtype."""
    total = partial.sum(axis=others(partial, kept)) if partial.ndim else partial
    return total.reshape(shape).astype(dtype)


def float_dtype(array: Any) -> np.dtype:
    """That of a gradient with respect to an array: its own, float64 for integers."""
    return array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
