"""Threads of every kind: Python's, Dask's, numba's own; small stacks, limits that change, handlers of signals."""

import os

import pytest
from processes import FULL, driver_alone, run_python

_CALLS = """
import random, threading
import numpy as np
import fastnn as fnn
from calls import calls, result_bits

every = calls(256, 300)
expected = {}
with fnn.threads(1):
    for name, call in every.items():
        expected[name] = result_bits(call())
wrong = []

def compare(seed, rounds=1):
    for _ in range(rounds):
        for name in random.Random(seed).sample(sorted(every), len(every)):
            if result_bits(every[name]()) != expected[name]:
                wrong.append(name)
"""
_ROUNDS = 10 if FULL else 1
_LAYERS = ["tbb", "omp", "workqueue"]


def test_sixteen_threads_in_every_function():
    code = f"""
threads = [threading.Thread(target=compare, args=(k, {_ROUNDS})) for k in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong, wrong
"""
    run_python(_CALLS + code, timeout=3000 if FULL else 600)


def test_the_limit_changes_during_calls():
    code = f"""
running = True
def change():
    while running:
        for n in (1, 2, 100):
            fnn.set_num_threads(n)
changer = threading.Thread(target=change)
changer.start()
compare(0, {_ROUNDS})
running = False
changer.join()
assert not wrong, wrong
"""
    run_python(_CALLS + code)


def test_dask_threads():
    pytest.importorskip("dask", reason="comes with the extra `dask`")
    code = """
import dask
def one(name):
    return result_bits(every[name]()) == expected[name]
names = sorted(every) * 2
with dask.config.set(scheduler="threads", num_workers=8):
    assert all(dask.compute(*[dask.delayed(one)(name) for name in names]))
import dask.array as da
x = np.linspace(-4, 4, 400_000, dtype=np.float32)
lazy = fnn.gelu(da.from_array(x, chunks=50_000))
with dask.config.set(scheduler="threads", num_workers=8):
    assert np.array_equal(lazy.compute(), fnn.gelu(x))
"""
    run_python(_CALLS + code)


#: Someone's own parallel loops on a threading layer of numba's; `callback` is Python called from their threads.
_PRANGE = """
import ctypes, os
import numba

@ctypes.CFUNCTYPE(None, ctypes.c_int64)
def callback(k):
    compare(k)

@numba.njit(parallel=True, nogil=True)
def calls_back(n):
    for k in numba.prange(n):
        callback(k)

@numba.njit(parallel=True, nogil=True)
def total(x):
    result = 0.0
    for k in numba.prange(x.size):
        result += x[k] * 2.0
    return result

ones = np.ones(100_000)
try:
    assert total(ones) == 200_000
except ValueError as error:
    print("no layer:", error)
    sys.exit()
assert numba.threading_layer() == os.environ["NUMBA_THREADING_LAYER"]
"""


def _run_beside(layer, code, **environment):
    done = run_python(_CALLS + _PRANGE + code, NUMBA_THREADING_LAYER=layer, **environment)
    if done.stdout.startswith("no layer"):
        pytest.skip(f"numba finds no {layer} here, which fastnn does not depend on")


@pytest.mark.parametrize("layer", _LAYERS if FULL else ["omp"])
def test_inside_someones_prange(layer):
    _run_beside(layer, "calls_back(4)\nassert not wrong, wrong\n")


def test_inside_someones_objmode():
    code = """
@numba.njit(parallel=True)
def in_objmode(x, out):
    for k in numba.prange(4):
        out[k] = k
    with numba.objmode():
        compare(0)
    for k in numba.prange(4):
        out[k] += x[k]
    return out
assert in_objmode(ones, np.zeros(4)).tolist() == [1.0, 2.0, 3.0, 4.0]
assert not wrong, wrong
"""
    _run_beside("omp", code)


@pytest.mark.parametrize("layer", _LAYERS)
@pytest.mark.parametrize("threads", ["", "1"])
def test_beside_numbas_threads(layer, threads):
    """The user's loop runs on one thread (numba's workqueue bears no more), fastnn on three others."""
    code = f"""
others = [threading.Thread(target=compare, args=(k, {_ROUNDS})) for k in range(3)]
for other in others:
    other.start()
while any(other.is_alive() for other in others):
    assert total(ones) == 200_000
assert not wrong, wrong
"""
    _run_beside(layer, code, **({"NUMBA_NUM_THREADS": threads} if threads else {}))


@pytest.mark.parametrize("kilobytes", [128, 256])
def test_threads_with_a_small_stack(kilobytes):
    """NumPy and Python leave little of less: 128 KiB are enough for every function."""
    code = f"""
threading.stack_size({kilobytes} << 10)
threads = [threading.Thread(target=compare, args=(k,)) for k in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong, wrong
"""
    run_python(_CALLS + code)


def test_compiling_on_a_thread_with_a_small_stack(tmp_path):
    """LLVM needs more than the thread has: it gets another one, and the setting stays the user's."""
    code = """
import threading, numpy as np, fastnn as fnn
fnn.mish, fnn.layer_norm_forward
threading.stack_size(128 << 10)
x, found = np.linspace(0, 4, 40).reshape(4, 10), []
def work():
    found.append((fnn.mish(x)[0, 0], fnn.layer_norm_forward(x)[0].shape))
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert found == [(0.0, (4, 10))], found
assert threading.stack_size() == 128 << 10
"""
    run_python(code, FASTNN_CACHE_DIR=driver_alone(tmp_path))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
def test_handlers_of_signals_that_call_fastnn(tmp_path):
    """While the same thread loads, compiles or computes."""
    code = """
import signal
from fastnn._engine import runtime
x = np.linspace(-3, 3, 200_001, dtype=np.float32)
rows = x[:200_000].reshape(200, 1000)
handled = []
def handler(*_):
    handled.append(bool((fnn.relu6(x) == np.clip(x, 0, 6)).all()) and abs(fnn.softmax(rows).sum() - 200) < 0.1)
fnn.relu6(x), fnn.softmax(rows)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
assert abs(fnn.mish(x)).max() < 3 and fnn.layer_norm_forward(rows)[0].shape == rows.shape and fnn.gelu(x)[0] < 0
for _ in range(100):
    assert (fnn.relu6(x) == np.clip(x, 0, 6)).all()
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(handled) >= 5 and all(handled), handled
"""
    run_python("import numpy as np, fastnn as fnn\n" + code, FASTNN_CACHE_DIR=driver_alone(tmp_path))
