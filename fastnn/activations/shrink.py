"""The shrinkage family: what is small becomes zero, or nearly so."""

from .._engine import simd_math as m
from .._engine.pairs import Pair, horner
from .._engine.primitives import fma
from .._engine.ufuncs import activation, backward


def _outside(x, lambd):
    return 0.0 if abs(x) <= lambd else (1.0 if abs(x) > lambd else x)


@activation(derivative=_outside, zero_blocks=True)
def hardshrink(x, lambd=0.5):
    """Hard thresholding: 0 if abs(x) <= lambd else x.

    The derivative is 0 inside, at both bounds too, and 1 outside.

    References
    ----------
    Donoho and Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 1994.
    """
    return 0.0 if abs(x) <= lambd else x


@activation(derivative=_outside, zero_blocks=True)
def softshrink(x, lambd=0.5):
    """Soft thresholding: x - lambd if x > lambd, x + lambd if x < -lambd, 0 between.

    The proximal operator of lambd * abs(x). The derivative is 0 inside, at both bounds too, and 1 outside.

    References
    ----------
    Donoho, De-noising by soft-thresholding, IEEE Transactions on Information Theory 1995.
    """
    return x - lambd if x > lambd else (x + lambd if x < -lambd else (0.0 if abs(x) <= lambd else x))


# x - tanh(x) = x**3 / (x**2 + r(x**2)), from the continued fraction of tanh; r is smooth, its nearest pole at
# x**2 = -20.2. Minimax on [0, 4], relative error of the quotient below 2**-27.2 and 2**-58.5.
_REMAINDER = Pair(
    horner(
        3.0000000187049785,
        0.199999587173241,
        -0.005712885406134998,
        0.0002522719539447269,
        -1.127368808054787e-05,
        3.5332691185158995e-07,
    ),
    horner(
        3.0,
        0.19999999999999934,
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


def _tanhshrink_derivative(x):
    # tanh(x)**2: from t = x - tanhshrink(x) in two words near 0, from 1 - sech(x)**2 where that does not cancel.
    a = abs(x)
    near = a < 1.0
    square = x * x
    z = m.exp(-2.0 * a)
    quotient = (a * square if near else 4.0 * z) / (square + _REMAINDER(square) if near else fma(z, z + 2.0, 1.0))
    t = a - quotient
    low = (a - t) - quotient
    return fma(t, t, 2.0 * t * low) if near else 1.0 - quotient


@activation(derivative=_tanhshrink_derivative)
def tanhshrink(x):
    """x - tanh(x).

    Range (-inf, inf), about x**3 / 3 near 0 and without the cancellation of the formula there. The derivative
    is tanh(x)**2.
    """
    a = abs(x)
    near = a < 2.0
    square = x * x
    z = m.exp(-2.0 * a)
    quotient = (x * square if near else 2.0 * z) / (square + _REMAINDER(square) if near else 1.0 + z)
    beyond = (a - 1.0) + quotient
    return quotient if near else (beyond if x > 0.0 else -beyond)


hardshrink_backward = backward(hardshrink)
softshrink_backward = backward(softshrink)
tanhshrink_backward = backward(tanhshrink)
