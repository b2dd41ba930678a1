"""sigmoid, tanh and softplus, each from one exponential: 2**n and t = exp(r) - 1 (see `exponential`), whose product
2**n (1 + t) is rounded only as part of the expression it stands in.

Coefficients are minimax (Remez, rounded one by one); each comment gives interval and error.
"""

from ..pairs import Pair, horner
from ..primitives import f32_bits, f32_from_bits, f64_bits, f64_from_bits, fma
from .exponential import growth, power, reduced


def _tail(r, shifted):
    """2**64 / (1 + exp(a)) from exp(a) = exp(r) 2**n, power(shifted) = 2**(n - 64): normal however large a is."""
    large = power(shifted)
    t = growth(r)
    denominator = large + fma(large, t, 2.0**-64)
    lost = fma(large, t, 2.0**-64 - (denominator - large))
    y = 1.0 / denominator
    # One Newton step, which also restores what the denominator's rounding lost.
    return fma(y, fma(-y, lost, fma(-y, denominator, 1.0)), y)


def _sigmoid_reduced(x, r, shifted):
    """sigmoid(x) from the parts of exp(|x|)."""
    return fma(_tail(r, shifted), 2.0**-64 if x < 0.0 else -(2.0**-64), 0.0 if x < 0.0 else 1.0)


def _sigmoid_tail_within(high):
    def sigmoid_tail(a):
        """2**64 * sigmoid(-a), a >= 0: a factor of 2**-64 later, a product of it is rounded once."""
        r, shifted = reduced(high if a > high else a, -64.0)
        return _tail(r, shifted)

    return sigmoid_tail


def _sigmoid_within(high):
    """Through 1 / (1 + exp(|x|)); the scale 2**64 keeps all but the result normal."""

    def bounded(x):
        a = abs(x)
        return high if a > high else a

    def sigmoid(x):
        """1 / (1 + exp(-x))."""
        r, shifted = reduced(bounded(x), -64.0)
        return _sigmoid_reduced(x, r, shifted)

    def sigmoid_sum(x, correction):
        """sigmoid(x + correction) for a correction of the size of x's rounding error."""
        r, shifted = reduced(bounded(x), -64.0)
        return _sigmoid_reduced(x, r - correction if x < 0.0 else r + correction, shifted)

    return sigmoid, sigmoid_sum


# (tanh(x) - x) / x**3 as a function of x**2, |x| < 0.9: a polynomial (2**-29 in tanh), a ratio (2**-60)
_tanh_p = Pair(
    horner(
        -0.33333322405815125, 0.13332979381084442, -0.05392928421497345, 0.021663213148713112,
        -0.008263555355370045, 0.0025814769323915243, -0.00045494307414628565,
    ),
    horner(-0.33333333333333326, -0.021404497185610057, -0.00024303517259283242, -1.716583807217709e-08),
)  # fmt: skip
_tanh_q = Pair(horner(1.0), horner(1.0, 0.46421349155682445, 0.02450974023579657, 0.0002540383765999365))


def _with_sign_f32(y, x):
    return f32_from_bits(f32_bits(y) | (f32_bits(x) & -0x80000000))


def _with_sign_f64(y, x):
    return f64_from_bits(f64_bits(y) | (f64_bits(x) & -0x8000000000000000))


_with_sign = Pair(_with_sign_f32, _with_sign_f64)


def tanh(x):
    """(exp(2x) - 1) / (exp(2x) + 1)."""
    a = abs(x)
    a = 20.0 if a > 20.0 else a
    r, shifted = reduced(a + a, 0.0)
    large = power(shifted)
    square = a * a
    near = a < 0.9
    numerator = square * _tanh_p(square) if near else 1.0
    denominator = _tanh_q(square) if near else fma(large, growth(r), large + 1.0)
    return _with_sign(fma(a if near else -2.0, numerator / denominator, a if near else 1.0), x)


# (z - log(1 + z)) / z**2, 0 <= z <= 1: 2**-30 in the logarithm
_deficit_slope_f32 = horner(
    0.49999988079071045, -0.33332714438438416, 0.24988864362239838, -0.19899621605873108, 0.16135157644748688,
    -0.12479481101036072, 0.08323805034160614, -0.042113907635211945, 0.013691185973584652, -0.002084439154714346,
)  # fmt: skip
# (2 artanh(s) / s - 2) / s**2 as a polynomial of s**2, s <= 1/3: 2**-54 in artanh
_remainder_f64 = horner(
    0.6666666666667773, 0.3999999999603683, 0.285714290594341, 0.22222192828815415, 0.18182816257062392,
    0.1536425915934008, 0.13586663473956823, 0.09901025132742966, 0.17743586707790354,
)  # fmt: skip


def _deficit_f32(z):
    """Two factors of z - log(1 + z), 0 <= z <= 1."""
    return z * z, _deficit_slope_f32(z)


def _deficit_f64(z):  # as in `logarithm`: in float64 the division costs less than ten more terms
    s = z / (2.0 + z)
    w = s * s
    return s, fma(-w, _remainder_f64(w), z)


_deficit = Pair(_deficit_f32, _deficit_f64)


def _softplus_within(low):
    def softplus(x):
        """log(1 + exp(x)) = max(x, 0) + log(1 + z), z = exp(-|x|)."""
        above = -abs(x)
        r, shifted = reduced(low if above < low else above, 64.0)
        scale, t = power(shifted), growth(r)
        scaled = fma(scale, t, scale)  # 2**64 z: normal
        z = scaled * 2.0**-64
        lost = fma(scale, t, scale - scaled) * fma(z, -0.5 * 2.0**-64, 2.0**-64)  # roughly / (1 + z)
        a, b = _deficit(z)
        # The smaller of x and z joins the correction first, so that one rounding of the result's size remains.
        larger, smaller = (x, z) if x > z else (z, x if x > 0.0 else 0.0)
        return larger + fma(-a, b, smaller + lost)

    return softplus


_f32, _f64 = _sigmoid_within(104.0), _sigmoid_within(746.0)
sigmoid, sigmoid_sum = Pair(_f32[0], _f64[0]), Pair(_f32[1], _f64[1])
sigmoid_tail = Pair(_sigmoid_tail_within(112.0), _sigmoid_tail_within(753.0))
softplus = Pair(_softplus_within(-104.0), _softplus_within(-746.0))
