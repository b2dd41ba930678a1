"""The thread pool, compiled: plain POSIX threads that never touch Python or an OpenMP runtime.

Why an own pool: numba's layers each have a way to end the process (workqueue when two Python threads
launch at once, GNU OpenMP in a forked child), cost 1.3 s of compilation and wait for the slowest thread.
Here the caller takes chunks itself and helpers join when they wake, so that a sleeping or busy
machine costs nothing but the speed-up; a second caller at the same time runs serially; a forked child starts
from an empty pool.

The pool is an array of intp words; those that different threads write stand on cache lines of their own.
"""

from . import memory as m
from . import pool_layout as P
from .memory import (
    atomic_add,
    atomic_exchange,
    atomic_load,
    atomic_store,
    call1,
    call2,
    call3,
    call4,
    load,
    pause,
    store,
)

#: Turns of `pause` that a thread waits for another before it offers its core to others: some 50 us.
SPINS = 2000
#: Offers (sched_yield) that a helper without work makes before it goes to sleep: about a millisecond. A training loop's
#: next call usually comes sooner, and a sleeper is slow to wake.
YIELDS = 2000
#: With more helpers than this the system is left to find them cores.
PLACED = 7

_MASK = m.stack(8 * P.CORES_WORDS)
_OLD_SIGNALS, _ALL_SIGNALS = m.stack(128), m.stack(128)


def first_chunk(pool, share):
    """Chunks are dealt out in equal runs, one a thread."""
    return share * load(pool, P.CHUNKS) // load(pool, P.SHARES)


def drain(pool, me):
    """Take chunks of the current job until none is left: one's own share first, then the others'.

    The same thread gets the same elements call after call, so that they are still in its L2 (relu of 256,000:
    12 us, against 17 with chunks for whoever comes first).
    """
    job, context, shares = load(pool, P.JOB), load(pool, P.CONTEXT), load(pool, P.SHARES)
    for k in range(shares):
        share = (me + k) % shares
        end, place = first_chunk(pool, share + 1), pool + 8 * (P.NEXT + P.LINE * share)
        index = atomic_add(place, 1)
        while index < end:
            call2(job, context, index)
            index = atomic_add(place, 1)


def wait_for_work(pool, seen):
    """Spin, then sleep, until the job counter moves on from `seen`; the new count, or -1 to end."""
    spins = 0
    while True:
        count = atomic_load(pool + 8 * P.JOBS)
        if atomic_load(pool + 8 * P.STOP):
            return -1
        if count != seen:
            return count
        spins += 1
        if spins < SPINS:
            pause()
            continue
        if spins < SPINS + YIELDS:
            call1(load(pool, P.YIELD), 0)
            continue
        call1(load(pool, P.MUTEX_LOCK), pool + 8 * P.MUTEX)
        # Counted before the last look at JOBS; `run` writes JOBS before it looks here: one sees the other.
        atomic_add(pool + 8 * P.SLEEPERS, 1)
        while atomic_load(pool + 8 * P.JOBS) == seen and not atomic_load(pool + 8 * P.STOP):
            call2(load(pool, P.CONDITION_WAIT), pool + 8 * P.CONDITION, pool + 8 * P.MUTEX)
        atomic_add(pool + 8 * P.SLEEPERS, -1)
        call1(load(pool, P.MUTEX_UNLOCK), pool + 8 * P.MUTEX)
        spins = 0


def helper(pool):
    """A helper thread's life."""
    me = atomic_add(pool + 8 * P.NUMBERED, 1) + 1
    m.restore_environment(load(pool, P.ENVIRONMENT))
    seen = wait_for_work(pool, 0)
    while seen >= 0:
        # ACTIVE first, OPEN second; `run` closes first, then waits for ACTIVE to fall: a helper that
        # comes late either sees a closed job or is waited for.
        atomic_add(pool + 8 * P.ACTIVE, 1)
        if atomic_load(pool + 8 * P.OPEN) and me < load(pool, P.SHARES):
            drain(pool, me)
        atomic_add(pool + 8 * P.ACTIVE, -1)
        seen = wait_for_work(pool, seen)
    return 0


