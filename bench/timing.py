"""Interleaved timing: ratios that hold on a machine whose speed drifts."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

#: A sample lasts at least this long (s), so that the clock and the loop around a call do not count.
SAMPLE = 1e-3
ROUNDS = 15
#: Threads of another library's pool may spin for milliseconds after their last work (GNU OpenMP: 300,000 turns) on
#: the very cores that the next candidate needs: each sample starts after this pause (s) and a short warm-up.
SETTLE = 8e-3


@dataclass(frozen=True)
class Timings:
    """Seconds a call, one list of samples (round by round) for each candidate."""

    samples: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.samples[name])

    def ratio(self, name: str, base: str) -> float:
        """How many times `base`'s time `name` takes: the median over rounds."""
        return statistics.median(a / b for a, b in zip(self.samples[name], self.samples[base], strict=True))

    def best(self, prefix: str) -> str | None:
        """The fastest candidate whose name starts with a prefix."""
        return min((n for n in self.samples if n.startswith(prefix)), key=self.median, default=None)


def interleave(candidates: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> Timings:
    """Time the candidates in turn, round after round, each round a sample of every one."""
    calls = {name: _calls_per_sample(f) for name, f in candidates.items()}
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, f in candidates.items():
            time.sleep(SETTLE)
            _time(f, 1 + calls[name] // 8)
            samples[name].append(_time(f, calls[name]))
    return Timings(samples)


def _calls_per_sample(f: Callable[[], object]) -> int:
    f()
    calls = 1
    while (taken := _time(f, calls) * calls) < SAMPLE / 4:
        calls *= 4
    return max(1, round(calls * SAMPLE / taken))


def _time(f: Callable[[], object], calls: int) -> float:
    turns = range(calls)
    start = time.perf_counter()
    for _ in turns:
        f()
    return (time.perf_counter() - start) / calls
