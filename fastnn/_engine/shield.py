"""Work that no signal must cut in half: importing numba, compiling, a step that copies parameters."""

import _thread
import ctypes
import sys
import threading
from collections.abc import Callable

#: Bytes of stack for the work: LLVM needs a megabyte, and `threading.stack_size` may have been set to less.
_STACK = 16 << 20

#: Threads that have been asked for and do not run yet, by a lock of their own, and the thread that asked. Until it runs
#: a new thread has the identity of that one to CPython, which would raise there what `raise_later` means for the other.
_STARTING: dict[_thread.LockType, int] = {}


def shielded(work: Callable[[], None]) -> BaseException | None:
    """Do the work on a thread of its own; what a signal's handler raised here meanwhile, for the caller to raise.

    An interrupted import of numba leaves it broken for the rest of the process.
    """
    failure: list[BaseException] = []
    done: list[bool] = []
    running = _thread.allocate_lock()
    running.acquire()
    stack, caller = _thread.stack_size(), threading.get_ident()

    def run() -> None:
        _STARTING.pop(running, None)
        _thread.stack_size(stack)
        try:
            work()
        except BaseException as error:
            failure.append(error)
        done.append(True)
        running.release()

    if _inside_numba():  # whose lock the other thread would wait for
        work()
        return None
    caught: BaseException | None = None
    if 0 < stack < _STACK:
        _thread.stack_size(_STACK)  # what a handler raises up to here it may: nothing has begun
    _STARTING[running] = caller
    try:
        _thread.start_new_thread(run, ())  # not threading.Thread, whose start can be interrupted before it knows
    except RuntimeError:  # no more threads, or the interpreter is ending
        run()
    except BaseException as error:  # handlers run when a call returns: the thread is there
        caught = error
    while not done:
        try:
            running.acquire(timeout=1.0)
        except BaseException as error:  # with the lock or without
            caught = error
    if failure:
        raise failure[0]
    return caught


def _inside_numba() -> bool:
    """Whether this thread is in the midst of a compilation by numba, which has come upon fastnn's names."""
    lock = getattr(sys.modules.get("numba.core.compiler_lock"), "global_compiler_lock", None)
    return lock is not None and lock.is_locked()


def raise_later(error: BaseException) -> None:
    """Raise `error` on this thread after the C callback that calls this has returned: raised inside, it is dropped."""

    class Again(type(error)):  # type: ignore[misc]
        """Python makes the exception that it raises from a class; this one gives the one there is."""

        def __new__(cls):
            return error

    caller = threading.get_ident()
    thread, kind = ctypes.c_ulong(caller), ctypes.py_object(Again)
    raise_there = ctypes.pythonapi.PyThreadState_SetAsyncExc

    def deliver() -> None:
        if caller in _STARTING.values():
            threading.Timer(0.005, deliver).start()
        else:
            raise_there(thread, kind)

    threading.Timer(0.005, deliver).start()
