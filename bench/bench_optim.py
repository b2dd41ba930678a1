"""Steps of the optimisers on prepared gradients against torch, default, foreach and fused.

    pytest bench/bench_optim.py                        everything: some minutes
    pytest bench/bench_optim.py -k "Adam-2000"         some of it

A model is so many arrays of so many float32. The first step of every candidate is checked, fastnn's against the
reference too. "copy" is np.copyto of as many bytes as the step moves, on one thread: the rate that memory streams at.
torch's foreach form is the default of its optimisers on no CPU; it is timed too.
"""

import inspect

import numpy as np
import pytest
from optim_cases import OPTIMS, drive
from selection import ALL, THREADS, row

import fastnn as fnn
from fastnn.benchmark import peers
from fastnn.benchmark.libraries import load
from fastnn.benchmark.work import Work

torch = load("torch")

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


#: Models of the report.
REPORT = ("2000x100", "20x50000")


def arrays(count, size, seed):
    rng = np.random.default_rng(seed)
    shape = (size // 100, 100)
    return [rng.standard_normal(shape, np.float32) for _ in range(count)]


def step_of(function, model, moved, threads):
    """The work of a step, with the number of arrays that it reads or writes."""
    count, size = MODELS[model]
    return Work("optimizers", function, "", np.dtype("f4"), (count, size), moved * count * size * 4, threads)


def stepping(optimizer, params, *grads):
    """A call that takes a step and gives the parameters."""

    def step():
        optimizer.step(*grads)
        return params

    return step


def torch_params(count, size):
    params = [torch.nn.Parameter(torch.from_numpy(a)) for a in arrays(count, size, 0)]
    for param, grad in zip(params, arrays(count, size, 1), strict=True):
        param.grad = torch.from_numpy(grad)
    return params


def torch_ways(name, keywords, model, fused):
    if torch is None:
        return {}
    forms = {"torch": {}, "torch foreach": {"foreach": True}} | ({"torch fused": {"fused": True}} if fused else {})
    ways = {}
    for way, form in forms.items():
        params = torch_params(*model)
        ways[way] = stepping(getattr(torch.optim, name)(params, **keywords, **form), params)
    return ways


def copy_of(model, moved):
    """np.copyto of moved / 2 arrays as large as the model: it reads and writes each."""
    source = np.zeros((max(1, moved // 2), model[0] * model[1]), np.float32)
    target = np.ones_like(source)
    return {"copy": lambda: np.copyto(target, source)}


def _rows():
    for threads in THREADS:
        for rule in RULES:
            for model in MODELS:
                yield row(
                    *(rule, model, threads),
                    label=f"{rule}-{model}-{threads}",
                    report=model in REPORT and threads == ALL,
                    smoke=model == "1x10000" and threads == ALL,
                )


@pytest.mark.parametrize(("rule", "model", "threads"), list(_rows()))
def test_step(measure, rule, model, threads):
    keywords, moved, in_torch, fused = RULES[rule]
    name, size = rule.split()[0], MODELS[model]
    params, grads = arrays(*size, 0), arrays(*size, 1)
    ours = stepping(getattr(fnn.optim, name)(params, **keywords), params, grads)
    theirs = torch_ways(name, keywords, size, fused) if in_torch else {}
    work = step_of(rule, model, moved, threads)
    stepped = ours()
    _check(name, keywords, stepped[0], grads[0])
    peers.check(theirs, work, stepped)
    measure(work, {"fastnn": ours} | theirs, copy_of(size, moved))


def _check(name, keywords, stepped, grad):
    """Right to some ulps: the tests proper are elsewhere, this only keeps a benchmark from timing nonsense."""
    start = np.random.default_rng(0).standard_normal(grad.shape, np.float32)
    lr = inspect.signature(getattr(fnn.optim, name)).parameters["lr"].default
    expected = drive(OPTIMS[name], {"lr": lr} | keywords, start, [grad])
    np.testing.assert_allclose(stepped, expected, rtol=0, atol=64 * np.finfo("f4").eps * np.abs(expected).max())


@pytest.mark.parametrize("model", [row(m, label=m, report=True, smoke=m == "2000x100") for m in REPORT])
def test_clipped_step_that_clears(measure, model):
    """All fill in the gradients again first, which "refill" times by itself."""
    size = MODELS[model]
    source, grads, params = arrays(*size, 1), arrays(*size, 1), arrays(*size, 0)
    optimizer = fnn.optim.Adam(params, clip_norm=1.0, zero_grads=True)

    def refill():
        for grad, values in zip(grads, source, strict=True):
            np.copyto(grad, values)

    def ours():
        refill()
        optimizer.step(grads)
        return params

    theirs = {"torch fused": clipped_in_torch(size, refill, grads)} if torch else {}
    work = step_of("Adam, clipped, clearing", model, 9, ALL)
    peers.check(theirs, work, ours())
    measure(work, {"fastnn": ours} | theirs, {"refill": refill})


def clipped_in_torch(size, refill, grads):
    params = torch_params(*size)
    for param, grad in zip(params, grads, strict=True):
        param.grad = torch.from_numpy(grad)
    optimizer = torch.optim.Adam(params, fused=True)

    def three_calls():
        refill()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        return params

    return three_calls
