"""Weights whose variance follows from the fans: Xavier, He, LeCun."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .._engine import check
from ..typing import Rng
from ._shapes import _fans, _prepared
from .plain import _truncated


def variance_scaling(
    shape: int | Sequence[int],
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    *,
    rng: Rng = None,
    dtype: DTypeLike = np.float32,
    layout: str = "in_out",
) -> np.ndarray:
    """Mean 0 and variance ``scale / fan``.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    scale : float
        1 keeps the variance through a linear layer, 2 through a linear layer and ReLU.
    mode : {"fan_in", "fan_out", "fan_avg"}
        Which fan; fan_avg is their mean.
    distribution : {"normal", "truncated_normal", "uniform"}
        All three have that variance.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.variance_scaling((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.05)
    """
    return _scaled("variance_scaling", shape, scale, mode, distribution, rng, dtype, layout)


def _scaled(
    name: str, shape: Any, scale: float, mode: str, distribution: str, rng: Any, dtype: Any, layout: str
) -> np.ndarray:
    shape, generator, dtype = _prepared(name, shape, rng, dtype, layout)
    scale = check.number(name, "scale", scale, low=0)
    check.one_of(name, "mode", mode, ("fan_in", "fan_out", "fan_avg"))
    check.one_of(name, "distribution", distribution, ("normal", "truncated_normal", "uniform"))
    fan_in, fan_out = _fans(name, shape, layout)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = math.sqrt(scale / max(fan, 1))
    if distribution == "uniform":
        bound = math.sqrt(3) * std
        return generator.uniform(-bound, bound, shape).astype(dtype)
    draw = _truncated(shape, generator) if distribution == "truncated_normal" else generator.standard_normal(shape)
    return (std * draw).astype(dtype)


def xavier_uniform(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Uniform with variance ``2 / (fan_in + fan_out)``.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.xavier_uniform((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.06)
    """
    return _scaled("xavier_uniform", shape, 1, "fan_avg", "uniform", rng, dtype, layout)


def xavier_normal(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Normal with variance ``2 / (fan_in + fan_out)``.

    Lecture notes that write Xavier as ``randn(fan_in, fan_out) / sqrt(fan_in)`` mean `lecun_normal`.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.xavier_normal((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.06)
    """
    return _scaled("xavier_normal", shape, 1, "fan_avg", "normal", rng, dtype, layout)


def he_uniform(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Uniform with variance ``2 / fan_in``.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.he_uniform((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.07)
    """
    return _scaled("he_uniform", shape, 2, "fan_in", "uniform", rng, dtype, layout)


def he_normal(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Normal with variance ``2 / fan_in``, for layers followed by ReLU.

    Lecture notes write it as Xavier for ReLU: ``randn(fan_in, fan_out) / sqrt(fan_in / 2)``.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.he_normal((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.07)
    """
    return _scaled("he_normal", shape, 2, "fan_in", "normal", rng, dtype, layout)


def lecun_uniform(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Uniform with variance ``1 / fan_in``.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, Efficient backprop, 1998.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.lecun_uniform((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.05)
    """
    return _scaled("lecun_uniform", shape, 1, "fan_in", "uniform", rng, dtype, layout)


def lecun_normal(
    shape: int | Sequence[int], *, rng: Rng = None, dtype: DTypeLike = np.float32, layout: str = "in_out"
) -> np.ndarray:
    """Normal with variance ``1 / fan_in``.

    Lecture notes call it Xavier, ``randn(fan_in, fan_out) / sqrt(fan_in)``, and its form for ReLU, with fan_in / 2, is
    `he_normal`: the first keeps the scale of activations through layers of tanh, the second through layers of ReLU.

    Parameters
    ----------
    shape : int or tuple of int
        At least two sizes, read by `layout`.
    rng : None, int or numpy.random.Generator
        What draws the numbers; the same int gives the same weights at every call.
    dtype : dtype, default float32
        float16, float32 or float64.
    layout : {"in_out", "out_in", "conv"}
        Which axes are fan-in and fan-out.

    Returns
    -------
    ndarray
        Of the shape and dtype given.

    Raises
    ------
    ValueError, TypeError
        A shape, dtype, layout or number that cannot be.

    References
    ----------
    LeCun, Bottou, Orr and Mueller, Efficient backprop, 1998.

    Examples
    --------
    >>> import fastnn as fnn
    >>> W = fnn.init.lecun_normal((400, 100), rng=0)
    >>> W.shape, W.dtype.name, round(float(W.std()), 2)
    ((400, 100), 'float32', 0.05)
    """
    return _scaled("lecun_normal", shape, 1, "fan_in", "normal", rng, dtype, layout)
