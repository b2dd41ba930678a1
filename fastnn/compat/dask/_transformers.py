"""The transformers of `fastnn.preprocess` on Dask arrays: learnt and applied block by block.

What batches come to can be merged, so every worker learns from its own blocks and sends statistics only.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import dask
import numpy as np

from ..._engine import check
from ...preprocess import Transformer
from ._blocks import da, one_chunk, stand_in

Fitted = TypeVar("Fitted", bound=Transformer)

#: Transformers that a task merges.
_TOGETHER = 8


def fit(transformer: Fitted, x: Any) -> Fitted:
    """Fit a transformer of `fastnn.preprocess` to a Dask array, which need not fit into memory.

    Each block is learnt from where it is and the results are merged, as a tree: the same as `partial_fit` on one block
    after the other, up to rounding. Computed at the call, by the scheduler or cluster that Dask would use.

    Parameters
    ----------
    transformer : Standardizer, MeanImage, ChannelMean, PCA or Whiten
        Forgets what it has learnt before.
    x : dask.array.Array of shape (n_samples, ...)
        Cut along the samples only. NumPy arrays are given to ``transformer.fit``.

    Returns
    -------
    The transformer itself, fitted.

    Raises
    ------
    ValueError
        x has no samples, several chunks along another axis than the first, or data that `fit` refuses.
    TypeError
        Something else than a transformer of `fastnn.preprocess`, or x of an unsuitable dtype.

    Examples
    --------
    >>> import dask.array as da, fastnn as fnn
    >>> x = da.arange(8.0, chunks=3).reshape(8, 1)
    >>> fnn.compat.dask.fit(fnn.preprocess.Standardizer(), x).mean_.tolist()
    [3.5]
    """
    _check("fit", transformer)
    if not isinstance(x, da.Array):
        return transformer.fit(x)
    name = f"{type(transformer).__name__}.fit"
    check.real_array(name, "x", stand_in(x, []))
    one_chunk(name, "x", x, range(1, x.ndim))
    fresh = dask.delayed(type(transformer)(**transformer.get_params()))
    of_block = dask.delayed(_fitted, pure=True)
    parts = [of_block(fresh, block) for block in x.to_delayed().ravel()]
    merge = dask.delayed(_merged, pure=True)
    while len(parts) > 1:
        parts = [merge(parts[k : k + _TOGETHER]) for k in range(0, len(parts), _TOGETHER)]
    (result,) = dask.compute(*parts)
    if result is None:
        raise ValueError(f"{name}: x has shape {x.shape}, expected at least one sample")
    transformer.__dict__.update(result.__dict__)
    return transformer


def _fitted(transformer: Fitted, block: np.ndarray) -> Fitted | None:
    """A transformer that has learnt from a block; None for a block without samples."""
    return copy.copy(transformer).fit(block) if len(block) else None


def _merged(transformers: list[Fitted | None]) -> Fitted | None:
    """One that has learnt from all blocks."""
    found = [t for t in transformers if t is not None]
    if not found:
        return None
    whole = copy.copy(found[0])
    for other in found[1:]:
        whole._moments = whole._merged(whole._moments, other._moments)
        whole.n_samples_seen_ += other.n_samples_seen_
    whole._conclude()
    return whole


def transform(transformer: Transformer, x: Any) -> Any:
    """x by what a transformer has learnt: lazily, block by block.

    Parameters
    ----------
    transformer : Transformer
        Fitted, by `fit` or in any other way.
    x : dask.array.Array of shape (n_samples, ...)
        Cut along the samples only. NumPy arrays are given to ``transformer.transform``.

    Returns
    -------
    dask.array.Array
        As ``transformer.transform`` returns for a NumPy array.

    Raises
    ------
    NotFittedError, ValueError, TypeError
        As ``transformer.transform``; also if x has several chunks along another axis than the first.

    Examples
    --------
    >>> import dask.array as da, fastnn as fnn
    >>> x = da.from_array([[1.0], [3.0], [5.0]], chunks=(2, 1))
    >>> centred = fnn.compat.dask.fit(fnn.preprocess.Standardizer(scale=False), x)
    >>> fnn.compat.dask.transform(centred, x).compute().ravel().tolist()
    [-2.0, 0.0, 2.0]
    """
    _check("transform", transformer)
    return _mapped(transformer.transform, x)


def inverse_transform(transformer: Transformer, x: Any) -> Any:
    """What `transform` made x of.

    Parameters
    ----------
    transformer : Transformer
        Fitted, by `fit` or in any other way.
    x : dask.array.Array of shape (n_samples, ...)
        What `transform` gave, cut along the samples only. NumPy arrays are given to ``transformer.inverse_transform``.

    Returns
    -------
    dask.array.Array
        As ``transformer.inverse_transform`` returns for a NumPy array.

    Raises
    ------
    TypeError, ValueError
        As `transform`.

    Examples
    --------
    >>> import dask.array as da, fastnn as fnn
    >>> x = da.from_array([[1.0], [3.0], [5.0]], chunks=(2, 1))
    >>> standardizer = fnn.compat.dask.fit(fnn.preprocess.Standardizer(), x)
    >>> y = fnn.compat.dask.transform(standardizer, x)
    >>> fnn.compat.dask.inverse_transform(standardizer, y).compute().ravel().round(6).tolist()
    [1.0, 3.0, 5.0]
    """
    _check("inverse_transform", transformer)
    return _mapped(transformer.inverse_transform, x)


def _mapped(method: Callable[[Any], Any], x: Any) -> Any:
    if not isinstance(x, da.Array):
        return method(x)
    transformer = method.__self__  # type: ignore[attr-defined]
    name = f"{type(transformer).__name__}.{method.__name__}"
    one_chunk(name, "x", x, range(1, x.ndim))
    # also finds the components, so that they are sent to the workers instead of found by each
    empty = method(stand_in(x, range(1, x.ndim)))
    features = {x.ndim + k: n for k, n in enumerate(empty.shape[1:])}
    return da.blockwise(
        method, (0, *features), x, range(x.ndim), new_axes=features, concatenate=True,
        token=name, dtype=empty.dtype, meta=np.empty((0,) * empty.ndim, empty.dtype),
    )  # fmt: skip


def _check(name: str, transformer: Any) -> None:
    if not isinstance(transformer, Transformer):
        given = type(transformer).__name__
        raise TypeError(f"{name}: transformer is a {given}, expected one of fastnn.preprocess")
