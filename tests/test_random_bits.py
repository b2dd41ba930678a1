"""The compiled Philox: published answers, the reference's bits, and statistics that a weak generator fails."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fastnn import reference
from fastnn._engine import fused, loops, native
from fastnn._engine.fused import Kernel, launch
from fastnn._engine.philox import BLOCK, random_words
from fastnn._engine.vectors import LANES, double, wide, word

#: Statistics are of fixed seeds, so that a test passes always or never; a good generator fails one in 10,000 of them.
SMALLEST = 1e-4
N = 1 << 20


def store_block(y, i, a, b, c, d):
    double.store(y, i, wide(a))
    double.store(y, i + LANES, wide(b))
    double.store(y, i + 2 * LANES, wide(c))
    double.store(y, i + 3 * LANES, wide(d))


def write_words(context, index):
    y, seed, first, offset = word(context, 1), word(context, 2), word(context, 3), word(context, 4)
    (a, b, c, d), (e, f, g, h) = random_words(seed, first + 2 * index, offset, first + 2 * index + 1, offset)
    store_block(y, 2 * BLOCK * index, a, b, c, d)
    store_block(y, 2 * BLOCK * index + BLOCK, e, f, g, h)
    return 0


WRITE_WORDS = Kernel("write_random_words", write_words)


def signed(number):
    """The int64 with the bits of a uint64."""
    return number - 2**64 if number >= 2**63 else number


def random_bits(seed, offset, n, first_block=0):
    """The bits of elements 64 first_block on, as the kernels make them."""
    pairs = -(-n // (2 * BLOCK))
    words = np.empty(2 * BLOCK * pairs)
    launch(WRITE_WORDS["d"], pairs, 0, words, signed(seed), signed(first_block), signed(offset))
    return words[:n].astype(np.uint32)


def mask_bits(seed, offset, n):
    """The bits of a mask's elements, put together from the kernels' words."""
    words = (random_bits(seed, 2 * offset + k, -(-n // 2)) for k in (0, 1))
    upper, lower = (w.astype("<u4").view("<u2")[:n].astype(np.uint32) for w in words)
    return upper << np.uint32(16) | lower


def turned_mask_bits(seed, offset, n):
    """Those with the halves exchanged, so that the lower ones weigh more."""
    bits = mask_bits(seed, offset, n)
    return bits << np.uint32(16) | bits >> np.uint32(16)


@pytest.fixture(params=[random_bits, mask_bits, turned_mask_bits])
def draw(request):
    return request.param


def uniforms(draw, seed, n=N, offset=0):
    return (draw(seed, offset, n) + 0.5) * 2.0**-32


# Counter, key, words: kat_vectors of the Random123 distribution, philox4x32-10.
@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (0, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (2**128 - 1, 2**64 - 1, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            0x03707344_13198A2E_85A308D3_243F6A88,
            0x299F31D0_A4093822,
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers(counter, key, words):
    low, offset = counter % 2**64, counter >> 64
    bits = random_bits(key, offset, BLOCK, first_block=low // LANES)
    assert bits[low % LANES :: LANES].tolist() == words


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**60 - 2) | st.integers(2**28 - 2, 2**28 + 2) | st.just(0),
)
def test_bits_equal_the_reference(seed, offset, first_block):
    counters = [
        [counter % 2**32, counter >> 32, offset % 2**32, offset >> 32]
        for block in (first_block, first_block + 1)
        for counter in range(LANES * block, LANES * (block + 1))
    ]
    words = reference.philox(counters, [seed % 2**32, seed >> 32])
    expected = words.reshape(2, LANES, 4).transpose(0, 2, 1).ravel()
    assert random_bits(seed, offset, 2 * BLOCK, first_block).tolist() == expected.tolist()


@pytest.mark.parametrize("seed", [0, 2**63 + 11])
def test_bits_equal_the_reference_over_many_blocks(seed):
    np.testing.assert_array_equal(random_bits(seed, 3, 50_000), reference.random_bits(seed, 3, 50_000))


@pytest.mark.parametrize(("seed", "offset"), [(0, 0), (2**63 + 11, 5), (7, 2**40)])
def test_mask_bits_equal_the_reference(seed, offset):
    np.testing.assert_array_equal(mask_bits(seed, offset, 50_001), reference.mask_bits(seed, offset, 50_001))


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_each_bit_is_one_half_the_time(draw, seed):
    bits = draw(seed, 0, N)
    ones = np.array([np.count_nonzero(bits >> np.uint32(k) & np.uint32(1)) for k in range(32)])
    z = (ones - N / 2) / np.sqrt(N / 4)
    assert stats.chi2.sf(np.sum(z**2), 32) > SMALLEST
    assert 2 * stats.norm.sf(np.abs(z).max()) * 32 > SMALLEST


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_bytes_are_uniform(draw, seed):
    for place in range(4):
        counts = np.bincount(draw(seed, 0, N).view(np.uint8)[place::4], minlength=256)
        assert stats.chisquare(counts).pvalue > SMALLEST


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_number_of_runs(draw, p):
    """Wald and Wolfowitz: runs of kept and of dropped elements are neither too many nor too few."""
    kept = uniforms(draw, 5) >= p
    share = kept.mean()
    expected = 2 * N * share * (1 - share)
    z = (np.count_nonzero(kept[1:] != kept[:-1]) + 1 - expected) / (2 * np.sqrt(N) * share * (1 - share))
    assert 2 * stats.norm.sf(abs(z)) > SMALLEST


def correlation_p(a, b):
    z = np.mean((a - 0.5) * (b - 0.5)) * 12 * np.sqrt(a.size)
    return 2 * stats.norm.sf(abs(z))


@pytest.mark.parametrize("lag", [1, 2, 4, 15, 16, 17, 32, 48, 63, 64, 65, 128, 1024, 8192])
def test_no_serial_correlation(draw, lag):
    u = uniforms(draw, 7)
    assert correlation_p(u[lag:], u[:-lag]) > SMALLEST


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**62])
def test_neighbouring_seeds_and_offsets_are_independent(draw, seed):
    u = uniforms(draw, seed)
    for other in (uniforms(draw, seed + 1), uniforms(draw, seed, offset=1)):
        assert correlation_p(u, other) > SMALLEST
        assert correlation_p(u[16:], other[:-16]) > SMALLEST


@pytest.mark.parametrize("lag", [1, 16, 64])
def test_pairs_fill_the_square(draw, lag):
    """Counts of (u_i, u_i+lag), disjoint pairs, over 64 * 64 cells."""
    u = uniforms(draw, 9)[: N - N % (2 * lag)].reshape(-1, 2, lag)
    cells = (64 * u[:, 0]).astype(int) * 64 + (64 * u[:, 1]).astype(int)
    assert stats.chisquare(np.bincount(cells.ravel(), minlength=64**2)).pvalue > SMALLEST


@pytest.mark.parametrize("shift", [0, 8])
def test_birthday_spacings(draw, shift):
    """Marsaglia: among the gaps of 512 sorted birthdays in a year of 2**24 days, the repeated ones are Poisson, mean 2.

    The days are the upper and the lower 24 bits of the words.
    """
    days = (draw(11, 0, 512 * 2000) >> np.uint32(shift) & np.uint32(2**24 - 1)).reshape(2000, 512)
    gaps = np.sort(np.diff(np.sort(days.astype(np.int64), axis=1), axis=1), axis=1)
    repeated = np.count_nonzero(gaps[:, 1:] == gaps[:, :-1], axis=1)
    counts = np.bincount(np.minimum(repeated, 7), minlength=8)
    expected = 2000 * np.append(stats.poisson.pmf(range(7), 2), stats.poisson.sf(6, 2))
    assert stats.chisquare(counts, expected).pvalue > SMALLEST


def test_halves_of_mask_bits_are_independent():
    bits = mask_bits(13, 0, N)
    upper, lower = ((half + 0.5) * 2.0**-16 for half in (bits >> np.uint32(16), bits & np.uint32(0xFFFF)))
    for lag in (0, 1, 16, 128):
        assert correlation_p(upper[lag:], lower[: N - lag]) > SMALLEST
    cells = (64 * upper).astype(int) * 64 + (64 * lower).astype(int)
    assert stats.chisquare(np.bincount(cells, minlength=64**2)).pvalue > SMALLEST


def test_a_bit_of_counter_or_key_changes_half_of_the_output():
    base = random_bits(3, 5, 2 * BLOCK, 1)
    flips = [
        random_bits(seed, offset, 2 * BLOCK, block) ^ base
        for seed, offset, block in itertools.chain(
            ((3 ^ 1 << k, 5, 1) for k in range(64)),
            ((3, 5 ^ 1 << k, 1) for k in range(64)),
            ((3, 5, 1 ^ 1 << k) for k in range(1, 59)),
        )
    ]
    ones = np.unpackbits(np.array(flips).view(np.uint8), axis=1).sum(axis=1, dtype=np.int64)
    z = (ones - 2 * BLOCK * 16) / np.sqrt(2 * BLOCK * 8)
    assert 2 * stats.norm.sf(np.abs(z).max()) * len(flips) > SMALLEST


@pytest.mark.skipif(not loops.JIT, reason="the JIT is off")
@pytest.mark.skipif("+avx2" not in native.host()[1], reason="not a processor with AVX2")
def test_a_product_is_one_instruction():
    """LLVM sees that the upper halves are masked, drops the masks and takes the 32 x 32 bit product."""
    text = native.assembly(*fused.parts(WRITE_WORDS, "d"), fused._symbol(WRITE_WORDS, "d"))
    vectors = 2 if "+avx512f" in native.host()[1] else 4  # of 16 uint64
    assert 36 * vectors < len(re.findall(r"\bvpmuludq\b", text)) <= 40 * vectors
    assert not re.search(r"\bvpmullq\b|\bcallq?\b", text)
