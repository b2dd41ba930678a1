"""Work that Ctrl-C must not cut in half: importing numba, compiling, filling a record."""

import threading
from collections.abc import Callable


def shielded(work: Callable[[], None]) -> bool:
    """Do the work on a thread of its own, which no KeyboardInterrupt reaches; whether one came meanwhile.

    An interrupted import of numba leaves it broken for the rest of the process.
    """
    failure: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failure.append(error)

    worker = threading.Thread(target=run, daemon=True)
    interrupted = False
    try:
        worker.start()
    except RuntimeError:  # no more threads, or the interpreter is ending
        run()
    while worker.is_alive():
        try:
            worker.join()
        except KeyboardInterrupt:
            interrupted = True
    if failure:
        raise failure[0]
    return interrupted
