"""log, log2 and log1p.

x = 2**e (1 + f) with 1 + f around 1, and log(1 + f) is f minus a product, smaller, in order that the leading term is
exact: f**2 times a polynomial in float32; in float64, where that would take twenty terms, log(1 + f) = 2 artanh(s),
s = f / (2 + f), is f - s (f - s**2 R(s**2)). Where 1 + f is split off decides how much e ln2 + log(1 + f) cancels:
at 3/2 for log and log1p, at sqrt(2) for log2.

Coefficients are minimax (Remez, rounded one by one); each comment gives interval and error.
"""

from math import inf, nan

from ..pairs import Pair, horner
from ..primitives import f32_bits, f32_from_bits, f64_bits, f64_from_bits, fma
from .exponential import LN2, LOG2E

# (f - log(1 + f)) / f**2, -1/4 <= f <= 1/2: 2**-27 in the logarithm
_slope_f32 = horner(
    0.5, -0.33333462476730347, 0.2500019371509552, -0.19990353286266327, 0.16642485558986664, -0.1447596549987793,
    0.13212260603904724, -0.10596168041229248, 0.04606495425105095,
)  # fmt: skip
# (f - log(1 + f)) log2(e) / f**2, sqrt(1/2) <= 1 + f <= sqrt(2): 2**-30
_slope_log2_f32 = horner(
    0.7213475108146667, -0.48089799284935, 0.360675185918808, -0.28857341408729553, 0.2404208779335022,
    -0.2050422728061676, 0.17962594330310822, -0.1727897971868515, 0.16543911397457123, -0.09126262366771698,
)  # fmt: skip
# (2 artanh(s) / s - 2) / s**2 as a polynomial of s**2, s <= 1/5: 2**-55 in artanh
_remainder_f64 = horner(
    0.6666666666667271, 0.39999999996156194, 0.28571429396707054, 0.22222138360957483, 0.1818636261015769,
    0.1525004496520848, 0.15369391580369976,
)  # fmt: skip


def _deficit_f32(f):
    return f * f, _slope_f32(f)


def _deficit_log2_f32(f):
    return f * f, _slope_log2_f32(f)


def _deficit_f64(f):
    s = f / (2.0 + f)
    w = s * s
    return s, fma(-w, _remainder_f64(w), f)


def _deficit_log2_f64(f):
    a, b = _deficit_f64(f)
    return a * LOG2E, b


#: (a, b) with a * b = f - log(1 + f), for the fractions of log and log1p; and log2(e) times that, for those of log2
_deficit, _deficit_log2 = Pair(_deficit_f32, _deficit_f64), Pair(_deficit_log2_f32, _deficit_log2_f64)


def _exponent_f32(x, split, offset):
    """(e + offset, 2**-e) with 1 <= 2**-e x split < 2, for a normal x and e < 127."""
    bits = f32_bits(x * split)
    scale = f32_from_bits(0x7F000000 - (bits & 0x7F800000))
    return f32_from_bits((bits >> 23) | 0x4B000000) - (8388735.0 - offset), scale


def _exponent_f64(x, split, offset):
    bits = f64_bits(x * split)
    scale = f64_from_bits(0x7FE0000000000000 - (bits & 0x7FF0000000000000))
    return f64_from_bits((bits >> 52) | 0x4330000000000000) - (4503599627371519.0 - offset), scale


_exponent = Pair(_exponent_f32, _exponent_f64)


def _normalised(x, split):
    """(e, f) with x = 2**e (1 + f)."""
    small = x < 2.0**-100  # brought up, the others down, so that 2**e and 2**-e are normal
    x = x * (2.0**64 if small else 0.25)
    e, scale = _exponent(x, split, 0.0)
    return e + (-64.0 if small else 2.0), fma(x, scale, -1.0)


def _with_limits(y, x, pole):
    """y where x > pole, its limit at inf and at the pole, NaN elsewhere."""
    y = y if x < inf else x
    y = nan if x < pole else y
    return -inf if x == pole else y


def log(x):
    """The natural logarithm."""
    e, f = _normalised(x, 4.0 / 3.0)
    a, b = _deficit(f)
    return _with_limits(fma(e, LN2, fma(-a, b, f)), x, 0.0)


def _log2_with(log2e, log2e_low):
    def log2(x):
        """The logarithm to base 2."""
        e, f = _normalised(x, 2.0**0.5)
        a, b = _deficit_log2(f)
        low = fma(-a, b, f * log2e_low)
        return _with_limits(e + fma(f, log2e, low), x, 0.0)

    return log2


log2 = Pair(_log2_with(1.4426950216293335, 1.925963033500e-08), _log2_with(LOG2E, 2.0355273740931033e-17))


def log1p(x):
    """log(1 + x)."""
    quarter = 0.25 * x
    e, scale = _exponent(quarter + 0.25, 4.0 / 3.0, 2.0)
    shift = fma(0.25, scale, -1.0)
    f = fma(quarter, scale, shift)
    lost = fma(quarter, scale, shift - f)
    a, b = _deficit(f)
    y = _with_limits(fma(e, LN2, f + fma(-a, b, lost)), x, -1.0)
    return x if abs(x) < 2.0**-60 else y
