"""The smooth relatives of the rectifier: softplus, and x times something sigmoidal."""

import numpy as np

from .._engine import simd_math as m
from .._engine.pairs import Double, Pair
from .._engine.primitives import fma, to_f32, to_f64
from .._engine.simd_math.exponential import clamped, growth, power, reduced
from .._engine.ufuncs import activation, backward, backward_from_output
from .exponential import (
    exact_product,
    exp_double,
    far_product,
    in_double,
    opposite_exp,
    quotient,
    two_product,
    two_sum,
)
from .sigmoidal import hard_ramp

__all__ = [
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "hard_silu",
    "hard_silu_backward",
    "hard_swish",
    "hard_swish_backward",
    "mish",
    "mish_backward",
    "quick_gelu",
    "quick_gelu_backward",
    "silu",
    "silu_backward",
    "softplus",
    "softplus_backward",
    "softplus_backward_from_output",
    "squareplus",
    "squareplus_backward",
    "swish",
    "swish_backward",
]


def _softplus_derivative(x, beta):
    high, low = two_product(beta, x)
    return m.sigmoid_sum(high, low)


def _softplus_derivative_from_output(y, beta):
    return -m.expm1(-beta * y)


@activation(derivative=_softplus_derivative, from_output=_softplus_derivative_from_output)
def softplus(x, beta=1.0):
    """Smooth rectifier: log1p(exp(beta * x)) / beta.

    Range (0, inf), exact everywhere: there is no threshold beyond which it becomes x. The derivative
    is sigmoid(beta * x), from the output 1 - exp(-beta * y).

    References
    ----------
    Dugas, Bengio, Belisle, Nadeau and Garcia, Incorporating second-order functional knowledge for better option
    pricing, NeurIPS 2000.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.softplus([-2.0, 0.0, 2.0]).round(4)
    array([0.1269, 0.6931, 2.1269])
    """
    high = beta * x
    y = m.softplus(high)
    if beta != 1.0 and high < 0.0 and high > -1e3:
        # The product's rounding error matters in the negative tail, where d log(softplus) is 1.
        y = fma(y, fma(beta, x, -high), y)
    return x if high > 40.0 else y / beta


# x * sigmoid(v) and its derivative sigmoid(v) * (1 + w * sigmoid(-v)), where w = x * v'(x), from e = exp(-v).
# Far out they are x * exp(v) and (1 + w) * exp(v).


def _gate(x, e):
    return x / (1.0 + e)


def _gate_derivative(w, e):
    return fma(w, e, 1.0 + e) / fma(e, e + 2.0, 1.0)


def _gate_derivative_of_words(w, w_low, e):
    """The same for a w in two words, which leaves 1.8 ulps instead of 3.8: 1 + e cancels against w * e."""
    total, lost = two_sum(1.0, e)
    product, product_low = exact_product(w, e)
    numerator, rest = two_sum(product, total)
    rest += product_low + fma(w_low, e, lost)
    square, excess = exact_product(total, total)
    return quotient(numerator, rest, square, fma(2.0 * total, lost, excess))


def _far_derivative_of_words(w, w_low, z):
    """Far out, for the z of `opposite_exp`."""
    factor, lost = two_sum(1.0, w)
    return far_product(factor + (lost + w_low), z)


def _silu_derivative(x):
    # With a = |x| and s = sigmoid(-a): s - a s (1 - s) = s (1 - a) + a s**2 for negative x, 1 minus that for positive.
    a = abs(x)
    a = 1e3 if a > 1e3 else a
    tail = m.sigmoid_tail(a)
    s = tail * 2.0**-64
    rest = 1.0 - a
    lost = (1.0 - rest) - a
    below = fma(tail, rest * 2.0**-64, fma(s * s, a, s * lost))
    return below if x < 0.0 else 1.0 - below


def _silu_above(low):
    def formula(x):
        bounded = clamped(x, low, 40.0)  # silu(low) rounds to -0, silu(40) to 40
        r, shifted = reduced(-bounded, -64.0)
        e = power(shifted)  # 2**-64 exp(-x) is e * (1 + growth(r)): 2**-64 keeps everything but the result normal
        rest = fma(e, growth(r), 2.0**-64)
        denominator = e + rest
        lost = rest - (denominator - e)
        inverse = 1.0 / denominator
        y = bounded * inverse
        # A Newton step, which also restores what the denominator's rounding lost: 1.0 ulp instead of 2.4.
        y = fma(inverse, fma(-y, lost, fma(-y, denominator, bounded)), y)
        return x if x > 40.0 or x == 0.0 else y * 2.0**-64

    return formula


