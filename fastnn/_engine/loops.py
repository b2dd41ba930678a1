"""A formula's inner loops, one a dtype, and true NumPy ufuncs made of them."""

import ctypes
import functools
import os
import re
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from . import cache, kernels, native, runtime
from . import loop_layout as L
from .fingerprint import fingerprint
from .formulas import compiler_error
from .shield import raise_later, shielded

#: With NUMBA_DISABLE_JIT=1 formulas run as the plain Python they are.
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")

#: A call of this many ns pays a second core. Sharing out costs 0.4 us with a helper that waits, and 5 us with one that
#: sleeps: 2 us lose little in the second case, and calls that come one after the other have the first.
_PARALLEL_NS = 2000.0
#: ns a float32 element takes on one core: this much to load and store it, and so much an instruction.
_ELEMENT_NS, _INSTRUCTION_NS = 0.05, 0.008
#: Instructions up to which a kernel waits for memory, and stores past the caches help: relu of 16 million float32 takes
#: 2.6 ms instead of 3.7. sigmoid (30 instructions) is the slower for it, 4.1 ms instead of 3.2: blocks of 256 keep
#: the processor from computing ahead.
_STREAM_COST = 16


@dataclass(frozen=True)
class Formula:
    """A scalar function of `arrays` array operands followed by parameters."""

    name: str
    function: Callable
    arrays: int
    parameters: tuple[str, ...] = ()

    @property
    def operands(self) -> int:
        return self.arrays + len(self.parameters) + 1


@functools.cache
def _last_level_cache() -> int:
    """Bytes of the largest cache that the first core sees; 32 MB where the system does not say."""
    sizes = [32 << 10]
    for entry in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = entry.read_text().strip()
        sizes.append(int(text[:-1]) << {"K": 10, "M": 20}.get(text[-1], 0))
    return max(sizes) if len(sizes) > 1 else 32 << 20


class Loop:
    """A formula's inner loop for one storage dtype: the record that the driver reads, kept for good."""

    def __init__(self, formula: Formula, char: str):
        self.formula, self.char = formula, char
        self.dtype = np.float64 if char == "d" else np.float32
        #: The dtypes NumPy sees: parameters of a float16 loop are float32, so that 0.01 keeps its digits.
        self.types = char * formula.arrays + ("d" if char == "d" else "f") * len(formula.parameters) + char
        self.record = np.zeros(L.WORDS, np.intp)
        self.number = len(_LOOPS)
        #: Keeps the C callback of `_resolve_or_interpret` alive.
        self.fallback: object = None
        _LOOPS.append(self)

    @property
    def address(self) -> int:
        return self.record.ctypes.data

    def fill(self) -> None:
        """Write the record; the kernels are resolved when first needed."""
        record, formula = self.record, self.formula
        size = np.dtype(self.dtype).itemsize
        addresses = runtime.start()
        record[L.OPERANDS] = formula.operands
        record[L.PARAMETER] = formula.arrays
        record[L.SIZE] = size
        if self.char == "e":
            record[L.HALF] = ((1 << formula.arrays) - 1) | 1 << (formula.operands - 1)
        record[L.PARALLEL] = record[L.STREAM] = np.iinfo(np.intp).max
        record[L.NUMBER] = self.number
        record[L.POOL] = runtime.pool.ctypes.data
        record[L.ENVIRONMENT] = runtime.environment.ctypes.data
        record[L.CHUNK] = addresses["chunk"]
        record[L.RESOLVE] = _address(_RESOLVE)

    def resolve(self, of_arrays: bool) -> None:
        """Load, or compile, the kernel for parameters of one value or for varying ones."""
        address, cost = _kernel(self.formula, self.dtype, of_arrays and bool(self.formula.parameters))
        size = np.dtype(self.dtype).itemsize
        self.record[L.PARALLEL] = int(_PARALLEL_NS / (_ELEMENT_NS + _INSTRUCTION_NS * cost) * 4 / size)
        if cost <= _STREAM_COST:
            self.record[L.STREAM] = _last_level_cache() // size
        self.record[L.KERNEL_OF_ARRAYS if of_arrays else L.KERNEL] = address


_LOOPS: list[Loop] = []


def _address(callback) -> int:
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


