"""gelu(x) = x normal_cdf(x) and its derivative normal_cdf(x) + x normal_pdf(x), fused.

With a = |x|, both are a step plus or minus something small in the tails that is computed to full relative accuracy:

    gelu(x)  = max(x, 0) - a mills(a) exp(-a**2 / 2)
    gelu'(x) = [x > 0] +- (a / sqrt(2 pi) - mills(a)) exp(-a**2 / 2)

where mills(a) = normal_cdf(-a) exp(a**2 / 2). See error_function for the float64 parts.
"""

from ..pairs import Pair, horner
from ..primitives import f32_bits, f32_from_bits, fma
from .error_function import _INV_SQRT_2PI, _MILLS_SCALE, _bell, _mills_p, _mills_q, _scaled

#: Adding this rounds k to an integer whose low bits are those of k + 64.
_ROUND_PLUS_64 = 1.5 * 2.0**23 + 64.0
#: log2(e) / 2; what this float32 lacks is a factor 2**(1e-8 a**2), included in the ratios below.
_HALF_LOG2E = 0.7213475108146667

# 0.39894081 * 2**x, |x| < 1/2: 2**-23.6
_exp2_gelu = horner(
    0.3989408314228058, 0.2765246033668518, 0.09583403170108795,
    0.022144077345728874, 0.0038599600084125996, 0.0005296464078128338,
)  # fmt: skip
# mills(a) / 0.39894081, 0 <= a < 14.5, as a ratio of monic polynomials: 2**-25.6
_gelu_p = horner(114.12995147705078, 101.79745483398438, 43.08972930908203, 9.693565368652344, 1.0)
_gelu_q = horner(91.06218719482422, 153.87948608398438, 111.62689208984375, 44.08149719238281, 9.69371509552002, 1.0)

# 0.39893976 * 2**x, |x| < 1/2: 2**-23.6
_exp2_slope = horner(
    0.3989397883415222, 0.2765238881111145, 0.09583377838134766,
    0.022143980488181114, 0.0038599518593400717, 0.0005296542076393962,
)  # fmt: skip
# (a / sqrt(2 pi) - mills(a)) / (a - zero) / 0.39893976, 0 <= a < 14.5, likewise: 2**-25
_slope_p = horner(58.46165466308594, 67.66062927246094, 34.560237884521484, 8.935235023498535, 1.0)
_slope_q = horner(35.06758499145508, 49.89986801147461, 28.840726852416992, 8.183365821838379, 1.0)
#: Where gelu' is 0, in two words.
_ZERO, _ZERO_LOW = 0.7517915368080139, -1.211444945855772e-08


def _bell_f32(a):
    """(f, shifted) with exp(-a**2 / 2) = 2**f * 2**k, k + 64 in the low bits of shifted."""
    s = a * a
    shifted = fma(s, -_HALF_LOG2E, _ROUND_PLUS_64)
    f = fma(s, -_HALF_LOG2E, -(shifted - _ROUND_PLUS_64))
    return fma(fma(a, a, -s), -_HALF_LOG2E, f), shifted


def _times_power(m, shifted):
    """m * 2**(k + 64): the 2**64 keeps a subnormal result normal up to its last rounding."""
    return f32_from_bits(f32_bits(m) + (f32_bits(shifted) << 23))


def _gelu_f32(x):
    a = abs(x)
    a = 15.0 if a > 15.0 else a
    f, shifted = _bell_f32(a)
    tail = _times_power(_exp2_gelu(f) * _gelu_p(a) / _gelu_q(a), shifted)
    return fma(tail * a, -(2.0**-64), -0.0 if x < 0.0 else x)


def _gelu_derivative_f32(x):
    a = abs(x)
    a = 15.0 if a > 15.0 else a
    f, shifted = _bell_f32(a)
    from_zero = (a - _ZERO) - _ZERO_LOW
    tail = _times_power(_exp2_slope(f) * _slope_p(a) / _slope_q(a), shifted)
    tail = tail * from_zero
    step = 0.0 if x < 0.0 else 1.0 if x >= 0.0 else x
    return fma(tail, -(2.0**-64) if x < 0.0 else 2.0**-64, step)


def _gelu_f64(x):
    a = abs(x)
    a = 39.0 if a > 39.0 else a
    s = a * a
    m, shifted = _bell(s, fma(a, a, -s))
    tail = _scaled(m * _MILLS_SCALE * _mills_p(a) / _mills_q(a), shifted)
    return fma(tail * a, -(2.0**-128), -0.0 if x < 0.0 else x)


def _gelu_derivative_f64(x):
    a = abs(x)
    a = 39.0 if a > 39.0 else a
    s = a * a
    m, shifted = _bell(s, fma(a, a, -s))
    tail = _scaled(m * fma(a, _INV_SQRT_2PI, -(_MILLS_SCALE * _mills_p(a) / _mills_q(a))), shifted)
    step = 0.0 if x < 0.0 else 1.0 if x >= 0.0 else x
    return fma(tail, -(2.0**-128) if x < 0.0 else 2.0**-128, step)


gelu = Pair(_gelu_f32, _gelu_f64)
gelu_derivative = Pair(_gelu_derivative_f32, _gelu_derivative_f64)
