"""Calls of every public function with arguments of every kind, as many as a time allows.

    python -m tests.fuzz --seconds 60 --seed 0
    python -m tests.fuzz --seconds 7200 --calls 1000000

Each call ends in the reference's result within its tolerance, nothing written besides, or in a ValueError or TypeError
with nothing written at all. The findings are printed with a line that repeats them; call K of a seed is the same call
wherever and whenever it is made.
"""

import argparse
import math
import sys
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from cases import CASES
from fuzz_arrays import Draw, roots
from fuzz_calls import Call
from fuzz_cases import GENERATORS

#: What is put in the place of an argument: each either refused, or a value like any other.
GARBAGE: list[Any] = [
    *(
        None,
        "text",
        b"bytes",
        "",
        (),
        [],
        {},
        object(),
        Ellipsis,
        slice(3),
        True,
        np.bool_(True),
        1j,
        len,
        NotImplemented,
    ),
    *(
        0,
        -1,
        1,
        2**31,
        2**63,
        -(2**70),
        0.0,
        -0.0,
        -1.5,
        0.5,
        np.nan,
        np.inf,
        -np.inf,
        1e300,
        np.float32(2),
        np.int8(-3),
    ),
    *(
        [1.0, 2.0],
        [[1.0], [2.0, 3.0]],
        ["a"],
        [None],
        ((),),
        {"a": 1.0},
        range(3),
        np.datetime64("2020-01-01"),
        10**400,
    ),
]
#: Arrays of the same kind, made anew for each call.
GARBAGE_ARRAYS = [
    *(lambda: np.zeros(0), lambda: np.float64(3.0), lambda: np.array(2.0), lambda: np.ones((2, 3, 1), complex)),
    *(lambda: np.ones(3, np.longdouble), lambda: np.array([1.0, None], object), lambda: np.array(["a", "b"])),
    *(lambda: np.array(["2020-01-01"], "M8[D]"), lambda: np.zeros(3, "i4,f8"), lambda: np.zeros(3, "V4")),
    *(lambda: np.ones((1,) * 20), lambda: np.zeros((5, 0, 3)), lambda: np.ma.masked_array([1.0, 2.0], [True, False])),
    *(lambda: np.full((4, 6), np.nan), lambda: np.full((4, 6), np.iinfo(np.int64).max), lambda: np.ones((4, 6), bool)),
    *(lambda: np.matrix([[1.0, 2.0]]), lambda: np.full(6, -1), lambda: np.full((4,), 10**6)),
]
_ABSENT = object()


@dataclass
class Finding:
    """What a call did that it must not do."""

    seed: int
    index: int
    reason: str

    def __str__(self) -> str:
        where = f"from tests.fuzz import attempt; attempt({self.seed}, {self.index})"
        return f"{self.reason}\n    again: {where}"


@dataclass
class Summary:
    calls: int = 0
    refused: int = 0
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)


def spoil(draw: Draw, call: Call) -> None:
    """Put garbage in the place of one or two arguments, leave one out, or add one that there is not."""
    call.check = None  # what comes of it is not foreseen
    for _ in range(1 + draw.chance(0.2)):
        value = GARBAGE_ARRAYS[draw.below(len(GARBAGE_ARRAYS))]() if draw.chance(0.35) else draw.one_of(GARBAGE)
        if draw.chance(0.2):
            value = draw.array(draw.shape())
        names = list(call.keywords)
        place = draw.below(len(call.arguments) + len(names) + 1)
        if place < len(call.arguments):
            if draw.chance(0.05):
                del call.arguments[place:]
            else:
                call.arguments[place] = value
        elif place < len(call.arguments) + len(names):
            call.keywords[names[place - len(call.arguments)]] = value
        else:
            call.keywords[draw.one_of(["axis", "out", "reduction", "eps", "rng", "nonsense", "p", "groups"])] = value


