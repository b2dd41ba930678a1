"""exp, exp2 and expm1, and the parts of an exponential that the other functions are built from.

x = n ln2 + r with |r| <= ln2 / 2, and exp(x) = 2**n (1 + t), t = exp(r) - 1. Adding a constant so large that the sum
is rounded to an integer leaves n, plus the exponent's bias, in the low bits: one shift makes them 2**n. A result that
may overflow or be subnormal is a product of two powers, so that it is rounded once, at the end.

Coefficients are minimax (Remez, rounded one by one); each comment gives interval and error.
"""

from ..pairs import Pair, horner
from ..primitives import f32_bits, f32_from_bits, f64_bits, f64_from_bits, fma

LOG2E, LN2 = 1.4426950408889634, 0.6931471805599453

# (exp(r) - 1 - r) / r**2, |r| < 0.3467: 2**-28 and 2**-57 in exp(r)
_quadratic_f32 = horner(
    0.4999999403953552, 0.16666516661643982, 0.04166824743151665, 0.008369085378944874, 0.0013820985332131386
)  # fmt: skip
_quadratic_f64 = horner(
    0.5000000000000011, 0.16666666666666266, 0.04166666666652361, 0.008333333333432965, 0.001388888894690744,
    0.00019841269888490473, 2.4801488164669676e-05, 2.755706969000863e-06, 2.763246584456955e-07,
    2.520913353478713e-08,
)  # fmt: skip
# the same, |r| < 1/2: 2**-30 and 2**-57 in expm1(r)
_quadratic_wide_f32 = horner(
    0.5, 0.1666666716337204, 0.041666582226753235, 0.008333174511790276, 0.001389855402521789,
    0.00019965125829912722, 2.2289437765721232e-05,
)  # fmt: skip
_quadratic_wide_f64 = horner(
    0.49999999999999994, 0.16666666666666632, 0.04166666666667151, 0.008333333333352193, 0.0013888888887736836,
    0.00019841269810389652, 2.4801588455540327e-05, 2.7557340586924124e-06, 2.755676127173174e-07,
    2.5045461602084947e-08, 2.1005897763651628e-09, 1.6848412713347552e-10,
)  # fmt: skip
# (2**f - 1) / f, |f| <= 1/2: 2**-26 and 2**-57 in 2**f
_exp2_slope_f32 = horner(
    0.6931471824645996, 0.24022594094276428, 0.055503662675619125, 0.009625427424907684, 0.0013387928484007716,
    0.00013341312296688557,
)  # fmt: skip
_exp2_slope_f64 = horner(
    0.6931471805599453, 0.24022650695910172, 0.05550410866482457, 0.009618129107577127, 0.0013333558145567567,
    0.00015403530478759413, 1.5252734739315502e-05, 1.3215424534901453e-06, 1.0177655067183298e-07,
    7.0756075678103705e-09, 4.5195233478540984e-10,
)  # fmt: skip


def _power_f32(shifted):
    return f32_from_bits(f32_bits(shifted) << 23)


def _power_f64(shifted):
    return f64_from_bits(f64_bits(shifted) << 52)


def _reduction(round_to_one, ln2, ln2_low):
    """`nearest` and `reduced` for a format: `round_to_one` + n has n + the exponent's bias in its low bits."""

    def nearest(x, per_unit, offset):
        """(n, shifted): the integer next to x * per_unit, and power(shifted) = 2**(n + offset)."""
        shifted = fma(x, per_unit, round_to_one + offset)
        return shifted - (round_to_one + offset), shifted

    def reduced(x, offset):
        """(r, shifted) with exp(x) = exp(r) 2**n, power(shifted) = 2**(n + offset)."""
        n, shifted = nearest(x, LOG2E, offset)
        return fma(n, -ln2_low, fma(n, -ln2, x)), shifted

    return nearest, reduced


_f32 = _reduction(1.5 * 2.0**23 + 127.0, 0.6931471824645996, -1.904654299957768e-09)
_f64 = _reduction(1.5 * 2.0**52 + 1023.0, LN2, 2.3190468138462996e-17)

nearest, reduced = Pair(_f32[0], _f64[0]), Pair(_f32[1], _f64[1])
#: 2**k of an integer k that `reduced` left in the low bits; -bias < k <= bias + 1
power = Pair(_power_f32, _power_f64)
quadratic = Pair(_quadratic_f32, _quadratic_f64)
_quadratic_wide = Pair(_quadratic_wide_f32, _quadratic_wide_f64)
exp2_slope = Pair(_exp2_slope_f32, _exp2_slope_f64)


def growth(r):
    """exp(r) - 1 for a reduced r."""
    return fma(r * r, quadratic(r), r)


def clamped(x, low, high):
    """x within [low, high]; NaN stays NaN."""
    x = low if x < low else x
    return high if x > high else x


def _product_f32(m, shifted):
    bits = f32_bits(shifted)
    half = bits >> 1
    return m * f32_from_bits(half << 23) * f32_from_bits((bits - half) << 23)


def _product_f64(m, shifted):
    bits = f64_bits(shifted)
    half = bits >> 1
    return m * f64_from_bits(half << 52) * f64_from_bits((bits - half) << 52)


#: m * 2**n for n + 2 bias in the low bits of shifted: two factors, so that only the result overflows or is subnormal.
_product = Pair(_product_f32, _product_f64)


def _exponential(r, shifted):
    return _product(fma(r, fma(r, quadratic(r), 1.0), 1.0), shifted)


def _exp_within(low, high, bias):
    """exp and exp_sum for a format where exp is 0 below `low` and inf above `high`."""

    def exp(x):
        """e**x."""
        r, shifted = reduced(clamped(x, low, high), bias)
        return _exponential(r, shifted)

    def exp_sum(x, correction):
        """e**(x + correction) for a correction of the size of x's rounding error."""
        r, shifted = reduced(clamped(x, low, high), bias)
        return _exponential(r + correction, shifted)

    return exp, exp_sum


def _exp2_within(low, high, bias):
    def exp2(x):
        """2**x."""
        x = clamped(x, low, high)
        n, shifted = nearest(x, 1.0, bias)
        f = x - n
        return _product(fma(f, exp2_slope(f), 1.0), shifted)

    return exp2


def _expm1_within(low, high):
    def expm1(x):
        """e**x - 1."""
        near = abs(x) < 0.5  # with n = -1 or 1 most of the digits would cancel against 2**n - 1
        bounded = clamped(x, low, high)
        r, shifted = reduced(bounded, -1.0)
        r = x if near else r
        curve = _quadratic_wide(r)
        t = fma(r * r, curve, r)
        half = power(shifted)
        # half * t, once more accurately; but where 2**n - 1 stops to be exact t is round enough to take off the 1.
        inexact = (x > 16.6) & (x < 18.1)
        scale, factor = (half, t) if inexact else (half * r, fma(r, curve, 1.0))
        y = (half if inexact else 0.0) + fma(scale, factor, -0.5 if inexact else half - 0.5)
        y = t if near else 2.0 * y
        return x if x == 0.0 else y

    return expm1


_f32, _f64 = _exp_within(-104.0, 89.0, 127.0), _exp_within(-746.0, 710.0, 1023.0)
exp, exp_sum = Pair(_f32[0], _f64[0]), Pair(_f32[1], _f64[1])
exp2 = Pair(_exp2_within(-151.0, 128.0, 127.0), _exp2_within(-1076.0, 1024.0, 1023.0))
expm1 = Pair(_expm1_within(-30.0, 89.0), _expm1_within(-50.0, 710.0))
