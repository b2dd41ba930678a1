"""The reference's random bits against Philox's published answers, its dropouts against their definitions."""

import math

import numpy as np
import pytest
from test_reference import numeric_gradient

from fastnn import reference

#: Forward and backward of each dropout under the name of the function, and keywords to try it with.
DROPOUTS = [
    ("dropout", {}),
    ("spatial_dropout", {}),
    ("spatial_dropout", {"axis": -1}),
    ("alpha_dropout", {}),
    ("drop_path", {}),
    ("gaussian_dropout", {}),
]

ALPHA = -1.7580993408473766


def forward_of(name):
    return getattr(reference, f"{name}_forward")


# Counter, key, words: kat_vectors of the Random123 distribution, philox4x32-10.
KNOWN_ANSWERS = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def test_philox_known_answers():
    counters, keys, expected = map(np.array, zip(*KNOWN_ANSWERS, strict=True))
    words = reference.philox(counters, keys)
    assert words.dtype == np.uint32
    assert words.tolist() == expected.tolist()
    for counter, key, answer in KNOWN_ANSWERS:
        assert reference.philox(counter, key).tolist() == answer


def test_fewer_philox_rounds_end_earlier():
    assert reference.philox([1, 2, 3, 4], [5, 6], rounds=0).tolist() == [1, 2, 3, 4]
    # One round by hand: the products of the first and third word are their multipliers and 3 times the second.
    high, low = divmod(3 * 0xCD9E8D57, 2**32)
    assert reference.philox([1, 2, 3, 4], [5, 6], rounds=1).tolist() == [high ^ 2 ^ 5, low, 4 ^ 6, 0xD2511F53]


@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (7, 1), (2**63 + 2**32 + 5, 2**40 + 3), (2**64 - 1, 2**64 - 1)])
def test_random_bits_are_the_words_of_their_definition(seed, offset):
    bits = reference.random_bits(seed, offset, 200)
    assert bits.dtype == np.uint32
    for i in range(200):
        counter = 16 * (i // 64) + i % 16
        words = reference.philox(
            [counter % 2**32, counter >> 32, offset % 2**32, offset >> 32], [seed % 2**32, seed >> 32]
        )
        assert bits[i] == words[i // 16 % 4]


def test_random_bits_of_any_length_start_alike():
    longest = reference.random_bits(3, 0, 1000)
    assert len(np.unique(longest)) > 990
    for n in (0, 1, 15, 16, 17, 63, 64, 65, 999):
        assert reference.random_bits(3, 0, n).tolist() == longest[:n].tolist()


@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (2**63 + 5, 3), (9, 2**62)])
def test_mask_bits_are_half_words_of_two_offsets(seed, offset):
    upper, lower = (reference.random_bits(seed, 2 * offset + k, 150).tolist() for k in (0, 1))
    bits = reference.mask_bits(seed, offset, 299)
    assert (bits.dtype, bits.shape) == (np.uint32, (299,))
    for i in range(299):
        halves = [word // 2**16 if i % 2 else word % 2**16 for word in (upper[i // 2], lower[i // 2])]
        assert bits[i] == halves[0] * 2**16 + halves[1]


def test_an_element_is_kept_from_p_of_the_bits_on():
    bits = reference.mask_bits(11, 0, 12).astype(np.int64)
    for i, drawn in enumerate(bits):
        at_threshold, above = (
            reference.dropout_mask(reference.dropout_forward(np.ones(12), p, seed=11)[1])
            for p in (drawn / 2**32, (drawn + 1) / 2**32)
        )
        assert at_threshold[i]
        assert not above[i]
        assert at_threshold.tolist() == (bits >= drawn).tolist()


def test_dropout_values():
    bits = reference.mask_bits(5, 0, 6).reshape(2, 3)
    x, p = np.arange(1.0, 7).reshape(2, 3), 0.75
    kept = bits >= 3 * 2**30
    assert 0 < kept.sum() < 6
    y, cache = reference.dropout_forward(x, p, seed=5)
    assert y.tolist() == np.where(kept, 4 * x, 0).tolist()
    assert reference.dropout_mask(cache).tolist() == kept.tolist()
    assert reference.dropout_backward(x + 1, cache).tolist() == np.where(kept, 4 * x + 4, 0).tolist()


@pytest.mark.parametrize(("name", "options"), DROPOUTS)
@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
def test_gradients(name, options, p, rng):
    x, dy = rng.standard_normal((2, 4, 5, 3))
    _, cache = forward_of(name)(x, p, seed=2, **options)
    dx = getattr(reference, f"{name}_backward")(dy, cache)
    numeric = numeric_gradient(lambda: (dy * forward_of(name)(x, p, seed=2, **options)[0]).sum(), x)
    np.testing.assert_allclose(dx, numeric, rtol=1e-8, atol=1e-9)
    assert np.all(dx[~reference.dropout_mask(cache)] == 0)


@pytest.mark.parametrize(("name", "options"), DROPOUTS)
def test_p_of_zero_changes_nothing(name, options, rng):
    x = rng.standard_normal((4, 5, 3))
    y, cache = forward_of(name)(x, 0, seed=1, **options)
    assert y.tolist() == x.tolist()
    assert reference.dropout_mask(cache).all()
    assert getattr(reference, f"{name}_backward")(x, cache).tolist() == x.tolist()


@pytest.mark.parametrize(("name", "options"), DROPOUTS[:-1])
def test_p_of_one_gives_zeros(name, options):
    x = np.full((4, 5, 3), np.inf)
    y, cache = forward_of(name)(x, 1, seed=1, **options)
    assert not reference.dropout_mask(cache).any()
    for zeros in (y, getattr(reference, f"{name}_backward")(x, cache)):
        assert zeros.shape == x.shape
        assert not zeros.any()


@pytest.mark.parametrize("p", [1.0, -0.5, math.nan])
def test_gaussian_dropout_needs_p_below_one(p):
    with pytest.raises(ValueError, match="expected 0 <= p < 1"):
        reference.gaussian_dropout_forward([1.0], p, seed=0)


@pytest.mark.parametrize(("name", "options"), DROPOUTS)
def test_the_mask_has_the_shape_of_x_and_the_seed_decides(name, options):
    x = np.ones((6, 5, 4), ">f4")
    first, second, other = (forward_of(name)(x, seed=seed, **options) for seed in (1, 1, 2**40))
    mask = reference.dropout_mask(first[1])
    assert (mask.shape, mask.dtype, first[0].dtype) == (x.shape, np.dtype(bool), np.dtype(np.float64))
    assert first[0].tolist() == second[0].tolist()
    assert first[0].tolist() != other[0].tolist()


@pytest.mark.parametrize(("shape", "axis"), [((6, 5, 4), 1), ((6, 4, 5), -1), ((6, 2, 5, 3), 2), ((6, 5), 1)])
def test_spatial_dropout_drops_channels(shape, axis):
    channels = reference.mask_bits(9, 0, 30).reshape(6, 5) >= 2**31
    assert 0 < channels.sum() < 30
    _, cache = reference.spatial_dropout_forward(np.ones(shape), axis=axis, seed=9)
    mask = np.moveaxis(reference.dropout_mask(cache), axis, 1).reshape(6, 5, -1)
    assert mask.tolist() == np.repeat(channels[..., None], mask.shape[-1], axis=-1).tolist()


def test_drop_path_drops_samples():
    samples = reference.mask_bits(9, 0, 20) >= 2**31
    y, _ = reference.drop_path_forward(np.ones((20, 3, 2)), seed=9)
    assert y.tolist() == (2.0 * samples[:, None, None] * np.ones((20, 3, 2))).tolist()


def test_alpha_dropout_values():
    x, p = np.array([1.0, -2.0, 0.5, 3.0, np.inf, np.nan]), 0.4
    y, cache = reference.alpha_dropout_forward(x, p, seed=4)
    mask = reference.dropout_mask(cache)
    a = (0.6 * (1 + 0.4 * ALPHA**2)) ** -0.5
    assert mask.tolist() == (reference.mask_bits(4, 0, 6) >= round(0.4 * 2**32)).tolist()
    assert 0 < mask.sum() < 6
    np.testing.assert_allclose(y, a * np.where(mask, x, ALPHA) - a * ALPHA * p, rtol=1e-14)
    np.testing.assert_allclose(reference.alpha_dropout_backward(np.ones(6), cache), a * mask, rtol=1e-15)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.7])
