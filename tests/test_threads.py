"""The thread pool: same bits for any number of threads, and no way to die."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from processes import run_python

import fastnn as fnn

X = np.random.default_rng(0).standard_normal(1_000_003).astype(np.float32)

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")


def test_same_bits_for_any_number_of_threads():
    with fnn.threads(1):
        expected = fnn.sigmoid(X)
    for n in (2, 3, 100):
        with fnn.threads(n):
            np.testing.assert_array_equal(fnn.sigmoid(X), expected)


def test_limit():
    before = fnn.get_num_threads()
    with fnn.threads(1):
        assert fnn.get_num_threads() == 1
    assert fnn.get_num_threads() == before
    most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with fnn.threads(10**6):
        assert fnn.get_num_threads() == most
    for n in (0, -1):
        with pytest.raises(ValueError, match="expected at least 1"):
            fnn.set_num_threads(n)
    for n in (1.5, "2", None, True):
        with pytest.raises(TypeError, match="expected an integer"):
            fnn.set_num_threads(n)
    assert fnn.get_num_threads() == before


def test_limit_is_restored_after_an_error():
    before = fnn.get_num_threads()
    with pytest.raises(KeyError), fnn.threads(1):
        raise KeyError
    assert fnn.get_num_threads() == before


def test_many_python_threads():
    expected, wrong = fnn.sigmoid(X), []

    def work():
        for _ in range(30):
            if not np.array_equal(fnn.sigmoid(X), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


_SETUP = """
import os, sys, numpy as np, fastnn as fnn
x = np.linspace(-5, 5, 500_000, dtype=np.float32)
expected = fnn.sigmoid(x)
"""


@posix
def test_fork_after_parallel_use():
    code = """
def child(depth):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    ok = fnn.get_num_threads() == 1 and np.array_equal(fnn.sigmoid(x), expected)
    fnn.set_num_threads(2)
    ok = ok and all(np.array_equal(fnn.sigmoid(x), expected) for _ in range(20))
    ok = ok and (depth == 0 or child(depth - 1) == 0)
    sys.exit(0 if ok else 1)
for _ in range(5):
    assert child(1) == 0
    assert np.array_equal(fnn.sigmoid(x), expected)
"""
    run_python(_SETUP + code)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_process_pools(method, tmp_path):
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, sys, numpy as np, fastnn as fnn\n"
        "def work(k):\n    return fnn.tanh(np.full(200_000, k, np.float32))[-1]\n"
        "if __name__ == '__main__':\n"
        "    fnn.tanh(np.zeros(200_000, np.float32))\n"
        f"    with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "        assert pool.map(work, range(8)) == [fnn.tanh(np.float32(k)) for k in range(8)]\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, timeout=120, stdin=subprocess.DEVNULL)


def test_environment_sets_the_limit():
    run_python("import fastnn; assert fastnn.get_num_threads() == 1", NUMBA_NUM_THREADS="1")
    run_python("import fastnn; assert fastnn.get_num_threads() >= 1", NUMBA_NUM_THREADS="many")
    run_python(_SETUP + "assert fnn.get_num_threads() == 1", NUMBA_NUM_THREADS="1")


@posix
@pytest.mark.parametrize("delay", [0.1, 0.5, 1.0, 1.5, 2.0])
def test_interrupt_while_compiling(delay, tmp_path):
    """Ctrl-C arrives, whatever is being compiled, and afterwards everything works."""
    code = f"""
import os, signal, threading, time, numpy as np, fastnn as fnn
threading.Timer({delay}, os.kill, (os.getpid(), signal.SIGINT)).start()
x = np.linspace(-2, 2, 1001)
try:
    while True:
        y = fnn.hard_swish(x)
        assert abs(y - x * np.clip(x / 6 + 0.5, 0, 1)).max() < 1e-12
        time.sleep(0.01)
except KeyboardInterrupt:
    pass
for dtype in (np.float32, np.float64):
    assert abs(fnn.relu6(x.astype(dtype)) - np.clip(x, 0, 6)).max() < 1e-6
"""
    run_python(code, FASTNN_CACHE_DIR=str(tmp_path))


def test_the_interpreter_ends_while_helpers_spin():
    for _ in range(5):
        run_python(_SETUP)


def test_flush_to_zero_of_another_library_changes_nothing():
    """Subnormals survive in a thread whose MXCSR flushes them."""
    ctypes = pytest.importorskip("ctypes")
    libm = ctypes.CDLL(None)
    if not hasattr(libm, "fegetenv") or os.uname().machine != "x86_64":
        pytest.skip("sets MXCSR through glibc's fenv_t of x86-64")
    saved, flushing = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
    libm.fegetenv(saved)
    libm.fegetenv(flushing)
    mxcsr = int.from_bytes(flushing.raw[28:32], "little") | 0x8040  # FTZ | DAZ
    flushing[28:32] = mxcsr.to_bytes(4, "little")
    tiny = np.full(100, 1e-40, np.float32)
    for n in (10, 100):
        out = np.empty(n, np.float32)
        libm.fesetenv(flushing)
        try:
            fnn.relu(tiny[:n], out)
        finally:
            libm.fesetenv(saved)
        np.testing.assert_array_equal(out.view(np.int32), tiny[:n].view(np.int32))


def test_no_floating_point_status_is_left_behind():
    x = np.array([-1e30, -200, -88, 0, 88, 200, 1e30, np.inf, -np.inf, np.nan] * 10, np.float32)
    with np.errstate(all="raise"):
        for name in fnn.activations.NAMES:
            if name in ("prelu", "rrelu", "threshold"):
                continue
            f, f_backward = fnn.activation(name)
            f(x)
            f_backward(x, x)