_SILU = Pair(_silu_above(-112.0), _silu_above(-753.0))


@activation(derivative=_silu_derivative)
def silu(x):
    """Sigmoid linear unit, also swish: x * sigmoid(x).

    Range [-0.2785, inf), minimum at x = -1.278. The derivative is sigmoid(x) * (1 + x * sigmoid(-x)).

    References
    ----------
    Elfwing, Uchibe and Doya, Sigmoid-weighted linear units for neural network function approximation in
    reinforcement learning, Neural Networks 2018; Ramachandran, Zoph and Le, Searching for activation functions, 2017.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.silu([-2.0, 0.0, 2.0]).round(4)
    array([-0.2384,  0.    ,  1.7616])
    """
    return _SILU(x)


def _quick_gelu_argument(x):
    """1.702 * x in two words, and so is 1.702."""
    x = 1e3 if x > 1e3 else (-1e3 if x < -1e3 else x)
    v = 1.702 * x
    return v, fma(4.263256414560601e-17, x, fma(1.702, x, -v))


def _quick_gelu_double(x):
    return _gate(x, exp_double(-1.702 * x))


def _quick_gelu_f64(x):
    e, far = opposite_exp(*_quick_gelu_argument(x))
    return far_product(x, e) if far else _gate(x, e)


def _quick_gelu_derivative_double(x):
    return _gate_derivative(1.702 * x, exp_double(-1.702 * x))


def _quick_gelu_derivative_f64(x):
    v, low = _quick_gelu_argument(x)
    e, far = opposite_exp(v, low)
    return _far_derivative_of_words(v, low, e) if far else _gate_derivative_of_words(v, low, e)


_QUICK_GELU = Pair(in_double(_quick_gelu_double, low=-400.0), _quick_gelu_f64)
_QUICK_GELU_DERIVATIVE = Pair(in_double(_quick_gelu_derivative_double, -150.0, 150.0), _quick_gelu_derivative_f64)


def _quick_gelu_derivative(x):
    return _QUICK_GELU_DERIVATIVE(x)


@activation(derivative=_quick_gelu_derivative)
def quick_gelu(x):
    """Sigmoid approximation of GELU: x * sigmoid(1.702 * x).

    Range [-0.1636, inf), minimum at x = -0.751.

    References
    ----------
    Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016, arXiv:1606.08415.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.quick_gelu([-2.0, 0.0, 2.0]).round(4)
    array([-0.0643,  0.    ,  1.9357])
    """
    return _QUICK_GELU(x)


# gelu_tanh is x * sigmoid(v) with v = 2 sqrt(2/pi) (x + 0.044715 x**3) = x * (C1 + C3 x**2).
C1, C1_LOW = 1.5957691216057308, -9.96930880911092e-17
C3, C3_LOW = 0.07135481627260025, -6.175149918155315e-19
THREE_C3, THREE_C3_LOW = 0.21406444881780073, 1.2025242832367862e-17  # of w = x * v'(x)


def _gelu_tanh_words(x, c3, c3_low):
    """x * (C1 + c3 x**2) in two words."""
    square = x * x
    square_low = fma(x, x, -square)
    cubic = c3 * square
    cubic_low = fma(c3, square, -cubic) + fma(c3, square_low, c3_low * square)
    total, total_low = two_sum(C1, cubic)
    total_low += cubic_low + C1_LOW
    v = x * total
    return v, fma(x, total, -v) + x * total_low


def _gelu_tanh_weight(x):
    """w = x * v'(x)."""
    return x * fma(3.0 * C3, x * x, C1)


def _gelu_tanh_double(x):
    return _gate(x, exp_double(-x * fma(C3, x * x, C1)))


def _gelu_tanh_f64(x):
    e, far = opposite_exp(*_gelu_tanh_words(30.0 if x > 30.0 else (-30.0 if x < -30.0 else x), C3, C3_LOW))
    return far_product(x, e) if far else _gate(x, e)


