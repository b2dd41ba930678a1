"""sin and cos.

x is reduced to r in [-pi/4, pi/4], and a little beyond for a large x, by subtracting n pi/2, pi/2 in two (float32) or
three (float64) words; the fma makes each subtraction exact enough. The quadrant n mod 4 then chooses between the
polynomials of sin and cos, and the sign.
Accurate for |x| <= 2**45; beyond, where n itself is no longer exact, a result is some number in [-1, 1].
"""

from ..pairs import Double, Pair, horner
from ..primitives import f64_bits, f64_from_bits, fma, to_f32, to_f64

_ROUND = 1.5 * 2.0**52
_TWO_OVER_PI = 0.6366197723675814
#: pi / 2 in three words.
_HALF_PI, _HALF_PI_MIDDLE, _HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33
#: pi / 4 and as much as the rounding of 2 / pi can leave over, which is 0.0032 at x = 2**45.
_LARGEST_REST = 0.79

# (sin(x) / x - 1) / x**2 and (cos(x) - 1 + x**2 / 2) / x**4 as polynomials of x**2, |x| < pi / 4:
# 2**-37 and 2**-43
_sin_single = horner(-0.16666666640589622, 0.008333329280619282, -0.00019839304434275304, 2.718046572194215e-06)
_cos_single = horner(0.04166664675128219, -0.001388736160637629, 2.443774592486334e-05)
# 2**-58 and 2**-64
_sin_f64 = horner(
    -0.1666666666666663, 0.00833333333332201, -0.00019841269829499127,
    2.7557313588771786e-06, -2.5050742470539912e-08, 1.5895913153262623e-10,
)  # fmt: skip
_cos_f64 = horner(
    0.0416666666666666, -0.0013888888888873997, 2.4801587289398023e-05,
    -2.755731432683469e-07, 2.087571965631406e-09, -1.135945317291194e-11,
)  # fmt: skip


def _clamped(r):
    """r, which only for an x beyond 2**45 is not within these bounds."""
    r = _LARGEST_REST if r > _LARGEST_REST else r
    return -_LARGEST_REST if r < -_LARGEST_REST else r


def _quadrant(sine, cosine, n):
    """sin(r + n pi/2) from sin(r) and cos(r)."""
    y = cosine if n & 1 else sine
    return f64_from_bits(f64_bits(y) ^ ((n & 2) << 62))


def _sin_plus(x, quadrants):
    """sin(x + quadrants pi/2) to float32 accuracy, in float64."""
    shifted = fma(x, _TWO_OVER_PI, _ROUND)
    n = shifted - _ROUND
    r = _clamped(fma(n, -_HALF_PI_MIDDLE, fma(n, -_HALF_PI, x)))
    s = r * r
    sine = r * fma(s, _sin_single(s), 1.0)
    cosine = fma(s, fma(s, _cos_single(s), -0.5), 1.0)
    return _quadrant(sine, cosine, f64_bits(shifted) + quadrants)


@Double
def _sin_of_single(x):
    return _sin_plus(x, 0)


@Double
def _cos_of_single(x):
    return _sin_plus(x, 1)


def _sin_f32(x):
    return to_f32(_sin_of_single(to_f64(x)))


def _cos_f32(x):
    return to_f32(_cos_of_single(to_f64(x)))


def _reduced(x):
    """(r, its low word, n) with x = r + n pi/2."""
    shifted = fma(x, _TWO_OVER_PI, _ROUND)
    n = shifted - _ROUND
    high = fma(n, -_HALF_PI, x)
    product = n * _HALF_PI_MIDDLE
    r = high - product
    back = r - high  # the error of that difference (Knuth's two-sum), then of the product
    low = (high - (r - back)) - (product + back)
    low = low - fma(n, _HALF_PI_MIDDLE, -product)
    low = fma(n, -_HALF_PI_LOW, low)
    return _clamped(r), low if abs(low) < 2.0**-50 else 0.0, f64_bits(shifted)


def _sine_and_cosine(r, low):
    s = r * r
    half = 0.5 * s
    rest = 1.0 - half
    sine = r + fma(r * s, _sin_f64(s), low * rest)
    cosine = rest + (((1.0 - rest) - half) + fma(s * s, _cos_f64(s), -(r * low)))
    return sine, cosine


def _sin_f64_full(x):
    r, low, n = _reduced(x)
    sine, cosine = _sine_and_cosine(r, low)
    return x if x == 0.0 else _quadrant(sine, cosine, n)


def _cos_f64_full(x):
    r, low, n = _reduced(x)
    sine, cosine = _sine_and_cosine(r, low)
    return _quadrant(sine, cosine, n + 1)


sin = Pair(_sin_f32, _sin_f64_full)
cos = Pair(_cos_f32, _cos_f64_full)
