"""Compiled code, its loops, threads and cache: all that knows numba, LLVM or NumPy's C API."""

import ctypes as _ctypes


def _in_main_interpreter() -> bool:
    of = _ctypes.pythonapi
    current = _ctypes.PYFUNCTYPE(_ctypes.c_void_p)(("PyInterpreterState_Get", of))()
    return _ctypes.PYFUNCTYPE(_ctypes.c_int64, _ctypes.c_void_p)(("PyInterpreterState_GetID", of))(current) == 0


if not _in_main_interpreter():  # where a call from compiled code back to Python waits for ever
    raise ImportError("fastnn: this is a subinterpreter, expected the main interpreter or a process of its own")