def _gelu_tanh_derivative_double(x):
    return _gate_derivative(_gelu_tanh_weight(x), exp_double(-x * fma(C3, x * x, C1)))


def _gelu_tanh_derivative_f64(x):
    x = 30.0 if x > 30.0 else (-30.0 if x < -30.0 else x)
    w, w_low = _gelu_tanh_words(x, THREE_C3, THREE_C3_LOW)
    e, far = opposite_exp(*_gelu_tanh_words(x, C3, C3_LOW))
    return _far_derivative_of_words(w, w_low, e) if far else _gate_derivative_of_words(w, w_low, e)


_GELU_TANH = Pair(in_double(_gelu_tanh_double, low=-16.0), _gelu_tanh_f64)
_GELU_TANH_DERIVATIVE = Pair(in_double(_gelu_tanh_derivative_double, -14.0, 14.0), _gelu_tanh_derivative_f64)


def _gelu_tanh_derivative(x):
    return _GELU_TANH_DERIVATIVE(x)


@activation(derivative=_gelu_tanh_derivative)
def gelu_tanh(x):
    """Tanh approximation of GELU: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))).

    Range [-0.1700, inf), minimum at x = -0.753. Computed as x * sigmoid(2 u),
    which does not cancel in the negative tail.

    References
    ----------
    Hendrycks and Gimpel, Gaussian error linear units (GELUs), 2016, arXiv:1606.08415.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.gelu_tanh([-2.0, 0.0, 2.0]).round(4)
    array([-0.0454,  0.    ,  1.9546])
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

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.gelu([-2.0, 0.0, 2.0]).round(4)
    array([-0.0455,  0.    ,  1.9545])
    """
    return m.gelu(x)


# tanh(softplus(x)) = n / (n + 2) with n = exp(x) * (exp(x) + 2), both multiplied by e**2, e = exp(-x).
# Far out, as silu: x * exp(x).


def _mish_of(x, e):
    n = fma(2.0, e, 1.0)
    return x * n / fma(2.0 * e, e, n)


def _mish_derivative_of(x, e):
    n = fma(2.0, e, 1.0)
    d = fma(2.0 * e, e, n)
    return fma(n, d, 4.0 * x * e * e * (1.0 + e)) / (d * d)


def _mish_derivative_of_words(x, e):
    """The same in two words throughout, which leaves 1.5 ulps instead of 5.4: the numerator's terms cancel."""
    n, n_low = two_sum(1.0, 2.0 * e)
    square, square_low = exact_product(e, e)
    d, d_low = two_sum(n, 2.0 * square)
    d_low += fma(2.0, square_low, n_low)
    positive, rest = exact_product(n, d)
    rest += fma(n, d_low, n_low * d)
    factor, factor_low = two_sum(1.0, e)
    scaled, scaled_low = exact_product(4.0 * x, square)
    scaled_low = fma(4.0 * x, square_low, scaled_low)
    negative, negative_low = exact_product(scaled, factor)
    negative_low += fma(scaled, factor_low, scaled_low * factor)
    numerator, lost = two_sum(positive, negative)
    denominator, excess = exact_product(d, d)
    return quotient(numerator, lost + (rest + negative_low), denominator, fma(2.0 * d, d_low, excess))


def _mish_double(x):
    return _mish_of(x, exp_double(-x))


def _mish_f64(x):
    e, far = opposite_exp(x, 0.0)
    return far_product(x, e) if far else _mish_of(x, e)


def _mish_derivative_double(x):
    return _mish_derivative_of(x, exp_double(-x))


def _mish_derivative_f64(x):
    e, far = opposite_exp(x, 0.0)
    return far_product(1.0 + x, e) if far else _mish_derivative_of_words(1e3 if x > 1e3 else x, e)


_MISH = Pair(in_double(_mish_double, low=-150.0), _mish_f64)
_MISH_DERIVATIVE = Pair(in_double(_mish_derivative_double, -150.0, 150.0), _mish_derivative_f64)


def _mish_derivative(x):
    return _MISH_DERIVATIVE(x)


