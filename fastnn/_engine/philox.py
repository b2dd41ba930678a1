"""Random bits as a function of (seed, offset, element): Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers").

The 64 elements from 64 b on take the four output words, word by word, of the 16 counters from 16 b on: element i has
word (i // 16) % 4 of counter 16 (i // 64) + i % 16. The offset is the upper half of the 128-bit counter, the seed is
the key.

Masks draw 32 bits an element at the price of 16. Half-word i under an offset is the low half of element i // 2's word
for an even i, the high half for an odd one. The mask bits of element i under offset m are half-word i under offset 2m,
above half-word i under offset 2m + 1; compared with a threshold, the latter counts only where the former equals the
threshold's upper half, once in 65,536 elements.

The state is kept in uint64 lanes, of which the low halves count: so a product of two halves is one instruction, and
what stands in the upper halves is masked before the next product, which costs none (the instruction ignores them).
Two states are computed side by side: the rounds of one wait for each other, and a second one fills the gaps.
"""

from .vectors import LANES, lane_numbers, longs, low_half

#: Elements to a state: 4 words of LANES counters.
BLOCK = 64

_MULTIPLIER_0, _MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85
_LOW_HALF, _HALF_BITS = 0xFFFFFFFF, 32


def _round(state, keys):
    x0, x1, x2, x3 = state
    key0, key1 = keys
    low, half = longs(_LOW_HALF), longs(_HALF_BITS)
    product0 = (x0 & low) * longs(_MULTIPLIER_0)
    product1 = (x2 & low) * longs(_MULTIPLIER_1)
    return (product1 >> half) ^ x1 ^ key0, product1, (product0 >> half) ^ x3 ^ key1, product0


def _next(keys):
    key0, key1 = keys
    return key0 + longs(_WEYL_0), key1 + longs(_WEYL_1)


def _two_rounds(a, b, keys):
    """Both states two rounds on, and the keys."""
    a, b, keys = _round(a, keys), _round(b, keys), _next(keys)
    return _round(a, keys), _round(b, keys), _next(keys)


def _ten_rounds(a, b, keys):
    """Written out, since LLVM would leave a loop of this size a loop."""
    a, b, keys = _two_rounds(a, b, keys)
    a, b, keys = _two_rounds(a, b, keys)
    a, b, keys = _two_rounds(a, b, keys)
    a, b, keys = _two_rounds(a, b, keys)
    a, b, _ = _two_rounds(a, b, keys)
    return a, b


def _counters(block, offset):
    first = LANES * block  # within a block nothing is carried into the upper half
    return longs(first) | lane_numbers(), longs(first >> _HALF_BITS), longs(offset), longs(offset >> _HALF_BITS)


def _output(state):
    x0, x1, x2, x3 = state
    return low_half(x0), low_half(x1), low_half(x2), low_half(x3)


def random_words(seed, block, offset, other_block, other_offset):
    """The 32 bits of the elements of two blocks, each as four vectors of 16 consecutive elements."""
    keys = longs(seed), longs(seed) >> longs(_HALF_BITS)
    a, b = _ten_rounds(_counters(block, offset), _counters(other_block, other_offset), keys)
    return _output(a), _output(b)
