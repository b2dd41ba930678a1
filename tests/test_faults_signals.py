"""Ctrl-C and other signals while fastnn compiles, warms up or trains: delivered promptly, nothing left half done."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import FULL, driver_alone, run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")

#: Interrupts while kernels are compiled one after the other, and what must hold after each.
_COMPILING = """
import os, random, signal, threading, time
import numpy as np
import fastnn as fnn
x = np.linspace(-3, 3, 1200)
rows = x.reshape(30, 40)
pause = random.Random({seed})
running = armed = True

class Alarm(Exception):
    pass

def handler(*_):
    if armed:
        raise {error}
signal.signal(signal.SIGINT, handler)

def send():
    while running:
        time.sleep(pause.uniform(0.0, 0.3))
        os.kill(os.getpid(), signal.SIGINT)
sender = threading.Thread(target=send)
work = [(name, dtype) for name in ("mish", "gelu", "silu", "selu", "softsign", "tanhshrink") for dtype in "fd"]
fnn.layer_norm_forward, fnn.activations
caught, done = 0, []
sender.start()
while work:
    name, dtype = work[0]
    try:
        y = getattr(fnn, name)(x.astype(dtype))
        z = fnn.layer_norm_forward(rows.astype(dtype), activation=name)[0]
        time.sleep(0.02)  # what came inside a call that cannot raise is raised here
        done.append((name, dtype, y, z))
        work.pop(0)
    except {error}:
        caught += 1
running = armed = False
sender.join()
from fastnn import reference
for name, dtype, y, z in done:
    assert y.dtype == z.dtype == dtype
    assert abs(y - getattr(reference, name)(x)).max() < 1e-5, name
    assert abs(z - reference.layer_norm_forward(rows, activation=name)[0]).max() < 1e-5, name
print(caught)
"""


@pytest.mark.parametrize("seed", range(5 if FULL else 1))
def test_interrupts_at_random_moments_of_compiling(seed, tmp_path):
    """The cache they leave is whole: the next process reads it, and finds what it would compile."""
    folder = driver_alone(tmp_path)
    done = run_python(_COMPILING.format(seed=seed, error="KeyboardInterrupt"), FASTNN_CACHE_DIR=folder)
    assert int(done.stdout) >= 3
    (place,) = tmp_path.iterdir()
    assert not [path for path in place.iterdir() if path.name.endswith(".tmp")]
    code = """
import numpy as np, fastnn as fnn
fnn.mish(np.ones(3)), fnn.layer_norm_forward(np.ones((2, 3)), activation="mish")
assert "numba" not in sys.modules
"""
    run_python(code, FASTNN_CACHE_DIR=folder)


_ALARM = """
import signal, time
import numpy as np
import fastnn as fnn
class Alarm(Exception):
    pass
def handler(*_):
    raise {error}
signal.signal(signal.SIGALRM, handler)
x = np.linspace(-2, 2, 1000)
fnn.layer_norm_forward
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    {call}
    time.sleep(10)
except {caught}:
    print("caught")
assert fnn.mish(x)[-1] > 1.9 and fnn.layer_norm_forward(x.reshape(10, 100))[0].shape == (10, 100)
"""


def test_an_exception_of_ones_own_from_a_handler(tmp_path):
    """Raised when the compilation is over, in a function of several arrays."""
    call = "fnn.layer_norm_forward(x.reshape(10, 100))"
    code = _ALARM.format(error="Alarm", caught="Alarm", call=call)
    assert run_python(code, timeout=60, FASTNN_CACHE_DIR=driver_alone(tmp_path)).stdout == "caught\n"


def test_an_exception_from_a_handler_inside_a_ufunc(tmp_path):
    """NumPy gives a ufunc's loop no way to raise; the call ends, with its result, before the exception comes."""
    code = _ALARM.format(error="SystemExit(7)", caught="BaseException", call="fnn.mish(x)")
    assert run_python(code, timeout=60, FASTNN_CACHE_DIR=driver_alone(tmp_path)).stdout == "caught\n"


_DEFERRED = """
import ctypes, time
from fastnn._engine.shield import raise_later
class Alarm(Exception):
    pass
given = Alarm("with its text")
@ctypes.CFUNCTYPE(None)
def callback():
    raise_later(given)
try:
    callback()
    while True:
        time.sleep(0.001)
except Alarm as error:
    assert error is given
"""


def test_an_exception_is_raised_after_a_callback():
    run_python(_DEFERRED, timeout=30)


def test_an_exception_waits_while_a_thread_is_starting():
    """To CPython a thread that does not run yet is the one that asked for it; raised there, nothing would end it."""
    code = """
import threading
from fastnn._engine import shield
shield._STARTING["thread"] = threading.get_ident()
try:
    callback()
    time.sleep(0.2)
    del shield._STARTING["thread"]
    while True:
        time.sleep(0.001)
except Alarm:
    assert not shield._STARTING
"""
    run_python(_DEFERRED[: _DEFERRED.index("try:")] + code, timeout=30)


def _interrupt(arguments, environment, delays, folder):
    """Run fastnn's command line and interrupt it after each of the delays: it ends, and says why."""
    for delay in delays:
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "fastnn", *arguments],
            env={**os.environ, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        time.sleep(delay)
        output = _end_by_interrupts(process)
        # a training that has begun keeps its weights and ends in order
        said = {0: "interrupted: keeping the weights", 1: "KeyboardInterrupt", 130: "", -signal.SIGINT: ""}
        code = process.returncode
        assert code in said, f"{delay}: {code}\n{output}"
        assert said[code] in output, f"{delay}: {code}\n{output}"


def _end_by_interrupts(process):
    """Ctrl-C, pressed again every few seconds: Python drops one that comes inside a callback of its import system."""
    for _ in range(4):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=10)[0]
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGABRT)  # faulthandler shows where it hangs
    return process.communicate()[0]


def test_interrupted_warmup(tmp_path):
    folder = driver_alone(tmp_path)
    delays = np.random.default_rng(0).uniform(0.1, 6, 20 if FULL else 3)
    _interrupt(["warmup"], {"FASTNN_CACHE_DIR": folder}, delays, tmp_path)
    (place,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert not [path for path in place.iterdir() if path.name.endswith(".tmp")]
    code = "import numpy as np, fastnn as fnn; assert fnn.relu6(np.array([7.0]))[0] == 6"
    run_python(code, FASTNN_CACHE_DIR=folder)


def test_interrupted_training(tmp_path):
    delays = np.random.default_rng(1).uniform(0.1, 5, 20 if FULL else 3)
    _interrupt(["train", "--epochs", "1000000"], {}, delays, tmp_path)
