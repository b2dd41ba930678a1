"""Exponentials as the activations need them: with a far negative tail, and float64 ones for float32 formulas.

In the negative tail f(x) is about x * exp(v(x)): a rounding error of v is magnified |v| times, and exp(v) may be
subnormal where the product is not. float64 formulas carry v in two words and use `opposite_exp`. Most float32
formulas run in float64 (`in_double`), where neither problem exists, with an exponential made for that: four
float32 roundings can add up to 3 ulp, and two-word float32 arithmetic takes as many instructions.
"""

from math import inf

from .._engine import simd_math as m
from .._engine.pairs import Double, horner
from .._engine.primitives import f64_bits, f64_from_bits, fma, to_f32, to_f64

LOG_2_64 = 44.361419677734375  # log(2**64) in two words, the first so short that adding it below is exact
LOG_2_64_LOW = -1.2189787519729715e-07


def opposite_exp(v, low):
    """(exp(-(v + low)), False), or for v < -84 (2**64 * exp(v + low), True): never overflows, never subnormal there."""
    far = v < -84.0
    return m.exp_sum(v + LOG_2_64 if far else -v, low + LOG_2_64_LOW if far else -low), far


def far_product(factor, z):
    """factor * exp(v), rounded once should it be subnormal, for the z of `opposite_exp`."""
    return (-1e4 if factor < -1e4 else factor) * z * 2.0**-64  # the bound: infinity times 0 is 0 here


def exact_product(a, b):
    """a * b in two words, both finite."""
    high = a * b
    return high, fma(a, b, -high)


def two_product(a, b):
    """a * b in two words; the second is 0 where the first is infinite."""
    high, low = exact_product(a, b)
    return high, low if abs(low) < 1.0 else 0.0


def two_sum(a, b):
    """a + b in two words."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


def quotient(a, a_low, b, b_low):
    """Quotient of two numbers in two words each: of a and b, then a Newton step that sees what these have lost."""
    inverse = 1.0 / b
    y = a * inverse
    return fma(inverse, fma(-y, b_low, fma(-y, b, a)) + a_low, y)


# 2**r for abs(r) <= 1/2, minimax, relative error 2**-29.
_EXP2 = horner(
    1.000000000554256,
    0.6931472057362058,
    0.24022646889789742,
    0.0555032877838501,
    0.009618489047563157,
    0.0013399930860573837,
    0.00015345789023112974,
)
ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the lowest bits


def exp_double(x):
    """exp(x) by float64 arithmetic to float32 accuracy, for x <= 700; exp(-700) below -700."""
    exponent = 1.4426950408889634 * (-700.0 if x < -700.0 else x)
    shifted = exponent + ROUNDER
    fraction = exponent - (shifted - ROUNDER)
    return f64_from_bits(f64_bits(_EXP2(fraction)) + (f64_bits(shifted) << 52))


def in_double(formula, low=-inf, high=inf):
    """The float32 formula that clips x to [low, high] and computes a one-argument formula in float64."""
    wide = Double(formula)

    def narrow(x):
        return to_f32(wide(to_f64(low if x < low else (high if x > high else x))))

    return narrow
