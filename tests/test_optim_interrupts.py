"""Ctrl-C in the middle of steps: what a parameter's step count says is what has been done to it and its state."""

import os

import pytest
from processes import run_python

#: Steps with a gradient and a momentum of 1: after n of them a parameter is -n (n + 1) / 2 and its buffer n.
#: A thread sends real signals at moments that have nothing to do with the steps.
CODE = """
import os, random, signal, threading, time
import numpy as np
import fastnn as fnn

DENSE = [np.zeros(200_000, "f4"), np.zeros(100_000), np.zeros(7, "f4"), np.zeros(250_000, "f4")]
VIEWS = [np.zeros(300_000, "f4")[::step] for step in (2, -2, 3, -3) * 3] + [np.zeros((2, 100_000)).T[::2]]
PARAMS = {params}
GRADS = [np.ones(param.shape, param.dtype) for param in PARAMS]

armed, busy = False, True

def interrupt(*_):
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt

def send():
    pause = random.Random(0)
    while busy:
        time.sleep(pause.uniform(0.0002, 0.006))
        os.kill(os.getpid(), signal.SIGINT)

def start():
    optimizer = fnn.optim.SGD(PARAMS, lr=1.0, momentum=1.0)
    if {views}:  # a group of its own, thus a launch of its own
        optimizer.add_param_group([np.zeros(50_000)[::2]])
    return optimizer

def grads_of(step):
    grads = [grad if k % 2 or step % 3 else None for k, grad in enumerate(GRADS)]
    return [grads, [np.ones(25_000)]] if {views} else grads

def check(optimizer):
    state = optimizer.state_dict()
    for k, param in enumerate(PARAMS):
        steps = state[f"{{k}}.step"]
        assert (param == -steps * (steps + 1) / 2).all(), f"parameter {{k}} after {{steps}} steps: {{param}}"
        assert (state[f"{{k}}.buf"] == steps).all(), f"buffer {{k}} after {{steps}} steps"
    return sum(state[f"{{k}}.step"] for k in range(len(PARAMS)))

optimizer = start()
optimizer.step(grads_of(0))  # kernels are there now
signal.signal(signal.SIGINT, interrupt)
sender = threading.Thread(target=send, daemon=True)
sender.start()
interrupts, steps, end = 0, 0, time.monotonic() + 2.5
while time.monotonic() < end:
    for param in PARAMS:
        param[...] = 0
    optimizer = start()
    try:
        armed = True
        for step in range(60):
            optimizer.step(grads_of(step))
        armed = False
    except KeyboardInterrupt:
        interrupts += 1
    steps += check(optimizer)
    optimizer.step(grads_of(0))  # and on it goes
    check(optimizer)
busy = False
sender.join()
print(interrupts, steps)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
@pytest.mark.parametrize("params", ["DENSE", "VIEWS"])
def test_interrupted_steps_are_whole(params):
    done = run_python(CODE.format(params=params, views=params == "VIEWS"))
    interrupts, steps = map(int, done.stdout.split())
    assert interrupts >= 10
    assert steps >= 10
