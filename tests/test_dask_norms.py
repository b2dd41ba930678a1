"""Norms of Dask arrays: as of the NumPy array; batch norm over any chunks."""

import dask
import dask.array as da
import numpy as np
import pytest
from lazily import CHUNKS, DY, Counted, X, compare, given, rechunked_for
from ulps import ulp_error

import fastnn as fnn
from fastnn.compat import dask as lazy

# --- norms ------------------------------------------------------------------------------------------------------------

#: name, options, axes that must be in one chunk, axes of gamma
NORMS = [
    ("layer_norm", {"axis": -1, "activation": "gelu"}, (3,), (3,)),
    ("layer_norm", {"axis": 1, "eps": 0.1}, (1,), (1,)),
    ("layer_norm", {"axis": (-2, -1)}, (2, 3), (2, 3)),
    ("rms_norm", {"axis": -1}, (3,), (3,)),
    ("group_norm", {"groups": 3, "activation": ("elu", 0.5)}, (1, 2, 3), (1,)),
    ("group_norm", {"groups": 2, "axis": -1}, (1, 2, 3), (3,)),
    ("instance_norm", {}, (2, 3), (1,)),
    ("batch_norm", {"activation": "tanh"}, (), (1,)),
    ("batch_norm", {"axis": -1, "eps": 0.1}, (), (3,)),
]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("norm", "options", "core", "own"), NORMS, ids=str)
def test_norms(norm, options, core, own, dtype, affine, chunks):
    whole, dy = X.astype(dtype), DY.astype(dtype)
    shape = [X.shape[k] for k in own]
    parameters = [np.linspace(a, 2, np.prod(shape)).reshape(shape).astype(dtype) for a in (1, -1)] if affine else []
    parameters = parameters[:1] if norm == "rms_norm" else parameters or ([None] * 2 if norm == "batch_norm" else [])
    forward, backward = f"{norm}_forward", f"{norm}_backward"
    x = rechunked_for(given(whole, chunks), core)
    (y, cache) = getattr(lazy, forward)(x, *parameters, **options)
    expected, known = getattr(fnn, forward)(whole, *parameters, **options)
    # of single samples each block does what the whole does; batch norm merges statistics in float64
    compare(y, expected, **({"ulps": 1, "absolute": 16} if norm == "batch_norm" else {}))
    expected = getattr(fnn, backward)(dy, known)
    within = {"ulps": 2, "absolute": 256 if dtype == "f8" else 8}  # sums of 200 terms; of float32 they are float64
    compare(getattr(lazy, backward)(dy, cache), expected, **within)
    compare(getattr(lazy, backward)(given(dy, 3), cache), expected, **within)


@pytest.mark.parametrize(("norm", "options", "core", "own"), [n for n in NORMS if n[2]], ids=str)
def test_norms_that_need_an_axis_in_one_chunk(norm, options, core, own):
    x = given(X, (3, 2, 2, 2))
    advice = ", ".join(f"{k}: -1" for k in core)
    with pytest.raises(ValueError, match=rf"{norm}_forward: x has .* chunks along axis .*x\.rechunk\({{{advice}}}\)"):
        getattr(lazy, f"{norm}_forward")(x, **options)


def test_parameters_may_be_dask_arrays_or_lists():
    gamma, beta = np.linspace(1, 2, 6), np.linspace(-1, 1, 6)
    for norm, options in (("batch_norm", {}), ("group_norm", {"groups": 2})):
        x = given(X, (3, 6, 5, 4))
        expected, _ = getattr(fnn, f"{norm}_forward")(X, gamma, beta, **options)
        y, cache = getattr(lazy, f"{norm}_forward")(x, da.from_array(gamma, chunks=2), beta.tolist(), **options)
        compare(y, expected, ulps=1, absolute=8)
        assert [g.dtype for g in getattr(lazy, f"{norm}_backward")(DY, cache)] == ["f4", "f8", "f8"]


# --- batch norm over chunks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("chunks", [(1, 3, 2, 1), (7, 6, 5, 4), (5, 4, 3, 3)], ids=str)
def test_batch_statistics_are_those_of_the_whole(chunks, offset):
    whole = (X + offset).astype("f4")
    stats, expected = lazy.batch_norm_stats(given(whole, chunks)), fnn.batch_norm_stats(whole)
    assert isinstance(stats, fnn.BatchStats)
    assert stats.count == expected.count == 140
    # float64: of a mean of 1e4, relative to 1e4; of sums of squared deviations of some 1, relative to 1
    compare(stats.mean, expected.mean, absolute=max(offset, 1))
    compare(stats.m2, expected.m2, absolute=1000 * (1 + offset))


