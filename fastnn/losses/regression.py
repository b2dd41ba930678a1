"""Losses of the difference d = prediction - target, and of two distributions."""

from math import inf
from typing import Any

from numpy.typing import ArrayLike

from .._engine import simd_math
from .._engine.primitives import fma
from ..typing import Reduction
from ._elementwise import NO_PARAMETERS, Fused, evaluate, nonnegative

_LOG2 = 0.6931471805599453

# --- formulas: of prediction x, target t and parameters --------------------------------------------------------------


def _square(x, t, a, b, c):
    d = x - t
    return d * d


def _square_gradient(x, t, a, b, c):
    d = x - t
    return d + d


def _absolute(x, t, a, b, c):
    return abs(x - t)


def _sign(x, t, a, b, c):
    d = x - t
    return 1.0 if d > 0.0 else (-1.0 if d < 0.0 else d)


def _clipped(d, bound):
    """d within [-bound, bound]; NaN stays NaN."""
    d = bound if d > bound else d
    return -bound if d < -bound else d


def _huber(x, t, delta, b, c):
    d = x - t
    u = _clipped(d, delta)
    return u * fma(-0.5, u, d)  # d^2 / 2 where u = d, else delta (|d| - delta / 2)


def _huber_gradient(x, t, delta, b, c):
    return _clipped(x - t, delta)


def _ramp(d, per_beta):
    """d / beta within [-1, 1], the sign of d for beta = 0, whose inverse is inf."""
    return d if d == 0.0 else _clipped(d * per_beta, 1.0)


def _smooth(x, t, beta, per_beta, c):
    d = x - t
    u = _ramp(d, per_beta)
    return u * fma(-0.5 * beta, u, d)


def _smooth_gradient(x, t, beta, per_beta, c):
    return _ramp(x - t, per_beta)


def _growth(d):
    """exp(|d|) - 1, of at most |d| = 20: by there log(cosh d) is |d| - log 2, its slope 1, in float64 too."""
    size = abs(d)
    return simd_math.expm1(20.0 if size > 20.0 else size)


def _log_cosh(x, t, a, b, c):
    d = x - t
    h = _growth(d)
    near = simd_math.log1p(h * h / (2.0 * h + 2.0))  # cosh(d) - 1, without cancellation
    return abs(d) - _LOG2 if abs(d) > 20.0 else near


def _tanh(x, t, a, b, c):
    d = x - t
    h = _growth(d)
    y = h * (h + 2.0)  # exp(2 |d|) - 1
    y = y / (y + 2.0)
    return -y if d < 0.0 else y


def _divergence(log_p, t, a, b, c):
    at_zero = 0.0 if log_p == log_p else log_p  # 0 log 0 is 0, and so is 0 times infinity; NaN stays
    return at_zero if t == 0.0 else t * (simd_math.log(t) - log_p)


def _divergence_gradient(log_p, t, a, b, c):
    return -t


_MSE = Fused("mse", _square, _square_gradient, work=0.2, exact=True)
_MAE = Fused("mae", _absolute, _sign, work=0.2, exact=True)
_HUBER = Fused("huber", _huber, _huber_gradient, work=0.25, exact=True)
_SMOOTH_L1 = Fused("smooth_l1", _smooth, _smooth_gradient, work=0.25, exact=True)
_LOG_COSH = Fused("log_cosh", _log_cosh, _tanh, work=1.5)
_KL_DIV = Fused("kl_div", _divergence, _divergence_gradient, work=1.0, exact=True)

# --- losses ----------------------------------------------------------------------------------------------------------


def mse(prediction: ArrayLike, target: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool = True) -> Any:
    """Mean squared error: ``d^2``, d = prediction - target, of gradient ``2 d``.

    When to use: regression with errors that are roughly normal; outliers count by their square.

    Parameters
    ----------
    prediction : array_like
        Of any shape; the model's output.
    target : array_like of the same shape
        Converted to the dtype of prediction.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of prediction (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by prediction, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction.
    TypeError
        An argument of an unsuitable type.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.mse([1.0, 2.0], [0.0, 4.0])
    >>> float(loss), grad.tolist()
    (2.5, [1.0, -2.0])
    """
    return evaluate("mse", _MSE, prediction, target, reduction, return_grad)


def mae(prediction: ArrayLike, target: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool = True) -> Any:
    """Mean absolute error: ``|d|``, d = prediction - target, of gradient ``sign(d)``, 0 at d = 0.

    When to use: regression to the median, where outliers must not dominate.

    Parameters
    ----------
    prediction : array_like
        Of any shape; the model's output.
    target : array_like of the same shape
        Converted to the dtype of prediction.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of prediction (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by prediction, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction.
    TypeError
        An argument of an unsuitable type.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.mae([1.0, 2.0], [0.0, 4.0])
    >>> float(loss), grad.tolist()
    (1.5, [0.5, -0.5])
    """
    return evaluate("mae", _MAE, prediction, target, reduction, return_grad)


