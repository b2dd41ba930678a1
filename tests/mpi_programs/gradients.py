"""Gradients and parameters over the ranks of COMM_WORLD; run with 2 ranks or more."""

import re

import numpy as np
import pytest

from fastnn.compat import mpi

COMM = mpi.MPI.COMM_WORLD
RANKS = range(COMM.size)


def tree_of(rank):
    """Arrays of both dtypes and every layout, with the keys in another order on every other rank."""
    rng = np.random.default_rng(rank)
    layer = {
        "W": rng.normal(size=(30, 40)).astype("f4").T,
        "b": rng.normal(size=80)[::-2],
        "scalar": np.array(rng.normal()),
        "empty": np.zeros((0, 3), "f4"),
        "none": None,
    }
    names = list(layer)[:: -1 if rank % 2 else 1]
    return [{name: layer[name] for name in names}, (rng.normal(size=(2, 3, 4)).astype("f4"),)]


def arrays_of(tree):
    return [tree[0][name] for name in ("W", "b", "scalar", "empty")] + list(tree[1])


def same_on_all_ranks(tree):
    every = COMM.allgather([array.tobytes() for array in arrays_of(tree)])
    assert all(other == every[0] for other in every)


def average(weights, reduction, **options):
    """What average_gradients gives on all ranks is what a plain loop over the ranks gives."""
    own, others = tree_of(COMM.rank), [arrays_of(tree_of(rank)) for rank in RANKS]
    between = own[0]["b"].base[::2]
    untouched = between.copy()
    assert mpi.average_gradients(own, reduction=reduction, **options) is None
    for k, found in enumerate(arrays_of(own)):
        factors = weights if reduction == "mean" else np.sign(weights)
        terms = [arrays[k].astype("f8") * factor for arrays, factor in zip(others, factors, strict=True)]
        expected, eps = sum(terms) / sum(weights), np.finfo(found.dtype).eps
        size = sum(map(abs, terms)) / sum(weights)
        assert found.shape == expected.shape
        assert (abs(found - expected) <= 2 * eps * size).all(), (k, found, expected)
    assert own[0]["none"] is None
    np.testing.assert_array_equal(between, untouched)
    same_on_all_ranks(own)


def fails(expected, message, call, *arguments, **options):
    with pytest.raises(expected, match=re.escape(message)):
        call(*arguments, **options)


def averages():
    average([1] * COMM.size, "mean")
    average([1] * COMM.size, "sum")
    average([rank + 1 for rank in RANKS], "mean", weight=COMM.rank + 1)
    average([rank + 1 for rank in RANKS], "sum", weight=COMM.rank + 1)
    average(list(RANKS), "mean", weight=COMM.rank)
    average(list(RANKS), "sum", weight=np.int64(COMM.rank))
    # a mean over no samples is NaN
    grad = np.full(3, 2.0 if COMM.rank else np.nan)
    mpi.average_gradients(grad, COMM, weight=COMM.rank)
    assert grad.tolist() == [2.0] * 3
    # the largest numbers do not overflow on the way
    grad = np.full(2, np.finfo("f4").max, "f4")
    mpi.average_gradients(grad)
    np.testing.assert_allclose(grad, np.finfo("f4").max, rtol=1e-6)
    mpi.average_gradients({})
    # of one rank alone
    own = tree_of(COMM.rank)
    mpi.average_gradients(own, mpi.MPI.COMM_SELF, weight=3)
    for found, before in zip(arrays_of(own), arrays_of(tree_of(COMM.rank)), strict=True):
        np.testing.assert_array_equal(found, before, strict=True)


def broadcasts():
    for root in (0, COMM.size - 1):
        own = tree_of(COMM.rank)
        del own[0]["none"]
        mpi.broadcast_parameters(own, root=root)
        for found, expected in zip(arrays_of(own), arrays_of(tree_of(root)), strict=True):
            np.testing.assert_array_equal(found, expected, strict=True)


def shards():
    for count in (0, 1, COMM.size, 10, 1000):
        parts = COMM.allgather(mpi.shard(count))
        assert [k for part in parts for k in range(count)[part]] == list(range(count))
        sizes = [part.stop - part.start for part in parts]
        assert max(sizes) - min(sizes) <= 1


def errors_on_all_ranks():
    last = COMM.rank == COMM.size - 1
    other = f"rank {COMM.size - 1}"
    x, two = np.ones((4, 3)), np.ones(2)
    with_b, without = {"W": two, "b": np.ones(3, "f4")}, {"W": two, "b": None}
    fails(
        ValueError, f'grads["b"] is None on {other}, expected float32 of shape (3,) as on rank 0',
        mpi.average_gradients, without if last else with_b,
    )  # fmt: skip
    fails(ValueError, "(3,) on", mpi.average_gradients, np.ones(3) if last else two)
    fails(ValueError, "float32 of shape (2,) on", mpi.average_gradients, two.astype("f4") if last else two)
    fails(ValueError, "reduction is sum on", mpi.average_gradients, two, reduction="sum" if last else "mean")
    fails(ValueError, f"root is 1 on {other}, expected 0", mpi.broadcast_parameters, two, root=int(last))
    fails(
        ValueError, f"the number of channels is 4 on {other}, expected 3 as on rank 0",
        mpi.batch_norm_forward, np.ones((4, 4)) if last else x, None, None,
    )  # fmt: skip
    if last:
        fails(ValueError, "the function is average_gradients on", mpi.average_gradients, two)
        fails(TypeError, "grads[0] is a int, expected an array", mpi.average_gradients, [1])
        fails(ValueError, "gamma has shape (4,)", mpi.batch_norm_forward, x, np.ones(4), None)
    else:
        fails(
            ValueError, f"the function is average_gradients on {other}, expected batch_norm_forward as on rank 0",
            mpi.batch_norm_forward, x, None, None,
        )  # fmt: skip
        fails(RuntimeError, f"{other} failed: TypeError('average_gradients: grads[0]", mpi.average_gradients, [two])
        fails(RuntimeError, f"{other} failed: ValueError(", mpi.batch_norm_forward, x, np.ones(3), None)
    _, cache = mpi.batch_norm_forward(x, None, None)
    if last:
        fails(ValueError, "dy has shape (4, 2)", mpi.batch_norm_backward, np.ones((4, 2)), cache)
    else:
        fails(RuntimeError, f"{other} failed: ValueError('batch_norm_backward: dy", mpi.batch_norm_backward, x, cache)
    fails(ValueError, "weight is 0 on all ranks", mpi.average_gradients, two, weight=0)
    few = x[:1] if last else x[:0]
    fails(ValueError, "x has 1 values a channel on all ranks", mpi.batch_norm_forward, few, None, None)


for part in (averages, broadcasts, shards, errors_on_all_ranks):
    part()
    if COMM.rank == 0:
        print(part.__name__)
