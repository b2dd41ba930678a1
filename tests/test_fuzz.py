"""The fuzzer for some seconds, a generator for every public function, an optimiser as a state machine."""

import os
import pickle
import time

import numpy as np
from fuzz import Summary, attempt, run
from fuzz_arrays import Draw
from fuzz_calls import Call
from fuzz_cases import ELSEWHERE, GENERATORS, public_functions
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from optim_cases import OPTIMS, drive
from optim_objects import assert_equal

import fastnn as fnn

#: Time for the fuzzer, more in CI and with FASTNN_FUZZ_SECONDS.
SECONDS = float(os.environ.get("FASTNN_FUZZ_SECONDS", "60" if "CI" in os.environ else "20"))


def test_every_public_function_has_a_generator():
    """A new function is either fuzzed, or listed in ELSEWHERE with the test that has it instead."""
    assert public_functions() == set(GENERATORS)
    assert all(hasattr(fnn, name) or hasattr(fnn.optim, name) for name in ELSEWHERE)


def test_fuzzer():
    seed = int(os.environ.get("FASTNN_FUZZ_SEED", "0"))
    summary = run(Summary(), time.monotonic() + SECONDS, seed, most=5)
    assert not summary.findings, "\n".join(map(str, summary.findings))
    assert summary.compared > 0
    assert summary.refused > 0


def test_calls_are_repeatable():
    first, second = (str(attempt(3, 11)[0]) for _ in range(2))
    assert first.split("object at")[0] == second.split("object at")[0]


def _fuzz_one(monkeypatch, function, check=None, spoilt=False):
    """The finding of an attempt at a function that misbehaves, as text."""
    import fuzz

    def generate(draw: Draw) -> Call:
        x = draw.array((4,), "f4").copy()
        draw.made.append(x)
        return Call("broken", function, [x], {}, check)

    monkeypatch.setitem(GENERATORS, "broken", generate)
    monkeypatch.setattr(fuzz, "spoil", lambda draw, call: None)
    for index in range(20):
        try:
            attempt(0, index, ["broken"])
        except AssertionError as error:
            return str(error)
    return ""


def test_the_fuzzer_finds_what_is_wrong(monkeypatch):
    def writes(x):
        x[0] = 7.0
        return x

    def writes_and_raises(x):
        x[0] = 7.0
        raise ValueError

    def breaks(x):
        raise IndexError

    def wrong(result):
        assert result is None

    assert "done, yet an array was written to" in _fuzz_one(monkeypatch, writes)
    assert "refused" in _fuzz_one(monkeypatch, writes_and_raises)
    assert "IndexError" in _fuzz_one(monkeypatch, breaks)
    assert "assert" in _fuzz_one(monkeypatch, np.copy, wrong)
    assert not _fuzz_one(monkeypatch, np.copy)


class OptimiserSession(RuleBasedStateMachine):
    """Steps, gradients that are missing, saving, loading and pickling in any order: always where the reference is."""

    @initialize(
        name=st.sampled_from(["SGD", "Adam", "RMSprop", "Lion", "Adagrad"]), dtype=st.sampled_from(["f4", "f8"])
    )
    def start(self, name, dtype):
        rng, self.threads = np.random.default_rng(0), fnn.get_num_threads()
        self.rule, self.hyper = OPTIMS[name], {"lr": 0.03125, **({"momentum": 0.5} if name == "SGD" else {})}
        self.first = [rng.standard_normal(shape).astype(dtype) for shape in ((3, 5), (70,), ())]
        self.params = [array.copy() for array in self.first]
        self.grads = [[] for _ in self.params]
        self.optimizer = self.make()

    def make(self):
        return getattr(fnn.optim, self.rule.rule)(self.params, **self.hyper)

    @rule(seed=st.integers(0, 2**20), present=st.lists(st.booleans(), min_size=3, max_size=3), strided=st.booleans())
    def step(self, seed, present, strided):
        rng = np.random.default_rng(seed)
        given = []
        for param, grads, there in zip(self.params, self.grads, present, strict=True):
            grad = (np.sign(rng.standard_normal(param.shape)) * rng.uniform(0.1, 2, param.shape)).astype(param.dtype)
            if there:
                grads.append(grad.astype("f8"))
            grad = np.repeat(grad, 2, axis=-1)[..., ::2] if strided and grad.ndim else grad
            given.append(grad if there else None)
        self.optimizer.step(given)

    @rule()
    def load_into_a_new_one(self):
        state = self.optimizer.state_dict()
        self.optimizer = self.make()
        self.optimizer.load_state_dict(state)
        assert_equal(
            [np.asarray(v) for v in self.optimizer.state_dict().values()], [np.asarray(v) for v in state.values()]
        )

    @rule()
    def pickle_and_unpickle(self):
        self.params, self.optimizer = pickle.loads(pickle.dumps((self.params, self.optimizer)))

    @rule(wrong=st.sampled_from([[None], np.ones(3), [np.ones(2)] * 3, "grads", [1, 2, 3]]))
    def refuse(self, wrong):
        before = [param.copy() for param in self.params]
        try:
            self.optimizer.step(wrong)
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError(f"{wrong!r} was taken for gradients")
        assert_equal(self.params, before)

    @rule(n=st.integers(1, 4))
    def use_threads(self, n):
        fnn.set_num_threads(n)

    def teardown(self):
        fnn.set_num_threads(self.threads)

    @precondition(lambda self: hasattr(self, "optimizer"))
    @invariant()
    def where_the_reference_is(self):
        for param, first, grads in zip(self.params, self.first, self.grads, strict=True):
            expected = drive(self.rule, self.hyper, first.astype("f8"), grads)
            eps = np.finfo(param.dtype).eps
            np.testing.assert_allclose(param, expected, rtol=200 * eps, atol=20 * eps * (1 + len(grads)))


class TestOptimiserSession(OptimiserSession.TestCase):
    settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