def place_helpers(pool):
    """Keep the helpers off this thread's core before they wake.

    A virtual machine's idle core looks busy to its scheduler, which then wakes a helper on the caller's own core, to
    wait there for milliseconds (1 in 2 times on a KVM guest of two cores).
    """
    core, started = call1(load(pool, P.CURRENT_CORE), 0) & 0xFFFFFFFF, load(pool, P.STARTED)
    if started > PLACED or core >= 64 * P.CORES_WORDS:
        return
    mask = _MASK()
    for k in range(P.CORES_WORDS):
        store(mask, k, load(pool, P.CORES + k))
    store(mask, core // 64, load(mask, core // 64) & ~(1 << (core % 64)))
    for k in range(started):
        call3(load(pool, P.SET_AFFINITY), load(pool, P.THREADS + k), 8 * P.CORES_WORDS, mask)


def wake(pool):
    call1(load(pool, P.MUTEX_LOCK), pool + 8 * P.MUTEX)
    call1(load(pool, P.CONDITION_BROADCAST), pool + 8 * P.CONDITION)
    call1(load(pool, P.MUTEX_UNLOCK), pool + 8 * P.MUTEX)


def start_helpers(pool, wanted):
    """Start helpers up to `wanted`, with all signals blocked: those belong to Python's threads."""
    blocked, before = _ALL_SIGNALS(), _OLD_SIGNALS()
    for k in range(16):
        store(blocked, k, -1)
    set_mask = load(pool, P.SIGNAL_MASK)
    call3(set_mask, load(pool, P.SIG_SETMASK), blocked, before)
    started = load(pool, P.STARTED)
    while started < wanted:
        handle = pool + 8 * (P.THREADS + started)
        failed = call4(load(pool, P.CREATE), handle, 0, load(pool, P.HELPER), pool) & 0xFFFFFFFF
        if failed:  # the system gives no more threads: do with these, and do not ask again
            store(pool, P.LIMIT, started + 1)
            break
        started += 1
    store(pool, P.STARTED, started)
    call3(set_mask, load(pool, P.SIG_SETMASK), before, 0)


def run(pool, job, context, chunks, threads):
    """job(context, i) for i in range(chunks), each once, in any order, on up to `threads` threads."""
    if threads <= 1 or atomic_exchange(pool + 8 * P.BUSY, 1):
        for index in range(chunks):
            call2(job, context, index)
        return
    if load(pool, P.STARTED) < threads - 1:
        start_helpers(pool, threads - 1)
    store(pool, P.JOB, job)
    store(pool, P.CONTEXT, context)
    store(pool, P.CHUNKS, chunks)
    store(pool, P.SHARES, threads)
    for share in range(threads):
        atomic_store(pool + 8 * (P.NEXT + P.LINE * share), first_chunk(pool, share))
    atomic_store(pool + 8 * P.OPEN, 1)
    atomic_add(pool + 8 * P.JOBS, 1)
    if atomic_load(pool + 8 * P.SLEEPERS):
        if load(pool, P.SET_AFFINITY):
            place_helpers(pool)
        wake(pool)
    drain(pool, 0)
    atomic_store(pool + 8 * P.OPEN, 0)
    spins = 0
    while atomic_load(pool + 8 * P.ACTIVE):
        spins += 1
        if spins < SPINS:
            pause()
        else:  # the helper has been put off its core: let it have ours
            call1(load(pool, P.YIELD), 0)
    atomic_store(pool + 8 * P.BUSY, 0)


def stop(pool):
    """End and join all helpers, before the interpreter unmaps the code they run; from then on all calls are serial.

    A daemon thread may be in the midst of a call: it is waited for.
    """
    while atomic_exchange(pool + 8 * P.BUSY, 1):
        call1(load(pool, P.YIELD), 0)
    atomic_store(pool + 8 * P.STOP, 1)
    wake(pool)
    for k in range(load(pool, P.STARTED)):
        call2(load(pool, P.JOIN), load(pool, P.THREADS + k), 0)
    store(pool, P.STARTED, 0)
    store(pool, P.LIMIT, 1)
    return 0
