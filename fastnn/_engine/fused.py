"""Kernels that are more than an elementwise loop: jobs for the thread pool, compiled once a dtype.

A job is a function `job(context, index)` written in terms of `vectors`; `index` counts the chunks of a launch, each of
which is done once, on any thread, in any order. So that results do not depend on the number of threads, chunks are cut
by the shape alone, and a chunk writes its own part of the result. `context` is the address of the launch's arguments:
`word(context, k)` and `real(context, k)` read the k-th, counted from 1; word 0 is the status that `launch` returns.
"""

import ctypes
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import cache, loops, native, runtime
from . import launch_layout as L
from .fingerprint import fingerprint
from .shield import shielded

_TEMPLATE = """
declare i32 @{job}(ptr, ptr, i64, i64)

define i64 @{name}(i64 %context, i64 %index) "prefer-vector-width"="512" {{
  %result = alloca i64
  %status = call i32 @{job}(ptr %result, ptr null, i64 %context, i64 %index)
  ret i64 0
}}
"""
_DTYPES: dict[str, Any] = {"e": np.float16, "f": np.float32, "d": np.float64}
_JOB = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class Kernel(dict):
    """A job by dtype: `launch(kernel[x.dtype.char], chunks, work, *arguments)`."""

    def __init__(self, name: str, job: Callable):
        super().__init__()
        self.name, self.job = name, job
        KERNELS.append(self)

    def __missing__(self, char: str) -> Any:
        if not loops.JIT:
            self[char] = _interpreted(self.job, char)
        elif caught := shielded(partial(self._resolve, char)):
            raise caught
        return self[char]

    def _resolve(self, char: str) -> None:
        """Load or compile the job, or leave it as Python."""
        with native.COMPILING:
            if char not in self:
                try:
                    self[char] = _load(self, char)
                except Exception as error:
                    callback = _JOB(_interpreted(self.job, char))
                    _KEPT.append(callback)
                    self[char] = loops._address(callback)
                    loops.warn_of_slowness(self.name, error)


KERNELS: list[Kernel] = []
_KEPT: list[object] = []


def _symbol(kernel: Kernel, char: str) -> str:
    name = f"{kernel.name}-{np.dtype(char).name}-{fingerprint(kernel.job)}"
    return re.sub("[^0-9a-zA-Z_]", "_", f"fastnn_{name}")


def _load(kernel: Kernel, char: str) -> int:
    symbol = _symbol(kernel, char)
    object_file = cache.fetch(symbol, lambda: native.compile_object(*parts(kernel, char), symbol))
    return native.load(object_file, symbol)[0]


def parts(kernel: Kernel, char: str) -> tuple[str, list[str]]:
    """(entry IR, [IR of the job and of the formulas in it]), ready to be linked."""
    from numba import intp

    from . import lanes
    from .specialise import specialise

    ir, name = native.scalar_ir(specialise(kernel.job, _DTYPES[char]), intp(intp, intp))
    return _TEMPLATE.format(job=name, name=_symbol(kernel, char)), [ir, *lanes.needed_by(ir)]


def _interpreted(job: Callable, char: str) -> Callable:
    from .specialise import interpreted

    return interpreted(job, _DTYPES[char])


def _launch_interpreted(job: Callable, chunks: int, work: int, *arguments: Any) -> int:
    """`launch` in plain Python."""
    jobs = job[:chunks] if isinstance(job, tuple) else ((job, chunks),)
    context = np.zeros(len(arguments) + L.FIRST_ARGUMENT, np.int64)
    for k, argument in enumerate(arguments, L.FIRST_ARGUMENT):
        if isinstance(argument, float):
            context.view(np.float64)[k] = argument
        elif isinstance(argument, np.ndarray):
            context[k] = argument.ctypes.data
        else:
            context[k] = argument or 0
    with np.errstate(all="ignore"):
        for each, count in jobs:
            for index in range(count):
                each(context.ctypes.data, index)
    return int(context[L.STATUS])


def _locate_interpreted(parameters: list, gradients: list, table: np.ndarray, width: int) -> int:
    """`locate` in plain Python."""
    for k, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        row = table[k]
        of_gradient, of_parameter = int(row[L.NEEDED]) & L.LOW_HALF, int(row[L.NEEDED]) >> 32
        fits = (
            type(gradient) is np.ndarray
            and gradient.dtype == parameter.dtype
            and gradient.flags.num & of_gradient == of_gradient
            and parameter.flags.num & of_parameter == of_parameter
            and row[L.PARAMETER] in (0, parameter.ctypes.data)
            and gradient.shape == parameter.shape
        )
        if not fits:
            return k
        row[L.GRADIENT] = gradient.ctypes.data
    return -1


class _MethodDef(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_METH_FASTCALL = 0x80


def _words() -> np.ndarray:
    """What the compiled functions need to know of the interpreter and the pool."""
    api = ctypes.pythonapi
    words = np.zeros(L.WORDS, np.intp)
    for word, function in {
        L.AS_INTEGER: api.PyLong_AsSsize_t,
        L.FROM_INTEGER: api.PyLong_FromSsize_t,
        L.ERROR_OCCURRED: api.PyErr_Occurred,
        L.BAD_ARGUMENT: api.PyErr_BadArgument,
        L.RELEASE_GIL: api.PyEval_SaveThread,
        L.TAKE_GIL: api.PyEval_RestoreThread,
    }.items():
        words[word] = loops._address(function)
    words[L.POOL], words[L.ENVIRONMENT] = runtime.pool.ctypes.data, runtime.environment.ctypes.data
    words[L.FLOAT_TYPE], words[L.ARRAY_TYPE], words[L.NONE] = id(float), id(np.ndarray), id(None)
    return words


def _builtin(name: str, words: np.ndarray) -> Callable:
    """A compiled function as a built-in function of the interpreter."""
    method = _MethodDef(name.encode(), runtime.start()[name], _METH_FASTCALL, None)
    _KEPT.extend((words, method))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(method), words, None)


if loops.JIT:
    _WORDS = _words()
    launch: Callable[..., int] = _builtin("launch", _WORDS)
    locate: Callable[..., int] = _builtin("locate", _WORDS)
else:
    launch, locate = _launch_interpreted, _locate_interpreted


def phases(*jobs: tuple[Any, int]) -> Any:
    """Several (job, chunks), one after the other, as what `launch` takes in place of one."""
    return np.array(jobs, np.intp) if loops.JIT else jobs
