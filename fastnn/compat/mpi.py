"""Data-parallel training over the ranks of an MPI communicator, by mpi4py.

Every rank holds the whole model and works on its part of each batch:

    broadcast_parameters(params)                              # once: all start from rank 0's
    part = shard(len(batch))                                  # each batch: this rank's rows
    y, cache = batch_norm_forward(x[part], gamma, beta)       # statistics of all ranks' rows together
    dx, dgamma, dbeta = batch_norm_backward(dy, cache)
    average_gradients(grads, weight=batch_size, reduction="sum")

All but `shard` are collective: every rank of the communicator makes the same calls in the same order. A call first
exchanges two numbers, so that an error on one rank, or another call or structure than on rank 0, is an error on all
of them and not a wait without end; then one small buffer of float64, or one of each dtype of the gradients.
"""

from typing import Any, NamedTuple

import numpy as np

from .._engine import check
from ..normalization._arrays import checked_output
from ..normalization.batch import arguments, cast_like
from ..normalization.synchronized import (
    BatchStats,
    batch_norm_apply,
    batch_norm_backward_apply,
    batch_norm_backward_stats,
    batch_norm_stats,
    merge_batch_stats,
)
from ..optim import structure
from ._ranks import MPI, Form, agreed, communicator, from_every_rank

__all__ = ["average_gradients", "batch_norm_backward", "batch_norm_forward", "broadcast_parameters", "shard"]


# --- batch norm -------------------------------------------------------------------------------------------------------


def _merged(comm: Any, stats: Any) -> Any:
    """Statistics of all ranks together: every rank merges them in the order of ranks, so that all get the same bits."""
    rows = from_every_rank(comm, np.concatenate([[stats.count], *stats[1:]]))
    return merge_batch_stats(*(type(stats)(int(row[0]), *np.split(row[1:], 2)) for row in rows))


class SynchronizedBatchNormCache(NamedTuple):
    """What `batch_norm_backward` needs: references to this rank's inputs, and the statistics of all ranks."""

    x: np.ndarray
    stats: BatchStats
    gamma: np.ndarray | None
    beta: np.ndarray | None
    options: dict[str, Any]
    comm: Any


def batch_norm_forward(
    x: Any,
    gamma: Any,
    beta: Any,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
    axis: int = 1,
    activation: Any = None,
    unbiased_running_var: bool = True,
    out: Any = None,
    comm: Any = None,
) -> tuple[np.ndarray, SynchronizedBatchNormCache]:
    """Batch norm by the mean and variance of the batches of all ranks together: ``y = f(gamma * x_hat + beta)``.

    As `fastnn.batch_norm_forward` of one array that held the rows of all ranks, up to rounding. The statistics, and so
    running_mean and running_var, have the same bits on all ranks.

    Parameters
    ----------
    x : array_like
        This rank's samples: any number of them, also none, with as many channels as on the other ranks.
    gamma, beta, running_mean, running_var, momentum, eps, axis, activation, unbiased_running_var, out
        As `fastnn.batch_norm_forward` takes them, the same on all ranks.
    comm : mpi4py.MPI.Intracomm, optional
        The ranks that share the batch; all (``COMM_WORLD``) by default.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype (float64 for integers).
    cache : SynchronizedBatchNormCache
        For `batch_norm_backward`; holds references, so leave the inputs alone until then.

    Raises
    ------
    ValueError, TypeError
        As `fastnn.batch_norm_forward`; fewer than 2 values to a channel on all ranks together, or other numbers of
        channels than on rank 0.
    RuntimeError
        Another rank's arguments are wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat import mpi
    >>> y, cache = mpi.batch_norm_forward(np.array([[1.0], [3.0]]), None, None, eps=0, comm=mpi.MPI.COMM_SELF)
    >>> y.ravel().tolist()
    [-1.0, 1.0]
    """
    name = "batch_norm_forward"
    comm = communicator(name, comm)

    def prepare() -> tuple[Any, Form, float]:
        array, place, scale, offset = arguments(name, x, gamma, beta, axis)
        for argument, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is not None:
                check.updated_array(name, argument, value, (array.shape[place],), f"to match axis {place} of x")
        numbers = check.number(name, "momentum", momentum), check.number(name, "eps", eps, low=0)
        check.activation(name, activation)
        target = checked_output(name, out, array, x=array, gamma=scale, beta=offset)
        checked = array, scale, offset, target, *numbers, batch_norm_stats(array, place)
        return checked, {"the number of channels": str(array.shape[place])}, 0.0

    (array, scale, offset, target, momentum, eps, own), _ = agreed(comm, name, prepare)
    stats = _merged(comm, own)
    if stats.count < 2:
        raise ValueError(f"{name}: x has {stats.count} values a channel on all ranks together, expected >= 2")
    options = {"eps": eps, "axis": axis, "activation": activation}
    y = batch_norm_apply(array, stats, scale, offset, out=target, **options)
    degrees = stats.count - 1 if unbiased_running_var else stats.count
    with np.errstate(all="ignore"):
        for running, batch in ((running_mean, stats.mean), (running_var, stats.m2 / degrees)):
            if running is not None:
                running[...] = (1 - momentum) * running.astype(np.float64) + momentum * batch
    return y, SynchronizedBatchNormCache(array, stats, scale, offset, options, comm)


