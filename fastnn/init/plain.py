"""Weights whose scale is given, not taken from the shape."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from .._engine import check
from ..typing import Rng
from ._shapes import _prepared

#: Standard deviation of a standard normal cut off at -2 and 2.
_TRUNCATED_STD = 0.87962566103423978


def zeros(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """All 0, for biases.

    Parameters
    ----------
    shape : int or tuple of int
        Any sizes.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Of no effect here; accepted so that all initialisers are called alike.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.init.zeros(3)
    array([0., 0., 0.], dtype=float32)
    """
    shape, _, dtype = _prepared("zeros", shape, rng, dtype, layout)
    return np.zeros(shape, dtype)


def constant(
    shape: int | Sequence[int],
    value: float = 0.0,
    *,
    rng: Rng = None,
    dtype: DTypeLike = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """All the same: `value`.

    Parameters
    ----------
    shape : int or tuple of int
        Any sizes.
    value : float
        The number.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Of no effect here; accepted so that all initialisers are called alike.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.init.constant(3, 0.5)
    array([0.5, 0.5, 0.5], dtype=float32)
    """
    shape, _, dtype = _prepared("constant", shape, rng, dtype, layout)
    return np.full(shape, check.number("constant", "value", value), dtype)


def normal(
    shape: int | Sequence[int],
    std: float = 0.01,
    *,
    rng: Rng = None,
    dtype: DTypeLike = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """Normal with mean 0 and standard deviation `std`.

    Parameters
    ----------
    shape : int or tuple of int
        Any sizes.
    std : float
        Standard deviation, >= 0.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Of no effect here; accepted so that all initialisers are called alike.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.normal((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.01)
    """
    shape, generator, dtype = _prepared("normal", shape, rng, dtype, layout)
    std = check.number("normal", "std", std, low=0)
    return (std * generator.standard_normal(shape)).astype(dtype)


def uniform(
    shape: int | Sequence[int],
    low: float = -0.05,
    high: float = 0.05,
    *,
    rng: Rng = None,
    dtype: DTypeLike = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """Uniform from `low` to `high`.

    Parameters
    ----------
    shape : int or tuple of int
        Any sizes.
    low, high : float
        The range.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Of no effect here; accepted so that all initialisers are called alike.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.uniform((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.03)
    """
    shape, generator, dtype = _prepared("uniform", shape, rng, dtype, layout)
    low = check.number("uniform", "low", low)
    high = check.number("uniform", "high", high, low=low)
    return generator.uniform(low, high, shape).astype(dtype)


def truncated_normal(
    shape: int | Sequence[int],
    std: float = 0.01,
    *,
    rng: Rng = None,
    dtype: DTypeLike = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """Normal, drawn again beyond two of its standard deviations, scaled so that `std` is that of the result.

    Parameters
    ----------
    shape : int or tuple of int
        Any sizes.
    std : float
        Standard deviation of the result, >= 0.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Of no effect here; accepted so that all initialisers are called alike.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.truncated_normal((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.01)
    """
    shape, generator, dtype = _prepared("truncated_normal", shape, rng, dtype, layout)
    return (check.number("truncated_normal", "std", std, low=0) * _truncated(shape, generator)).astype(dtype)


def _truncated(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Truncated at +-2 before the scaling; variance 1."""
    values = generator.standard_normal(shape)
    beyond = np.abs(values) > 2
    while beyond.any():
        values[beyond] = generator.standard_normal(np.count_nonzero(beyond))
        beyond = np.abs(values) > 2
    return values / _TRUNCATED_STD
