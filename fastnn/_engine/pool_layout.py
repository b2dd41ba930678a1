"""The thread pool's words (intp), shared by Python and compiled code; see `pool`."""

#: Helper threads at most.
MAX_HELPERS = 255

LIMIT = 0  # cores a call may use
HELPER, MUTEX_LOCK, MUTEX_UNLOCK, CONDITION_WAIT, CONDITION_BROADCAST = 1, 2, 3, 4, 5  # addresses of functions
CREATE, JOIN, SIGNAL_MASK, YIELD = 6, 7, 8, 9
SIG_SETMASK, ENVIRONMENT = 10, 11
SET_AFFINITY, CURRENT_CORE = 12, 13  # 0 where the system has none
JOB, CONTEXT, CHUNKS, SHARES, STARTED = 16, 17, 18, 19, 20

# Words that different threads write, each on a cache line of its own.
BUSY, OPEN, JOBS, ACTIVE, SLEEPERS, STOP = 24, 32, 40, 48, 56, 64
NUMBERED = 65  # helpers that have taken a number
MUTEX, CONDITION = 72, 80  # 64 bytes each
THREADS = 88  # helpers' handles
NEXT = THREADS + MAX_HELPERS + 1  # a share's next chunk, every LINE words
LINE = 8
CORES = NEXT + LINE * (MAX_HELPERS + 1)  # the process's cpu_set_t
CORES_WORDS = 16
WORDS = CORES + CORES_WORDS