def batch_norm_backward(
    dy: Any, cache: SynchronizedBatchNormCache, *, out: Any = None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of `batch_norm_forward`.

    dx takes account of what this rank's x did to the other ranks' y. dgamma and dbeta are the sums over this rank's
    rows alone, as the gradients of any other layer are: `average_gradients` makes all of them those of the whole batch.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to y, of x's shape. It has to be of the same loss on all ranks, so where
        batches differ in size, of a sum over samples and not of each rank's own mean.
    cache : SynchronizedBatchNormCache
        From `batch_norm_forward`.
    out : ndarray, optional
        Receives dx; may be dy itself, but must not overlap x.

    Returns
    -------
    dx, dgamma, dbeta
        Of the shape and dtype of x, gamma and beta; None for a gamma or beta that was None.

    Raises
    ------
    ValueError
        dy or out of another shape than x, out overlapping x.
    TypeError
        A cache that is not of this batch norm, or an argument of an unsuitable type.
    RuntimeError
        Another rank's arguments are wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat import mpi
    >>> _, cache = mpi.batch_norm_forward([[1.0], [3.0]], [1.0], [0.0], eps=0, comm=mpi.MPI.COMM_SELF)
    >>> dx, dgamma, dbeta = mpi.batch_norm_backward([[1.0], [0.0]], cache)
    >>> dx.ravel().tolist(), dgamma.tolist(), dbeta.tolist()
    ([0.0, 0.0], [-1.0], [1.0])
    """
    name = "batch_norm_backward"
    if type(cache) is not SynchronizedBatchNormCache:
        raise TypeError(f"{name}: cache is a {type(cache).__name__}, expected what batch_norm_forward returned")
    x, stats, gamma, beta, options, comm = cache

    def prepare() -> tuple[Any, Form, float]:
        gradient = check.same_shape(name, "dy", check.real_array(name, "dy", dy), x.shape, "as x had")
        checked_output(name, out, x, x=x, gamma=gamma, beta=beta)
        own = batch_norm_backward_stats(gradient, x, stats, gamma, beta, **options)
        return (gradient, own), {"the number of channels": str(own.sum_dz.size)}, 0.0

    (gradient, own), _ = agreed(comm, name, prepare)
    sums = _merged(comm, own)
    dx, _, _ = batch_norm_backward_apply(gradient, x, stats, sums, gamma, beta, out=out, **options)
    with np.errstate(all="ignore"):
        return dx, cast_like(own.sum_dz_xhat, gamma), cast_like(own.sum_dz, beta)


# --- parameters and their gradients -----------------------------------------------------------------------------------


def _arrays(function: str, argument: str, tree: Any, *, optional: bool) -> tuple[list[np.ndarray], Form]:
    """The arrays in a tree in the order of their paths, and what they are, which has to be the same on all ranks."""
    found = sorted(structure.leaves(function, tree, argument, optional), key=lambda leaf: leaf[0])
    for path, array in found:
        if array.dtype.char not in "fd":
            raise TypeError(f"{function}: {path} has dtype {array.dtype}, expected float32 or float64")
        check.updated_array(function, path, array, array.shape, "")
    return [array for _, array in found], {path: f"{array.dtype} of shape {array.shape}" for path, array in found}


def _packed(arrays: list[np.ndarray]) -> list[tuple[np.ndarray, list[np.ndarray]]]:
    """(a new buffer with the elements of all arrays of a dtype, these arrays) for each dtype."""
    by_dtype = [[array for array in arrays if array.dtype == dtype] for dtype in (np.float32, np.float64)]
    return [(np.concatenate([array.ravel() for array in group]), group) for group in by_dtype if group]


def _unpack(buffer: np.ndarray, arrays: list[np.ndarray]) -> None:
    start = 0
    for array in arrays:
        array[...] = buffer[start : start + array.size].reshape(array.shape)
        start += array.size


def average_gradients(grads: Any, comm: Any = None, *, weight: float = 1, reduction: str = "mean") -> None:
    """Average gradients over all ranks, in place: afterwards they are the same on all of them.

    With g_r and w_r the gradients and the weight of rank r::

        reduction="mean":  g = sum(w_r * g_r) / sum(w_r)
        reduction="sum":   g = sum(g_r) / sum(w_r)

    Parameters
    ----------
    grads : ndarray, list, tuple or (nested) dict of ndarray
        As `fastnn.optim` takes them, float32 or float64, of the same structure, shapes and dtypes on all ranks; None,
        on all of them, stands for no gradient.
    comm : mpi4py.MPI.Intracomm, optional
        All ranks (``COMM_WORLD``) by default.
    weight : float
        The number of this rank's samples; 0 for a rank without any, whose gradients then do not count. Batches of the
        same size need no weight if ``reduction="mean"``.
    reduction : {"mean", "sum"}
        Whether grads are those of the mean over this rank's samples or of the sum. Synchronised batch norm over
        batches of different sizes needs the sum.

    Raises
    ------
    ValueError
        Another structure, shape or dtype than on rank 0, weights that are all 0, a read-only array.
    TypeError
        Something else than arrays of float32 and float64.
    RuntimeError
        Another rank's arguments are wrong.

    Notes
    -----
    All gradients of a dtype are packed into one buffer and summed by one ``Allreduce`` in that dtype. The order of
    summation is the MPI library's. MPI asks, without insisting, that the same call on the same ranks adds in the same
    order again, which Open MPI and MPICH do; with another number of ranks the result is another in its last digits.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat import mpi
    >>> grads = {"W": np.array([2.0, 4.0]), "b": None}
    >>> mpi.average_gradients(grads, mpi.MPI.COMM_SELF, weight=2, reduction="sum")
    >>> grads["W"].tolist()
    [1.0, 2.0]
    """
    name = "average_gradients"
    comm = communicator(name, comm)

    def prepare() -> tuple[list[np.ndarray], Form, float]:
        share = check.number(name, "weight", weight, low=0)
        form = {"reduction": check.one_of(name, "reduction", reduction, ("mean", "sum"))}
        arrays, described = _arrays(name, "grads", grads, optional=True)
        return arrays, form | described, share

    arrays, weights = agreed(comm, name, prepare)
    own, total = weights[comm.rank], weights.sum()
    if total == 0:
        raise ValueError(f"{name}: weight is 0 on all ranks, expected one above 0")
    for buffer, members in _packed(arrays):
        with np.errstate(all="ignore"):
            buffer *= float((own if reduction == "mean" else 1) / total)
        if own == 0:
            buffer.fill(0)  # also where a mean over no samples is NaN
        comm.Allreduce(MPI.IN_PLACE, buffer)
        _unpack(buffer, members)


def broadcast_parameters(params: Any, comm: Any = None, root: int = 0) -> None:
    """Copy one rank's parameters to all others, in place.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64, of the same structure, shapes and dtypes on all ranks.
    comm : mpi4py.MPI.Intracomm, optional
        All ranks (``COMM_WORLD``) by default.
    root : int
        The rank that has them, the same on all ranks.

    Raises
    ------
    ValueError
        Another structure, shape, dtype or root than on rank 0, a root that is no rank, a read-only array.
    TypeError
        Something else than arrays of float32 and float64.
    RuntimeError
        Another rank's arguments are wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat import mpi
    >>> mpi.broadcast_parameters([np.zeros(3)], mpi.MPI.COMM_SELF)
    """
    name = "broadcast_parameters"
    comm = communicator(name, comm)

    def prepare() -> tuple[list[np.ndarray], Form, float]:
        rank = check.integer(name, "root", root)
        if not 0 <= rank < comm.size:
            raise ValueError(f"{name}: root is {rank}, expected 0 to {comm.size - 1}")
        arrays, form = _arrays(name, "params", params, optional=False)
        return arrays, {"root": str(rank), **form}, 0.0

    arrays, _ = agreed(comm, name, prepare)
    for buffer, members in _packed(arrays):
        comm.Bcast(buffer, root)
        _unpack(buffer, members)


def shard(n: int, comm: Any = None) -> slice:
    """This rank's part of n samples: slices of all ranks in order, whose sizes differ by at most 1.

    Parameters
    ----------
    n : int
        The number of samples of all ranks together; of fewer than there are ranks, some get none.
    comm : mpi4py.MPI.Intracomm, optional
        All ranks (``COMM_WORLD``) by default.

    Returns
    -------
    slice
        Of the samples, for this rank.

    Raises
    ------
    ValueError, TypeError
        n is below 0, or no integer.

    Examples
    --------
    >>> from fastnn.compat import mpi
    >>> mpi.shard(10, mpi.MPI.COMM_SELF)
    slice(0, 10, None)
    """
    count = check.integer("shard", "n", n)
    if count < 0:
        raise ValueError(f"shard: n is {count}, expected at least 0")
    comm = communicator("shard", comm)
    return slice(count * comm.rank // comm.size, count * (comm.rank + 1) // comm.size)
