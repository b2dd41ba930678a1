"""Adafactor: Adam's second moment of a matrix from one row and one column."""

from math import inf
from typing import Any, ClassVar

import numpy as np

from .._averages import weights_of
from .._cohorts import like
from .._factored import Factored
from .._functional import apply
from .._hyperparameters import Hyperparameter, Number, Numbers
from ..base import Optimizer

_ADAFACTOR = Factored()


def _shapes(shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Of the states."""
    if len(shape) < 2:
        return {"variance": shape}
    return {"row_var": (*shape[:-1], 1), "col_var": (*shape[:-2], 1, shape[-1])}


class Adafactor(Optimizer):
    """Adam in little memory, its steps relative to the parameter; `adafactor_update` states the formula.

    Its decay is decoupled.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    lr : float or schedule
        Learning rate.
    beta2_decay : float
        The share of the newest square at step t is ``t**beta2_decay``.
    eps : tuple of (float or None, float)
        The smallest root of an average of squares (None: the dtype's machine epsilon), and the smallest size of a
        parameter.
    d : float
        The largest root mean square of a step, before it is scaled.
    weight_decay, decoupled, l1, maximize, clip_value, clip_param_norm, clip_norm, ema_decay, skip_nonfinite, zero_grads
        What every rule has; see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        A hyperparameter out of its range or of an unsuitable type, an unknown keyword, parameters that cannot be
        updated.

    References
    ----------
    Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w = np.array([1.0, -2.0])
    >>> opt = fnn.optim.Adafactor(w, lr=0.1)
    >>> opt.step(np.array([0.5, 0.5]))
    >>> w.round(4)
    array([ 0.8419, -2.1581])
    """

    own: ClassVar[dict[str, Hyperparameter]] = {
        "lr": Number(1e-2),
        "beta2_decay": Number(-0.8, low=-inf, high=0.0),
        "eps": Numbers((None, 1e-3), (Number(optional=True), Number())),
        "d": Number(1.0, low=1.0),
    }
    positional = 4
    overrides: ClassVar[dict[str, Any]] = {"decoupled": True}

    @classmethod
    def update(cls, hyper):
        return _ADAFACTOR

    @classmethod
    def numbers(cls, hyper, step):
        eps1, eps2 = hyper["eps"]
        rate = min(hyper["lr"], 1.0 / step**0.5)
        return *weights_of(1.0 - step ** hyper["beta2_decay"]), rate, -1.0 if eps1 is None else eps1, eps2, hyper["d"]

    @classmethod
    def initial(cls, hyper, names, array):
        return {name: like(np.empty(shape, array.dtype), 0.0) for name, shape in _shapes(array.shape).items()}


def adafactor_update(
    param: np.ndarray,
    grad: Any,
    row_var: np.ndarray | None,
    col_var: np.ndarray | None,
    variance: np.ndarray | None,
    step: int,
    *,
    lr: float = 1e-2,
    beta2_decay: float = -0.8,
    eps: tuple[float | None, float] = (None, 1e-3),
    d: float = 1.0,
    **common: Any,
) -> None:
    """Adafactor, in place.

    With ``s = step^beta2_decay``, R and C the mean of g^2 along each row and each column of the last two axes, and
    rms the root mean square of all elements::

        row_var += s (R - row_var);  col_var += s (C - col_var)
        V = row_var col_var / max(mean of row_var along its column, eps[0])
        u = g / sqrt(max(V, eps[0]^2))
        param -= min(lr, 1 / sqrt(step)) * max(eps[1], rms(param)) / max(1, rms(u) / d) * u

    An array of less than two axes has V = variance instead, where ``variance += s (g^2 - variance)``. Weight decay,
    decoupled by default, comes after rms(param) has been taken.

    Parameters
    ----------
    param, grad
        As in `sgd_update`.
    row_var, col_var : ndarray or None
        For a param of shape (..., n, m) of shapes (..., n, 1) and (..., 1, m), zeros before the first step.
    variance : ndarray or None
        Like a param of less than two axes; zeros before the first step.
    step : int
        Number of this step, from 1.
    lr, beta2_decay, eps, d
        As above; eps[0] is by default that of the dtype.
    **common
        As in `sgd_update`; decoupled is True by default.

    Raises
    ------
    ValueError, TypeError
        Arrays that cannot be updated in place or do not match, a hyperparameter out of its range or of an unsuitable
        type; nothing has been updated then.

    References
    ----------
    Shazeer & Stern, "Adafactor: adaptive learning rates with sublinear memory cost" (2018); as in torch.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> w, row, column = np.ones((1, 2)), np.zeros((1, 1)), np.zeros((1, 2))
    >>> fnn.optim.adafactor_update(w, np.array([[0.5, -0.1]]), row, column, None, 1, lr=0.1)
    >>> w.round(4)
    array([[0.9, 1.1]])
    """
    name, hyper = "adafactor_update", {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d}
    states = {"row_var": row_var, "col_var": col_var, "variance": variance}
    shapes = _shapes(np.shape(param))
    for key, state in states.items():
        if (state is None) == (key in shapes):
            found = "None" if state is None else "an array"
            expected = f"an array of shape {shapes[key]}" if key in shapes else "None"
            raise TypeError(f"{name}: {key} is {found}, expected {expected} for param of shape {np.shape(param)}")
    apply(name, Adafactor, param, grad, states, step, hyper, shapes=shapes, **common)
