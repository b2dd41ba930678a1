"""Schedules: the formulas, their ends and joints, numbers and arrays, and their use by an optimiser."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulps import ulp_error

import fastnn as fnn
from fastnn import schedules
from fastnn.schedules import (
    ReduceOnPlateau,
    Schedule,
    chain,
    constant,
    cosine_decay,
    cosine_restarts,
    cyclic,
    exponential_decay,
    inverse_time_decay,
    linear_warmup,
    one_cycle,
    piecewise,
    polynomial_decay,
    step_decay,
    warmup_cosine,
)

#: One of each kind, or of each way that it goes.
EXAMPLES = [
    constant(0.3),
    step_decay(0.1, 7, gamma=0.5),
    exponential_decay(0.1, gamma=0.97),
    exponential_decay(1e-6, 2.5, gamma=1.5),
    inverse_time_decay(0.1, 10, rate=0.5),
    inverse_time_decay(0.1, 10, rate=0.5, staircase=True),
    polynomial_decay(0.1, 80, power=2.5, final=0.01),
    cosine_decay(0.1, 70, final=0.02),
    linear_warmup(0.1, 33, start=0.01),
    warmup_cosine(0.1, 90, warmup=20, start=0.01, final=0.001),
    warmup_cosine(0.1, 90, warmup=0),
    cosine_restarts(0.1, 9, final=0.01),
    cosine_restarts(0.1, 9, multiplier=2, decay=0.7),
    one_cycle(0.1, 100),
    one_cycle(0.1, 100, anneal="linear", three_phase=True, pct_start=0.2),
    one_cycle(0.85, 100, start=0.95, final=0.95),
    cyclic(0.01, 12, peak=0.1, steps_down=5),
    cyclic(0.01, 12, peak=0.1, mode="triangular2"),
    cyclic(0.01, 12, peak=0.1, mode="exp_range", gamma=0.98),
    piecewise((0.1, 0.03, 0.01), (20, 50)),
    chain((linear_warmup(0.1, 20), constant(0.1), step_decay(0.1, 5)), (20, 40)),
]

values = st.floats(-10, 10).map(lambda value: round(value, 6))
lengths = st.one_of(st.integers(1, 300), st.floats(0.5, 300))
shares = st.floats(0, 1)
steps_reached = st.one_of(st.integers(0, 1000), st.floats(0, 1000))


def at_integers(schedule, count):
    return np.array([schedule(step) for step in range(count)])


# --- The formulas, written out once more ---------------------------------------------------------------


def test_step_decay_multiplies_at_every_drop():
    expected, value = [], 0.4
    for step in range(100):
        if step and step % 30 == 0:
            value *= 0.1
        expected.append(value)
    np.testing.assert_allclose(at_integers(step_decay(0.4, 30), 100), expected, rtol=1e-15)


def test_exponential_decay_multiplies_at_every_step():
    expected = 0.2 * np.cumprod([1, *[0.95] * 99])
    np.testing.assert_allclose(at_integers(exponential_decay(0.2, gamma=0.95), 100), expected, rtol=2e-14)
    every_tenth = at_integers(exponential_decay(0.2, 10, gamma=0.95), 100)[::10]
    np.testing.assert_allclose(every_tenth, expected[:10], rtol=1e-14)


@pytest.mark.parametrize("value", [0.0, 1e-7, 3.0])
def test_growth_ends_without_nan_or_warning(value):
    schedule = exponential_decay(value, gamma=10.0)
    reached = schedule(np.array([0, 400.0]))
    assert reached[0] == value
    assert reached[1] == schedule(400) == value * sys.float_info.max


def test_inverse_time_decay():
    steps = np.arange(50)
    np.testing.assert_allclose(at_integers(inverse_time_decay(3.0, rate=0.25), 50), 12 / (4 + steps), rtol=1e-15)
    stairs = at_integers(inverse_time_decay(3.0, 10, rate=0.5, staircase=True), 50)
    np.testing.assert_array_equal(stairs, np.repeat([3, 2, 1.5, 1.2, 1], 10))


def test_polynomial_decay():
    np.testing.assert_allclose(at_integers(polynomial_decay(1.0, 4), 7), [1, 0.75, 0.5, 0.25, 0, 0, 0], rtol=1e-15)
    squares = at_integers(polynomial_decay(9.0, 4, power=2, final=1.0), 6)
    np.testing.assert_allclose(squares, [9, 5.5, 3, 1.5, 1, 1], rtol=1e-15)


def test_cosine_decay():
    expected = [0.1 + 0.4 * (1 + math.cos(math.pi * step / 60)) / 2 for step in range(61)]
    np.testing.assert_allclose(at_integers(cosine_decay(0.5, 60, final=0.1), 80), [*expected, *[0.1] * 19], rtol=1e-15)


def test_cosine_decay_keeps_its_accuracy_near_zero():
    """With x small, (1 - cos x) / 2 = x**2 / 4 to within x**4 / 48; the textbook formula has lost half its digits."""
    x = math.pi / 100_000
    assert ulp_error(cosine_decay(1.0, 100_000)(99_999), x**2 / 4 - x**4 / 48) <= 4


def test_warmup():
    np.testing.assert_array_equal(at_integers(linear_warmup(8.0, 4), 7), [0, 2, 4, 6, 8, 8, 8])
    np.testing.assert_array_equal(at_integers(linear_warmup(8.0, 4, start=4.0), 7), [4, 5, 6, 7, 8, 8, 8])
    joined = at_integers(warmup_cosine(8.0, 12, warmup=4, start=4.0, final=2.0), 15)
    np.testing.assert_array_equal(joined[:4], [4, 5, 6, 7])
    np.testing.assert_allclose(joined[4:], 5 + 3 * np.cos(np.pi * np.minimum(np.arange(11), 8) / 8), rtol=1e-15)


@pytest.mark.parametrize(("multiplier", "decay"), [(1, 1.0), (1, 0.5), (2, 1.0), (3, 0.9)])
def test_cosine_restarts_cycle_by_cycle(multiplier, decay):
    expected, length, height = [], 10, 0.8
    while len(expected) < 500:
        expected += [0.2 + height * (1 + math.cos(math.pi * k / length)) / 2 for k in range(length)]
        length, height = length * multiplier, height * decay
    schedule = cosine_restarts(1.0, 10, multiplier=multiplier, decay=decay, final=0.2)
    np.testing.assert_allclose(at_integers(schedule, 500), expected[:500], rtol=1e-14)


@pytest.mark.parametrize("multiplier", [2, 3, 7, 10])
def test_no_restart_is_missed(multiplier):
    schedule, start, length = cosine_restarts(1.0, 3, multiplier=multiplier), 0, 3
    while start < 2**52:
        assert schedule(start) == 1
        assert schedule(np.array([start])) == 1
        if start:
            assert schedule(start - 1) < 0.76
        start, length = start + length, length * multiplier
    assert 0 <= schedule(2.0**60) <= 1


def test_one_cycle_has_its_ends_and_its_peak():
    schedule = at_integers(one_cycle(0.5, 100), 150)
    assert schedule[0] == 0.5 / 25
    assert schedule[29] == schedule.max() == 0.5
    assert schedule[99] == 0.5 / 25 / 1e4
    assert (schedule[100:] == schedule[99]).all()
    assert (np.diff(schedule[:30]) > 0).all()
    assert (np.diff(schedule[29:100]) < 0).all()
    np.testing.assert_allclose(schedule[:30], 0.26 - 0.24 * np.cos(np.pi * np.arange(30) / 29), rtol=1e-14)


def test_one_cycle_with_three_linear_phases():
    schedule = one_cycle(1.0, 21, start=0.2, final=0.0, pct_start=5 / 21, anneal="linear", three_phase=True)
    expected = np.interp(np.arange(30), [0, 4, 8, 20], [0.2, 1, 0.2, 0])
    np.testing.assert_allclose(at_integers(schedule, 30), expected, rtol=1e-14, atol=1e-16)


def test_one_cycle_serves_momentum_upside_down():
    rate = at_integers(one_cycle(2.0, 50, start=1.0, final=1.0), 50)
    momentum = at_integers(one_cycle(0.85, 50, start=0.95, final=0.95), 50)
    np.testing.assert_allclose(momentum, 0.95 - 0.1 * (rate - 1), rtol=1e-15)


def test_one_cycle_may_begin_at_its_peak():
    np.testing.assert_allclose(at_integers(one_cycle(1.0, 3, final=0.0, pct_start=0.0), 4), [1, 0.5, 0, 0], rtol=1e-15)


@pytest.mark.parametrize(
    ("mode", "heights"),
    [("triangular", lambda t: 1.0), ("triangular2", lambda t: 0.5 ** (t // 6)), ("exp_range", lambda t: 0.9**t)],
)
def test_cyclic(mode, heights):
    wave = [0, 0.25, 0.5, 0.75, 1, 0.5] * 5
    expected = [2 + 3 * wave[t] * heights(t) for t in range(30)]
    schedule = cyclic(2.0, 4, peak=5.0, steps_down=2, mode=mode, gamma=0.9)
    np.testing.assert_allclose(at_integers(schedule, 30), expected, rtol=1e-15)


def test_piecewise_changes_at_the_boundary():
    assert [piecewise([3, 2, 1], [2, 5])(step) for step in range(7)] == [3, 3, 2, 2, 2, 1, 1]
    assert piecewise([3], [])(8) == 3


def test_chain_starts_each_schedule_at_its_own_zero():
    joined = chain([linear_warmup(4.0, 4), step_decay(4.0, 2, gamma=0.5), lambda step: 10.0 + step], [4, 8])
    expected = [0, 1, 2, 3, 4, 4, 2, 2, 10, 11, 12]
    assert [joined(step) for step in range(11)] == expected
    np.testing.assert_array_equal(joined(np.arange(11)), expected)
    assert [chain([joined, constant(7)], [9])(step) for step in (8, 9)] == [10, 7]
    assert type(chain([lambda step: step], [])(3)) is float
    np.testing.assert_array_equal(chain([lambda step: 5.0, constant(7)], [2])(np.arange(4)), [5, 5, 7, 7])


# --- What all have in common ---------------------------------------------------------------------------


def test_every_schedule_has_an_example():
    assert {*schedules.__all__} - {"Schedule", "ReduceOnPlateau"} == {type(example).__name__ for example in EXAMPLES}


@pytest.mark.parametrize("schedule", [*EXAMPLES, ReduceOnPlateau(0.1)], ids=repr)
def test_numbers_and_arrays_agree(schedule):
    for steps in (np.arange(200), np.arange(0, 130, 0.37), np.arange(120).reshape(4, 5, 6)[::-2], np.zeros((0, 2))):
        result = schedule(steps)
        assert result.dtype == np.float64
        assert result.shape == steps.shape
        numbers = [schedule(step) for step in steps.ravel().tolist()]
        assert all(type(number) is float for number in numbers)
        assert np.all(ulp_error(result.ravel(), np.array(numbers)) <= 4)
    for three in (3, 3.0, np.int8(3), np.float32(3), np.array(3), np.uint64(3)):
        assert type(schedule(three)) is float
        assert schedule(three) == schedule(3)
    np.testing.assert_array_equal(schedule([0, 3]), schedule(np.array([0, 3], ">f2")))


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_shown_copied_pickled_and_compared(schedule):
    assert repr(eval(repr(schedule), vars(schedules).copy())) == repr(schedule)  # noqa: S307 our own repr
    schedule(np.arange(3))
    for twin in (
        eval(repr(schedule), vars(schedules).copy()),  # noqa: S307
        copy.deepcopy(schedule),
        pickle.loads(pickle.dumps(schedule)),
    ):
        assert twin == schedule
        assert hash(twin) == hash(schedule)
        assert twin(17) == schedule(17)
    assert sum(schedule == other for other in EXAMPLES) == 1
    with pytest.raises(AttributeError):
        schedule.value = 1.0


def test_repr_is_the_call():
    assert repr(cosine_decay(np.float32(0.5), np.int16(1000))) == "cosine_decay(0.5, steps=1000, final=0.0)"
    assert repr(piecewise(np.array([0.5, 0.25]), [10])) == "piecewise((0.5, 0.25), boundaries=(10,))"
    assert (
        repr(warmup_cosine(0.5, 1e4, warmup=20)) == "warmup_cosine(0.5, steps=10000, warmup=20, start=0.0, final=0.0)"
    )


@pytest.mark.parametrize("step", [-1, -0.5, np.nan, np.inf, [3, -2], np.array([0, np.inf]), np.int8(-1)])
@pytest.mark.parametrize("schedule", [constant(0.1), chain([constant(1)], []), ReduceOnPlateau(0.1)], ids=repr)
def test_steps_outside_the_schedule(schedule, step):
    with pytest.raises(ValueError, match=f"{type(schedule).__name__}: step is .*, expected finite numbers >= 0"):
        schedule(step)


@pytest.mark.parametrize("step", ["1", None, 1j, [None], 10**400])
def test_steps_that_are_no_numbers(step):
    with pytest.raises(TypeError, match="cosine_decay: step has dtype"):
        cosine_decay(0.1, 10)(step)


@given(values, values, lengths, steps_reached, st.floats(0.1, 5))
def test_ways_between_two_values(value, final, steps, step, power):
    """Exact at both ends, within them, and going one way."""
    for schedule in (
        polynomial_decay(value, steps, power=power, final=final),
        cosine_decay(value, steps, final=final),
        linear_warmup(final, steps, start=value),
    ):
        assert schedule(0) == value
        assert schedule(steps) == schedule(steps + step) == final
        path = schedule(np.linspace(0, steps, 200)) * (1 if final >= value else -1)
        rounding = 4 * np.spacing(max(abs(value), abs(final)))
        assert np.diff(path).min() >= -rounding
        assert min(abs(schedule(step) - end) for end in (value, final)) <= abs(value - final) + rounding
        assert min(value, final) - rounding <= schedule(step) <= max(value, final) + rounding


@given(values, lengths, st.lists(shares, min_size=2, max_size=20))
def test_warmup_from_zero_never_goes_back(value, steps, parts):
    path = np.abs(linear_warmup(value, steps)(np.sort(parts) * steps))
    assert np.all(np.diff(path) >= 0)
    assert path.max() <= abs(value)


@given(
    values, values, values, st.integers(2, 400), st.floats(0, 0.49), st.sampled_from(["cos", "linear"]), st.booleans()
)
def test_one_cycle_is_continuous_and_exact_at_its_turns(start, value, final, steps, pct_start, anneal, three_phase):
    peak = max(pct_start * steps - 1, 0)
    three_phase = three_phase and peak > 0
    schedule = one_cycle(
        value, steps, start=start, final=final, pct_start=pct_start, anneal=anneal, three_phase=three_phase
    )
    turns = {peak: value, steps - 1: final, steps: final}
    if peak:
        turns[0] = start
        if three_phase:
            turns[2 * peak] = start
    size = max(abs(start), abs(value), abs(final))
    for turn, level in turns.items():
        assert schedule(turn) == level
        before = np.nextafter(turn, 0) if turn else turn
        assert abs(schedule(float(before)) - level) <= 1e-12 * size
    reached = schedule(np.linspace(0, steps, 300))
    assert min(start, value, final) - 1e-15 * size <= reached.min()
    assert reached.max() <= max(start, value, final) + 1e-15 * size


@given(values, values, st.integers(1, 50), st.integers(1, 50), st.integers(0, 20))
def test_cyclic_returns_to_its_ends(value, peak, up, down, cycle):
    schedule, start = cyclic(value, up, peak=peak, steps_down=down), cycle * (up + down)
    assert schedule(start) == value
    assert schedule(start + up) == peak
    middle = schedule(start + up / 2)
    assert math.isclose(middle, (value + peak) / 2, rel_tol=1e-12, abs_tol=1e-12)


@given(values, st.integers(2, 300), st.floats(0, 0.99), values, values)
def test_warmup_cosine_is_what_it_is_made_of(value, steps, share, start, final):
    warmup = share * steps
    schedule = warmup_cosine(value, steps, warmup=warmup, start=start, final=final)
    assert schedule(0) == (start if warmup else value)
    assert schedule(warmup) == value
    assert schedule(steps) == schedule(steps + 7) == final
    assert schedule((warmup + steps) / 2) == pytest.approx((value + final) / 2, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cosine_decay(0.1, -1), ValueError, "cosine_decay: steps is -1, expected a finite number > 0"),
        (lambda: cosine_decay(0.1, 0), ValueError, "cosine_decay: steps is 0, expected"),
        (lambda: cosine_decay("0.1", 10), TypeError, "cosine_decay: value is '0.1', expected a number"),
        (lambda: constant(np.nan), ValueError, "constant: value is nan, expected a finite number"),
        (
            lambda: step_decay(0.1, 5, gamma=-0.5),
            ValueError,
            "step_decay: gamma is -0.5, expected a finite number >= 0",
        ),
        (lambda: exponential_decay(0.1, 5), TypeError, "gamma"),
        (lambda: inverse_time_decay(0.1, rate=1, staircase=1), TypeError, "staircase is 1, expected True or False"),
        (lambda: polynomial_decay(0.1, 5, power=0), ValueError, "polynomial_decay: power is 0, expected"),
        (lambda: linear_warmup(0.1, math.inf), ValueError, "linear_warmup: steps is inf, expected a finite number"),
        (lambda: warmup_cosine(0.1, 5, warmup=5), ValueError, "warmup is 5, expected less than steps = 5"),
        (lambda: warmup_cosine(0.1, 5, warmup=-1), ValueError, "warmup is -1, expected a finite number >= 0"),
        (lambda: cosine_restarts(0.1, 5, multiplier=1.5), TypeError, "multiplier is 1.5, expected an integer"),
        (lambda: cosine_restarts(0.1, 5, multiplier=0), ValueError, "multiplier is 0, expected an integer >= 1"),
        (lambda: one_cycle(0.1, 1), ValueError, "one_cycle: steps is 1 and pct_start 0.3, expected steps for each"),
        (lambda: one_cycle(0.1, 100, pct_start=1), ValueError, "each of 2 phases"),
        (lambda: one_cycle(0.1, 100, pct_start=0.7, three_phase=True), ValueError, "each of 3 phases"),
        (lambda: one_cycle(0.1, 100, pct_start=0.01, three_phase=True), ValueError, "each of 3 phases"),
        (lambda: one_cycle(None, 100), TypeError, "one_cycle: value is None, expected a number"),
        (lambda: one_cycle(0.1, 100, anneal="sin"), ValueError, "anneal is 'sin', expected one of cos, linear"),
        (lambda: cyclic(0.1, 5, peak=1, gamma=1.5), ValueError, "cyclic: gamma is 1.5, expected a number from 0 to 1"),
        (lambda: cyclic(0.1, 5, peak=1, steps_down=0), ValueError, "cyclic: steps_down is 0, expected"),
        (lambda: cyclic(0.1, 5, peak=1, mode="square"), ValueError, "cyclic: mode is 'square'"),
        (lambda: piecewise([1, 2], [3, 4]), ValueError, "values has 2 entries, expected 3, one more than boundaries"),
        (lambda: piecewise(1.0, []), TypeError, "piecewise: values is 1.0, expected a list or tuple"),
        (lambda: piecewise([1, 2, 3], [4, 4]), ValueError, r"boundaries is \(4, 4\), expected increasing steps"),
        (lambda: chain([constant(1), 0.1], [4]), TypeError, "chain: schedules has the entry 0.1, expected schedules"),
        (lambda: chain([constant(1)], [4]), ValueError, "chain: schedules has 1 entries, expected 2"),
        (lambda: Schedule()(3), TypeError, "Schedule has no formula"),
    ],
)
def test_errors_come_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- Use ----------------------------------------------------------------------------------------------


def test_an_optimiser_follows_its_schedules():
    rate, momentum = warmup_cosine(0.5, 8, warmup=3), one_cycle(0.85, 8, start=0.95, final=0.95)
    param, expected, buffer = np.zeros(3), np.zeros(3), np.zeros(3)
    optimizer = fnn.optim.SGD(param, lr=rate, momentum=momentum, weight_decay=constant(0.0))
    for step in range(10):
        grad = np.array([1.0, -2.0, 0.5]) * (step + 1)
        optimizer.step(grad)
        buffer = momentum(step) * buffer + grad if step else grad
        expected = expected - rate(step) * buffer
        np.testing.assert_allclose(param, expected, rtol=1e-12)