def huber(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    delta: float = 1.0,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """Huber loss: ``d^2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``, d = prediction - target.

    The gradient is d, cut to [-delta, delta]. When to use: regression with outliers, smooth at 0 unlike `mae`.

    Parameters
    ----------
    prediction : array_like
        Of any shape; the model's output.
    target : array_like of the same shape
        Converted to the dtype of prediction.
    delta : float
        Where the parabola turns into lines, >= 0, in units of d.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of prediction (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by prediction, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction, a negative delta.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Huber, "Robust estimation of a location parameter" (1964).

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.huber([1.0, 2.0], [0.5, 5.0], reduction="none")
    >>> loss.tolist(), grad.tolist()
    ([0.125, 2.5], [0.5, -1.0])
    """
    delta = nonnegative("huber", "delta", delta)
    return evaluate("huber", _HUBER, prediction, target, reduction, return_grad, (delta, 0.0, 0.0))


def smooth_l1(
    prediction: ArrayLike,
    target: ArrayLike,
    *,
    beta: float = 1.0,
    reduction: Reduction = "mean",
    return_grad: bool = True,
) -> Any:
    """Smooth L1 loss: ``d^2 / (2 beta)`` where ``|d| < beta``, else ``|d| - beta / 2``, d = prediction - target.

    The gradient is d / beta, cut to [-1, 1]. It is ``huber(delta=beta) / beta`` and, for beta = 0, `mae`. When to use:
    as huber, where the slope far away should stay 1; box regression in detectors.

    Parameters
    ----------
    prediction : array_like
        Of any shape; the model's output.
    target : array_like of the same shape
        Converted to the dtype of prediction.
    beta : float
        Where the parabola turns into lines, >= 0, in units of d.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of prediction (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by prediction, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction, a negative beta.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Girshick, "Fast R-CNN" (2015), section 2.3.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.smooth_l1([1.0, 2.0], [0.5, 5.0], beta=2.0, reduction="none")
    >>> loss.tolist(), grad.tolist()
    ([0.0625, 2.0], [0.25, -1.0])
    """
    beta = nonnegative("smooth_l1", "beta", beta)
    parameters = beta, 1 / beta if beta else inf, 0.0
    return evaluate("smooth_l1", _SMOOTH_L1, prediction, target, reduction, return_grad, parameters)


def log_cosh(
    prediction: ArrayLike, target: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool = True
) -> Any:
    """Log-cosh loss: ``log(cosh(d))``, d = prediction - target, of gradient ``tanh(d)``.

    About ``d^2 / 2`` near 0, where nothing cancels, and ``|d| - log(2)`` far away, where nothing overflows. When to
    use: as `huber`, where second derivatives should exist.

    Parameters
    ----------
    prediction : array_like
        Of any shape; the model's output.
    target : array_like of the same shape
        Converted to the dtype of prediction.
    reduction : {"mean", "sum", "none"}
        The mean is over all elements.
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of prediction (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by prediction, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction.
    TypeError
        An argument of an unsuitable type.

    Examples
    --------
    >>> import fastnn as fnn
    >>> loss, grad = fnn.log_cosh([1.0, 100.0], [1.0, 0.0], reduction="none")
    >>> loss.round(3).tolist(), grad.tolist()
    ([0.0, 99.307], [0.0, 1.0])
    """
    return evaluate("log_cosh", _LOG_COSH, prediction, target, reduction, return_grad)


def kl_div(
    log_probs: ArrayLike, target_probs: ArrayLike, *, reduction: Reduction = "mean", return_grad: bool = True
) -> Any:
    """Kullback-Leibler divergence: ``t (log(t) - log_probs)``, 0 where the target t is 0, of gradient ``-t``.

    When to use: distillation, and fitting one distribution to another. log_probs is what `log_softmax` gives.

    Parameters
    ----------
    log_probs : array_like
        Logarithms of the model's probabilities, samples along the first axis.
    target_probs : array_like of the same shape
        Probabilities >= 0, converted to the dtype of log_probs.
    reduction : {"mean", "sum", "none"}
        The mean is over samples: the sum divided by the length of the first axis (1 for 0-d).
    return_grad : bool
        False: the loss alone.

    Returns
    -------
    loss : scalar or ndarray
        Of the dtype of log_probs (float64 for integers), summed in float64; with "none" of its shape. A mean over
        nothing is NaN.
    grad : ndarray
        The derivative by log_probs, of its shape and dtype; with "none" each element's is that of its own loss.

    Raises
    ------
    ValueError
        Shapes that differ, an unknown reduction.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Kullback & Leibler, "On information and sufficiency" (1951).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> loss, grad = fnn.kl_div(np.log([[0.5, 0.5]]), [[1.0, 0.0]])
    >>> float(loss.round(4)), grad.tolist()
    (0.6931, [[-1.0, -0.0]])
    """
    arguments = "log_probs", "target_probs"
    return evaluate(
        "kl_div", _KL_DIV, log_probs, target_probs, reduction, return_grad, NO_PARAMETERS, arguments, samples=True
    )
