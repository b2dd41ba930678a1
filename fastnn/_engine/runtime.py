"""The compiled driver and its thread pool in this process: loading, threads, forks, the end."""

import atexit
import contextlib
import ctypes
import os
import platform
import struct
from collections.abc import Iterator

import numpy as np

from . import cache, native
from . import pool_layout as P
from .shield import shielded

#: Exported functions of the driver's object file, in the order of its address table.
_NAMES = ("inner_loop", "chunk", "helper", "stop", "launch", "locate")


def _compile_driver() -> bytes:
    from numba import intp

    from . import driver
    from .specialise import jitted

    table, parts, declared = [], [], []
    for name, (function, arity) in driver.EXPORTED.items():
        ir, symbol = native.scalar_ir(jitted(function), intp(*[intp] * arity))
        arguments = ", ".join(f"i64 %a{k}" for k in range(arity))
        call = f"call i32 @{symbol}(ptr %r, ptr null, {arguments})"
        parts.append(ir)
        declared.append(f"declare i32 @{symbol}(ptr, ptr{', i64' * arity})")
        table.append(
            f"define i64 @fastnn_{name}({arguments}) {{\n"
            f"  %r = alloca i64\n  %s = {call}\n  %v = load i64, ptr %r\n  ret i64 %v\n}}"
        )
    symbols = [f"fastnn_{name}" for name in _NAMES]
    return native.compile_object("\n".join(declared + table), parts, *symbols, inline=False)


def _default_environment() -> np.ndarray:
    """The floating-point state kernels run in: round to nearest, gradual underflow, no traps."""
    words = np.zeros(64, np.intp)
    if platform.machine().lower() in ("x86_64", "amd64"):
        words.view(np.uint8)[:4] = list(struct.pack("<I", 0x1F80))
    else:
        ctypes.CDLL(None).fegetenv(ctypes.c_void_p(words.ctypes.data))
    return words


def _aligned_words(count: int) -> np.ndarray:
    memory = np.zeros(count + 8, np.intp)
    start = -memory.ctypes.data % 64 // 8
    return memory[start : start + count]


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _initial_limit() -> int:
    """NUMBA_NUM_THREADS if it is a number, else every core this process may use."""
    with contextlib.suppress(KeyError, ValueError):
        return max(1, min(int(os.environ["NUMBA_NUM_THREADS"]), _MOST))
    return _MOST


_MOST = min(_available_cores(), P.MAX_HELPERS + 1) if os.name == "posix" else 1
environment = _default_environment()
pool = _aligned_words(P.WORDS)


def _prepare_pool(limit: int) -> None:
    """A pool without helpers; also in a forked child, where the parent's threads do not exist."""
    pool.fill(0)
    pool[P.LIMIT] = limit
    pool[P.ENVIRONMENT] = environment.ctypes.data
    if os.name != "posix":
        return
    c = ctypes.CDLL(None)
    pool[P.SIG_SETMASK] = 3 if os.uname().sysname == "Darwin" else 2
    functions = {
        P.MUTEX_LOCK: c.pthread_mutex_lock,
        P.MUTEX_UNLOCK: c.pthread_mutex_unlock,
        P.CONDITION_WAIT: c.pthread_cond_wait,
        P.CONDITION_BROADCAST: c.pthread_cond_broadcast,
        P.CREATE: c.pthread_create,
        P.JOIN: c.pthread_join,
        P.SIGNAL_MASK: c.pthread_sigmask,
        P.YIELD: c.sched_yield,
    }
    if hasattr(c, "pthread_setaffinity_np") and hasattr(c, "sched_getcpu") and hasattr(os, "sched_getaffinity"):
        functions |= {P.SET_AFFINITY: c.pthread_setaffinity_np, P.CURRENT_CORE: c.sched_getcpu}
        for core in os.sched_getaffinity(0):
            if core < 64 * P.CORES_WORDS:
                pool[P.CORES + core // 64] |= np.uint64(1 << core % 64).view(np.intp)
    for word, function in functions.items():
        pool[word] = ctypes.cast(function, ctypes.c_void_p).value
    pool[P.HELPER] = addresses.get("helper", 0)
    address = pool.ctypes.data
    c.pthread_mutex_init(ctypes.c_void_p(address + 8 * P.MUTEX), None)
    c.pthread_cond_init(ctypes.c_void_p(address + 8 * P.CONDITION), None)


def _load() -> None:
    with native.COMPILING:
        if addresses:
            return
        object_file = cache.fetch("driver", _compile_driver)
        found = dict(zip(_NAMES, native.load(object_file, *(f"fastnn_{name}" for name in _NAMES)), strict=True))
        pool[P.HELPER] = found["helper"]
        addresses.update(found)


addresses: dict[str, int] = {}
_prepare_pool(_initial_limit())


def start() -> dict[str, int]:
    """Addresses of the driver's functions, loaded (or compiled) once."""
    # No lock is held here: the handler of a signal that comes meanwhile may call this again, on the same thread.
    if not addresses and (caught := shielded(_load)):
        raise caught
    return addresses


def _end() -> None:
    if pool[P.STARTED]:
        ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(addresses["stop"])(pool.ctypes.data)


def _after_fork() -> None:
    _prepare_pool(1)  # one thread: worker processes come in numbers, and each may still ask for more


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def get_num_threads() -> int:
    """Number of cores a call may use.

    At the start it is the environment's NUMBA_NUM_THREADS, else all the cores of this process; 1 in a
    forked child.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> import fastnn as fnn
    >>> with fnn.threads(1):
    ...     fnn.get_num_threads()
    1
    """
    return int(pool[P.LIMIT])


def set_num_threads(n: int) -> None:
    """Set how many cores a call may use, in the whole process; more than there are means all of them.

    Results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError
        If n is not an integer.
    ValueError
        If n is less than 1.

    Examples
    --------
    >>> import fastnn as fnn
    >>> before = fnn.get_num_threads()
    >>> fnn.set_num_threads(1)
    >>> fnn.get_num_threads()
    1
    >>> fnn.set_num_threads(before)
    """
    if isinstance(n, (bool, np.bool_)) or not hasattr(n, "__index__"):
        raise TypeError(f"set_num_threads: n is {n!r}, expected an integer")
    if n.__index__() < 1:
        raise ValueError(f"set_num_threads: n is {n}, expected at least 1")
    pool[P.LIMIT] = min(n.__index__(), _MOST)


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Limit the cores that calls inside a with block may use, in the whole process.

    Parameters
    ----------
    n : int
        At least 1.

    Yields
    ------
    None
        The block runs with the limit; afterwards it is what it was.

    Raises
    ------
    TypeError
        If n is not an integer.
    ValueError
        If n is less than 1.

    Examples
    --------
    >>> import fastnn as fnn
    >>> with fnn.threads(1):
    ...     y = fnn.relu([-1.0, 2.0])
    >>> y
    array([0., 2.])
    """
    before = get_num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        pool[P.LIMIT] = before
