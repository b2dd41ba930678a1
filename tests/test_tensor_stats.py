"""tensor_stats against the reference, on every dtype, layout and size and on what is not finite."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from processes import run_python

import fastnn as fnn
from fastnn import monitor
from fastnn._engine.geometry import CHUNK
from fastnn.reference.monitor import tensor_stats as reference_stats

SIZES = [1, 2, 15, 16, 17, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]
MOMENTS = ("mean", "std", "min", "max")
FRACTIONS = ("zero", "nan", "inf", "subnormal")


def assert_stats(x, rtol=1e-13):
    """As the reference; the mean to within some roundings of the range that the values span."""
    actual, expected = monitor.tensor_stats(x), reference_stats(x)
    assert actual.count == expected.count
    for name in FRACTIONS:
        np.testing.assert_equal(getattr(actual, name), getattr(expected, name), err_msg=name)
    for name in ("min", "max"):
        np.testing.assert_equal(getattr(actual, name), getattr(expected, name), err_msg=name)
    rounding = np.nan_to_num(1e-14 * expected.max - 1e-14 * expected.min)
    np.testing.assert_allclose(actual.mean, expected.mean, rtol=1e-14, atol=rounding)
    np.testing.assert_allclose(actual.std, expected.std, rtol=rtol, atol=5e-324)
    return actual


def with_specials(rng, n, dtype):
    """Normal values with some of everything among them."""
    x = rng.standard_normal(n).astype(dtype)
    tiny = np.finfo(dtype).tiny
    specials = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, tiny, -tiny, tiny / 2, -tiny / 4], dtype)
    places = rng.random(n) < 0.2
    x[places] = rng.choice(specials, np.count_nonzero(places))
    return x


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_like_the_reference(rng, n, dtype):
    assert_stats(rng.standard_normal(n).astype(dtype))
    assert_stats(with_specials(rng, n, dtype))
    assert_stats(np.maximum(rng.standard_normal(n), 0).astype(dtype))


@given(
    st.sampled_from(["f2", "f4", "f8"]).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            st.integers(1, 70),
            elements=st.floats(width=8 * np.dtype(dtype).itemsize, allow_subnormal=True),
            fill=st.nothing(),
        )
    )
)
def test_any_values(x):
    assert_stats(x, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("place", [0, 1, 5000, CHUNK - 1, CHUNK, 3 * CHUNK + 4])
@pytest.mark.parametrize("special", [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-40, 1e-310])
def test_one_special_value_anywhere(rng, dtype, place, special):
    x = rng.standard_normal(3 * CHUNK + 5).astype(dtype)
    x[place] = special
    assert_stats(x)


def test_nothing_finite():
    stats = assert_stats(np.full(20_000, np.nan, "f4"))
    assert all(math.isnan(getattr(stats, name)) for name in MOMENTS)
    assert stats.nan == 1
    assert_stats(np.array([np.inf, -np.inf, np.nan, np.inf]))
    x = np.ones(3 * CHUNK, "f4")
    x[CHUNK : 2 * CHUNK] = np.nan  # a chunk of nothing between two others
    x[:CHUNK] = np.inf
    assert assert_stats(x).mean == 1


def test_empty():
    stats = monitor.tensor_stats(np.zeros((0, 3), "f4"))
    assert stats.count == 0
    assert all(math.isnan(getattr(stats, name)) for name in (*MOMENTS, *FRACTIONS))


@pytest.mark.parametrize(("dtype", "offset"), [("f4", 1e6), ("f8", 1e6), ("f8", -1e12)])
def test_a_large_mean_cancels_nothing(rng, dtype, offset):
    x = (rng.standard_normal(100_000) + offset).astype(dtype)
    stats = assert_stats(x)
    assert stats.std == pytest.approx(float(np.std(x.astype(np.longdouble) - np.longdouble(offset))), rel=1e-12)


def test_chunks_of_different_means(rng):
    x = rng.standard_normal(10 * CHUNK) + np.repeat(rng.standard_normal(10) * 1e5, CHUNK)
    assert_stats(x)


@pytest.mark.parametrize("size", [1e308, 1e200, 1e-160, 1e-300, 5e-324])
def test_squares_beyond_float64(rng, size):
    assert_stats(size * rng.uniform(-1, 1, 20_000))
    assert_stats(np.array([size, -size, size]))


@pytest.mark.parametrize("value", [0.0, 3.7, -1e308, 1e-310, 0.1])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_constants_have_no_deviation(value, dtype):
    x = np.full(10_001, value, dtype) if abs(value) < 1e38 or dtype == "f8" else np.full(10_001, -1e38, dtype)
    stats = assert_stats(x)
    assert stats.std == 0
    assert stats.mean == stats.min == stats.max == x[0]


def test_every_layout_and_dtype(rng):
    base = rng.standard_normal((40, 50, 6)).astype("f4")
    for view in (base.T, base[::2, ::-3], base[:, 5], base.transpose(1, 0, 2), np.asfortranarray(base), base[::-1]):
        assert_stats(view)
    unaligned = np.frombuffer(b"x" + base.tobytes(), np.uint8)[1:].view("f4")
    assert not unaligned.flags.aligned
    assert_stats(unaligned)
    assert_stats(base.astype(">f8"))
    assert_stats(np.broadcast_to(np.float32(3), (4, 5)))
    assert_stats(rng.integers(-5, 5, (30, 40)))
    assert_stats(rng.random(100) < 0.3)
    assert_stats([1, 2, 3.5])
    assert_stats(np.float32(2))


def test_threads_do_not_change_a_bit(rng):
    x = with_specials(rng, 1_000_000, "f4")
    found = set()
    for threads in (1, 2):
        with fnn.threads(threads):
            found.add(monitor.tensor_stats(x))
    assert len(found) == 1


def test_the_input_stays_as_it_is(rng):
    x = with_specials(rng, 10_000, "f8")
    before = x.tobytes()
    x.flags.writeable = False
    monitor.tensor_stats(x)
    assert x.tobytes() == before


def test_one_readable_line():
    assert str(monitor.tensor_stats(np.arange(5.0))) == "5 values: mean 2, std 1.414, min 0, max 4, 20% zero"
    line = str(monitor.tensor_stats(np.array([1e-40, np.nan, np.inf, 1.0] * 500, "f4")))
    assert line == "2,000 values: mean 0.5, std 0.5, min 1e-40, max 1, 25% NaN, 25% inf, 25% subnormal"


def test_without_the_compiler():
    run_python(
        "import numpy as np\n"
        "from fastnn.monitor import tensor_stats\n"
        "for dtype in 'efd':\n"
        "    x = np.array([0, -1, 2, np.nan, np.inf, *range(40), np.finfo(dtype).tiny / 2], dtype)\n"
        "    s = tensor_stats(x)\n"
        "    v = x[np.isfinite(x)].astype(float)\n"
        "    np.testing.assert_allclose([s.mean, s.std, s.min, s.max], [v.mean(), v.std(), -1, 39], rtol=1e-12)\n"
        "    assert (s.zero * 46, s.nan * 46, s.inf * 46, s.subnormal * 46) == (2, 1, 1, 1)\n"
        "assert np.isnan(tensor_stats(np.full(5, np.nan)).mean)\n"
        "assert tensor_stats(np.array([1e300, -1e300])).std == 1e300\n",
        NUMBA_DISABLE_JIT="1",
    )


@pytest.mark.parametrize("x", [np.ones(2, complex), np.array(["a"]), np.array([None])])
def test_tensor_stats_of_no_numbers(x):
    with pytest.raises(TypeError, match="tensor_stats: x has dtype"):
        monitor.tensor_stats(x)
