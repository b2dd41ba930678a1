"""Norms of gradients and their clipping, outside an optimiser; inside one see its clip_norm and clip_value."""

from typing import Any

import numpy as np

from .._engine import check
from .._engine.launch_layout import NEEDED, SIZE
from ..typing import ArrayTree
from . import structure
from ._cohorts import ALIGNED, C_ORDER, WRITEABLE, Batch
from ._kernels import ADJUST, SCALED, WIDTH
from ._norm import norm_of

_PLAIN = (np.dtype(np.float32), np.dtype(np.float64))


def _arrays(name: str, grads: Any, in_place: bool) -> list[np.ndarray]:
    """Every gradient that there is."""
    found: list[Any] = []
    structure.gathered(grads, found)
    if not all(type(g) is np.ndarray and g.dtype in _PLAIN and (g.flags.writeable or not in_place) for g in found):
        for path, grad in structure.leaves(name, grads, "grads", optional=True):
            if grad.dtype.char not in "fd":
                raise TypeError(f"{name}: {path} has dtype {grad.dtype}, expected float32 or float64")
            if in_place:
                check.updated_array(name, path, grad, grad.shape, "")
    return found


def _batches(arrays: list[np.ndarray], in_place: bool) -> tuple[list[Batch], list[tuple[np.ndarray, np.ndarray]]]:
    """(the arrays as batches of one dtype, (dense copy, array) of those with gaps)."""
    copies = []
    by_dtype: dict[str, list[np.ndarray]] = {}
    for array in arrays:
        dense = array
        if not (array.flags.carray and array.dtype.isnative) or type(array) is not np.ndarray:
            native = array.dtype.newbyteorder("=")
            dense = np.require(array.T if array.flags.fnc else array, native, ["C", "A"]).view(np.ndarray)
            if not np.may_share_memory(dense, array):
                copies.append((dense, array))
        by_dtype.setdefault(array.dtype.char, []).append(dense)
    batches = []
    for members in by_dtype.values():
        table = np.zeros((len(members), WIDTH), np.int64)
        table[:, SIZE] = [each.size for each in members]
        table[:, NEEDED] = C_ORDER | ALIGNED | (WRITEABLE if in_place else 0)
        batches.append(Batch(members, table))
        batches[-1].locate(members)
    return batches, copies


def global_norm(grads: ArrayTree) -> float:
    """The 2-norm of all gradients together, ``sqrt(sum(g**2))`` over all of them, in float64.

    Parameters
    ----------
    grads : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64; None stands for no gradient.

    Returns
    -------
    float
        inf or NaN where a gradient is. Squares that overflow or underflow do not matter.

    Raises
    ------
    TypeError
        An array of another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> fnn.global_norm({"W": np.array([[3.0, 0.0]]), "b": np.array([4.0])})
    5.0
    """
    arrays = _arrays("global_norm", grads, in_place=False)
    return norm_of(_batches(arrays, in_place=False)[0]).value


def clip_by_global_norm(grads: ArrayTree, max_norm: float) -> float:
    """Scale all gradients, in place, by ``min(1, max_norm / (norm + 1e-6))``, norm being that of all of them together.

    Parameters
    ----------
    grads : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64, changed in place; None stands for no gradient.
    max_norm : float
        The largest norm, >= 0.

    Returns
    -------
    float
        The norm before. Of an infinite one the factor is 0, of NaN NaN, as in torch.

    Raises
    ------
    ValueError, TypeError
        max_norm below 0 or no number, an array of another dtype or that is read-only; nothing has been changed then.

    References
    ----------
    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks" (2013).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> grads = {"W": np.array([[3.0, 0.0]]), "b": np.array([4.0])}
    >>> fnn.clip_by_global_norm(grads, 1.0)
    5.0
    >>> grads["W"].round(3), grads["b"].round(3)
    (array([[0.6, 0. ]]), array([0.8]))
    """
    max_norm = check.number("clip_by_global_norm", "max_norm", max_norm, low=0)
    arrays = _arrays("clip_by_global_norm", grads, in_place=True)
    batches, copies = _batches(arrays, in_place=True)
    norm = norm_of(batches)
    factor = norm.clip_factor(max_norm)
    if factor != 1:
        _adjust(batches, copies, factor, np.inf)
    return norm.value


def clip_by_value(grads: ArrayTree, clip_value: float) -> None:
    """Limit every entry of the gradients to +-clip_value, in place; NaN stays.

    Parameters
    ----------
    grads : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64, changed in place; None stands for no gradient.
    clip_value : float
        The largest magnitude, >= 0.

    Raises
    ------
    ValueError, TypeError
        clip_value below 0 or no number, an array of another dtype or that is read-only; nothing has been changed then.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> grad = np.array([-3.0, 0.25, np.nan])
    >>> fnn.clip_by_value(grad, 1.0)
    >>> grad
    array([-1.  ,  0.25,   nan])
    """
    clip_value = check.number("clip_by_value", "clip_value", clip_value, low=0)
    batches, copies = _batches(_arrays("clip_by_value", grads, in_place=True), in_place=True)
    _adjust(batches, copies, 1.0, clip_value)


def _adjust(batches: list[Batch], copies: list[tuple[np.ndarray, np.ndarray]], factor: float, limit: float) -> None:
    for batch in batches:
        batch.launch(ADJUST, SCALED, factor, limit)
    for dense, array in copies:
        array[...] = dense
