"""Argument checks and their messages, the same for every function.

A check raises `ValueError` or `TypeError` before anything is written, in one form:

    batch_norm_forward: gamma has shape (3,), expected (64,) to match axis 1 of x

i.e. the function, the argument, what was given, what was expected. A check returns its argument in the form
that the caller computes with, so that each reads as one assignment.
"""

import math
import operator
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

_FLOATS = (np.float16, np.float32, np.float64)

#: Steps that NumPy may spend on the exact answer to "do these two views overlap?"; beyond: "they may".
_OVERLAP_WORK = 10_000


def real_array(function: str, argument: str, value: Any) -> np.ndarray:
    """`value` as a native float16, float32 or float64 array; integers and bools become float64."""
    array = np.asarray(value)
    if array.dtype.kind in "iub":
        return array.astype(np.float64)
    if array.dtype.type not in _FLOATS:
        raise TypeError(
            f"{function}: {argument} has dtype {array.dtype}, expected float16, float32, float64 or integers"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def integer(function: str, argument: str, value: Any) -> int:
    """`value` as a Python int; bools and floats are none."""
    value = _unboxed(value)
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{function}: {argument} is {value!r}, expected an integer")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {argument} is {value!r}, expected an integer") from None


def number(function: str, argument: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a finite float with low <= value <= high."""
    value = _unboxed(value)
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{function}: {argument} is {value!r}, expected a number")
    result = float(value)
    if not (math.isfinite(result) and low <= result <= high):
        raise ValueError(f"{function}: {argument} is {value!r}, expected {_range(low, high)}")
    return result


def _unboxed(value: Any) -> Any:
    """A 0-d array as its scalar: a number that went through `np.savez`."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _range(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "a finite number"
    if math.isinf(high):
        return f"a finite number >= {low:g}"
    return f"a number from {low:g} to {high:g}"


def one_of(function: str, argument: str, value: Any, allowed: Iterable[str]) -> str:
    """`value`, which must be one of the names in `allowed`."""
    names = list(allowed)
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{function}: {argument} is {value!r}, expected one of {', '.join(names)}")
    return value


def axis_of(function: str, axis: Any, array: np.ndarray, argument: str = "x") -> int:
    """`axis` of `array` counted from the front."""
    index = integer(function, "axis", axis)
    if not -array.ndim <= index < array.ndim:
        raise ValueError(
            f"{function}: axis is {index}, expected {-array.ndim} to {array.ndim - 1}"
            f" for {argument} of shape {array.shape}"
            if array.ndim
            else f"{function}: axis is {index}, but {argument} is 0-d and has none"
        )
    return index % array.ndim


def same_shape(function: str, argument: str, array: np.ndarray, shape: tuple[int, ...], why: str) -> np.ndarray:
    """`array`, which must have `shape`; `why` ends the message ("to match x")."""
    if array.shape != shape:
        raise ValueError(f"{function}: {argument} has shape {array.shape}, expected {shape} {why}")
    return array


def updated_array(function: str, argument: str, value: Any, shape: tuple[int, ...], why: str) -> np.ndarray:
    """`value`, which the function updates in place: a writable native float ndarray of `shape`."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{function}: {argument} is a {type(value).__name__}, expected an array to update in place")
    if value.dtype.type not in _FLOATS or not value.dtype.isnative:
        raise TypeError(f"{function}: {argument} has dtype {value.dtype}, expected native float16, float32 or float64")
    if not value.flags.writeable:
        raise ValueError(f"{function}: {argument} is read-only, expected an array to update in place")
    return same_shape(function, argument, value, shape, why)


def output(function: str, out: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array that the result goes to: `out` (an array or a 1-tuple, as in NumPy) or, for None, a new one."""
    if isinstance(out, tuple):
        if len(out) != 1:
            raise ValueError(f"{function}: out is a tuple of {len(out)}, expected an array or a tuple of one")
        (out,) = out
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: out is a {type(out).__name__}, expected an array")
    same_shape(function, "out", out, shape, "as the result has")
    if not np.can_cast(dtype, out.dtype, casting="same_kind"):
        raise TypeError(f"{function}: out has dtype {out.dtype}, which a {dtype} result cannot be cast to")
    if not out.flags.writeable:
        raise ValueError(f"{function}: out is read-only")
    return out


def apart(function: str, out: np.ndarray, **inputs: np.ndarray | None) -> None:
    """`out` must not overlap any of the named inputs, which a later backward pass reads."""
    for argument, array in inputs.items():
        if array is not None and overlap(out, array):
            raise ValueError(f"{function}: out overlaps {argument}, which the backward pass needs as it is")


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the two share memory; "yes" where the exact answer would take long."""
    try:
        return np.shares_memory(a, b, max_work=_OVERLAP_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def generator(function: str, rng: Any) -> np.random.Generator:
    """The generator that `rng` stands for (SPEC 7): None, an int seed or an `np.random.Generator`."""
    if rng is None or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    if isinstance(rng, (bool, np.bool_)) or not isinstance(rng, (int, np.integer)):
        raise TypeError(f"{function}: rng is {rng!r}, expected None, an int seed or a numpy.random.Generator")
    if rng < 0:
        raise ValueError(f"{function}: rng is {rng}, expected a seed >= 0")
    return np.random.default_rng(int(rng))


class Activation(NamedTuple):
    """An elementwise function and its backward with every parameter filled in."""

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray], np.ndarray]


def activation(function: str, value: Any, dtype: np.dtype) -> Activation | None:
    """What `activation=` names: None, a name, a function, or a tuple (name or function, parameter).

    It is tried on one element of `dtype`, so that a wrong parameter raises here, before anything is written.
    """
    if value is None:
        return None
    from fastnn import activation as lookup  # not at the top: the package imports its functions lazily

    one = np.ones(1, dtype)
    try:
        pair = Activation(*lookup(value))
        tried = pair.forward(one), pair.backward(one, one)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{function}: activation is {value!r}: {error}") from None
    if any(not isinstance(result, np.ndarray) or result.shape != (1,) for result in tried):
        raise ValueError(f"{function}: activation is {value!r}, expected a function with one result per element")
    return pair
