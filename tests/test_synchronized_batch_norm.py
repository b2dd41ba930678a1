"""Batch norm in halves: shards of a batch, merged in any order, give what the whole batch gives."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from norms import RESULTS, affine, check, epsilons, layouts, problem, seeds, stored_as
from ulps import same_bits

import fastnn as fnn
from fastnn import reference
from fastnn.reference.normalization import BatchStats

VARIANTS = [("f2", None), ("f4", None), ("f8", None), ("f4", "relu"), ("f8", "tanh")]


@st.composite
def splits(draw):
    """(shape, axis, where to cut axis 0 or another, the order of the shards)."""
    shape = tuple(draw(st.lists(st.integers(2, 6), min_size=2, max_size=4)))
    axis = draw(st.integers(0, len(shape) - 1))
    along = draw(st.sampled_from([k for k in range(len(shape)) if k != axis]))
    cuts = sorted(draw(st.lists(st.integers(0, shape[along]), max_size=4)))
    order = draw(st.permutations(range(len(cuts) + 1)))
    return shape, axis, along, cuts, order


def in_shards(given_, along, cuts, order):
    """y and the gradients of a batch that is cut into shards, each with its own call."""
    x, dy = (np.split(a, cuts, along) for a in (given_.x, given_.dy))
    axis = given_.options["axis"]
    stats = fnn.merge_batch_stats(*(fnn.batch_norm_stats(x[k], axis) for k in order))
    after = stats, given_.gamma, given_.beta
    y = [fnn.batch_norm_apply(part, *after, **given_.options) for part in x]
    of_shards = [fnn.batch_norm_backward_stats(dy[k], x[k], *after, **given_.options) for k in order]
    sums = fnn.merge_batch_stats(*of_shards)
    after = stats, sums, given_.gamma, given_.beta
    gradients = [fnn.batch_norm_backward_apply(*parts, *after, **given_.options) for parts in zip(dy, x, strict=True)]
    for other in gradients[1:]:
        assert all(same_bits(a, b) for a, b in zip(gradients[0][1:], other[1:], strict=True) if a is not None)
    assert stats.count == sums.count == given_.x.size // given_.x.shape[axis]
    return np.concatenate(y, along), np.concatenate([g[0] for g in gradients], along), *gradients[0][1:]


@settings(max_examples=150)
@given(splits(), st.sampled_from(VARIANTS), affine, epsilons, seeds, layouts, layouts)
def test_shards_equal_the_whole(split, variant, affine, eps, seed, x_layout, dy_layout):
    (shape, axis, along, cuts, order), (dtype, activation) = split, variant
    given_ = problem("batch_norm", shape, dtype, seed, affine, axis=axis, eps=eps, activation=activation)
    check(given_, in_shards(stored_as(given_, x_layout, dy_layout), along, cuts, order))


@pytest.mark.parametrize(("dtype", "activation"), VARIANTS)
@pytest.mark.parametrize(("shape", "axis"), [((3000, 40), 1), ((8, 3, 150, 80), 1), ((20, 12, 11, 33), -1)])
def test_big_shards(shape, axis, dtype, activation):
    given_ = problem("batch_norm", shape, dtype, axis=axis, activation=activation)
    # the first value of the third shard, its pivot, is three deviations from some channels' means
    check(given_, in_shards(given_, 0, [0, 1, 5], [2, 0, 3, 1]), wider=5 if dtype == "f8" else 1)


def test_inputs_and_statistics_are_only_read():
    given_ = problem("batch_norm", (6, 3, 40), "f4", axis=1)
    arrays = given_.x, given_.dy, given_.gamma, given_.beta
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    stats = fnn.batch_norm_stats(given_.x)
    kept = pickle.dumps(stats)
    sums = fnn.batch_norm_backward_stats(given_.dy, given_.x, stats, given_.gamma, given_.beta)
    kept_sums = pickle.dumps(sums)
    fnn.merge_batch_stats(stats, stats)
    fnn.merge_batch_stats(sums, sums)
    fnn.batch_norm_backward_apply(given_.dy, given_.x, stats, sums, given_.gamma, given_.beta)
    assert all(same_bits(a, b) for a, b in zip(arrays, before, strict=True))
    assert pickle.dumps(stats) == kept
    assert pickle.dumps(sums) == kept_sums
    sent = pickle.loads(kept)
    assert type(sent) is fnn.BatchStats
    assert same_bits(sent.m2, stats.m2)


@pytest.mark.parametrize("shape", [(1000, 3), (20, 3, 7, 8), (4, 3, 200, 150)])
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6])
def test_statistics_equal_the_reference(shape, offset, rng):
    x = (offset + rng.standard_normal(shape)).astype("f4")
    expected = reference.batch_norm_stats(x)
    shards = [fnn.batch_norm_stats(part) for part in np.array_split(x, 3)]
    merged = [fnn.merge_batch_stats(*order) for order in itertools.permutations(shards)]
    for stats in (fnn.batch_norm_stats(x), *merged):
        assert isinstance(expected, BatchStats)
        assert stats.count == expected.count
        np.testing.assert_allclose(stats.mean, expected.mean, rtol=1e-15, atol=1e-15)
        np.testing.assert_allclose(stats.m2, expected.m2, rtol=1e-11 if offset == 1e6 else 1e-13)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (4, 3, 0)])
def test_an_empty_shard_changes_nothing(shape, rng):
    x, empty = rng.standard_normal((5, 3)), np.empty(shape)
    stats, of_nothing = fnn.batch_norm_stats(x), fnn.batch_norm_stats(empty)
    assert of_nothing.count == 0
    for merged in (fnn.merge_batch_stats(stats, of_nothing), fnn.merge_batch_stats(of_nothing, stats)):
        assert merged.count == 5
        assert same_bits(merged.mean, stats.mean)
        assert same_bits(merged.m2, stats.m2)
    both = fnn.merge_batch_stats(of_nothing, of_nothing)
    assert (both.count, both.mean.tolist(), both.m2.tolist()) == (0, [0] * 3, [0] * 3)
    assert fnn.batch_norm_apply(empty, stats, None, None).shape == shape
    sums = fnn.batch_norm_backward_stats(empty, empty, stats, None, None)
    assert (sums.count, sums.sum_dz.tolist(), sums.sum_dz_xhat.tolist()) == (0, [0] * 3, [0] * 3)
    whole = fnn.batch_norm_backward_stats(x, x, stats, None, None)
    merged = fnn.merge_batch_stats(whole, sums)
    assert same_bits(merged.sum_dz, whole.sum_dz)
    assert fnn.batch_norm_backward_apply(empty, empty, stats, merged, None, None)[0].shape == shape


def test_no_channels():
    for shape in ((2, 0), (2, 0, 4)):
        x = np.empty(shape)
        stats = fnn.batch_norm_stats(x)
        assert stats.mean.shape == stats.m2.shape == (0,)
        assert fnn.batch_norm_apply(x, stats, None, None).shape == shape
        assert fnn.batch_norm_backward_stats(x, x, stats, None, None).sum_dz.shape == (0,)


def test_one_value_a_channel_is_enough_for_a_shard():
    stats = fnn.batch_norm_stats(np.array([[3.0, -2.0]]))
    assert (stats.count, stats.mean.tolist(), stats.m2.tolist()) == (1, [3.0, -2.0], [0.0, 0.0])


def test_statistics_of_a_nan_or_infinity_stay_in_their_channel():
    x = np.ones((4, 3, 2))
    x[1, 0, 1], x[2, 1, 0] = np.nan, -np.inf
    with np.errstate(all="raise"):
        merged = fnn.merge_batch_stats(*(fnn.batch_norm_stats(part) for part in np.split(x, 4)))
        y = fnn.batch_norm_apply(x, merged, None, None)
        sums = fnn.batch_norm_backward_stats(x, x, merged, None, None)
        dx = fnn.batch_norm_backward_apply(x, x, merged, sums, None, None)[0]
    assert np.isnan(merged.m2).tolist() == [True, True, False]
    assert not y[:, 2].any()
    assert not dx[:, 2].any()
    assert np.isnan(dx[:, :2]).all()


def test_out():
    given_ = problem("batch_norm", (6, 3, 40), "f4", axis=1)
    y, dx, *_ = in_shards(given_, 0, [], [0])
    stats = fnn.batch_norm_stats(given_.x)
    out = np.full((12, 3, 40), np.nan, "f4")
    view = out[::2]
    assert fnn.batch_norm_apply(given_.x, stats, given_.gamma, given_.beta, out=view) is view
    assert same_bits(view, y)
    assert np.isnan(out[1::2]).all()
    sums = fnn.batch_norm_backward_stats(given_.dy, given_.x, stats, given_.gamma, given_.beta)
    place = given_.dy.copy()
    arguments = place, given_.x, stats, sums, given_.gamma, given_.beta
    assert fnn.batch_norm_backward_apply(*arguments, out=place)[0] is place
    assert same_bits(place, dx)
    with pytest.raises(ValueError, match="batch_norm_backward_apply: out overlaps x"):
        fnn.batch_norm_backward_apply(*arguments, out=given_.x)
    with pytest.raises(ValueError, match="batch_norm_apply: out overlaps gamma"):
        fnn.batch_norm_apply(np.ones((3, 3)), stats, out[0, 0, :3], None, out=out[0, :, :3])


X = np.ones((4, 3))
STATS = fnn.BatchStats(4, np.zeros(3), np.ones(3))
SUMS = fnn.BatchGradStats(4, np.zeros(3), np.ones(3))
BOTH = [fnn.batch_norm_apply, fnn.batch_norm_backward_stats, fnn.batch_norm_backward_apply]


def call(function, stats=STATS, sums=SUMS, gamma=None, dy=X, **options):
    """Any of BOTH with its arguments in order."""
    if function is fnn.batch_norm_apply:
        return function(X, stats, gamma, None, **options)
    sums = (sums,) if function is fnn.batch_norm_backward_apply else ()
    return function(dy, X, stats, *sums, gamma, None, **options)


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"stats": tuple(STATS)}, TypeError, "stats is a tuple, expected BatchStats"),
        ({"stats": SUMS}, TypeError, "stats is a BatchGradStats"),
        ({"stats": STATS._replace(mean=np.zeros(4))}, ValueError, r"stats.mean has shape \(4,\), expected \(3,\)"),
        ({"stats": STATS._replace(m2=1.0)}, ValueError, r"stats.m2 has shape \(\)"),
        ({"stats": STATS._replace(count=0)}, ValueError, "stats are of 0 values"),
        ({"gamma": np.ones(4)}, ValueError, r"gamma has shape \(4,\)"),
        ({"axis": 2}, ValueError, "axis is 2"),
        ({"eps": np.nan}, ValueError, "eps is nan"),
        ({"activation": ("relu", 1.0)}, TypeError, "relu has no parameter"),
    ],
)
def test_errors(function, change, error, message):
    with pytest.raises(error, match=f"{function.__name__}: .*{message}"):
        call(function, **change)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sums": STATS}, TypeError, "grad_stats is a BatchStats"),
        ({"sums": SUMS._replace(count=3)}, ValueError, "grad_stats are of 3 values, expected 4"),
        ({"sums": SUMS._replace(sum_dz=np.ones(2))}, ValueError, r"grad_stats.sum_dz has shape \(2,\)"),
        ({"sums": SUMS._replace(sum_dz_xhat=np.ones((3, 1)))}, ValueError, r"grad_stats.sum_dz_xhat has shape \(3, 1"),
        ({"dy": np.ones((3, 4))}, ValueError, r"dy has shape \(3, 4\)"),
        ({"out": np.ones((3, 4))}, ValueError, r"out has shape \(3, 4\)"),
    ],
)
def test_errors_of_the_backward_pass(change, error, message):
    with pytest.raises(error, match=f"batch_norm_backward_apply: {message}"):
        call(fnn.batch_norm_backward_apply, **change)


@pytest.mark.parametrize(
    ("stats", "error", "message"),
    [
        ((), ValueError, "no statistics given"),
        ((STATS, SUMS), TypeError, "BatchStats, BatchGradStats given"),
        (((1, 2, 3),), TypeError, "tuple given"),
        ((STATS, fnn.BatchStats(1, np.ones(2), np.ones(2))), ValueError, "shapes .* expected the same channels"),
    ],
)
def test_errors_of_merging(stats, error, message):
    with pytest.raises(error, match=f"merge_batch_stats: {message}"):
        fnn.merge_batch_stats(*stats)


def test_gradients_of_lists_and_float32_statistics():
    """Statistics may have come over a wire: lists, or single precision."""
    for make in (list, lambda a: np.asarray(a, "f4")):
        stats = fnn.BatchStats(4, make([0.5, 0.0, 0.0]), make([4.0, 4.0, 4.0]))
        sums = fnn.BatchGradStats(4, make([4.0, 0.0, 0.0]), make([0.0, 4.0, 0.0]))
        results = dict(
            zip(RESULTS[1:], fnn.batch_norm_backward_apply(X, X, stats, sums, X[0], X[0], eps=0), strict=True)
        )
        assert results["dx"][0].tolist() == [0.0, 0.0, 1.0]
        assert results["dgamma"].tolist() == [0.0, 4.0, 0.0]
        assert results["dbeta"].tolist() == [4.0, 0.0, 0.0]
