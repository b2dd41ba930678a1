"""The dropouts against their references, the edges of p, layouts, threads and randomness."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from processes import run_python
from test_reference import numeric_gradient
from ulps import assert_within, same_bits

import fastnn as fnn
from fastnn import reference

NAMES = ["dropout", "spatial_dropout", "alpha_dropout", "drop_path", "gaussian_dropout"]
#: The limit of SELU, which alpha dropout puts in.
ALPHA = 1.7580993408473766
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, -65504.0]


def forward(name, *args, **options):
    return getattr(fnn, f"{name}_forward")(*args, **options)


def backward(name, *args, **options):
    return getattr(fnn, f"{name}_backward")(*args, **options)


def drawn_seed(seed):
    """What a call draws for rng=seed."""
    return int(np.random.default_rng(seed).integers(2**63))


def reference_of(name, x, p, seed, **options):
    """(y, cache) of the reference under the seed that rng=seed stands for."""
    return getattr(reference, f"{name}_forward")(x, p, seed=drawn_seed(seed), **options)


def axes_of(name, shape):
    """Options to try `name` with on an array of that shape."""
    return [{"axis": k} for k in range(-len(shape), len(shape))] if name == "spatial_dropout" else [{}]


def assert_close(name, actual, expected, x, p):
    """Within 2 ulps, where the result is one product; else within that of the numbers that it is the sum of."""
    eps, size = np.finfo(actual.dtype).eps, np.abs(np.asarray(x, np.float64))
    absolute = 0.0
    if name == "alpha_dropout" and p < 1:
        absolute = 4 * eps * (np.where(np.isfinite(size), size, 0) + ALPHA) / np.sqrt((1 - p) * (1 + p * ALPHA**2))
    if name == "gaussian_dropout":  # z is at most 6.8, its error an ulp of the largest
        absolute = 4 * eps * np.where(np.isfinite(size), size, 0) * (1 + 6.8 * np.sqrt(p / (1 - p)))
    assert_within(actual, expected, 2, absolute, inputs=[x])


@given(
    st.sampled_from(NAMES),
    array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0, 2.0**-32, 2.0**-34, 1 - 2.0**-32, 1 - 2.0**-34]),
    st.integers(0, 2**70),
    st.sampled_from(["f2", "f4", "f8"]),
    st.integers(0, 100),
)
def test_equals_the_reference(name, shape, p, seed, dtype, choice):
    options = axes_of(name, shape)
    if not options or (name == "gaussian_dropout" and p > 0.999):
        return
    options = options[choice % len(options)]
    rng = np.random.default_rng(choice)
    x, dy = (rng.standard_normal(shape) * 4).astype(dtype), rng.standard_normal(shape).astype(dtype)
    if choice % 2:
        x = np.where(rng.random(shape) < 0.2, rng.choice(SPECIAL, shape), x).astype(dtype)
    before = x.copy(), dy.copy()
    y, cache = forward(name, x, p, rng=seed, **options)
    expected, reference_cache = reference_of(name, x, p, seed, **options)
    mask = fnn.dropout_mask(cache)
    assert (mask.dtype, mask.shape, y.dtype, y.shape) == (np.dtype(bool), shape, np.dtype(dtype), shape)
    assert mask.flags.writeable
    np.testing.assert_array_equal(mask, reference.dropout_mask(reference_cache))
    assert_close(name, y, expected, x, p)
    dx = backward(name, dy, cache)
    assert dx.dtype == np.dtype(dtype)
    gradient = getattr(reference, f"{name}_backward")(dy, reference_cache)
    assert_close(name if name == "gaussian_dropout" else "a product", dx, gradient, dy, p)
    if name != "gaussian_dropout":
        assert not np.any(dx[~mask])
    assert same_bits(x, before[0])
    assert same_bits(dy, before[1])


@pytest.mark.parametrize("n", [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 5000, 8191, 8193, 70_001])
@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "gaussian_dropout"])
def test_any_length(name, n, rng):
    """Over the borders of vectors, blocks and chunks; nothing is written beyond the array."""
    for dtype in (np.float32, np.float64):
        x, out = rng.standard_normal(n).astype(dtype), np.full(n + 40, np.nan, dtype)
        _, cache = forward(name, x, 0.3, rng=n, out=out[20:-20])
        assert_close(name, out[20:-20], reference_of(name, x, 0.3, n)[0], x, 0.3)
        assert np.isnan(out[:20]).all()
        assert np.isnan(out[-20:]).all()
        if name == "dropout":
            np.testing.assert_array_equal(fnn.dropout_mask(cache), out[20:-20] != 0)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3, 5, 7000), 1),
        ((2, 2, 3, 9001), 2),
        ((2, 9001, 3), 1),
        ((3, 700, 33), -1),
        ((2, 3, 9001), -1),
        ((70_001, 2), 0),
        ((9001, 3), 1),
        ((3, 1, 20), 1),
        ((5, 1, 1), -1),
        ((1, 70_001), 0),
    ],
)
def test_channels_of_any_size(shape, axis, rng):
    """Runs and rows that begin and end anywhere in a chunk."""
    x, out = rng.standard_normal(shape).astype(np.float32), np.full(shape, np.nan, np.float32)
    for name, options in [("spatial_dropout", {"axis": axis}), ("drop_path", {})]:
        _, cache = forward(name, x, 0.4, rng=7, out=out, **options)
        expected, reference_cache = reference_of(name, x, 0.4, 7, **options)
        np.testing.assert_array_equal(fnn.dropout_mask(cache), reference.dropout_mask(reference_cache))
        assert_close(name, out, expected, x, 0.4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
def test_backward_is_the_gradient(name, p, rng):
    for shape, options in [((4, 5, 3), {}), ((2, 3, 20), {"axis": -1} if name == "spatial_dropout" else {})]:
        x, dy = rng.standard_normal((2, *shape))
        _, cache = forward(name, x, p, rng=3, **options)
        numeric = numeric_gradient(lambda x=x, dy=dy, o=options: (dy * forward(name, x, p, rng=3, **o)[0]).sum(), x)
        np.testing.assert_allclose(backward(name, dy, cache), numeric, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_same_bits_for_any_number_of_threads(name, dtype, rng):
    x = rng.standard_normal((70, 30, 60)).astype(dtype)
    for options in axes_of(name, x.shape):
        results = []
        for threads in (1, 2, 2):
            with fnn.threads(threads):
                y, cache = forward(name, x, 0.3, rng=5, **options)
                results.append((y, backward(name, x, cache), fnn.dropout_mask(cache)))
        for other in results[1:]:
            assert all(map(same_bits, results[0], other))


def layouts(x):
    """The same array in other layouts."""
    reversed_view = np.ascontiguousarray(x[::-1, :, ::-1])[::-1, :, ::-1]
    strided = np.zeros((x.shape[0], 2 * x.shape[1], x.shape[2]), x.dtype)
    strided[:, ::2] = x
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    read_only = x.copy()
    read_only.flags.writeable = False
    return [
        np.asfortranarray(x),
        reversed_view,
        strided[:, ::2],
        x.astype(x.dtype.newbyteorder()),
        unaligned,
        read_only,
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_the_layout_changes_nothing(name, dtype, rng):
    x = rng.standard_normal((6, 10, 13)).astype(dtype)
    expected, cache = forward(name, x, 0.4, rng=9)
    gradient = backward(name, x, cache)
    for view in layouts(x):
        y, other = forward(name, view, 0.4, rng=9)
        assert other == cache
        assert same_bits(y, expected)
        assert same_bits(backward(name, view, cache), gradient)
        if view.flags.writeable:
            out = view.copy(order="K")
            assert forward(name, view, 0.4, rng=9, out=out)[0] is out
            assert same_bits(out.astype(dtype), expected)


@pytest.mark.parametrize("name", NAMES)
def test_out(name, rng):
    x = rng.standard_normal((5, 6, 4)).astype("f4")
    before = x.copy()
    expected, cache = forward(name, x, 0.5, rng=0)
    gradient = backward(name, x, cache)
    assert same_bits(x, before)
    for out in (np.full(x.shape, np.nan, "f4"), np.full((4, 6, 5), np.nan, "f4").T, np.full(x.shape, np.nan)):
        assert forward(name, x, 0.5, rng=0, out=(out,))[0] is out
        assert same_bits(out.astype("f4"), expected)
        out.fill(np.nan)
        assert backward(name, x, cache, out=out) is out
        assert same_bits(out.astype("f4"), gradient)
    for overlapping in (x, x[::-1]):
        x[...] = before
        forward(name, x, 0.5, rng=0, out=overlapping)
        assert same_bits(overlapping, expected)
        x[...] = before
        backward(name, x, cache, out=overlapping)
        assert same_bits(overlapping, gradient)
    memory = np.empty(x.size + 8, "f4")
    source, shifted = memory[:-8].reshape(x.shape), memory[8:].reshape(x.shape)
    source[...] = before
    forward(name, source, 0.5, rng=0, out=shifted)
    assert same_bits(shifted, expected)


def test_a_wider_result_does_not_warn_in_a_narrow_out():
    out = np.zeros(64, "f2")
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        y, cache = fnn.dropout_forward(np.full(64, 60_000.0), 0.5, rng=0, out=out)
        fnn.gaussian_dropout_forward(np.full(64, 3e38, "f4"), 0.5, rng=0)
    np.testing.assert_array_equal(y, np.where(fnn.dropout_mask(cache), np.inf, 0))


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_the_generator_made_from_it(name):
    x = np.ones((10, 10, 10), "f4")
    first, cache = forward(name, x, rng=5)
    assert same_bits(first, forward(name, x, rng=np.int32(5))[0])
    generator = np.random.default_rng(5)
    assert same_bits(first, forward(name, x, rng=generator)[0])
    second, next_cache = forward(name, x, rng=generator)
    assert not same_bits(first, second)
    assert not same_bits(first, forward(name, x, rng=6)[0])
    assert not same_bits(forward(name, x)[0], forward(name, x)[0])
    drawn = np.random.default_rng(5).integers(2**63, size=2)
    assert [cache.seed, next_cache.seed] == drawn.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_moves_on_by_one_draw_whatever_p_and_x(name):
    ps = (0, 0.5) if name == "gaussian_dropout" else (0, 0.5, 1)
    generator, twin = np.random.default_rng(1), np.random.default_rng(1)
    for p in ps:
        for x in (np.ones((3, 4)), np.ones((0, 4))):
            forward(name, x, p, rng=generator)
            twin.integers(2**63)
            assert generator.bit_generator.state == twin.bit_generator.state


@pytest.mark.parametrize("name", NAMES)
def test_p_of_zero_changes_nothing(name):
    x = np.array([[1.0, -0.0, np.nan], [np.inf, 1e-310, -np.inf]])
    y, cache = forward(name, x, 0)
    assert same_bits(y, x)
    assert same_bits(backward(name, x, cache), x)
    assert fnn.dropout_mask(cache).all()


@pytest.mark.parametrize("name", NAMES[:-1])
@pytest.mark.parametrize("p", [1, 1 - 2.0**-40])
def test_p_of_one_drops_all(name, p):
    x = np.array([[1.0, -2.0], [np.nan, np.inf]])
    with np.errstate(all="raise"):
        y, cache = forward(name, x, p)
    assert not fnn.dropout_mask(cache).any()
    assert not backward(name, x, cache).any()
    if p == 1 or name != "alpha_dropout":
        assert same_bits(y, np.zeros((2, 2)))
    else:
        assert_close(name, y, reference_of(name, x, p, 0)[0], np.zeros((2, 2)), p)


def test_what_is_dropped_is_zero_and_what_is_kept_keeps_the_sign_of_zero():
    x = np.array([np.nan, np.inf, -np.inf, -0.0] * 50, "f4").reshape(20, 2, 5)
    for name, z in [
        *((name, x) for name in ("dropout", "spatial_dropout", "drop_path")),
        ("spatial_dropout", x[..., 3]),
    ]:
        y, cache = forward(name, z, 0.5, rng=8)
        mask = fnn.dropout_mask(cache)
        assert 0 < mask.sum() < mask.size
        assert same_bits(y, np.where(mask, z, np.float32(0)))
        assert same_bits(backward(name, z, cache), y)


@pytest.mark.parametrize("name", ["alpha_dropout", "gaussian_dropout"])
def test_mean_and_variance(name, rng):
    """Alpha dropout keeps mean 0 and variance 1; Gaussian dropout of ones has mean 1 and variance p / (1 - p)."""
    n, p = 1_000_000, 0.2
    x = rng.standard_normal(n) if name == "alpha_dropout" else np.ones(n)
    y = forward(name, x, p, rng=2)[0]
    mean, variance = (0, 1) if name == "alpha_dropout" else (1, 0.25)
    fourth = np.mean((y - y.mean()) ** 4)
    assert abs(y.mean() - mean) < 4 * np.sqrt(variance / n)
    assert abs(y.var() - variance) < 4 * np.sqrt((fourth - variance**2) / n)


def test_scalars_integers_and_a_small_cache():
    for name in NAMES:
        if name != "spatial_dropout":
            y, cache = forward(name, 3, 0)
            assert isinstance(y, np.float64)
            assert y == 3
            assert isinstance(backward(name, np.float32(2), cache), np.float32)
            assert isinstance(forward(name, np.float16(2), 0.5)[0], np.float16)
        y, cache = forward(name, [[1, 0], [2, 3]], 0.5)
        assert y.dtype == np.float64
        assert len(pickle.dumps(forward(name, np.ones((1000, 100)))[1])) < 500
        assert pickle.loads(pickle.dumps(cache)) == cache


_RESULTS = """
import numpy as np, fastnn as fnn
from fastnn.dropout import _drawing
x = np.linspace(-3, 3, 300).reshape(5, 4, 15)
results = {}
for name in NAMES:
    for axis in (1, -1) if name == "spatial_dropout" else (None,):
        for dtype in "efd":
            options = {} if axis is None else {"axis": axis}
            y, cache = getattr(fnn, name + "_forward")(x.astype(dtype), 0.3, rng=4, **options)
            key = f"{name} {axis} {dtype} "
            results[key + "y"], results[key + "mask"] = y, fnn.dropout_mask(cache)
            results[key + "dx"] = getattr(fnn, name + "_backward")(y, cache)
