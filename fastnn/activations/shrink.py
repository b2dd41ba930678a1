"""The shrinkage family: what is small becomes zero, or nearly so."""

from .._engine import simd_math as m
from .._engine.pairs import Pair, horner
from .._engine.primitives import fma
from .._engine.ufuncs import activation, backward
from .exponential import exp_double, in_double

__all__ = [
    "hardshrink",
    "hardshrink_backward",
    "softshrink",
    "softshrink_backward",
    "tanhshrink",
    "tanhshrink_backward",
]


def _outside(x, lambd):
    return 0.0 if abs(x) <= lambd else (1.0 if abs(x) > lambd else x)


@activation(derivative=_outside, zero_blocks=True)
def hardshrink(x, lambd=0.5):
    """Hard thresholding: 0 if abs(x) <= lambd else x.

    The derivative is 0 inside, at both bounds too, and 1 outside.

    References
    ----------
    Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.hardshrink([-2.0, 0.5, 0.75])
    array([-2.  ,  0.  ,  0.75])
    """
    return 0.0 if abs(x) <= lambd else x


@activation(derivative=_outside, zero_blocks=True)
def softshrink(x, lambd=0.5):
    """Soft thresholding: x - lambd if x > lambd, x + lambd if x < -lambd, 0 between.

    The proximal operator of lambd * abs(x). The derivative is 0 inside, at both bounds too, and 1 outside.

    References
    ----------
    Donoho, De-noising by soft-thresholding, IEEE Transactions on Information Theory 1995.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.softshrink([-2.0, 0.5, 0.75])
    array([-1.5 ,  0.  ,  0.25])
    """
    return x - lambd if x > lambd else (x + lambd if x < -lambd else (0.0 if abs(x) <= lambd else x))


# x - tanh(x) = x**3 / p(x**2), from the continued fraction of tanh; the nearest pole of p is at x**2 = -20.2.
# Minimax on [0, 4], relative error 2**-31.7 and 2**-58.5. Beyond, with e = exp(-2|x|), tanh|x| = 1 - 2e / (1 + e).
_CUBE_OVER_TANHSHRINK = Pair(
    horner(
        3.000000000843377,
        1.199999975309801,
        -0.005714172507617031,
        0.0002537777909755924,
        -1.2051992710346516e-05,
        5.35904648103148e-07,
        -1.588832188728885e-08,
    ),
    horner(
        3.0,
        1.1999999999999993,
        -0.005714285714275518,
        0.0002539682539077427,
        -1.2203669161367035e-05,
        5.987659775281125e-07,
        -2.956473773865804e-08,
        1.4625079297537157e-09,
        -7.226310226296203e-11,
        3.526544755855844e-12,
        -1.6224448582649067e-13,
        6.133175235992423e-15,
        -1.3439038099802028e-16,
    ),
)


def _tanhshrink_of(x, p, e):
    a = abs(x)
    near = a < 2.0
    quotient = (a * (x * x) if near else 2.0 * e) / (p if near else 1.0 + e)
    y = quotient if near else (a - 1.0) + quotient
    return -y if x < 0.0 else (x if x == 0.0 else y)


def _tanhshrink_derivative_of(x, p, e):
    # tanh(x)**2: from t = x - tanhshrink(x) in two words near 0, from 1 - sech(x)**2 where that does not cancel.
    a = abs(x)
    near = a < 1.0
    quotient = (a * (x * x) if near else 4.0 * e) / (p if near else (1.0 + e) * (1.0 + e))
    t = a - quotient
    low = (a - t) - quotient
    return fma(t, t, 2.0 * t * low) if near else 1.0 - quotient


def _double(formula):
    polynomial = _CUBE_OVER_TANHSHRINK.f32

    def wide(x):
        return formula(x, polynomial(x * x), exp_double(-2.0 * abs(x)))

    return in_double(wide)


def _f64(formula):
    def full(x):
        return formula(x, _CUBE_OVER_TANHSHRINK(x * x), m.exp(-2.0 * abs(x)))

    return full


_TANHSHRINK = Pair(_double(_tanhshrink_of), _f64(_tanhshrink_of))
_TANHSHRINK_DERIVATIVE = Pair(_double(_tanhshrink_derivative_of), _f64(_tanhshrink_derivative_of))


def _tanhshrink_derivative(x):
    return _TANHSHRINK_DERIVATIVE(x)


@activation(derivative=_tanhshrink_derivative)
def tanhshrink(x):
    """x - tanh(x).

    Range (-inf, inf), about x**3 / 3 near 0 and without the cancellation of the formula there. The derivative
    is tanh(x)**2.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.tanhshrink([-2.0, 0.0, 2.0]).round(4)
    array([-1.036,  0.   ,  1.036])
    """
    return _TANHSHRINK(x)


hardshrink_backward = backward(hardshrink)
softshrink_backward = backward(softshrink)
tanhshrink_backward = backward(tanhshrink)