@activation(derivative=_mish_derivative)
def mish(x):
    """Self-regularised smooth rectifier: x * tanh(softplus(x)).

    Range [-0.3088, inf), minimum at x = -1.192. One exponential: tanh(softplus(x)) = n / (n + 2) with
    n = exp(x) * (exp(x) + 2). With t = tanh(softplus(x)) the derivative is t + x * sigmoid(x) * (1 - t**2).

    References
    ----------
    Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.mish([-2.0, 0.0, 2.0]).round(4)
    array([-0.2525,  0.    ,  1.944 ])
    """
    return _MISH(x)


# t / 6 as a product with both words of 1/6: as accurate as a division, and cheaper
_SIXTH = Pair(
    lambda t: fma(t, 0.1666666716337204, t * -4.967053731282552e-09),
    lambda t: fma(t, 0.16666666666666666, t * 9.25185853854297e-18),
)


def _hard_swish_derivative(x):
    # (2x + 3) / 6: exact near the zero crossing at -3/2, where x / 3 + 1/2 would cancel.
    return 0.0 if x <= -3.0 else (1.0 if x >= 3.0 else _SIXTH(fma(2.0, x, 3.0)))


@activation(derivative=_hard_swish_derivative, zero_blocks=True)
def hard_swish(x):
    """Piecewise quadratic silu: x * hard_sigmoid(x) = x * clip(x / 6 + 1/2, 0, 1).

    Range [-0.375, inf). The derivative is (2 x + 3) / 6 inside (-3, 3), 0 at -3 and below, 1 at 3 and above.

    References
    ----------
    Howard et al., Searching for MobileNetV3, ICCV 2019.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.hard_swish([-4.0, 1.0, 4.0]).round(4)
    array([-0.    ,  0.6667,  4.    ])
    """
    return -0.0 if x <= -3.0 else (x if x >= 3.0 else x * hard_ramp(x))


def _squareplus_of(x, b):
    a = abs(x)
    root = np.sqrt(fma(x, x, b))
    # Where b is lost beside x**2, that is beside the point, and might overflow.
    positive = a if a > 134217728.0 * np.sqrt(abs(b)) else 0.5 * (a + root)
    return positive if x >= 0.0 else 0.25 * b / positive


def _squareplus_derivative_of(x, b):
    # f / sqrt(q) with q = x**2 + b; scaled where q would overflow long before the quotient underflows.
    scale = 2.0**-40 if abs(x) > 2.0**60 else 1.0
    a = abs(x) * scale
    q = fma(a, a, b * (scale * scale))
    p = fma(a, np.sqrt(q), q)
    slope = (0.5 * p if x >= 0.0 else 0.5 * b) / (q if x >= 0.0 else p)
    return slope * (scale * scale) if x < 0.0 else (1.0 if q > 1e300 else slope)


def _in_double_or_as_is(formula):
    wide = Double(formula)

    def narrow(x, b):
        return to_f32(wide(to_f64(x), to_f64(b)))

    return Pair(narrow, formula)


_SQUAREPLUS = _in_double_or_as_is(_squareplus_of)
_SQUAREPLUS_DERIVATIVE = _in_double_or_as_is(_squareplus_derivative_of)


def _squareplus_derivative(x, b):
    return _SQUAREPLUS_DERIVATIVE(x, b)


@activation(derivative=_squareplus_derivative)
def squareplus(x, b=4.0):
    """Algebraic softplus: (x + sqrt(x**2 + b)) / 2.

    Range (0, inf) for b > 0; b = 0 is the rectifier, b = 4 has the value 1 and slope 1/2 at 0. For negative x
    it is b / 4 / f(-x), which does not cancel. The derivative is (1 + x / sqrt(x**2 + b)) / 2.

    References
    ----------
    Barron, Squareplus: a softplus-like algebraic rectifier, 2021, arXiv:2112.11687.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.squareplus([-1.5, 0.0, 1.5])
    array([0.5, 1. , 2. ])
    """
    return _SQUAREPLUS(x, b)


softplus_backward, softplus_backward_from_output = backward(softplus), backward_from_output(softplus)
silu_backward = backward(silu)
swish, swish_backward = silu, silu_backward
quick_gelu_backward = backward(quick_gelu)
gelu_tanh_backward = backward(gelu_tanh)
gelu_backward = backward(gelu)
mish_backward = backward(mish)
hard_swish_backward = backward(hard_swish)
hard_silu, hard_silu_backward = hard_swish, hard_swish_backward
squareplus_backward = backward(squareplus)
