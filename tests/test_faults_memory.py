"""Calls without end: no object, no array and no page is left behind by any function."""

from pathlib import Path

import pytest
from processes import FULL, run_python

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")

#: 10^5 calls of each function with FASTNN_TEST_FULL=1.
CALLS = 100_000 if FULL else 1000

_CODE = '''
import gc, os, tracemalloc
import numpy as np
import fastnn as fnn
from calls import calls

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def repeat(call, count):
    for _ in range(count):
        call()

def growth(call, count, measure):
    """After enough calls to fill what keeps a bounded number of objects, the interpreter's free lists among them."""
    repeat(call, 500)
    gc.collect()
    before = measure()
    repeat(call, count)
    gc.collect()
    return measure() - before

small = calls(4, 8)
tracemalloc.start()  # NumPy's data too; an array costs more than 100 bytes
def traced_growth(call):
    """The smaller of two: a table that grows once by chance is no leak."""
    return min(growth(call, 200, lambda: tracemalloc.get_traced_memory()[0]) for _ in range(2))

traced = {name: traced_growth(call) for name, call in small.items()}
tracemalloc.stop()
blocks = {name: growth(call, CALLS, sys.getallocatedblocks) for name, call in small.items()}
dtypes = {name: growth(call, 200, lambda: sys.getrefcount(np.dtype("f4"))) for name, call in small.items()}
found = {
    "bytes": {name: size for name, size in traced.items() if size > 10_000},
    "blocks": {name: count for name, count in blocks.items() if count > max(50, CALLS // 10)},
    "references to a dtype": {name: count for name, count in dtypes.items() if count > 20},
}
assert not any(found.values()), found
start = resident()
for call in small.values():
    repeat(call, CALLS)
assert resident() - start < 4 << 20, f"{resident() - start} bytes more in use"
'''


def test_calls_leave_nothing_behind():
    run_python(_CODE.replace("CALLS", str(CALLS)), timeout=3000 if FULL else 600)


def test_errors_leave_nothing_behind():
    """Arguments that are refused, too: the exception of one call is gone with the next."""
    code = """
wrong = np.ones(3, complex)
def refuse(f, *arguments):
    try:
        f(*arguments)
    except (TypeError, ValueError):
        return
    raise AssertionError(f)
x, five = np.ones((4, 8), "f4"), np.ones(5)
refused = {
    "relu": lambda: refuse(fnn.relu, wrong),
    "elu": lambda: refuse(fnn.elu, x, five),
    "batch_norm": lambda: refuse(fnn.batch_norm_forward, x, five, None),
    "layer_norm": lambda: refuse(fnn.layer_norm_forward, x, five),
    "softmax": lambda: refuse(fnn.softmax, x, 7),
    "dropout": lambda: refuse(fnn.dropout_forward, x, 2.0),
    "mse": lambda: refuse(fnn.mse, x, five),
    "cross_entropy": lambda: refuse(fnn.softmax_cross_entropy, x, np.full(4, 9)),
    "Adam": lambda: refuse(fnn.optim.Adam([x]).step, [five]),
}
blocks = {name: growth(call, 1000, sys.getallocatedblocks) for name, call in refused.items()}
assert max(blocks.values()) <= 100, blocks
"""
    head = _CODE[: _CODE.index("small = ")]
    run_python(head + code)


@pytest.mark.parametrize("large", [True, False])
def test_threads_leave_nothing_behind(large):
    """Threads that come and go, each with parallel calls and with small ones."""
    code = f"""
import threading
x = np.ones({1_000_000 if large else 10}, "f4")
out = np.empty_like(x)
def turn():
    threads = [threading.Thread(target=fnn.sigmoid, args=(x, out)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert growth(turn, 200, sys.getallocatedblocks) < 150
assert growth(turn, 200, resident) < 2 << 20
"""
    head = _CODE[: _CODE.index("small = ")]
    run_python(head + code)
