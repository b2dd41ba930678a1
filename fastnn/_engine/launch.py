"""`launch(job, chunks, work, *arguments)`: run a compiled job from Python, compiled itself.

`launch(phases, count, work, *arguments)` runs several, one after the other, from an array of (job, chunks): nothing of
Python, no KeyboardInterrupt either, comes between them.

It is a built-in function of the interpreter (METH_FASTCALL): a call with eight arguments takes 0.03 us, where one
through ctypes takes more than a microsecond and `array.ctypes.data` another one for each array. Arrays arrive as the
address of their data, floats as their bits, None as 0: the words of the job's context from FIRST_ARGUMENT on. The
caller has checked them: contiguous, of the job's dtype, large enough.
"""

from . import launch_layout as L
from . import memory as m
from . import pool_layout as P
from .memory import call1, load, store
from .pool import run

#: Work, in ns, that pays a second core and giving up Python's lock. See `loops`.
PARALLEL_NS = 2000

#: The arguments as they come, so that the first two make a phase and those from the fourth on a job's context.
_ARGUMENTS, _SAVED = m.stack(8 * (L.MAX_ARGUMENTS + 4)), m.stack(64)


def run_all(pool, phases, count, context, threads):
    """Every phase; all of its chunks have ended before the next one begins."""
    for k in range(count):
        chunks = load(phases, 2 * k + 1)
        run(pool, load(phases, 2 * k), context, chunks, min(threads, chunks))


def launch(self, arguments, count):
    """Python calls this: PyObject *(PyObject *self, PyObject *const *arguments, Py_ssize_t count)."""
    words = load(self, L.HEADER)  # self is an array
    if count < 3 or count - 3 > L.MAX_ARGUMENTS:
        call1(load(words, L.BAD_ARGUMENT), 0)
        return 0
    given = _ARGUMENTS()
    for k in range(count):
        item = load(arguments, k)
        kind = load(item, L.TYPE)
        if kind == load(words, L.ARRAY_TYPE) or kind == load(words, L.FLOAT_TYPE):
            value = load(item, L.HEADER)
        elif item == load(words, L.NONE):
            value = 0
        else:
            value = call1(load(words, L.AS_INTEGER), item)
            if value == -1 and call1(load(words, L.ERROR_OCCURRED), 0):
                return 0
        store(given, k, value)
    phases, phase_count, work, context = given, 1, load(given, 2), given + 8 * (3 - L.FIRST_ARGUMENT)
    if load(load(arguments, 0), L.TYPE) == load(words, L.ARRAY_TYPE):
        phases, phase_count = load(given, 0), load(given, 1)
    store(context, L.STATUS, 0)
    saved = _SAVED()
    m.save_environment(saved)
    m.restore_environment(load(words, L.ENVIRONMENT))
    pool = load(words, L.POOL)
    if work < PARALLEL_NS:
        run_all(pool, phases, phase_count, context, 1)
    else:  # always without the lock: a job that had to be left as Python waits for it on every thread
        state = call1(load(words, L.RELEASE_GIL), 0)
        run_all(pool, phases, phase_count, context, load(pool, P.LIMIT))
        call1(load(words, L.TAKE_GIL), state)
    m.restore_environment(saved)
    return call1(load(words, L.FROM_INTEGER), load(context, L.STATUS))