_drawing._STREAM = 0
for dtype in "efd":
    for p in TIED:
        y, cache = fnn.dropout_forward(x.astype(dtype), p, rng=4)
        results[f"{dtype} {p} y"], results[f"{dtype} {p} mask"] = y, fnn.dropout_mask(cache)
np.savez(PATH, **results)
"""


def test_without_the_jit(tmp_path):
    """Plain Python gives the same masks, and the same numbers but for its fma of float32, which rounds twice."""
    code, results = _RESULTS.replace("NAMES", repr(NAMES)), []
    bits = reference.mask_bits(drawn_seed(4), 0, 300)
    code = code.replace("TIED", repr([int(bits[7]) / 2**32, int(bits[290]) / 2**32]))  # in a step and in the rest
    for disable in ("0", "1"):
        path = str(tmp_path / f"{disable}.npz")
        run_python(code.replace("PATH", repr(path)), NUMBA_DISABLE_JIT=disable)
        with np.load(path) as data:
            results.append(dict(data))
    compiled, interpreted = results
    assert len(compiled) == len(interpreted) == 66
    for key, expected in compiled.items():
        if key.endswith("mask"):
            np.testing.assert_array_equal(interpreted[key], expected)
        else:
            eps = np.finfo(expected.dtype).eps
            np.testing.assert_allclose(interpreted[key], expected, rtol=4 * eps, atol=16 * eps, err_msg=key)
