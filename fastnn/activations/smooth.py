"""The smooth relatives of the rectifier: softplus, and x times something sigmoidal.

In the negative tail f(x) is about x * exp(v(x)): a rounding error of v is magnified |v| times, and exp(v) may be subnormal
where the product is not. float64 formulas carry v in two words and scale the exponential (`far_exp`); most
float32 formulas run in float64 (`Double`), where neither problem exists, with an exponential made for that.
"""

import numpy as np

from .._engine import simd_math as m
from .._engine.pairs import Double, Pair, horner
from .._engine.primitives import f64_bits, f64_from_bits, fma, to_f32, to_f64
from .._engine.ufuncs import activation, backward
from .sigmoidal import far_exp

# exp(r) for abs(r) <= log(2) / 2, minimax, relative error 2**-29.
_EXP = horner(
    1.000000000554256,
    1.0000000363216661,
    0.4999999207805921,
    0.16666420174112262,
    0.04166822596131852,
    0.00837481558024278,
    0.0013836825273894637,
)


def _exp_wide(x):
    """exp(-abs(x)), float64 arithmetic to float32 accuracy, for abs(x) <= 700."""
    shifted = fma(-abs(x), 1.4426950408889634, 6755399441055744.0)  # 1.5 * 2**52: the integer ends in the lowest bits
    r = fma(shifted - 6755399441055744.0, -0.6931471805599453, -abs(x))
    return f64_from_bits(f64_bits(_EXP(r)) + (f64_bits(shifted) << 52))


def _clip(x, bound):
    return bound if x > bound else (-bound if x < -bound else x)


def _two_product(a, b):
    """a * b in two words; the second is 0 where the first is infinite."""
    high = a * b
    low = fma(a, b, -high)
    return high, low if abs(low) < 1.0 else 0.0


def _softplus_derivative(x, beta):
    high, low = _two_product(beta, x)
    return m.sigmoid_sum(high, low)


@activation(derivative=_softplus_derivative)
def softplus(x, beta=1.0):
    """Smooth rectifier: log1p(exp(beta * x)) / beta.

    Range (0, inf), exact everywhere: there is no threshold beyond which it becomes x. The derivative
    is sigmoid(beta * x).

    References
    ----------
    Dugas, Bengio, Belisle, Nadeau and Garcia, Incorporating second-order functional knowledge for better option
    pricing, NeurIPS 2000.
    """
    high, low = _two_product(beta, x)
    y = m.softplus(high)
    y = fma(y, low if high < 0.0 else 0.0, y)  # d log(softplus) is 1 in the negative tail, where low matters
    return x if high > 40.0 else y / beta


# x * sigmoid(v) and its derivative sigmoid(v) * (1 + w * sigmoid(-v)), where w = x * v'(x), from z = exp(-abs(v)).


def _gate(x, v, z):
    return x * (z if v < 0.0 else 1.0) / (1.0 + z)


def _gate_derivative(w, v, z):
    return (z * (1.0 + z + w) if v < 0.0 else fma(w, z, 1.0 + z)) / fma(z, z + 2.0, 1.0)


def _silu_derivative(x):
    z, scale = far_exp(x, 0.0)
    return _gate_derivative(_clip(x, 1e4), x, z) * scale


@activation(derivative=_silu_derivative)
def silu(x):
    """Sigmoid linear unit, also swish: x * sigmoid(x).

    Range [-0.2785, inf), minimum at x = -1.278. The derivative is sigmoid(x) * (1 + x * sigmoid(-x)).

    References
    ----------
    Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning, Neural Networks 2018; Ramachandran, Zoph and Le, Searching for activation functions, 2017.
    """
    z, scale = far_exp(x, 0.0)
    return _gate(-1e4 if x < -1e4 else x, x, z) * scale


def _quick_gelu_argument(x):
    """1.702 * x in two words."""
    high, low = _two_product(1.702, x)
    return high, fma(4.263256414560601e-17, x, low)


def _quick_gelu_f64(x):
    bounded = -1e3 if x < -1e3 else x
    v, low = _quick_gelu_argument(_clip(x, 1e3))
    z, scale = far_exp(v, low)
    return _gate(bounded, v, z) * scale


def _quick_gelu_derivative_f64(x):
    v, low = _quick_gelu_argument(_clip(x, 1e3))
    z, scale = far_exp(v, low)
    return _gate_derivative(v, v, z) * scale


