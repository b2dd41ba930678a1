"""Dropout, whose mask is a function of (seed, p, shape) and therefore never stored.

A call draws one integer seed from the caller's generator; element i of the mask depends on that seed and on i alone
(counter-based bits: Philox, Salmon et al. 2011). Backward draws the same bits again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._engine import check

_SEEDS = 2**63


@dataclass(frozen=True, slots=True)
class DropoutCache:
    """All that a mask depends on; a few bytes whatever the size of x."""

    seed: int
    p: float
    shape: tuple[int, ...]


def _keep(cache: DropoutCache) -> np.ndarray:
    """The mask in C order: 32 bits an element, kept where they are at least p * 2^32."""
    size = int(np.prod(cache.shape, dtype=np.int64))
    words = np.random.Philox(key=cache.seed).random_raw((size + 1) // 2)
    bits = words.astype("<u8", copy=False).view("<u4")[:size]
    return (bits >= np.uint64(round(cache.p * 2**32))).reshape(cache.shape)


def _apply(x: np.ndarray, cache: DropoutCache, target: np.ndarray) -> np.ndarray:
    """target = x / (1 - p) where kept, else 0: a dropped NaN or infinity is 0 too."""
    computed = np.zeros(cache.shape, np.promote_types(x.dtype, np.float32))
    scale = computed.dtype.type(1 / (1 - cache.p)) if cache.p < 1 else computed.dtype.type(0)
    np.multiply(x, scale, out=computed, where=_keep(cache))
    np.copyto(target, computed, casting="same_kind")
    return target


def dropout_forward(x: Any, p: float = 0.5, *, rng: Any = None, out: Any = None) -> tuple[Any, DropoutCache]:
    """Inverted dropout: ``y = mask * x / (1 - p)``, with P(mask = 0) = p.

    Parameters
    ----------
    x : array_like
        Any shape.
    p : float
        Probability to DROP an element, 0 <= p <= 1; p = 1 drops all.
    rng : None, int or numpy.random.Generator
        The same int gives the same mask at every call; a Generator moves on by one draw.
    out : ndarray, optional
        Receives y; may be x itself.

    Returns
    -------
    y : ndarray
        Like x; exactly 0 where dropped, even for a NaN or infinity in x.
    cache : DropoutCache
        For `dropout_backward` and `dropout_mask`.

    Raises
    ------
    ValueError
        p outside [0, 1], a negative seed, or out of another shape than x.
    TypeError
        x, p, rng or out of an unsuitable type.

    References
    ----------
    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).
    """
    x = check.real_array("dropout_forward", "x", x)
    p = check.number("dropout_forward", "p", p, 0, 1)
    generator = check.generator("dropout_forward", rng)
    target = check.output("dropout_forward", out, x.shape, x.dtype)
    cache = DropoutCache(int(generator.integers(_SEEDS)), p, x.shape)
    y = _apply(x, cache, target)
    return (y if out is not None else y[()]), cache


def dropout_backward(dy: Any, cache: DropoutCache, *, out: Any = None) -> Any:
    """Gradient of `dropout_forward`: ``dx = mask * dy / (1 - p)``, with the mask made again from `cache`.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape.
    cache : DropoutCache
        From `dropout_forward`.
    out : ndarray, optional
        Receives dx; may be dy itself.

    Returns
    -------
    dx : ndarray
        Like dy.

    Raises
    ------
    ValueError
        dy or out of another shape than x.
    TypeError
        A cache that is not dropout's.
    """
    cache = _checked("dropout_backward", cache)
    dy = check.real_array("dropout_backward", "dy", dy)
    check.same_shape("dropout_backward", "dy", dy, cache.shape, "as x had")
    target = check.output("dropout_backward", out, dy.shape, dy.dtype)
    dx = _apply(dy, cache, target)
    return dx if out is not None else dx[()]


def dropout_mask(cache: DropoutCache) -> np.ndarray:
    """The mask of a call as a bool array of x's shape, True = kept.

    Raises
    ------
    TypeError
        A cache that is not dropout's.
    """
    return _keep(_checked("dropout_mask", cache))


def _checked(function: str, cache: Any) -> DropoutCache:
    if not isinstance(cache, DropoutCache):
        raise TypeError(f"{function}: cache is a {type(cache).__name__}, expected what dropout_forward returned")
    return cache
