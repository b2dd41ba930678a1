"""Penalties on weights, added to a loss: value and gradient of l1, l2 and elastic-net regularisation in one pass.

The formulas are those of a loss with the weights w as prediction; the "target" is the gradient that is added to.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from .._engine.geometry import contiguous
from .._engine.primitives import fma
from ._elementwise import Fused, nonnegative, ready, scalar

# --- formulas: of weight w, accumulated gradient and strengths -------------------------------------------------------


def _sign(w, strength):
    """strength sign(w); NaN stays NaN."""
    return strength if w > 0.0 else (-strength if w < 0.0 else w)


def _absolute(w, grad, strength, b, c):
    return strength * abs(w)


def _absolute_gradient(w, grad, strength, b, c):
    return _sign(w, strength)


def _square(w, grad, strength, b, c):
    return 0.5 * strength * w * w


def _square_gradient(w, grad, strength, b, c):
    return strength * w


def _elastic(w, grad, l1, l2, c):
    return fma(0.5 * l2 * w, w, l1 * abs(w))


def _elastic_gradient(w, grad, l1, l2, c):
    return fma(l2, w, _sign(w, l1))


def _accumulating(gradient: Callable) -> Callable:
    def accumulated(w, grad, a, b, c):
        return grad + gradient(w, grad, a, b, c)

    return accumulated


def _kernels(name: str, value: Callable, gradient: Callable) -> tuple[Fused, Fused]:
    """(with a new gradient, with one that is added to)."""
    return (
        Fused(name, value, gradient, work=0.2, exact=True),
        Fused(f"{name}_accumulating", value, _accumulating(gradient), work=0.2, exact=True),
    )


_L1 = _kernels("l1_penalty", _absolute, _absolute_gradient)
_L2 = _kernels("l2_penalty", _square, _square_gradient)
_ELASTIC = _kernels("elastic_net_penalty", _elastic, _elastic_gradient)

# --- penalties -------------------------------------------------------------------------------------------------------


def _penalty(name: str, kernels: tuple[Fused, Fused], w: Any, accumulate_into: Any, parameters: tuple) -> Any:
    if type(w) is not np.ndarray or not ready(w):
        w = contiguous(check.real_array(name, "w", w))
    shape, into = w.shape, accumulate_into
    new, accumulating = kernels
    if into is not None:
        check.updated_array(name, "accumulate_into", into, shape, "as w")
        if type(into) is np.ndarray and into.dtype is w.dtype and into.flags.carray and not check.overlap(w, into):
            penalty = accumulating.sweep(w, into, None, into, 1.0, parameters)
            return scalar(penalty, w.dtype), into
    grad = np.empty(shape, w.dtype)
    penalty = scalar(new.sweep(w, w, None, grad, 1.0, parameters), w.dtype)
    if into is None:
        return penalty, grad if shape else grad[()]
    with np.errstate(all="ignore"):
        np.add(into, grad, out=into, casting="same_kind")
    return penalty, into


def l1_penalty(w: ArrayLike, strength: float, accumulate_into: np.ndarray | None = None) -> Any:
    """Lasso penalty, ``strength * sum(|w|)``, and its gradient ``strength * sign(w)``, 0 at 0.

    When to use: it drives weights to exactly 0, for sparse models.

    Parameters
    ----------
    w : array_like
        The weights, of any shape.
    strength : float
        >= 0, in units of the loss per unit of weight.
    accumulate_into : ndarray, optional
        A gradient of w's shape, to which the penalty's is added in place.

    Returns
    -------
    penalty : scalar
        Of w's dtype (float64 for integers), summed in float64.
    grad : ndarray
        Of w's shape and dtype; `accumulate_into` itself where that is given.

    Raises
    ------
    ValueError
        A negative strength; an `accumulate_into` of another shape or read-only.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso" (1996).

    Examples
    --------
    >>> import fastnn as fnn
    >>> penalty, grad = fnn.l1_penalty([1.0, -2.0, 0.0], 0.5)
    >>> float(penalty), grad.tolist()
    (1.5, [0.5, -0.5, 0.0])
    """
    strength = nonnegative("l1_penalty", "strength", strength)
    return _penalty("l1_penalty", _L1, w, accumulate_into, (strength, 0.0, 0.0))


def l2_penalty(w: ArrayLike, strength: float, accumulate_into: np.ndarray | None = None) -> Any:
    """Ridge penalty, ``strength / 2 * sum(w^2)``, and its gradient ``strength * w``.

    When to use: the ordinary regularisation, which shrinks large weights most; weight decay as a term of the loss.

    Parameters
    ----------
    w : array_like
        The weights, of any shape.
    strength : float
        >= 0, in units of the loss per squared unit of weight.
    accumulate_into : ndarray, optional
        A gradient of w's shape, to which the penalty's is added in place.

    Returns
    -------
    penalty : scalar
        Of w's dtype (float64 for integers), summed in float64.
    grad : ndarray
        Of w's shape and dtype; `accumulate_into` itself where that is given.

    Raises
    ------
    ValueError
        A negative strength; an `accumulate_into` of another shape or read-only.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Krogh & Hertz, "A simple weight decay can improve generalization" (1991).

    Examples
    --------
    >>> import numpy as np, fastnn as fnn
    >>> grad = np.array([1.0, 1.0])
    >>> penalty, same = fnn.l2_penalty([3.0, -4.0], 0.5, accumulate_into=grad)
    >>> float(penalty), grad.tolist(), same is grad
    (6.25, [2.5, -1.0], True)
    """
    strength = nonnegative("l2_penalty", "strength", strength)
    return _penalty("l2_penalty", _L2, w, accumulate_into, (strength, 0.0, 0.0))


def elastic_net_penalty(w: ArrayLike, l1: float, l2: float, accumulate_into: np.ndarray | None = None) -> Any:
    """`l1_penalty` of strength l1 plus `l2_penalty` of strength l2, in one pass.

    ``l1 * sum(|w|) + l2 / 2 * sum(w^2)``, of gradient ``l1 * sign(w) + l2 * w``. When to use: sparse weights where
    correlated inputs should share their weight instead of one taking all.

    Parameters
    ----------
    w : array_like
        The weights, of any shape.
    l1, l2 : float
        The two strengths, >= 0.
    accumulate_into : ndarray, optional
        A gradient of w's shape, to which the penalty's is added in place.

    Returns
    -------
    penalty : scalar
        Of w's dtype (float64 for integers), summed in float64.
    grad : ndarray
        Of w's shape and dtype; `accumulate_into` itself where that is given.

    Raises
    ------
    ValueError
        A negative strength; an `accumulate_into` of another shape or read-only.
    TypeError
        An argument of an unsuitable type.

    References
    ----------
    Zou & Hastie, "Regularization and variable selection via the elastic net" (2005).

    Examples
    --------
    >>> import fastnn as fnn
    >>> penalty, grad = fnn.elastic_net_penalty([1.0, -2.0], l1=1.0, l2=0.5)
    >>> float(penalty), grad.tolist()
    (4.25, [1.5, -2.0])
    """
    name = "elastic_net_penalty"
    l1, l2 = nonnegative(name, "l1", l1), nonnegative(name, "l2", l2)
    return _penalty(name, _ELASTIC, w, accumulate_into, (l1, l2, 0.0))
