"""Which elements a dropout keeps: those that the reference's bits say, and how y is written where it is large."""

import numpy as np
import pytest
from test_dropout import drawn_seed
from ulps import same_bits

import fastnn as fnn
from fastnn import reference
from fastnn.dropout import _drawing
from fastnn.dropout._kernels import STREAMED


def test_element_i_depends_on_the_seed_and_i_alone():
    long = fnn.dropout_mask(fnn.dropout_forward(np.ones(1001, "f8"), 0.4, rng=3)[1])
    short = fnn.dropout_mask(fnn.dropout_forward(np.ones((7, 11), "f4"), 0.4, rng=3)[1])
    np.testing.assert_array_equal(short.ravel(), long[:77])
    alpha = fnn.dropout_mask(fnn.alpha_dropout_forward(np.ones(500, "f2"), 0.4, rng=3)[1])
    np.testing.assert_array_equal(alpha, long[:500])


def test_an_element_is_kept_from_p_of_the_bits_on():
    """That of p sharing the upper half with the bits, the lower one decides: in whole steps and in the rest."""
    bits = reference.mask_bits(drawn_seed(11), 0, 700)
    for i in (0, 17, 64, 127, 128, 255, 256, 300, 511, 512, 527, 528, 699):
        for levels, kept in [(0, True), (0.25, True), (0.75, False), (1, False), (-(int(bits[i]) % 2**16), True)]:
            y, cache = fnn.dropout_forward(np.ones(700), (int(bits[i]) + levels) / 2**32, rng=11)
            assert fnn.dropout_mask(cache)[i] == (y[i] != 0) == kept


@pytest.fixture(scope="module")
def many_bits():
    return reference.mask_bits(drawn_seed(2), 0, 4_000_001)


@pytest.mark.parametrize("p", [0.5, 0.1, 1e-6, 1 - 1e-6, 1 / 3])
def test_masks_of_millions(many_bits, p):
    threshold, n = round(p * 2**32), many_bits.size
    expected = many_bits >= threshold
    tied = many_bits >> np.uint32(16) == threshold >> 16
    assert tied.sum() > 20
    if p != 0.5:
        assert 0 < expected[tied].sum() < tied.sum()  # the lower halves decide, either way
    for m in (n, n - 1, n - 100, 63, 100, 129):
        y, cache = fnn.dropout_forward(np.ones(m, "f4"), p, rng=2)
        np.testing.assert_array_equal(y != 0, expected[:m])
        np.testing.assert_array_equal(fnn.dropout_mask(cache), expected[:m])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("n", [1, 255, 256, 300, 8192, 8193, 8500, 70_001])
def test_streaming_changes_nothing(dtype, n, rng, monkeypatch):
    """Wherever in a cache line out begins; nothing is written beyond it."""
    x = rng.standard_normal(n).astype(dtype)
    expected, _ = fnn.alpha_dropout_forward(x, 0.3, rng=1)
    monkeypatch.setattr(_drawing, "_STREAM", 0)
    for start in range(40, 40 + 64 // x.itemsize):
        out = np.full(n + 120, np.nan, dtype)
        fnn.alpha_dropout_forward(x, 0.3, rng=1, out=out[start : start + n])
        assert same_bits(out[start : start + n], expected)
        assert np.isnan(out[:start]).all()
        assert np.isnan(out[start + n :]).all()
    assert np.dtype(dtype).char in STREAMED  # it is what ran
    y = fnn.alpha_dropout_forward(x, 0.3, rng=1, out=x)[0]
    assert same_bits(y, expected)


def test_an_array_larger_than_the_caches():
    x = np.ones(_drawing._STREAM // 4 + 1000, np.float32)
    y, cache = fnn.dropout_forward(x, 0.1, rng=3)
    np.testing.assert_array_equal(y, np.where(fnn.dropout_mask(cache), np.float32(1 / 0.9), 0))
    with fnn.threads(1):
        assert same_bits(fnn.dropout_forward(x, 0.1, rng=3, out=x)[0], y)


@pytest.mark.parametrize("p", [0.03, 0.25, 0.5, 0.9])
def test_the_share_dropped_is_p(p):
    n = 1_000_000
    kept = np.count_nonzero(fnn.dropout_mask(fnn.dropout_forward(np.ones(n, "f4"), p, rng=1)[1]))
    assert abs(kept - n * (1 - p)) < 4 * np.sqrt(n * p * (1 - p))
