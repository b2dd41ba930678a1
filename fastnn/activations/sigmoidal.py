"""The S-shaped family: bounded, monotone, saturating (and the logarithm of the logistic function)."""

from .._engine import simd_math as m
from .._engine.pairs import Pair
from .._engine.primitives import fma
from .._engine.ufuncs import activation, backward, backward_from_output
from .exponential import in_double

__all__ = [
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "hard_tanh",
    "hard_tanh_backward",
    "hard_tanh_backward_from_output",
    "log_sigmoid",
    "log_sigmoid_backward",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_backward_from_output",
    "softsign",
    "softsign_backward",
    "softsign_backward_from_output",
    "tanh",
    "tanh_backward",
    "tanh_backward_from_output",
]


def _sigmoid_derivative(x):
    # s (1 - s) of the smaller of sigmoid(x) and sigmoid(-x): no 1 - s that cancels
    s = m.sigmoid_tail(abs(x)) * 2.0**-64
    return fma(-s, s, s)


def _sigmoid_derivative_from_output(y):
    return y * (1.0 - y)


@activation(derivative=_sigmoid_derivative, from_output=_sigmoid_derivative_from_output)
def sigmoid(x):
    """Logistic function: 1 / (1 + exp(-x)).

    Range (0, 1), accurate in both tails: sigmoid(-80) is not 0. The derivative is y * (1 - y).

    For gates and probabilities at the output. As a hidden layer it saturates, where its gradient vanishes, and
    is not zero-centred: prefer `relu` or `tanh`.

    References
    ----------
    Rumelhart, Hinton and Williams, Learning representations by back-propagating errors, Nature 1986.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.sigmoid([-2.0, 0.0, 2.0]).round(4)
    array([0.1192, 0.5   , 0.8808])
    """
    return m.sigmoid(x)


def _log_sigmoid_derivative(x):
    return m.sigmoid(-x)


@activation(derivative=_log_sigmoid_derivative)
def log_sigmoid(x):
    """Logarithm of the logistic function: -softplus(-x) = -log1p(exp(-x)).

    Range (-inf, 0), accurate where sigmoid(x) rounds to 0 or 1. The derivative is sigmoid(-x).

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.log_sigmoid([-2.0, 0.0, 2.0]).round(4)
    array([-2.1269, -0.6931, -0.1269])
    """
    return -m.softplus(-x)


def hard_ramp(x):
    """x / 6 + 1/2, which cancels near -3, where x + 3 is exact."""
    return (x + 3.0) * (1.0 / 6.0) if x < -1.5 else fma(x, 1.0 / 6.0, 0.5)


def _hard_sigmoid_derivative(x):
    return 0.0 if x <= -3.0 or x >= 3.0 else (1.0 / 6.0 if x < 3.0 else x)


@activation(derivative=_hard_sigmoid_derivative, zero_blocks=True)
def hard_sigmoid(x):
    """Piecewise linear sigmoid: clip(x / 6 + 1/2, 0, 1).

    Range [0, 1]. The derivative is 1/6 strictly inside (-3, 3) and 0 elsewhere.

    References
    ----------
    Courbariaux, Bengio and David, BinaryConnect, NeurIPS 2015; with slope 1/6 in Howard et al., Searching for
    MobileNetV3, ICCV 2019.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.hard_sigmoid([-3.0, 0.0, 1.5])
    array([0.  , 0.5 , 0.75])
    """
    return 0.0 if x <= -3.0 else (1.0 if x >= 3.0 else hard_ramp(x))


# tanh'(x) is sech(x)**2 = 4 sigmoid(2x) sigmoid(-2x): no 1 - y**2, which cancels.


def _tanh_derivative(x):
    tail = m.sigmoid_tail(2.0 * abs(x))
    four_s = tail * 2.0**-62  # not 4 * s, which may have been subnormal
    return fma(-tail * 2.0**-64, four_s, four_s)


def _tanh_derivative_from_output(y):
    return fma(-y, y, 1.0)


@activation(derivative=_tanh_derivative, from_output=_tanh_derivative_from_output)
def tanh(x):
    """Hyperbolic tangent: (exp(x) - exp(-x)) / (exp(x) + exp(-x)).

    Range (-1, 1). The derivative is 1 - y**2.

    Zero-centred, so always preferable to `sigmoid` in a hidden layer; it saturates just the same, and its gradient
    vanishes at both ends.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, Efficient backprop, 1998.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.tanh([-2.0, 0.0, 2.0]).round(4)
    array([-0.964,  0.   ,  0.964])
    """
    return m.tanh(x)


def _hard_tanh_derivative(x, min_val, max_val):
    return 0.0 if x <= min_val or x >= max_val else (1.0 if x > min_val and x < max_val else x)


@activation(derivative=_hard_tanh_derivative, from_output=_hard_tanh_derivative, zero_blocks=True)
def hard_tanh(x, min_val=-1.0, max_val=1.0):
    """Piecewise linear tanh: min(max(x, min_val), max_val).

    Range [min_val, max_val]. The derivative is 1 strictly inside and 0 elsewhere, at both bounds too.

    References
    ----------
    Collobert, Large scale machine learning, 2004.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.hard_tanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """
    above = min_val if x <= min_val else x
    return max_val if above >= max_val else above


def _softsign_slope(x):
    # 1 / (1 + |x|)**2; scaled where the square would overflow long before the quotient underflows.
    scale = 2.0**-40 if abs(x) > 2.0**60 else 1.0
    t = abs(x) * scale
    return scale * scale / fma(t, t + 2.0 * scale, scale * scale)


_SOFTSIGN_DERIVATIVE = Pair(in_double(_softsign_slope), _softsign_slope)


def _softsign_derivative(x):
    return _SOFTSIGN_DERIVATIVE(x)


def _softsign_derivative_from_output(y):
    root = 1.0 - abs(y)
    return root * root


@activation(derivative=_softsign_derivative, from_output=_softsign_derivative_from_output)
def softsign(x):
    """Rational sigmoid: x / (1 + abs(x)).

    Range (-1, 1); it approaches its limits as 1/x, where tanh does so exponentially. The derivative is
    1 / (1 + abs(x))**2 = (1 - abs(y))**2.

    References
    ----------
    Bergstra, Desjardins, Lamblin and Bengio, Quadratic polynomials learn better image features, 2009.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.softsign([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75])
    """
    # Beyond 1e30 the quotient is 1 already: the clip spares infinity over infinity.
    clipped = 1e30 if x > 1e30 else (-1e30 if x < -1e30 else x)
    return clipped / (1.0 + abs(clipped))


sigmoid_backward, sigmoid_backward_from_output = backward(sigmoid), backward_from_output(sigmoid)
log_sigmoid_backward = backward(log_sigmoid)
hard_sigmoid_backward = backward(hard_sigmoid)
tanh_backward, tanh_backward_from_output = backward(tanh), backward_from_output(tanh)
hard_tanh_backward, hard_tanh_backward_from_output = backward(hard_tanh), backward_from_output(hard_tanh)
softsign_backward, softsign_backward_from_output = backward(softsign), backward_from_output(softsign)