def _quick_gelu_wide(x):
    v = 1.702 * _clip(x, 400.0)
    return _gate(-400.0 if x < -400.0 else x, v, _exp_wide(v))


def _quick_gelu_derivative_wide(x):
    v = 1.702 * _clip(x, 400.0)
    return _gate_derivative(v, v, _exp_wide(v))


def _in_double(formula):
    """The float32 formula that computes a one-argument formula in float64."""
    wide = Double(formula)

    def narrow(x):
        return to_f32(wide(to_f64(x)))

    return narrow


_QUICK_GELU = Pair(_in_double(_quick_gelu_wide), _quick_gelu_f64)
_QUICK_GELU_DERIVATIVE = Pair(_in_double(_quick_gelu_derivative_wide), _quick_gelu_derivative_f64)


def _quick_gelu_derivative(x):
    return _QUICK_GELU_DERIVATIVE(x)


@activation(derivative=_quick_gelu_derivative)
def quick_gelu(x):
    """Sigmoid approximation of GELU: x * sigmoid(1.702 * x).

    Range [-0.1636, inf), minimum at x = -0.751.

    References
    ----------
    Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016, arXiv:1606.08415.
    """
    return _QUICK_GELU(x)


# gelu_tanh is x * sigmoid(v) with v = 2 sqrt(2/pi) (x + 0.044715 x**3) = x * (C1 + C3 x**2).
C1, C1_LOW = 1.5957691216057308, -9.96930880911092e-17
C3, C3_LOW = 0.07135481627260025, -6.175149918155315e-19


def _gelu_tanh_argument(x):
    """v in two words."""
    square = x * x
    square_low = fma(x, x, -square)
    cubic = C3 * square
    cubic_low = fma(C3, square, -cubic) + fma(C3, square_low, C3_LOW * square)
    total = C1 + cubic
    part = total - C1
    total_low = (C1 - (total - part)) + (cubic - part) + (cubic_low + C1_LOW)
    v = x * total
    return v, fma(x, total, -v) + x * total_low


def _gelu_tanh_f64(x):
    v, low = _gelu_tanh_argument(_clip(x, 30.0))
    z, scale = far_exp(v, low)
    return _gate(-30.0 if x < -30.0 else x, v, z) * scale


def _gelu_tanh_derivative_f64(x):
    bounded = _clip(x, 30.0)
    v, low = _gelu_tanh_argument(bounded)
    z, scale = far_exp(v, low)
    return _gate_derivative(bounded * fma(3.0 * C3, bounded * bounded, C1), v, z) * scale


def _gelu_tanh_wide(x):
    bounded = _clip(x, 20.0)
    v = bounded * fma(C3, bounded * bounded, C1)
    return _gate(-20.0 if x < -20.0 else x, v, _exp_wide(v))


def _gelu_tanh_derivative_wide(x):
    bounded = _clip(x, 20.0)
    square = bounded * bounded
    v = bounded * fma(C3, square, C1)
    return _gate_derivative(bounded * fma(3.0 * C3, square, C1), v, _exp_wide(v))


_GELU_TANH = Pair(_in_double(_gelu_tanh_wide), _gelu_tanh_f64)
_GELU_TANH_DERIVATIVE = Pair(_in_double(_gelu_tanh_derivative_wide), _gelu_tanh_derivative_f64)


def _gelu_tanh_derivative(x):
    return _GELU_TANH_DERIVATIVE(x)


@activation(derivative=_gelu_tanh_derivative)
def gelu_tanh(x):
    """Tanh approximation of GELU: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))).

    Range [-0.1700, inf), minimum at x = -0.753. Computed as x * sigmoid(2 u), which does not cancel in the negative tail.

    References
    ----------
    Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016, arXiv:1606.08415.
    """
    return _GELU_TANH(x)


def _gelu_derivative(x):
    return m.gelu_derivative(x)


@activation(derivative=_gelu_derivative)
def gelu(x):
    """Gaussian error linear unit: x * Phi(x), Phi the normal distribution function.

    Range [-0.1700, inf), minimum at x = -0.7518. Exact: in the negative tail Phi is not computed as 1 + erf.
    The derivative is Phi(x) + x * phi(x).

    References
    ----------
    Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016, arXiv:1606.08415.
    """
    return m.gelu(x)


# tanh(softplus(x)) = n / (n + 2) with n = exp(x) * (exp(x) + 2): from z = exp(-abs(x)), divided by exp(2x) for x > 0.