def test_alpha_dropout_keeps_mean_and_variance(p, rng):
    n = 400_000
    y, _ = reference.alpha_dropout_forward(rng.standard_normal(n), p, seed=8)
    assert abs(y.mean()) < 5 / math.sqrt(n)
    fourth = ((y - y.mean()) ** 4).mean()
    assert abs(y.var() - 1) < 5 * math.sqrt((fourth - 1) / n)


def test_gaussian_dropout_values():
    x, p, n = np.array([2.0, -1.0, 0.5]), 0.2, 3
    first, second = reference.random_bits(6, 0, n).tolist(), reference.random_bits(6, 1, n).tolist()
    y, cache = reference.gaussian_dropout_forward(x, p, seed=6)
    for k in range(n):
        u1, u2 = (first[k] + 0.5) / 2**32, (second[k] + 0.5) / 2**32
        z = math.sqrt(-2 * math.log(u1)) * math.cos(2 * math.pi * u2)
        assert y[k] == pytest.approx(x[k] * (1 + 0.5 * z), rel=1e-14)
    assert reference.dropout_mask(cache).all()


def test_gaussian_factors_are_normal():
    n = 400_000
    y, _ = reference.gaussian_dropout_forward(np.ones(n), 0.5, seed=3)
    z = y - 1
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * math.sqrt(variance / n)


@pytest.mark.parametrize("p", [0.03, 0.5, 0.9])
def test_the_share_dropped_is_p_and_elements_are_independent(p):
    n = 400_000
    kept = reference.dropout_mask(reference.dropout_forward(np.ones(n), p, seed=1)[1]).astype(float)
    assert abs(kept.mean() - (1 - p)) < 4 * math.sqrt(p * (1 - p) / n)
    for lag in (1, 4, 16, 64):
        correlation = np.mean((kept[lag:] - (1 - p)) * (kept[:-lag] - (1 - p))) / (p * (1 - p))
        assert abs(correlation) < 4.5 / math.sqrt(n - lag)


def test_dropped_nan_and_infinity_are_zero_without_a_warning():
    x = np.where(np.arange(64) % 2, np.nan, np.inf)
    y, cache = reference.dropout_forward(x, seed=0)
    mask = reference.dropout_mask(cache)
    assert not y[~mask].any()
    np.testing.assert_array_equal(y[mask], x[mask])
    np.testing.assert_array_equal(reference.dropout_backward(x, cache), y)


def test_scalars_and_empty_arrays():
    y, cache = reference.dropout_forward(3, 0, seed=0)
    assert y == 3
    assert reference.dropout_mask(cache).shape == ()
    for name, _ in DROPOUTS:
        y, cache = forward_of(name)(np.ones((0, 3)), seed=0)
        assert y.shape == reference.dropout_mask(cache).shape == (0, 3)
