"""Argument checks and their messages, the same for every function.

A check raises `ValueError` or `TypeError` before anything is written, in one form:

    batch_norm_forward: gamma has shape (3,), expected (64,) to match axis 1 of x

i.e. the function, the argument, what was given, what was expected. A check returns its argument in the form
that the caller computes with, so that each reads as one assignment.
"""

import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_FLOATS = (np.float16, np.float32, np.float64)

#: Steps that NumPy may spend on the exact answer to "do these two views overlap?"; beyond: "they may".
_OVERLAP_WORK = 10_000


def real_array(function: str, argument: str, value: Any) -> np.ndarray:
    """`value` as a native float16, float32 or float64 array; integers and bools become float64."""
    if type(value) is np.ndarray and (value.dtype is _SINGLE or value.dtype is _DOUBLE):
        return value
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
    if type(value) is int:
        return value
    value = _unboxed(value)
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{function}: {argument} is {value!r}, expected an integer")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {argument} is {value!r}, expected an integer") from None


def number(function: str, argument: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a finite float with low <= value <= high."""
    if type(value) is float and low <= value <= high and value - value == 0:
        return value
    value = _unboxed(value)
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{function}: {argument} is {value!r}, expected a number")
    try:
        result = float(value)
    except OverflowError:  # an integer beyond float64
        result = math.inf
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


def per_channel(function: str, argument: str, value: Any, shape: tuple[int, ...], axis: int) -> np.ndarray | None:
    """`value` as one number for each channel of `axis`; None stays None."""
    if value is None:
        return None
    array = real_array(function, argument, value)
    if array.shape != (shape[axis],):
        raise ValueError(
            f"{function}: {argument} has shape {array.shape}, expected ({shape[axis]},) to match axis {axis} of x"
        )
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


def like_parameter(function: str, argument: str, value: Any, dtype: np.dtype, parameter: str) -> np.ndarray:
    """`value` as an array of a parameter's dtype: an array must have it, a list or a number is of any."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{function}: {argument} is no array: {error}") from None
    if array.dtype == dtype or array.dtype.newbyteorder("=") == dtype:
        return array.astype(dtype, copy=False)
    if hasattr(value, "dtype") or array.dtype.kind not in "iuf":
        raise TypeError(f"{function}: {argument} has dtype {array.dtype}, expected {dtype} to match {parameter}")
    return array.astype(dtype)


def output(function: str, out: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The array that the result goes to: `out` (an array or a 1-tuple, as in NumPy) or, for None, a new one."""
    if type(out) is np.ndarray and out.shape == shape and out.dtype == dtype and out.flags.writeable:
        return out  # the usual case first: the checks below take a microsecond
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


def activation(function: str, value: Any):
    """What `activation=` names, as formulas for a kernel: None, a name, a function, or a tuple (either, parameter)."""
    if (value is None or isinstance(value, str)) and value in _ACTIVATIONS:
        return _ACTIVATIONS[value]
    from .ufuncs import IDENTITY, inside_kernels, parameters_of  # not at the top: these load the compiled driver

    if value is None:
        return _ACTIVATIONS.setdefault(None, IDENTITY)
    try:
        forward, given = _forward_and_parameter(value)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{function}: activation is {value!r}: {error}") from None
    parameters = parameters_of(forward)
    if given is not None and not parameters:
        raise TypeError(f"{function}: activation is {value!r}, but {forward.__name__} has no parameter")
    missing = [name for name, default in parameters.items() if default is None][given is not None :]
    if missing:
        raise TypeError(f"{function}: activation is {value!r}, which leaves {', '.join(missing)} without a value")
    found = inside_kernels(forward)
    if given is None:
        if isinstance(value, str):
            _ACTIVATIONS[value] = found
        return found
    return found._replace(parameter=number(function, f"the parameter of activation {forward.__name__}", given))


_ACTIVATIONS: dict[str | None, Any] = {}


def _forward_and_parameter(value: Any) -> tuple[Any, Any]:
    """(a function with a formula, its first parameter or None)."""
    import fastnn as fnn  # not at the top: the package imports its functions lazily

    function, *given = value if isinstance(value, tuple) else (value,)
    if len(given) > 1:
        raise ValueError(f"a tuple of length {len(given) + 1}, expected (name, parameter)")
    forward = fnn.activation(function)[0]
    if forward is fnn.prelu and given:  # one slope for all channels
        return fnn.leaky_relu, given[0]
    if forward is fnn.rrelu:  # as outside training
        lower = number("rrelu", "lower", given[0]) if given else 1 / 8
        return fnn.leaky_relu, (lower + 1 / 3) / 2
    if forward is fnn.prelu:
        raise TypeError("prelu needs its slope: ('prelu', slope)")
    return forward, given[0] if given else None