def _mish_of(x, z):
    n = z * (z + 2.0)
    return x * (n if x < 0.0 else fma(2.0, z, 1.0)) / (n + 2.0 if x < 0.0 else fma(2.0 * z, z + 1.0, 1.0))


def _mish_derivative_of(x, z):
    n = z * (z + 2.0)
    below = z * fma(z + 2.0, n + 2.0, 4.0 * x * (z + 1.0))
    p = fma(2.0 * z, z + 1.0, 1.0)
    above = fma(fma(2.0, z, 1.0), p, 4.0 * x * z * z * (z + 1.0))
    root = n + 2.0 if x < 0.0 else p
    return (below if x < 0.0 else above) / (root * root)


def _mish_f64(x):
    z, scale = far_exp(x, 0.0)
    return _mish_of(-1e3 if x < -1e3 else x, z) * scale


def _mish_derivative_f64(x):
    z, scale = far_exp(x, 0.0)
    return _mish_derivative_of(_clip(x, 1e3), z) * scale


def _mish_wide(x):
    return _mish_of(-700.0 if x < -700.0 else x, _exp_wide(_clip(x, 700.0)))


def _mish_derivative_wide(x):
    bounded = _clip(x, 700.0)
    return _mish_derivative_of(bounded, _exp_wide(bounded))


_MISH = Pair(_in_double(_mish_wide), _mish_f64)
_MISH_DERIVATIVE = Pair(_in_double(_mish_derivative_wide), _mish_derivative_f64)


def _mish_derivative(x):
    return _MISH_DERIVATIVE(x)


@activation(derivative=_mish_derivative)
def mish(x):
    """x * tanh(softplus(x)).

    Range [-0.3088, inf), minimum at x = -1.192. One exponential: tanh(softplus(x)) = n / (n + 2) with
    n = exp(x) * (exp(x) + 2).

    References
    ----------
    Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020.
    """
    return _MISH(x)


def _hard_swish_derivative(x):
    # (2x + 3) / 6: exact near the zero crossing at -3/2, where x / 3 + 1/2 would cancel.
    return 0.0 if x <= -3.0 else (1.0 if x >= 3.0 else fma(2.0, x, 3.0) * (1.0 / 6.0))


@activation(derivative=_hard_swish_derivative, zero_blocks=True)
def hard_swish(x):
    """Piecewise quadratic silu: x * hard_sigmoid(x) = x * clip(x / 6 + 1/2, 0, 1).

    Range [-0.375, inf). The derivative is (2 x + 3) / 6 inside (-3, 3), 0 at -3 and below, 1 at 3 and above.

    References
    ----------
    Howard et al., Searching for MobileNetV3, ICCV 2019.
    """
    return -0.0 if x <= -3.0 else (x if x >= 3.0 else x * ((x + 3.0) * (1.0 / 6.0)))


def _squareplus_parts(x, b):
    """(f(|x|), sqrt(x**2 + b), whether b is lost beside x**2, which then might overflow)."""
    a = abs(x)
    alone = a > 134217728.0 * np.sqrt(abs(b))
    root = a if alone else np.sqrt(fma(x, x, b))
    return 0.5 * a + 0.5 * root, root, alone


def _squareplus_derivative(x, b):
    # f(x) / sqrt(x**2 + b)
    positive, root, alone = _squareplus_parts(x, b)
    return 1.0 if alone and x > 0.0 else (positive if x >= 0.0 else 0.25 * b / positive) / root


@activation(derivative=_squareplus_derivative)
def squareplus(x, b=4.0):
    """Algebraic softplus: (x + sqrt(x**2 + b)) / 2.

    Range (0, inf) for b > 0; b = 0 is the rectifier, b = 4 has the value 1 and slope 1/2 at 0. For negative x
    it is b / 4 / f(-x), which does not cancel. The derivative is (1 + x / sqrt(x**2 + b)) / 2.

    References
    ----------
    Barron, Squareplus: a softplus-like algebraic rectifier, 2021, arXiv:2112.11687.
    """
    positive, _, _ = _squareplus_parts(x, b)
    return positive if x >= 0.0 else 0.25 * b / positive


softplus_backward = backward(softplus)
silu_backward = backward(silu)
swish, swish_backward = silu, silu_backward
quick_gelu_backward = backward(quick_gelu)
gelu_tanh_backward = backward(gelu_tanh)
gelu_backward = backward(gelu)
mish_backward = backward(mish)
hard_swish_backward = backward(hard_swish)
hard_silu, hard_silu_backward = hard_swish, hard_swish_backward
squareplus_backward = backward(squareplus)
