"""Work that Ctrl-C must not cut in half: importing numba, compiling, a step that copies parameters."""

import _thread
from collections.abc import Callable


def shielded(work: Callable[[], None]) -> bool:
    """Do the work on a thread of its own, which no KeyboardInterrupt reaches; whether one came meanwhile.

    An interrupted import of numba leaves it broken for the rest of the process.
    """
    failure: list[BaseException] = []
    done: list[bool] = []
    running = _thread.allocate_lock()
    running.acquire()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failure.append(error)
        done.append(True)
        running.release()

    interrupted = False
    try:
        _thread.start_new_thread(run, ())  # not threading.Thread, whose start can be interrupted before it knows
    except RuntimeError:  # no more threads, or the interpreter is ending
        run()
    except KeyboardInterrupt:  # Python looks for one when a call returns: the thread is there
        interrupted = True
    while not done:
        try:
            running.acquire(timeout=1.0)
        except KeyboardInterrupt:  # with the lock or without
            interrupted = True
    if failure:
        raise failure[0]
    return interrupted
