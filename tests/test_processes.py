"""Processes: forks at the worst moments, children of children, pools of workers, many starts at once, the end."""

import os
import sys

import pytest
from processes import FULL, driver_alone, run_python

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

_SETUP = """
import os, signal, sys, threading, time
import numpy as np
import fastnn as fnn
x = np.linspace(-5, 5, 500_000, dtype=np.float32)
rows = x.reshape(500, 1000)
expected, softmax = fnn.sigmoid(x), fnn.softmax(rows)

def right():
    return np.array_equal(fnn.sigmoid(x), expected) and np.array_equal(fnn.softmax(rows), softmax)

def fork(work):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    signal.alarm(60)  # a child that hangs ends by that, with a status other than 0
    try:
        os._exit(0 if work() else 1)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(2)
"""


@posix
def test_fork_while_other_threads_compute():
    """The child has neither the helpers nor the job that they are in the midst of."""
    code = """
busy = True
def compute():
    while busy:
        fnn.sigmoid(x), fnn.softmax(rows)
threads = [threading.Thread(target=compute) for _ in range(3)]
for thread in threads:
    thread.start()
def child():
    fnn.set_num_threads(2)
    return all(right() for _ in range(5)) and fork(right) == 0
statuses = [fork(child) for _ in range(20)]
busy = False
for thread in threads:
    thread.join()
assert statuses == [0] * 20, statuses
assert right()
"""
    run_python(_SETUP + code)


@posix
def test_every_function_in_a_forked_child_and_its_child():
    """After parallel use by the parent, as parallel as it: to the bit."""
    code = """
from calls import calls, result_bits
every = calls(256, 300)
expected = {name: result_bits(call()) for name, call in every.items()}
def same():
    fnn.set_num_threads(2)
    wrong = [name for name, call in every.items() if result_bits(call()) != expected[name]]
    assert not wrong, wrong
    return True
assert fork(lambda: same() and fork(same) == 0) == 0
assert same()
"""
    run_python(_SETUP + code)


@posix
def test_fork_in_the_middle_of_a_compilation(tmp_path):
    """The compiler's locks and half-imported modules of another thread do not reach the child."""
    code = """
small = np.linspace(-2, 2, 1000)
def compile_some():
    fnn.mish(small), fnn.layer_norm_forward(small.reshape(10, 100)), fnn.gelu(small)
fnn.layer_norm_forward  # a module that is being imported stays half imported in the child: Python's own affair
thread = threading.Thread(target=compile_some)
thread.start()
def child():
    return np.array_equal(fnn.relu6(small), np.clip(small, 0, 6)) and fnn.mish(small)[-1] > 1.9 and right()
statuses = []
while thread.is_alive():
    statuses.append(fork(child))
    time.sleep(0.1)
assert set(statuses) == {0}, statuses
"""
    run_python(_SETUP + code, FASTNN_CACHE_DIR=driver_alone(tmp_path))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_executors(method, tmp_path):
    """concurrent.futures, its workers started after parallel use, with workers of their own."""
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np, fastnn as fnn

def leaf(k):
    fnn.set_num_threads(2)
    return fnn.softmax(np.linspace(0, k, 100_000, dtype=np.float32).reshape(100, 1000)).tobytes()

def branch(k):
    with ProcessPoolExecutor(1, multiprocessing.get_context({method!r})) as pool:
        return leaf(k), pool.submit(leaf, k).result()

if __name__ == "__main__":
    expected = [(leaf(k),) * 2 for k in range(3)]
    with ProcessPoolExecutor(2, multiprocessing.get_context({method!r})) as pool:
        assert list(pool.map(branch, range(3))) == expected
    assert leaf(2) == expected[2][0]
"""
    )
    run_python(f"import subprocess; subprocess.run([sys.executable, {str(script)!r}], check=True)")


def test_many_interpreters_at_once():
    count = 32 if FULL else 12
    code = f"""
import subprocess
code = "import numpy as np, fastnn as fnn; print(fnn.relu6(np.array([-1.0, 2.5, 7.0])).tolist())"
several = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range({count})]
results = {{(p.communicate()[0].strip(), p.returncode) for p in several}}
assert results == {{("[0.0, 2.5, 6.0]", 0)}}, results
"""
    run_python(code)


def test_the_interpreter_ends_while_daemon_threads_compute():
    code = """
out = np.empty_like(x)
def compute():
    while True:
        fnn.sigmoid(x, out), fnn.softmax(rows), fnn.relu(x[:100])
for _ in range(3):
    threading.Thread(target=compute, daemon=True).start()
time.sleep(0.05)
"""
    for _ in range(10 if FULL else 4):
        run_python(_SETUP + code, timeout=60)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the module has another name in each later Python")
def test_subinterpreters_are_refused():
    code = """
import _xxsubinterpreters as interpreters
try:
    interpreters.run_string(interpreters.create(), "import fastnn; fastnn.relu")
except interpreters.RunFailedError as error:
    print(error)
"""
    assert "ImportError" in (found := run_python(code, timeout=60).stdout), found
    assert "expected the main interpreter" in found
