"""clip_by_global_norm, clip_by_value and global_norm against the reference, on every structure, dtype and layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastnn as fnn
from fastnn import reference

dtypes = st.sampled_from(["f4", "f8"])
arrays = dtypes.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=40),
        elements=st.floats(-1e3, 1e3, width=32),
        fill=st.nothing(),
    )
)
trees = st.recursive(
    arrays | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)


def in_double(tree):
    if isinstance(tree, dict):
        return {key: in_double(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [in_double(value) for value in tree]
    return None if tree is None else tree.astype("f8")


def leaves(tree):
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    if values is None:
        return [] if tree is None else [tree]
    return [leaf for value in values for leaf in leaves(value)]


@given(trees, st.floats(0, 2e3))
def test_like_the_reference(tree, limit):
    expected = in_double(tree)
    norm = reference.optim.clip_by_global_norm(expected, limit)
    assert fnn.global_norm(tree) == pytest.approx(norm, rel=1e-14)
    assert fnn.clip_by_global_norm(tree, limit) == pytest.approx(norm, rel=1e-14)
    for actual, exact in zip(leaves(tree), leaves(expected), strict=True):
        np.testing.assert_allclose(actual, exact, rtol=3 * np.finfo(actual.dtype).eps, atol=1e-37)
    reference.optim.clip_by_value(expected, limit / 2)
    assert fnn.clip_by_value(tree, limit / 2) is None
    for actual, exact in zip(leaves(tree), leaves(expected), strict=True):
        np.testing.assert_allclose(actual, exact, rtol=3 * np.finfo(actual.dtype).eps, atol=1e-37)


def views(dtype):
    """Arrays of every layout, each with what must stay as it is."""
    base = np.arange(1.0, 61.0).astype(dtype)
    yield np.array(base.reshape(6, 10), order="F"), None
    for view in (
        lambda b: b[::3],
        lambda b: b[::-1],
        lambda b: b.reshape(6, 10)[1:5, ::4],
        lambda b: b.reshape(6, 10).T,
    ):
        own = base.copy()
        yield view(own), own
    yield np.frombuffer(bytearray(b"x" + base.tobytes()), np.uint8)[1:].view(dtype), None
    yield base.reshape(6, 10).copy().view(np.matrix), None


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_layout_is_clipped_in_place_and_gaps_are_left_alone(dtype):
    for array, base in views(dtype):
        before, around = np.array(array, "f8"), None if base is None else base.copy()
        norm = fnn.clip_by_global_norm([array], 2.0)
        assert norm == pytest.approx(np.sqrt((before**2).sum()), rel=1e-14)
        np.testing.assert_allclose(array, before * (2 / (norm + 1e-6)), rtol=4 * np.finfo(dtype).eps)
        fnn.clip_by_value((array,), 0.125)
        assert np.abs(array).max() == 0.125
        if base is not None:
            changed = np.zeros(base.shape, bool)
            outside = base != around
            changed[[int(k) - 1 for k in before.ravel()]] = True
            assert not outside[~changed].any()


def test_what_need_not_be_clipped_keeps_its_bits():
    grads = [np.array([3.0, -4.0]), np.array([0.0, 1e-3], "f4")]
    before = [g.copy() for g in grads]
    assert fnn.clip_by_global_norm(grads, 100.0) == pytest.approx(5.0000001)
    fnn.clip_by_value(grads, 4.0)
    for grad, value in zip(grads, before, strict=True):
        np.testing.assert_array_equal(grad, value)


@pytest.mark.parametrize(("value", "norm"), [(np.inf, np.inf), (-np.inf, np.inf), (np.nan, np.nan)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_nonfinite_gradients(value, norm, dtype):
    """As torch: of an infinite norm the factor is 0, of NaN NaN; clip_by_value keeps NaN."""
    grads = [np.ones(20, dtype), np.array([1.0, value], dtype)]
    np.testing.assert_equal(fnn.global_norm(grads), norm)
    np.testing.assert_equal(fnn.clip_by_global_norm(grads, 1.0), norm)
    np.testing.assert_array_equal(grads[0], 0 if np.isinf(norm) else np.nan)
    assert np.isnan(grads[1][1])
    other = np.array([value, 3.0, -0.5], dtype)
    fnn.clip_by_value(other, 1.0)
    np.testing.assert_array_equal(other, [np.clip(value, -1, 1), 1.0, -0.5])


def test_the_norm_takes_any_byte_order_and_read_only_arrays():
    grads = [np.array([3.0, 0.0], ">f4"), np.broadcast_to(np.array(2.0, ">f8"), (2, 2))]
    assert fnn.global_norm(grads) == 5


@pytest.mark.parametrize("size", [1e200, 1e-200, 5e-324, 1e160])
def test_squares_beyond_float64(size):
    grads = {"a": np.array([3 * size, 0.0]), "b": [np.array(-4 * size)], "c": np.zeros(3, "f4")}
    assert fnn.global_norm(grads) == pytest.approx(5 * size, rel=1e-14)


def test_threads_do_not_change_a_bit():
    grads = np.random.default_rng(0).standard_normal(300_000).astype("f4")
    norms, clipped = set(), []
    for threads in (1, 2):
        with fnn.threads(threads):
            own = grads.copy()
            norms.add(fnn.clip_by_global_norm([own[:7], own[7:]], 1.0))
            clipped.append(own)
    assert len(norms) == 1
    np.testing.assert_array_equal(*clipped)


def test_nothing_to_clip():
    for grads in ([], {}, None, [None, {"a": None}], np.zeros((0, 3))):
        assert fnn.global_norm(grads) == 0
        assert fnn.clip_by_global_norm(grads, 1.0) == 0
        fnn.clip_by_value(grads, 1.0)


@pytest.mark.parametrize(
    ("grads", "limit", "error", "message"),
    [
        ({"W": [np.ones(2, int)]}, 1.0, TypeError, r'grads\["W"\]\[0\] has dtype int64'),
        ([np.ones(2), 1.0], 1.0, TypeError, r"grads\[1\] is a float"),
        ([np.ones(2, ">f4")], 1.0, TypeError, r"grads\[0\] has dtype >f4"),
        (np.ones(2), -1.0, ValueError, "is -1.0, expected a finite number >= 0"),
        (np.ones(2), np.nan, ValueError, "is nan"),
        ([np.ones(2), np.broadcast_to(np.ones(1), 3)], 1.0, ValueError, r"grads\[1\] is read-only"),
    ],
)
@pytest.mark.parametrize("name", ["clip_by_global_norm", "clip_by_value"])
def test_errors_come_before_any_change(name, grads, limit, error, message):
    first = grads[0] if isinstance(grads, list) else None
    with pytest.raises(error, match=f"{name}: .*{message}"):
        getattr(fnn, name)(grads, limit)
    if first is not None:
        np.testing.assert_array_equal(first, 1)