def test_batch_norm_in_halves_mixes_with_numpy():
    """Statistics of a Dask array merge with those of a NumPy array, once they are computed."""
    gamma, beta = np.linspace(1, 2, 6).astype("f4"), np.linspace(-1, 1, 6).astype("f4")
    (lazy_stats,) = dask.compute(lazy.batch_norm_stats(given(X[:4], 2)))
    stats = fnn.merge_batch_stats(fnn.BatchStats(*lazy_stats), fnn.batch_norm_stats(X[4:]))
    expected = fnn.batch_norm_apply(X, stats, gamma, beta, activation="relu")
    arguments = stats, gamma, beta
    compare(lazy.batch_norm_apply(given(X, 3), *arguments, activation="relu"), expected, ulps=1)
    sums = lazy.batch_norm_backward_stats(DY, given(X, 3), *arguments)
    known = fnn.batch_norm_backward_stats(DY, X, *arguments)
    compare(tuple(sums[1:]), tuple(known[1:]), absolute=200)
    ours = lazy.batch_norm_backward_apply(DY, given(X, 3), stats, known, gamma, beta)
    compare(ours, fnn.batch_norm_backward_apply(DY, X, stats, known, gamma, beta), ulps=1)
    with pytest.raises(ValueError, match="grad_stats are of 139 values"):
        lazy.batch_norm_backward_apply(DY, given(X, 3), stats, known._replace(count=139), gamma, beta)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_running_statistics_are_updated_at_the_call(dtype, unbiased):
    ours, theirs = (np.linspace(-1, 1, 12).reshape(2, 6).astype(dtype) for _ in range(2))
    options = {"momentum": 0.3, "unbiased_running_var": unbiased}
    y, cache = lazy.batch_norm_forward(given(X, 3), None, None, *ours, **options)
    expected, _ = fnn.batch_norm_forward(X, None, None, *theirs, **options)
    assert np.all(ulp_error(ours, theirs) <= 2)
    assert isinstance(cache.stats.mean, np.ndarray)
    compare(y, expected, ulps=1, absolute=8)


def test_without_running_statistics_nothing_is_computed():
    counted = Counted(X, 3)
    y, cache = lazy.batch_norm_forward(counted.array, None, None)
    lazy.batch_norm_backward(DY, cache)
    assert counted.count == 0
    y.compute()
    assert counted.count > 0
    np.testing.assert_allclose(cache.stats.mean.compute(), X.mean((0, 2, 3)), atol=1e-6)


def test_wrong_running_statistics_are_noticed_before_anything_is_computed():
    counted, running = Counted(X, 3), np.zeros(6)
    for wrong, error in ((da.zeros(6), TypeError), (np.zeros(5), ValueError), (np.zeros(6, int), TypeError)):
        with pytest.raises(error, match="batch_norm_forward: running_var"):
            lazy.batch_norm_forward(counted.array, None, None, running, wrong)
    with pytest.raises(ValueError, match="gamma has shape"):
        lazy.batch_norm_forward(counted.array, np.ones(5), None, running)
    assert counted.count == 0
    assert not running.any()


@pytest.mark.parametrize("axis", [1, -1])
def test_batch_norm_inference(axis):
    channels = X.shape[axis]
    gamma, beta, mean, var = np.linspace(0.5, 2, 4 * channels).reshape(4, channels).astype("f4")
    for chunks in CHUNKS:
        arguments, options = (gamma, beta, mean, var), {"axis": axis, "activation": "relu"}
        x = given(X, chunks)
        compare(lazy.batch_norm_inference(x, *arguments, **options), fnn.batch_norm_inference(X, *arguments, **options))
        expected = fnn.batch_norm_inference_backward(DY, X, *arguments, **options)
        compare(lazy.batch_norm_inference_backward(DY, x, *arguments, **options), expected, ulps=1, absolute=32)
        compare(lazy.batch_norm_inference(x, None, None, mean, var, axis=axis),
                fnn.batch_norm_inference(X, None, None, mean, var, axis=axis))  # fmt: skip
    assert lazy.batch_norm_inference_backward(DY, x, gamma, None, mean, var, axis=axis)[2] is None


def test_fewer_than_two_values():
    with pytest.raises(ValueError, match=r"batch_norm_forward: x has shape \(1, 3\), i.e. 1 values a channel"):
        lazy.batch_norm_forward(da.ones((1, 3)), None, None)