def attempt(seed: int, index: int, only: list[str] | None = None) -> tuple[Call, str, bool]:
    """Make call `index` of a seed; (the call, "refused", "compared" or "done", whether it was spoilt).

    Raises AssertionError for a finding.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return _attempt(seed, index, only)


def _attempt(seed: int, index: int, only: list[str] | None) -> tuple[Call, str, bool]:
    draw = Draw(np.random.default_rng([seed, index]))
    name = draw.one_of(only or sorted(GENERATORS))
    call = GENERATORS[name](draw)
    spoilt = draw.chance(0.35)
    if spoilt:
        spoil(draw, call)
    owned = roots([*draw.made, *call.arguments, *call.keywords.values()])
    before = [array.tobytes() for array in owned]
    may_change = {id(root) for root in roots([*call.changed, *_given_outputs(call)])}
    try:
        outcome = _run(call, spoilt)
    except AssertionError as error:
        raise AssertionError(f"{call}: {error}") from None
    for array, content in zip(owned, before, strict=True):
        if array.tobytes() != content and (outcome == "refused" or id(array) not in may_change):
            raise AssertionError(f"{call}: {outcome}, yet an array was written to, {array.dtype} {array.shape}")
    return call, outcome, spoilt


def _given_outputs(call: Call) -> list[Any]:
    """What spoiling has put where the function writes."""
    names = ("out", "accumulate_into", "running_mean", "running_var")
    given = [call.keywords[name] for name in names if name in call.keywords]
    return [*given, *([*call.arguments, *call.keywords.values()] if call.writes_arguments else [])]


def _run(call: Call, spoilt: bool) -> str:
    try:
        result = call.function(*call.arguments, **call.keywords)
    except (TypeError, ValueError) as error:
        if spoilt or call.may_refuse:
            return "refused"
        raise AssertionError(f"valid arguments refused: {error!r}") from error
    except MemoryError:
        if spoilt and call.name == "maxout_backward":  # a result of 2**31 times the size of dy, as documented
            return "refused"
        raise AssertionError("MemoryError instead of a TypeError or ValueError") from None
    except OverflowError:
        if call.name in CASES or "_backward" in call.name:  # NumPy's own for a Python int beyond float64
            return "refused"
        raise AssertionError("OverflowError instead of a TypeError or ValueError") from None
    except Exception as error:
        raise AssertionError(f"{error!r} instead of a TypeError or ValueError") from error
    if call.check is None:
        return "done"
    try:
        call.check(result)
    except AssertionError:
        raise
    except Exception as error:
        text = "".join(traceback.format_exception(error)[-3:])
        raise AssertionError(f"the comparison failed: {text}") from error
    return "compared"


def run(summary: Summary, end: float, seed: int, only: Any = None, most: int = 10, calls: float = math.inf) -> Summary:
    """Attempts until the time is `end`, so many calls are made, or there are `most` findings.

    One is kept for each function and kind, and printed at once.
    """
    seen, index = Counter[str](), 0
    while time.monotonic() < end and index < calls and len(summary.findings) < most:
        try:
            _, outcome, _ = attempt(seed, index, only)
            summary.refused += outcome == "refused"
            summary.compared += outcome == "compared"
        except AssertionError as error:
            kind = str(error).partition("(")[0] + str(error).rpartition("): ")[2][:12]
            seen[kind] += 1
            if seen[kind] == 1:
                summary.findings.append(Finding(seed, index, str(error)))
                print(f"{summary.findings[-1]}\n", flush=True)
        summary.calls += 1
        index += 1
    return summary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--calls", type=float, default=math.inf, help="calls after which to stop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=50, help="findings after which to stop")
    parser.add_argument("names", nargs="*", help="functions (default: all)")
    options = parser.parse_args()
    start, summary = time.monotonic(), Summary()
    try:
        run(summary, start + options.seconds, options.seed, options.names, options.most, options.calls)
    except KeyboardInterrupt:
        print("interrupted")
    rate = summary.calls / (time.monotonic() - start)
    print(
        f"seed {options.seed}: {summary.calls} calls of {len(options.names or GENERATORS)} functions,"
        f" {rate:.0f} a second; {summary.compared} compared, {summary.refused} refused,"
        f" {len(summary.findings)} findings"
    )
    return bool(summary.findings)


if __name__ == "__main__":
    sys.exit(main())
