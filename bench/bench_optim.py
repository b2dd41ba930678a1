"""Steps of the optimisers on prepared gradients against torch, default and fused.

    pytest bench/bench_optim.py                        everything: some minutes
    pytest bench/bench_optim.py -k "Adam-2000"         some of it

A model is so many arrays of so many float32. "copy" is np.copyto of as many bytes as the step moves, on one thread: the
rate that memory streams at. torch's foreach form is the default of its optimisers on no CPU; it is timed too.
"""

import numpy as np
import pytest
from peers import available, torch

import fastnn as fnn

#: (arrays, elements of each)
MODELS = {"1x10000": (1, 10_000), "2000x100": (2000, 100), "20x50000": (20, 50_000), "20x800000": (20, 800_000)}

#: rule -> (keywords, arrays read and written in a step, whether torch has it, with a fused form)
RULES = {
    "SGD": ({"lr": 1e-3}, 3, True, True),
    "SGD momentum": ({"lr": 1e-3, "momentum": 0.9}, 5, True, True),
    "Adagrad": ({}, 5, True, True),
    "RMSprop": ({}, 5, True, False),
    "RMSprop centered momentum": ({"centered": True, "momentum": 0.9}, 9, True, False),
    "Adadelta": ({}, 7, True, False),
    "Adam": ({}, 7, True, True),
    "Adam amsgrad": ({"amsgrad": True}, 9, True, True),
    "AdamW": ({}, 7, True, True),
    "Adamax": ({}, 7, True, False),
    "NAdam": ({}, 7, True, False),
    "RAdam": ({}, 7, True, False),
    "Rprop": ({}, 7, True, False),
    "Adafactor": ({}, 3, True, False),
    "AdaBelief": ({}, 7, False, False),
    "Lion": ({}, 5, False, False),
    "LARS": ({}, 5, False, False),
    "LAMB": ({}, 7, False, False),
}


def arrays(count, size, seed):
    rng = np.random.default_rng(seed)
    shape = (size // 100, 100)
    return [rng.standard_normal(shape, np.float32) for _ in range(count)]


def torch_params(count, size):
    params = [torch.nn.Parameter(torch.from_numpy(a)) for a in arrays(count, size, 0)]
    for param, grad in zip(params, arrays(count, size, 1), strict=True):
        param.grad = torch.from_numpy(grad)
    return params


def torch_ways(name, keywords, model, fused):
    if not available():
        return {}
    rule = getattr(torch.optim, name)
    ways = {"torch": rule(torch_params(*model), **keywords).step}
    ways["torch foreach"] = rule(torch_params(*model), **keywords, foreach=True).step
    if fused:
        ways["torch fused"] = rule(torch_params(*model), **keywords, fused=True).step
    return ways


def copy_of(model, moved):
    """np.copyto of moved / 2 arrays as large as the model: it reads and writes each."""
    source = np.zeros((max(1, moved // 2), model[0] * model[1]), np.float32)
    target = np.ones_like(source)
    return {"copy": lambda: np.copyto(target, source)}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rule", RULES)
def test_step(report, rule, model):
    keywords, moved, in_torch, fused = RULES[rule]
    name, size = rule.split()[0], MODELS[model]
    grads = arrays(*size, 1)
    optimizer = getattr(fnn.optim, name)(arrays(*size, 0), **keywords)
    calls = {"fastnn": lambda: optimizer.step(grads), **copy_of(size, moved)}
    if in_torch:
        calls |= torch_ways(name, keywords, size, fused)
    report("optim", "float32", size, (moved, calls))


@pytest.mark.parametrize("model", ["20x50000", "2000x100"])
def test_clipped_step_that_clears(report, model):
    """Both fill in the gradients again first, which "refill" times by itself."""
    size = MODELS[model]
    source, grads = arrays(*size, 1), arrays(*size, 1)
    optimizer = fnn.optim.Adam(arrays(*size, 0), clip_norm=1.0, zero_grads=True)

    def refill():
        for grad, values in zip(grads, source, strict=True):
            np.copyto(grad, values)

    def ours():
        refill()
        optimizer.step(grads)

    calls = {"fastnn": ours, "refill": refill}
    if available():
        params = torch_params(*size)
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.from_numpy(grad)
        other = torch.optim.Adam(params, fused=True)

        def three_calls():
            refill()
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            other.step()
            other.zero_grad(set_to_none=False)

        calls["torch"] = three_calls
    report("optim", "float32", size, (9, calls))
