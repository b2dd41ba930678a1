"""Dropout (Srivastava et al. 2014) and its relatives, with their random bits: Philox4x32-10 (Salmon et al. 2011).

Randomness is given as an integer seed of at most 64 bits. Every cache is a pair (mask, factor): the gradient is
factor * dy where the mask kept, else 0.
"""

import math
from typing import Any

import numpy as np

_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
_LOW_HALF, _HALF_BITS = np.uint64(0xFFFFFFFF), np.uint64(32)

#: The output of SELU at -infinity, which alpha dropout puts in the place of what it drops.
_SELU_LIMIT = -1.7580993408473766


def philox(counter: Any, key: Any, rounds: Any = 10) -> Any:
    """The uint32 words (..., 4) that Philox4x32 makes of the counters (..., 4) under the keys (..., 2)."""
    words, key = np.asarray(counter, np.uint64), np.asarray(key, np.uint64)
    for _ in range(rounds):
        products = words[..., ::2] * _MULTIPLIERS
        high, low = products >> _HALF_BITS, products & _LOW_HALF
        mixed = high[..., ::-1] ^ words[..., 1::2] ^ key
        words = np.stack([mixed[..., 0], low[..., 1], mixed[..., 1], low[..., 0]], axis=-1)
        key = (key + _WEYL) & _LOW_HALF
    return words.astype(np.uint32)


def random_bits(seed: Any, offset: Any, n: Any) -> Any:
    """The uint32 of elements 0 to n - 1: 64 elements take the 4 words of 16 counters, word by word.

    Element i has word (i // 16) % 4 of the counter 16 * (i // 64) + i % 16, whose upper half is `offset`.
    """
    blocks = -(-n // 64)
    counters = np.zeros((16 * blocks, 4), np.uint64)
    index = np.arange(16 * blocks, dtype=np.uint64)
    counters[:, 0], counters[:, 1] = index & _LOW_HALF, index >> _HALF_BITS
    counters[:, 2:] = _halves(offset)
    words = philox(counters, _halves(seed)).reshape(blocks, 16, 4)
    return words.transpose(0, 2, 1).reshape(-1)[:n]


def mask_bits(seed: Any, offset: Any, n: Any) -> Any:
    """The uint32 that decide which of the elements 0 to n - 1 a mask keeps: those of at least p * 2**32.

    Their upper 16 bits are half-words under 2 * offset, their lower ones those under 2 * offset + 1, half-word i being
    the low (i even) or the high half of random bits i // 2.
    """
    upper, lower = (_half_words(random_bits(seed, 2 * offset + k, -(-n // 2)))[:n] for k in (0, 1))
    return upper << np.uint32(16) | lower


def _half_words(words):
    return np.stack([words & np.uint32(0xFFFF), words >> np.uint32(16)], axis=-1).reshape(-1)


def _halves(number):
    return number & 0xFFFFFFFF, number >> 32


def dropout_forward(x: Any, p: Any = 0.5, *, seed: Any) -> Any:
    """(y, cache) with y = x / (1 - p) where kept, else 0; each element is dropped with probability p."""
    return _drop(x, p, seed, range(np.ndim(x)))


def dropout_backward(dy: Any, cache: Any) -> Any:
    """dy / (1 - p) where kept, else 0."""
    mask, factor = cache
    return _where_kept(mask, factor, dy)


def dropout_mask(cache: Any) -> Any:
    """Of the cache of any dropout: True where kept, in x's shape."""
    mask, _ = cache
    return mask


def spatial_dropout_forward(x: Any, p: Any = 0.5, *, axis: Any = 1, seed: Any) -> Any:
    """dropout_forward of whole channels (of `axis`), each sample (axis 0) drawing its own."""
    return _drop(x, p, seed, (0, axis % np.ndim(x)))


def spatial_dropout_backward(dy: Any, cache: Any) -> Any:
    """As dropout_backward."""
    return dropout_backward(dy, cache)


def drop_path_forward(x: Any, p: Any = 0.5, *, seed: Any) -> Any:
    """dropout_forward of whole samples (axis 0) (Huang et al. 2016)."""
    return _drop(x, p, seed, (0,))


def drop_path_backward(dy: Any, cache: Any) -> Any:
    """As dropout_backward."""
    return dropout_backward(dy, cache)


def alpha_dropout_forward(x: Any, p: Any = 0.5, *, seed: Any) -> Any:
    """(y, cache) with y = a * (x where kept, else alpha') + b (Klambauer et al. 2017); p = 1 gives zeros.

    alpha' is SELU's limit at -infinity; a and b keep the mean 0 and the variance 1 that x has.
    """
    x = np.asarray(x, np.float64)
    mask = _kept(x.shape, p, seed, range(x.ndim))
    if p == 1:
        return np.zeros(x.shape), (mask, 0.0)
    a = 1 / math.sqrt((1 - p) * (1 + p * _SELU_LIMIT**2))
    with np.errstate(all="ignore"):
        return a * np.where(mask, x, _SELU_LIMIT) - a * _SELU_LIMIT * p, (mask, a)


def alpha_dropout_backward(dy: Any, cache: Any) -> Any:
    """a * dy where kept, else 0."""
    return dropout_backward(dy, cache)


def gaussian_dropout_forward(x: Any, p: Any = 0.5, *, seed: Any) -> Any:
    """(y, cache) with y = x * (1 + sqrt(p / (1 - p)) * z), z standard normal by Box and Muller; 0 <= p < 1."""
    if not 0 <= p < 1:
        raise ValueError(f"gaussian_dropout_forward: p is {p}, expected 0 <= p < 1")
    x = np.asarray(x, np.float64)
    u1, u2 = ((random_bits(seed, offset, x.size).reshape(x.shape) + 0.5) * 2.0**-32 for offset in (0, 1))
    z = np.sqrt(-2 * np.log(u1)) * np.cos(2 * np.pi * u2)
    mask, factor = np.full(x.shape, True), 1 + math.sqrt(p / (1 - p)) * z
    return _where_kept(mask, factor, x), (mask, factor)


def gaussian_dropout_backward(dy: Any, cache: Any) -> Any:
    """dy times the factor that x was multiplied by."""
    return dropout_backward(dy, cache)


def _drop(x, p, seed, axes):
    mask, scale = _kept(np.shape(x), p, seed, axes), 1 / (1 - p) if p < 1 else 0.0
    return _where_kept(mask, scale, x), (mask, scale)


def _kept(shape, p, seed, axes):
    """The mask of an x of `shape`: one draw per index of `axes` in C order, for all the rest of x alike."""
    drawn = [n if k in axes else 1 for k, n in enumerate(shape)]
    bits = mask_bits(seed, 0, math.prod(drawn))
    # 64 bits, because p = 1 has the threshold 2**32, which no uint32 reaches or holds.
    kept = bits.astype(np.uint64) >= np.uint64(round(p * 2**32))
    return np.broadcast_to(kept.reshape(drawn), shape)


def _where_kept(mask, factor, values):
    with np.errstate(all="ignore"):
        return np.where(mask, np.asarray(values, np.float64) * factor, 0.0)
