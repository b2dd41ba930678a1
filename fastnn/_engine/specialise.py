"""Plain Python formula -> numba function for one dtype.

A formula is ordinary Python over floats. Compiled as it stands, `0.5 * x` would be float64 arithmetic even
for a float32 x (a Python literal is float64 to numba), at half the vector width. Here a formula is copied
once per dtype: its float literals, float globals and default values become constants of that dtype (what
NEP 50 calls weak Python scalars), primitives become intrinsics, and the helper functions it calls are
copied in the same way.
"""

import builtins
import dis
import itertools
import types
from typing import Any

import numpy as np

from . import simd_math
from .definitions import definition_of
from .formulas import Namespace, global_names
from .pairs import Double, Pair
from .vectors import Lanewise, Memory, Several, Stack

#: No fast-math at all: strict IEEE arithmetic gives the vector body, its tail and every machine the same
#: bits (arcp alone would turn float32 vector division, and only that, into an estimate), and fusing is
#: explicit (fma). error_model="numpy" keeps division free of exceptions, hence of branches.
#: fastmath is said, too: numba takes what is not said from the function that it is compiling, which may be a user's.
OPTIONS = {
    "error_model": "numpy",
    "fastmath": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "forceinline": True,
}

_SPECIALISED: dict[tuple, Any] = {}


def specialise(formula, dtype):
    """A numba dispatcher of `formula` with every constant and callee typed for dtype.

    For np.float16 that is np.float32, the two differing only in what kernels load and store.
    """
    key = formula, dtype
    if key not in _SPECIALISED:
        from numba import njit

        _SPECIALISED[key] = njit(**OPTIONS)(_retyped(formula, dtype))
    return _SPECIALISED[key]


def announce_overloads() -> None:
    """Make known what `numba.extending.overload` was told, also to a compilation that is going on."""
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()


def jitted(function):
    """A numba dispatcher of a plain integer function and of those it calls: the driver's, not a formula's."""
    return specialise(function, np.float64)


def _retyped(formula, dtype):
    code = formula.__code__
    names = {name: formula.__globals__[name] for name in global_names(code) if name in formula.__globals__}
    # numba imports the module that a function names. That of a user's formula may be in the midst of its own import on
    # another thread, which waits for this one: the copies belong here.
    scope = {
        "__name__": __name__,
        "__builtins__": builtins,
        **{name: _convert(value, dtype) for name, value in names.items()},
    }
    cells = tuple(types.CellType(_convert(cell.cell_contents, dtype)) for cell in formula.__closure__ or ())
    number = _number(dtype)
    if number is np.float32:
        code = _with_weak_integers(code)
    constants = tuple(number(c) if type(c) is float else c for c in code.co_consts)
    copy = types.FunctionType(code.replace(co_consts=constants), scope, formula.__name__, None, cells)
    copy.__defaults__ = tuple(_convert(value, dtype) for value in formula.__defaults__ or ()) or None
    return copy


def _with_weak_integers(code: types.CodeType) -> types.CodeType:
    """The code with its integer literals as int16, exponents aside.

    To numba int64 * float32 is a float64, int16 * float32 a float32; `x ** 2` it unrolls for a literal only.
    """
    constants, instructions = list(code.co_consts), list(dis.get_instructions(code))
    text = bytearray(code.co_code)
    for instruction, following in itertools.pairwise(instructions):
        value = instruction.argval
        literal = instruction.opname in ("LOAD_CONST", "RETURN_CONST") and type(value) is int and abs(value) < 2**15
        exponent = following.opname == "BINARY_POWER" or following.argrepr in ("**", "**=")
        if literal and not exponent and len(constants) < 256:
            text[instruction.offset + 1] = len(constants)
            constants.append(np.int16(value))
    return code.replace(co_code=bytes(text), co_consts=tuple(constants))


def _number(dtype):
    """What a kernel for dtype computes in."""
    return np.float64 if dtype is np.float64 else np.float32


def _convert(value, dtype):
    from .intrinsics import INTRINSICS

    value = getattr(value, "pair", value)  # a function of fastnn.vmath
    made = definition_of(value)
    if made is not None:
        value = made.formula
    number = _number(dtype)
    if type(value) is float:
        return number(value)
    if type(value) is int and number is np.float32 and abs(value) < 2**15:
        return np.int16(value)
    if isinstance(value, Pair):
        return specialise(value.implementation(number), number)
    if isinstance(value, Double):
        return specialise(value.function, np.float64)
    if isinstance(value, (Memory, Several, Lanewise, Stack)):
        return _vector_part(value, dtype)
    if isinstance(value, types.FunctionType):
        return INTRINSICS[value] if value in INTRINSICS else specialise(value, dtype)
    if isinstance(value, tuple):
        return tuple(_convert(entry, dtype) for entry in value)
    if isinstance(value, Namespace):
        return Namespace(value.__name__, {name: _convert(each, dtype) for name, each in value.attributes.items()})
    if isinstance(value, types.ModuleType) and value.__name__ in (simd_math.__name__, "fastnn.vmath"):
        return _MathFor(number)
    return value


#: Modules whose functions are the same for every dtype of the memory.
_WITHOUT_MEMORY = tuple(f"fastnn._engine.{name}" for name in ("primitives", "simd_math", "vectors"))


def interpreted(function, dtype):
    """A copy of a kernel's function that runs as plain Python, its memory being of dtype."""

    def bound(value):
        if isinstance(value, (Memory, Several)):
            return value.of(dtype)
        if not isinstance(value, types.FunctionType) or value.__module__.startswith(_WITHOUT_MEMORY):
            return value
        return interpreted(value, dtype)

    scope = {name: bound(value) for name, value in function.__globals__.items() if name in function.__code__.co_names}
    cells = tuple(types.CellType(bound(cell.cell_contents)) for cell in function.__closure__ or ())
    scope["__builtins__"] = builtins
    return types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells)


def _vector_part(value, dtype):
    from . import vector_intrinsics

    if isinstance(value, Memory):
        return vector_intrinsics.memory_module(value.of(dtype))
    if isinstance(value, Several):
        from .tuple_intrinsics import several

        return several(value.of(dtype))
    if isinstance(value, Stack):
        return vector_intrinsics.stack(value.bytes)
    return vector_intrinsics.lanewise(value.formula)


class _MathFor(types.ModuleType):
    """simd_math as numba sees it from a formula of one dtype."""

    def __init__(self, dtype):
        super().__init__(f"simd_math_{np.dtype(dtype).name}")
        self._dtype = dtype

    def __getattr__(self, name):
        return _convert(getattr(simd_math, name), self._dtype)
