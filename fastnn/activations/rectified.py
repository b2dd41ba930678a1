"""The rectifier family: the identity above zero, something flat or falling below.

Every test is written so that a NaN fails it and leaves by the last branch as the NaN it came in as.
"""

from .._engine import simd_math as m
from .._engine.pairs import Pair
from .._engine.primitives import fma
from .._engine.ufuncs import activation, backward, backward_from_output
from .exponential import two_sum

__all__ = [
    "celu",
    "celu_backward",
    "celu_backward_from_output",
    "elu",
    "elu_backward",
    "elu_backward_from_output",
    "leaky_relu",
    "leaky_relu_backward",
    "leaky_relu_backward_from_output",
    "relu",
    "relu6",
    "relu6_backward",
    "relu_backward",
    "relu_backward_from_output",
    "selu",
    "selu_backward",
    "selu_backward_from_output",
    "threshold",
    "threshold_backward",
]


def _relu_derivative(x):
    return 1.0 if x > 0.0 else (0.0 if x <= 0.0 else x)


@activation(derivative=_relu_derivative, from_output=_relu_derivative, zero_blocks=True)
def relu(x):
    """Rectified linear unit: max(x, 0).

    Range [0, inf). The derivative is 1 above 0 and 0 elsewhere, 0 included; that of a NaN is NaN.

    The default choice: cheap, and it does not saturate for x > 0. A unit pushed below zero on all data gets
    no gradient and stays dead: watch the fraction of dead units and lower the learning rate, or use `leaky_relu`.

    References
    ----------
    Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.relu([-2.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    return 0.0 if x <= 0.0 else x


def _relu6_derivative(x):
    return 0.0 if x <= 0.0 or x >= 6.0 else (1.0 if x < 6.0 else x)


@activation(derivative=_relu6_derivative, zero_blocks=True)
def relu6(x):
    """Rectifier capped at 6: min(max(x, 0), 6).

    Range [0, 6]. The derivative is 1 strictly inside and 0 elsewhere, at 0 and at 6 too. The cap keeps
    activations representable in low-precision fixed point.

    References
    ----------
    Krizhevsky, Convolutional deep belief networks on CIFAR-10, 2010.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.relu6([-2.0, 2.0, 8.0])
    array([0., 2., 6.])
    """
    return 0.0 if x <= 0.0 else (6.0 if x >= 6.0 else x)


def _leaky_relu_derivative(x, negative_slope):
    return 1.0 if x > 0.0 else (negative_slope if x <= 0.0 else x)


@activation(derivative=_leaky_relu_derivative, from_output=_leaky_relu_derivative)
def leaky_relu(x, negative_slope=0.01):
    """Rectifier with a slope for negative inputs: x if x > 0 else negative_slope * x.

    Range (-inf, inf). The derivative is 1 above 0 and negative_slope elsewhere, 0 included. The derivative from
    the output holds for a positive slope, where the output has the sign of the input.

    Use it where `relu` units die: the slope keeps a gradient below zero. The gain is not consistent
    from task to task; `relu` first, then this.

    References
    ----------
    Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic models, ICML 2013.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.leaky_relu([-2.0, 0.0, 2.0], 0.1)
    array([-0.2,  0. ,  2. ])
    """
    return x if x > 0.0 else negative_slope * x


def _threshold_derivative(x, threshold, value):
    return 1.0 if x > threshold else (0.0 if x <= threshold else x)


@activation(derivative=_threshold_derivative, zero_blocks=True)
def threshold(x, threshold, value):
    """Replace what does not exceed a threshold: value if x <= threshold else x.

    The derivative is 1 above the threshold and 0 elsewhere, at the threshold too. With value 0 this is the
    thresholded rectifier.

    References
    ----------
    Konda, Memisevic and Krueger, Zero-bias autoencoders and the benefits of co-adapting features, ICLR 2015.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.threshold([0.5, 1.0, 1.5], 1.0, 0.0)
    array([0. , 0. , 1.5])
    """
    return value if x <= threshold else x


def _elu_derivative(x, alpha):
    return 1.0 if x > 0.0 else alpha * m.exp(x)


def _elu_derivative_from_output(y, alpha):
    return 1.0 if y > 0.0 else y + alpha


@activation(derivative=_elu_derivative, from_output=_elu_derivative_from_output)
def elu(x, alpha=1.0):
    """Exponential linear unit: x if x > 0 else alpha * expm1(x).

    Range (-alpha, inf). The derivative is 1 above 0 and alpha * exp(x) elsewhere, hence alpha at 0. The derivative
    from the output, y + alpha, holds for a positive alpha.

    All benefits of `relu`, with outputs closer to zero mean and no dead units; it saturates for large negative
    inputs and costs an exponential.

    References
    ----------
    Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by exponential linear units
    (ELUs), ICLR 2016.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.elu([-2.0, 0.0, 2.0]).round(4)
    array([-0.8647,  0.    ,  2.    ])
    """
    return x if x > 0.0 else alpha * m.expm1(x)


SELU_SCALE = 1.0507009873554805
SELU_SCALE_ALPHA = 1.7580993408473766  # scale * alpha, alpha = 1.6732632423543772


def _selu_slope(log, rest):
    """scale * alpha * exp(x) as exp(x + log(scale * alpha)), the logarithm in two words."""

    def formula(x):
        x = -800.0 if x < -800.0 else x
        total, lost = two_sum(x, log)
        return m.exp_sum(total, lost + rest)

    return formula


# A product would round three times, and its exponential to a subnormal before the result is one: 2.03 ulps in float32.
_SELU_SLOPE = Pair(
    _selu_slope(0.5642333030700684, 2.4731855141284666e-09),
    _selu_slope(0.5642333055432539, -3.112020201136328e-17),
)


def _selu_derivative(x):
    return SELU_SCALE if x > 0.0 else _SELU_SLOPE(x)


def _selu_derivative_from_output(y):
    return SELU_SCALE if y > 0.0 else y + SELU_SCALE_ALPHA


@activation(derivative=_selu_derivative, from_output=_selu_derivative_from_output)
def selu(x):
    """Self-normalising ELU: scale * (x if x > 0 else alpha * expm1(x)).

    scale = 1.0507009873554805 and alpha = 1.6732632423543772 make mean 0 and variance 1 a fixed point from layer to
    layer. Range (-1.758, inf). The derivative is scale above 0 and scale * alpha * exp(x) elsewhere, 0 included.
    Goes with LeCun initialisation and alpha dropout.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, Self-normalizing neural networks, NeurIPS 2017.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.selu([-2.0, 0.0, 2.0]).round(4)
    array([-1.5202,  0.    ,  2.1014])
    """
    return SELU_SCALE * x if x > 0.0 else SELU_SCALE_ALPHA * m.expm1(x)


def _celu_derivative(x, alpha):
    # A rounding error of the quotient would be magnified |x / alpha| times: a second word carries the remainder.
    quotient = x / alpha
    remainder = fma(-quotient, alpha, x) * (1.0 / alpha)
    return 1.0 if x > 0.0 else m.exp_sum(quotient, remainder if abs(remainder) < 1.0 else 0.0)


def _celu_derivative_from_output(y, alpha):
    return 1.0 if y > 0.0 else (y + alpha) / alpha


@activation(derivative=_celu_derivative, from_output=_celu_derivative_from_output)
def celu(x, alpha=1.0):
    """Continuously differentiable ELU: max(0, x) + min(0, alpha * expm1(x / alpha)).

    Range (-alpha, inf). The derivative is 1 above 0 and exp(x / alpha) elsewhere: 1 at 0 for every alpha,
    where `elu` has a kink unless alpha is 1. The derivative from the output, 1 + y / alpha, holds for a positive alpha.

    References
    ----------
    Barron, Continuously differentiable exponential linear units, 2017, arXiv:1704.07483.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.celu([-2.0, 0.0, 2.0], 0.5).round(4)
    array([-0.4908,  0.    ,  2.    ])
    """
    quotient = x / alpha
    # A large alpha makes the quotient subnormal, with few bits left; the result is x itself there.
    return x if x > 0.0 or abs(quotient) < 1e-30 else alpha * m.expm1(quotient)


relu_backward, relu_backward_from_output = backward(relu), backward_from_output(relu)
relu6_backward = backward(relu6)
leaky_relu_backward, leaky_relu_backward_from_output = backward(leaky_relu), backward_from_output(leaky_relu)
threshold_backward = backward(threshold)
elu_backward, elu_backward_from_output = backward(elu), backward_from_output(elu)
selu_backward, selu_backward_from_output = backward(selu), backward_from_output(selu)
celu_backward, celu_backward_from_output = backward(celu), backward_from_output(celu)
