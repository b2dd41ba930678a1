"""Interleaved timing: ratios that hold on a machine whose speed drifts."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Calls = dict[str, Callable[[], object]]

#: A sample lasts at least this long (s), so that the clock and the loop around a call do not count.
SAMPLE = 1e-3
#: A sample is a number of batches of at least this long (s): of short calls one alone cannot be timed.
BATCH = 2e-5
#: As many rounds as there is time for, within these bounds.
FEWEST_ROUNDS, MOST_ROUNDS = 5, 15
#: Threads of another library's pool spin after their last work (torch's for 8 ms, onnxruntime's for 40) on the very
#: cores that the next candidate needs: each sample starts when for this long (s) nothing has run, and after a short
#: warm-up. The clock of a process is as coarse as 4 ms.
SETTLE = 9e-3
LONGEST_SETTLE = 0.25
#: Calls longer than this (s) need no warm-up: what is cold at their start does not show.
LONG = 2e-2


@dataclass(frozen=True)
class Timings:
    """Seconds a call: for each candidate the batches of every round."""

    batches: dict[str, list[list[float]]]

    def samples(self, name: str) -> list[float]:
        """Means over a round."""
        return [statistics.fmean(batches) for batches in self.batches[name]]

    def median(self, name: str) -> float:
        return statistics.median(self.samples(name))

    def p99(self, name: str) -> float:
        """What 99 of 100 calls, or batches of a few short ones, stay below; near the maximum where there are fewer."""
        return float(np.percentile(np.concatenate(self.batches[name]), 99))

    def ratio(self, name: str, base: str) -> float:
        """How many times `base`'s time `name` takes: the median over rounds."""
        return statistics.median(a / b for a, b in zip(self.samples(name), self.samples(base), strict=True))


def interleave(candidates: Calls, *, seconds: float = 2.0, rounds: int | None = None, settle: bool = True) -> Timings:
    """Time the candidates in turn, round after round, each round a sample of every one.

    `seconds` is what the rounds should take together, unless their number is given; `settle` is whether threads may
    still spin after their work.
    """
    plans = {name: _Plan.of(f) for name, f in candidates.items()}
    pause = SETTLE if settle else 0.0
    if rounds is None:
        round_takes = sum(pause + plan.seconds for plan in plans.values())
        rounds = max(FEWEST_ROUNDS, min(MOST_ROUNDS, round(seconds / round_takes)))
    batches: dict[str, list[list[float]]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, f in candidates.items():
            if settle:
                _settle()
            batches[name].append(plans[name].sample(f))
    return Timings(batches)


@dataclass(frozen=True)
class _Plan:
    """How a call is sampled."""

    warm_up: int  #: calls before the clock runs
    batches: int
    calls: int  #: of a batch
    seconds: float  #: that a sample takes, warm-up included

    @classmethod
    def of(cls, f: Callable[[], object]) -> "_Plan":
        f()
        calls = 1
        while (taken := _time(f, calls) * calls) < SAMPLE / 4:
            calls *= 4
        one = taken / calls
        in_batch = max(1, round(BATCH / one))
        batches = max(1, round(SAMPLE / (one * in_batch)))
        warm_up = 0 if one > LONG else 1 + in_batch * batches // 8
        return cls(warm_up, batches, in_batch, (warm_up + in_batch * batches) * one)

    def sample(self, f: Callable[[], object]) -> list[float]:
        for _ in range(self.warm_up):
            f()
        return [_time(f, self.calls) for _ in range(self.batches)]


def _settle() -> None:
    """Wait until no thread of this process runs."""
    end = time.perf_counter() + LONGEST_SETTLE
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(SETTLE)
        if time.process_time() - before < SETTLE / 10:
            return


def _time(f: Callable[[], object], calls: int) -> float:
    turns = range(calls)
    start = time.perf_counter()
    for _ in turns:
        f()
    return (time.perf_counter() - start) / calls
