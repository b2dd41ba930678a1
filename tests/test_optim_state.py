"""state_dict and load_state_dict: through files, bit for bit, and refused as a whole where anything is wrong."""

import copy
import io
import os
import pickle
import threading

import numpy as np
import pytest
from optim_objects import RULES, assert_equal, assert_unchanged, leaves, make, normal, snapshot
from processes import run_python

import fastnn as fnn

OPTIONS = {"ema_decay": 0.75, "weight_decay": 0.1, "skip_nonfinite": True, "lr": lambda step: 0.1 / (step + 1)}


def start():
    return {
        "layer1": {"W": np.linspace(-1, 1, 60, dtype="f4").reshape(5, 12), "b": np.linspace(0, 1, 5)},
        "gain": np.array(2.0, "f4"),
        "view": np.linspace(-1, 1, 60).reshape(5, 12)[::2, ::-3],
        "F": np.linspace(-1, 1, 12, dtype="f4").reshape(3, 4).T,
        "none": np.zeros(0),
    }


def as_file(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    return np.load(file)


ROUTES = {
    "dict": lambda state: state,
    "file": as_file,
    "dict of file": lambda state: dict(as_file(state)),
    "pickle": lambda state: pickle.loads(pickle.dumps(state)),
}


def grads_of(params, step):
    """Gradients; W has none at every other step, so that the step counts part."""
    layer = params["layer1"]
    weights, bias = normal(step, leaves(layer))
    others = {key: normal(step, [value])[0] for key, value in params.items() if value is not layer}
    return {"layer1": {"W": weights if step % 2 else None, "b": bias}, **others}


def everything(optimizer, params):
    state = optimizer.state_dict()
    return leaves(params) + leaves(optimizer.ema) + [np.asarray(state[key]) for key in sorted(state)]


@pytest.mark.parametrize("rule", RULES)
def test_resume_bit_for_bit(rule):
    params = start()
    straight = make(rule, params, **OPTIONS)
    for step in range(3):
        straight.step(grads_of(params, step))
    straight.step({**grads_of(params, 9), "gain": np.array(np.nan, "f4")})
    saved, weights = straight.state_dict(), [leaf.copy() for leaf in leaves(params)]
    for step in (3, 4):
        straight.step(grads_of(params, step))
    for route in ROUTES.values():
        again = start()
        resumed = make(rule, again, **OPTIONS)
        resumed.step(grads_of(again, 7))  # some state that must go
        for leaf, values in zip(leaves(again), weights, strict=True):
            leaf[...] = values
        resumed.load_state_dict(route(saved))
        assert (type(resumed.step_count), resumed.step_count, resumed.skipped) == (int, 3, 1)
        for step in (3, 4):
            resumed.step(grads_of(again, step))
        assert_equal(everything(resumed, again), everything(straight, params))


def test_the_state_is_a_flat_dict_of_copies():
    param = np.ones((2, 3), "f4")
    optimizer = fnn.optim.Adam({"w": param}, lr=0.1, amsgrad=True, ema_decay=0.5)
    state = optimizer.state_dict()
    optimizer.step({"w": np.ones((2, 3), "f4")})
    assert state.keys() == {
        "rule", "step_count", "skipped",
        "0.step", "0.exp_avg", "0.exp_avg_sq", "0.max_exp_avg_sq", "0.ema",
    }  # fmt: skip
    assert (state["step_count"], state["0.step"], state["skipped"]) == (0, 0, 0)
    for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        assert_equal([state[f"0.{name}"]], [np.zeros((2, 3), "f4")])
    loaded = optimizer.state_dict()
    other = fnn.optim.Adam({"w": param.copy()}, lr=0.1, amsgrad=True, ema_decay=0.5)
    other.load_state_dict(loaded)
    other.step({"w": np.ones((2, 3), "f4")})
    assert (loaded["0.exp_avg"] == np.float32(0.1)).all()


def test_groups_share_one_numbering():
    def grouped(first, second):
        optimizer = fnn.optim.SGD([first], lr=0.1, momentum=0.9)
        optimizer.add_param_group({"w": second}, momentum=0.0)
        return optimizer

    arrays = np.ones(2), np.ones(3)
    optimizer = grouped(*arrays)
    optimizer.step([[np.ones(2)], None])
    state = optimizer.state_dict()
    assert state.keys() == {"rule", "step_count", "skipped", "0.step", "1.step", "0.buf"}
    assert (state["0.step"], state["1.step"]) == (1, 0)
    other = grouped(*(array.copy() for array in arrays))
    other.load_state_dict(state)
    assert_unchanged(state, other)


def test_the_state_of_adam_is_that_of_adamw():
    param = np.ones(3)
    fnn.optim.AdamW(param, lr=0.1).load_state_dict(fnn.optim.Adam(param, lr=0.1).state_dict())


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
@pytest.mark.parametrize("rule", RULES)
def test_an_optimiser_and_its_parameters_are_cloned_together(rule, clone):
    params = start()
    options = {key: value for key, value in OPTIONS.items() if key != "lr"}  # a lambda cannot be pickled
    optimizer = make(rule, params, **options)
    for step in range(2):
        optimizer.step(grads_of(params, step))
    cloned, twin = clone((params, optimizer))
    assert_equal(everything(twin, cloned), everything(optimizer, params))
    for step in range(2):
        twin.step(grads_of(params, step))
    frozen = [leaf.copy() for leaf in leaves(cloned)]
    for step in range(2):
        optimizer.step(grads_of(params, step))
    assert_equal(leaves(cloned), frozen)
    assert_equal(everything(twin, cloned), everything(optimizer, params))


def saved_and_optimizer():
    params = {"layer1": {"W": np.ones((2, 3), "f4"), "b": np.ones(3)}, "s": [np.ones(4)]}
    optimizer = fnn.optim.Adam(params, lr=0.1, ema_decay=0.5)
    optimizer.step({"layer1": {"W": np.ones((2, 3), "f4"), "b": np.ones(3)}, "s": None})
    return optimizer.state_dict(), optimizer, params


W, B, S = r'params\["layer1"\]\["W"\]', r'params\["layer1"\]\["b"\]', r'params\["s"\]\[0\]'

#: What is missing from the state, what is put in, the error and its message.
BROKEN = {
    "no array": (["0.exp_avg"], {}, ValueError, f"state lacks exp_avg of {W}$"),
    "no average": (["2.ema"], {}, ValueError, f"state lacks ema of {S}$"),
    "no count": (["step_count"], {}, ValueError, "state lacks step_count$"),
    "no rule": (["rule"], {}, ValueError, "state lacks rule$"),
    "unknown array": ([], {"0.buf": np.ones((2, 3))}, ValueError, r"state has unknown 0\.buf$"),
    "more parameters": ([], {"3.step": 1}, ValueError, r"state has unknown 3\.step$"),
    "both": (["1.exp_avg"], {"x": 1}, ValueError, f"state lacks exp_avg of {B} and state has unknown x$"),
    "shape": ([], {"0.exp_avg": np.ones((3, 2), "f4")}, ValueError, rf"exp_avg of {W} has shape \(3, 2\), expected"),
    "0-d": ([], {"2.exp_avg_sq": 1.0}, ValueError, rf"exp_avg_sq of {S} has shape \(\), expected \(4,\)"),
    "dtype": ([], {"0.exp_avg_sq": np.ones((2, 3))}, TypeError, f"exp_avg_sq of {W} has dtype float64, expected"),
    "average's dtype": ([], {"1.ema": np.ones(3, "f4")}, TypeError, f"ema of {B} has dtype float32, expected float64"),
    "the last array": ([], {"2.ema": np.ones(5)}, ValueError, rf"ema of {S} has shape \(5,\)"),
    "part of a step": ([], {"2.step": 0.5}, TypeError, "0.5, expected an integer"),
    "negative count": ([], {"1.step": -1}, ValueError, "is -1, expected a count"),
    "no number": ([], {"skipped": "no"}, TypeError, "skipped is 'no'"),
    "another rule": ([], {"rule": 1}, ValueError, "state is that of another rule, expected one of Adam"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_state_is_refused_as_a_whole(kind):
    missing, given, error, message = BROKEN[kind]
    state, optimizer, params = saved_and_optimizer()
    changed = {key: value if key == "rule" else value + 1 for key, value in state.items() if key not in missing} | given
    before = snapshot(optimizer, params, optimizer.ema)
    with pytest.raises(error, match=f"Adam.load_state_dict: .*{message}"):
        optimizer.load_state_dict(changed)
    assert_unchanged(before, optimizer, params, optimizer.ema)


@pytest.mark.parametrize("what", [None, 3, [1, 2], "state"])
def test_what_is_no_state_at_all(what):
    with pytest.raises(TypeError, match=r"SGD\.load_state_dict: state"):
        fnn.optim.SGD(np.ones(2)).load_state_dict(what)


def test_the_states_of_different_rules_are_told_apart():
    family = {rule: make(rule, np.ones((2, 2)), **OPTIONS).state_dict()["rule"] for rule in RULES}
    assert family.pop("AdamW") == family["Adam"]
    assert len(set(family.values())) == len(family)
    for rule in family:
        other = "SGD" if rule == "Lion" else "Lion"
        with pytest.raises(ValueError, match="another rule"):
            make(rule, np.ones((2, 2))).load_state_dict(make(other, np.ones((2, 2))).state_dict())


@pytest.mark.parametrize("rule", ["SGD", "Adam", "Lion", "LAMB"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_subnormal_state_becomes_zero(rule, dtype):
    options = {"momentum": 0.5} if rule == "SGD" else {"betas": (0.5, 0.5)}
    names = {"SGD": ["buf"], "Lion": ["exp_avg"]}.get(rule, ["exp_avg", "exp_avg_sq"])
    least = float(np.finfo(dtype).tiny)
    param = np.zeros(37, dtype)
    optimizer = getattr(fnn.optim, rule)(param, lr=1e-3, **options)
    optimizer.step(np.full(37, 4 * least, dtype))
    for _ in range(5):
        optimizer.step(np.zeros(37, dtype))
        state = optimizer.state_dict()
        for name in names:
            values = np.abs(state[f"0.{name}"])
            assert ((values == 0) | (values >= least)).all()
    for name in names:
        assert not state[f"0.{name}"].any()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_fork_after_use():
    code = """
import os, numpy as np, fastnn as fnn
def run(optimizer, param):
    for step in range(3):
        optimizer.step(np.full(300_000, 0.5 + step, "f4"))
    return param.copy()
first, second = np.zeros(300_000, "f4"), np.zeros(300_000, "f4")
one, other = fnn.optim.Adam(first), fnn.optim.Adam(second)
run(one, first)
run(other, second)
expected = run(one, first)
pid = os.fork()
if not pid:
    os._exit(0 if (run(other, second) == expected).all() else 3)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert (run(other, second) == expected).all()
"""
    run_python(code)


def in_threads(*work):
    errors = []

    def guarded(job):
        try:
            job()
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=guarded, args=(job,)) for job in work]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors


def test_two_threads_with_an_optimiser_each():
    params = [np.zeros(100_000, "f4") for _ in range(3)]
    optimizers = [fnn.optim.Adam([param, np.zeros(3)], clip_norm=1.0) for param in params]
    grads = [normal(step, [params[0], np.zeros(3)]) for step in range(30)]

    def train(optimizer):
        for grad in grads:
            optimizer.step(grad)

    train(optimizers[0])
    in_threads(*(lambda optimizer=optimizer: train(optimizer) for optimizer in optimizers[1:]))
    assert_equal(params[1:], [params[0]] * 2)


def test_two_threads_with_one_optimiser():
    params = [np.zeros(100_000, "f4"), np.zeros((40, 40))[::2]]
    optimizer = fnn.optim.SGD(params, lr=1.0, momentum=1.0, ema_decay=0.5)
    grads = [np.ones(100_000, "f4"), np.ones((20, 40))]

    def train():
        for k in range(25):
            optimizer.step(grads if k % 2 else [grads[0], None])
            optimizer.state_dict()

    in_threads(train, train)
    assert optimizer.step_count == 50
    assert (params[0] == -50 * 51 / 2).all()
    assert (params[1] == -24 * 25 / 2).all()