@functools.cache
def _kernel(formula: Formula, dtype, of_arrays: bool) -> tuple[int, int]:
    """(address, instructions an element) of a kernel, from the disk cache or compiled."""
    arrays, count = formula.arrays, formula.operands - 1
    scalars = () if of_arrays else tuple(range(arrays, count))
    name = f"{formula.name}-{np.dtype(dtype).name}-{'arrays-' * of_arrays}{fingerprint(formula.function)}"
    name = re.sub("[^0-9a-zA-Z_-]", "_", name)
    symbol = "fastnn_" + name.replace("-", "_")
    payload = cache.fetch(name, lambda: kernels.compile_kernel(symbol, formula.function, dtype, count, scalars))
    cost = int.from_bytes(payload[: kernels.COST_BYTES], "little")
    (address,) = native.load(payload[kernels.COST_BYTES :], symbol)
    return address, cost


def _compile(formula: Formula, dtype) -> None:
    with native.COMPILING:
        _kernel(formula, dtype, False)


def compile_now(formula: Formula, written: types.FunctionType) -> None:
    """Compile a user's formula for float32 and float64, or say which line of what was `written` makes it impossible."""
    for dtype in (np.float32, np.float64):
        try:
            if JIT:
                if caught := shielded(partial(_compile, formula, dtype)):
                    raise caught
            else:
                dtype(formula.function(*[dtype(1)] * (formula.operands - 1)))
        except Exception as error:
            raise compiler_error(formula.name, written, error) from error


@ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)
def _RESOLVE(number, of_arrays):
    """The driver calls this, inside a ufunc call, for a kernel it meets for the first time.

    No exception can leave it: what is raised here, Ctrl-C included, would be dropped while the loop runs on
    without a kernel.
    """
    loop = _LOOPS[number]
    if caught := shielded(lambda: _resolve_or_interpret(loop, bool(of_arrays))):
        raise_later(caught)


def warn_of_slowness(name: str, error: Exception) -> None:
    """Say that something does not compile, and what follows."""
    text = f"fastnn: {name} cannot be compiled here and runs slowly, as Python: {error!r}"
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def _resolve_or_interpret(loop: Loop, of_arrays: bool) -> None:
    """Leaves a kernel in the record, come what may: the driver calls what it finds there."""
    with native.COMPILING:
        try:
            loop.resolve(of_arrays)
        except Exception as error:
            from .interpreter import python_kernel

            loop.fallback = python_kernel(loop.formula, loop.dtype, of_arrays)
            loop.record[L.KERNEL_OF_ARRAYS if of_arrays else L.KERNEL] = _address(loop.fallback)
            warn_of_slowness(loop.formula.name, error)


@functools.cache
def _new_ufunc():
    """NumPy's C function PyUFunc_FromFuncAndData, slot 1 of its public ufunc table."""
    try:
        from numpy._core import _multiarray_umath as umath  # type: ignore[attr-defined]
    except ImportError:  # numpy 1
        from numpy.core import _multiarray_umath as umath
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(get(umath._UFUNC_API, None), ctypes.POINTER(ctypes.c_void_p))
    i, p, s = ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p
    return ctypes.PYFUNCTYPE(ctypes.py_object, p, p, p, i, i, i, i, s, s, i)(table[1])


_KEPT: list[object] = []  # NumPy keeps pointers, not objects


def make_ufunc(name: str, doc: str, formula: Formula, order: str = "efd") -> np.ufunc:
    """A ufunc over the formula's arrays and parameters.

    It has loops for float16 (computed in float32), float32 and float64; an integer array takes the first in `order`
    that it can be cast to. Nothing is compiled here.
    """
    loops = [Loop(formula, char) for char in order]
    if JIT:
        for loop in loops:
            loop.fill()
        functions = [runtime.start()["inner_loop"]] * 3
    else:
        from .interpreter import python_loop

        callbacks = [python_loop(loop) for loop in loops]
        _KEPT.append(callbacks)
        functions = [_address(callback) for callback in callbacks]
    table = (ctypes.c_void_p * 3)(*functions)
    data = (ctypes.c_void_p * 3)(*[loop.address for loop in loops])
    numbers = np.array([np.dtype(c).num for loop in loops for c in loop.types], np.int8)
    name_bytes, doc_bytes = name.encode(), doc.encode()
    _KEPT.append((table, data, numbers, name_bytes, doc_bytes))
    nin = len(loops[0].types) - 1
    addresses = ctypes.addressof(table), ctypes.addressof(data), numbers.ctypes.data
    return _new_ufunc()(*addresses, 3, nin, 1, -1, name_bytes, doc_bytes, 0)
