"""The thread pool's words (intp), shared by Python and compiled code; see `pool`."""

#: Helper threads at most.
MAX_HELPERS = 255

LIMIT = 0  # cores a call may use
HELPER, MUTEX_LOCK, MUTEX_UNLOCK, CONDITION_WAIT, CONDITION_BROADCAST = 1, 2, 3, 4, 5  # addresses of functions
CREATE, JOIN, SIGNAL_MASK, YIELD = 6, 7, 8, 9
SIG_SETMASK, ENVIRONMENT = 10, 11
JOB, CONTEXT, CHUNKS, STARTED = 16, 17, 18, 19

# Words that different threads write, each on a cache line of its own.
BUSY, OPEN, JOBS, NEXT, ACTIVE, TICKETS, SLEEPERS, STOP = 24, 32, 40, 48, 56, 64, 72, 80
MUTEX, CONDITION = 88, 96  # 64 bytes each
THREADS = 104
WORDS = THREADS + MAX_HELPERS
