"""Every operation of compat.thinc against thinc's own NumpyOps."""

import copy
import pickle
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import thinc.api as thinc
from ulps import same_bits

import fastnn as fnn
from fastnn.compat import _peers, _thinc_ops
from fastnn.compat.thinc import FastnnOps

THEIRS, OURS = thinc.NumpyOps(), FastnnOps()
DTYPES = ["f4", "f8"]
#: Kinks, clips and thresholds of thinc's formulas, and what lies just beside and far beyond them.
EDGES = np.array([0, 1, 2.5, 3, 6, 19.5, 20, 20.5, 60, 99, 1e-3, 1e-30])
EDGES = np.concatenate([EDGES, np.nextafter(EDGES.astype("f4"), np.float32(np.inf))])


class Row(NamedTuple):
    """An operation of one array and, for a backward pass, of dy before it."""

    name: str
    ulps: float  # of max(1, |x|) max(1, |dy|): thinc's formulas cancel
    approximation: float = 0.0  # how far thinc's formula is from the function, in the same unit
    backward: bool = False
    keywords: dict = {}  # noqa: RUF012 - never written to
    of_output: str | None = None  # the operation whose output is the argument


ROWS = [
    Row("relu", 0),
    Row("relu_k", 0),
    Row("relu_k", 0, keywords={"n": 2.5}),
    Row("clipped_linear", 0),
    Row("clipped_linear", 0, keywords={"slope": -0.7, "offset": 0.3, "min_val": -2.0, "max_val": 1.5}),
    Row("hard_sigmoid", 0),
    Row("hard_tanh", 0),
    Row("hard_swish", 0),
    Row("hard_swish_mobilenet", 2),
    Row("sigmoid", 2),
    Row("dsigmoid", 0, of_output="sigmoid"),
    Row("dtanh", 1, of_output="hard_tanh"),
    Row("swish", 2),
    Row("dish", 2),
    Row("gelu", 3, 1.5e-7),
    Row("gelu_approx", 3),
    Row("mish", 3),
    Row("relu", 0, backward=True),
    Row("relu_k", 0, backward=True),
    Row("relu_k", 0, backward=True, keywords={"n": 2.5}),
    Row("clipped_linear", 0, backward=True),
    Row("clipped_linear", 0, backward=True, keywords={"slope": 0.7, "offset": 0.3, "min_val": -2.0, "max_val": 1.5}),
    Row("hard_sigmoid", 0, backward=True),
    Row("hard_tanh", 0, backward=True),
    Row("hard_swish", 2, backward=True),
    Row("hard_swish_mobilenet", 2, backward=True),
    Row("sigmoid", 1, backward=True, of_output="sigmoid"),
    Row("dish", 4, backward=True),
    Row("gelu", 4, 1.5e-7, backward=True),
    Row("gelu_approx", 4, 1e-6, backward=True),
    Row("mish", 30, backward=True),
]


def label(row):
    return "-".join(["backprop"] * row.backward + [row.name] + ["keywords"] * bool(row.keywords))


def inputs(row, dtype, shape=None, seed=0):
    """([x] or [dy, x]) with all the edges in x, or of a shape."""
    rng = np.random.default_rng(seed)
    if shape is None:
        spread = [rng.standard_normal(300) * scale for scale in (0.01, 1, 5, 30)]
        x = np.concatenate([EDGES, -EDGES, *spread]).astype(dtype)
    else:
        x = (rng.standard_normal(shape) * 4).astype(dtype)
    if row.of_output:
        x = getattr(THEIRS, row.of_output)(x)
    return [rng.standard_normal(x.shape).astype(dtype), x] if row.backward else [x]


def called(ops, row, arrays, **more):
    function = getattr(ops, "backprop_" * row.backward + row.name)
    with np.errstate(all="ignore"):
        return function(*arrays, **row.keywords, **more)


def assert_as_thinc(row, actual, arrays):
    """Within the row's distance of what thinc makes of dense copies."""
    expected = called(THEIRS, row, [np.array(a, order="C") for a in arrays])
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    unit = np.prod([np.maximum(1, np.abs(a.astype("f8"))) for a in arrays], axis=0)
    bound = (row.ulps * np.finfo(actual.dtype).eps + row.approximation) * unit
    off = np.abs(actual.astype("f8") - expected)
    worst = np.argmax(off - bound) if off.size else 0
    assert (off <= bound).all(), [a.flat[worst] for a in (*arrays, actual, expected)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=label)
def test_results_are_thincs(row, dtype):
    arrays = inputs(row, dtype)
    before = [a.copy() for a in arrays]
    assert_as_thinc(row, called(OURS, row, arrays), arrays)
    for array, was in zip(arrays, before, strict=True):
        assert same_bits(array, was)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_inplace_returns_the_array_that_it_wrote_to(row):
    arrays = inputs(row, "f4")
    expected = called(OURS, row, arrays)
    target = arrays[1] if row.name == "sigmoid" and row.backward else arrays[0]  # thinc's writes to Y there
    others = [(a, a.copy()) for a in arrays if a is not target]
    assert called(OURS, row, arrays, inplace=True) is target
    assert same_bits(target, expected)
    for array, was in others:
        assert same_bits(array, was)


LAYOUTS = {
    "empty": lambda x: x[:0],
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 3, axis=1)[:, ::3],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda x: x.T.copy().T,
    "3-d": lambda x: x.reshape(2, 10, -1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("row", ROWS, ids=label)
def test_layouts(row, layout):
    arrays = [LAYOUTS[layout](a) for a in inputs(row, "f4", shape=(20, 33))]
    result = called(OURS, row, arrays)
    assert_as_thinc(row, result, arrays)
    target = called(OURS, row, arrays, inplace=True)
    assert same_bits(target, result)


@pytest.mark.parametrize("dtype", DTYPES)
def test_swish_backward_uses_the_output_it_is_given(dtype):
    row = Row("swish", 0, backward=True)
    dy, x = inputs(row, dtype)
    for y in (THEIRS.swish(x), np.full_like(x, 0.25)):
        expected = THEIRS.backprop_swish(dy, x, y)
        unit = np.maximum(1, np.abs(x)) * np.maximum(1, np.abs(dy))
        result = OURS.backprop_swish(dy, x, y)
        assert (np.abs(result - expected) <= 4 * np.finfo(dtype).eps * unit).all()
        target = dy.copy()
        assert OURS.backprop_swish(target, x, y, inplace=True) is target
        assert same_bits(target, result)


@pytest.mark.parametrize(("name", "low"), [("gelu", -4.0), ("mish", -30.0)])
def test_exact_where_thinc_is_not(name, low):
    x = np.array([low, low + 0.3], "f4")
    exact = getattr(fnn.reference, name)(x.astype("f8"))
    np.testing.assert_allclose(getattr(OURS, name)(x), exact, rtol=1e-6)
    assert not np.allclose(getattr(THEIRS, name)(x), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("row", [r for r in ROWS if not r.backward], ids=label)
def test_nan_stays(row):
    with np.errstate(invalid="raise"):
        assert np.isnan(getattr(OURS, row.name)(np.full(3, np.nan, "f4"))).all()


@pytest.mark.parametrize("dtype", ["f2", "i4", ">f4"])
@pytest.mark.parametrize("row", ROWS, ids=label)
def test_other_dtypes_are_left_to_thinc(row, dtype):
    arrays = [np.arange(-6, 6).astype(dtype) for _ in range(1 + row.backward)]
    results = []
    for ops in (THEIRS, OURS):
        try:
            results.append(called(ops, row, [a.copy() for a in arrays]))
        except (TypeError, ValueError) as error:
            results.append(np.array([ord(c) for c in f"{type(error)}"]))
    assert same_bits(*results)


def test_broadcasting_is_left_to_thinc():
    dy, x = np.ones((3, 4), "f4"), np.linspace(-2, 2, 4, dtype="f4")
    assert same_bits(OURS.backprop_gelu(dy, x), THEIRS.backprop_gelu(dy, x))
    assert same_bits(OURS.backprop_dish(dy, x.astype("f8")), THEIRS.backprop_dish(dy, x.astype("f8")))


@pytest.mark.parametrize("name", ["backprop_relu", "backprop_mish"])
def test_shapes_that_do_not_match(name):
    for ops in (THEIRS, OURS):
        with pytest.raises(ValueError, match="incompatible shapes"):
            getattr(ops, name)(np.ones((2, 3), "f4"), np.ones(3, "f4"))


@pytest.mark.parametrize("threshold", [-1.0, 5.0, 20.0, 21.0])
def test_mish_thresholds(threshold):
    x = np.linspace(-8, 60, 400, dtype="f4")
    close = {"rtol": 1e-6, "atol": 1e-6}
    np.testing.assert_allclose(OURS.mish(x, threshold), THEIRS.mish(x, threshold), **close)
    dy = np.ones_like(x)
    expected = THEIRS.backprop_mish(dy, x, threshold)
    np.testing.assert_allclose(OURS.backprop_mish(dy, x, threshold), expected, rtol=5e-6, atol=5e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax(axis, temperature, dtype):
    x = (np.random.default_rng(1).standard_normal((6, 5, 7)) * 5).astype(dtype)
    keywords = {"axis": axis, "temperature": temperature}
    y = OURS.softmax(x, **keywords)
    rtol = 40 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, THEIRS.softmax(x, **keywords), rtol=rtol)
    dy = np.random.default_rng(2).standard_normal(x.shape).astype(dtype)
    dx = OURS.backprop_softmax(y, dy, **keywords)
    np.testing.assert_allclose(dx, THEIRS.backprop_softmax(y, dy, **keywords), rtol=rtol, atol=rtol)
    assert dx.dtype == y.dtype == dtype


def test_softmax_makes_a_new_array_whatever_inplace_says():
    """As thinc's does: its MultiSoftmax would be another layer otherwise."""
    x = np.arange(6, dtype="f4").reshape(2, 3)
    for ops in (THEIRS, OURS):
        was = x.copy()
        y = ops.softmax(x, inplace=True)
        assert same_bits(x, was)
        assert not np.shares_memory(x, y)
        lengths = np.array([2], "i4")
        ops.softmax_sequences(x, lengths, inplace=True)
        assert same_bits(x, was)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_sequences(dtype):
    x = (np.random.default_rng(3).standard_normal((12, 4)) * 15).astype(dtype)
    dy = np.random.default_rng(4).standard_normal(x.shape).astype(dtype)
    lengths = np.array([3, 0, 1, 8], "i4")
    y = OURS.softmax_sequences(x, lengths)
    rtol = 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, THEIRS.softmax_sequences(x, lengths), rtol=rtol)
    expected = THEIRS.backprop_softmax_sequences(dy, y, lengths)
    np.testing.assert_array_equal(OURS.backprop_softmax_sequences(dy, y, lengths), expected)
    for ops in (THEIRS, OURS):
        with pytest.raises(NotImplementedError, match="only supports 2d"):
            ops.softmax_sequences(x[None], lengths)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("batch", [0, 1, 9])
def test_maxout(batch, pieces, dtype):
    x = np.random.default_rng(5).integers(-3, 4, (batch, 11, pieces)).astype(dtype)  # with ties
    x.flat[::13] = np.nan
    results, expected = OURS.maxout(x), THEIRS.maxout(x)
    for result, other in zip(results, expected, strict=True):
        assert same_bits(result, other)
    if batch:
        dy = np.ones((batch, 11), dtype)
        dx = OURS.backprop_maxout(dy, results[1], pieces)
        assert same_bits(dx, THEIRS.backprop_maxout(dy, expected[1], pieces))


@pytest.mark.parametrize("drop", [None, 0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(40, 30), (7,), 5])
def test_dropout_masks_are_thincs(shape, drop):
    masks = []
    for ops in (THEIRS, OURS):
        thinc.fix_random_seed(3)
        masks.append([ops.get_dropout_mask(shape, drop) for _ in range(2)])
    for expected, mask in zip(*masks, strict=True):
        assert same_bits(mask, expected)


def test_philox_dropout():
    with thinc.use_ops("fastnn", philox_dropout=True):
        ops = thinc.get_current_ops()
    thinc.fix_random_seed(0)
    first, second = (ops.get_dropout_mask((300, 300), 0.2) for _ in range(2))
    assert first.dtype == np.float32
    np.testing.assert_array_equal(np.unique(first), [0, np.float32(1 / 0.8)])
    assert abs((first == 0).mean() - 0.2) < 0.01
    assert (first != second).any()
    thinc.fix_random_seed(0)
    assert same_bits(ops.get_dropout_mask((300, 300), 0.2), first)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
@pytest.mark.parametrize("threshold", [0.5, 1e3])
def test_clip_gradient(threshold, dtype):
    gradient = np.random.default_rng(6).standard_normal((30, 20)).astype(dtype)
    expected = THEIRS.clip_gradient(gradient.copy(), threshold)
    assert OURS.clip_gradient(gradient, threshold) is gradient
    np.testing.assert_allclose(gradient, expected, rtol=4 * np.finfo(dtype).eps)


def test_clip_gradient_leaves_nan_where_it_is():
    gradient = np.array([3.0, np.nan], "f4")
    np.testing.assert_array_equal(OURS.clip_gradient(gradient, 1.0), [3, np.nan])


@pytest.mark.parametrize("size", [1, 63, 20_000])
def test_adam(size):
    rng = np.random.default_rng(7)
    states = [[np.zeros(size, "f4") for _ in range(4)] for _ in range(2)]
    for _ in range(40):
        gradient = rng.standard_normal(size).astype("f4")
        for ops, arrays in zip((THEIRS, OURS), states, strict=True):
            arrays[1][:] = gradient
            results = ops.adam(*arrays, 0.9, 0.999, 1e-8, 0.01)
            assert all(result is array for result, array in zip(results, arrays, strict=True))
    for expected, result, bound in zip(*states, (3e-7, 0, 1e-6, 1e-6), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-6, atol=bound)


def test_adam_leaves_what_it_cannot_do_to_thinc():
    arrays = [np.ones(4, "f4") for _ in range(3)]
    for ops in (THEIRS, OURS):
        with pytest.raises(ValueError, match="incompatible shapes"):
            ops.adam(*arrays, np.ones(3, "f4"), 0.9, 0.999, 1e-8, 0.01)
        with pytest.raises(ValueError, match="mismatch"):
            ops.adam(*arrays, np.ones(4), 0.9, 0.999, 1e-8, 0.01)


def test_update_averages():
    weights = np.linspace(-2, 2, 100, dtype="f4").reshape(20, 5)
    averages = [np.zeros_like(weights), np.zeros_like(weights)]
    for t in (1, 2, 3, 1_000_000):
        for ops, average in zip((THEIRS, OURS), averages, strict=True):
            assert ops.update_averages(average, weights * t, t) is None
    np.testing.assert_allclose(averages[1], averages[0], rtol=1e-6)


def test_thinc_finds_the_ops_by_name():
    assert type(thinc.get_ops("fastnn")) is FastnnOps
    assert thinc.registry.ops.get("FastnnOps") is FastnnOps
    before = thinc.get_current_ops()
    with thinc.use_ops("fastnn"):
        assert type(thinc.Relu(2, 3).ops) is FastnnOps
    thinc.set_current_ops(FastnnOps())
    assert type(thinc.Relu(2, 3).ops) is FastnnOps
    thinc.set_current_ops(before)
    assert isinstance(OURS, thinc.NumpyOps)


def test_the_entry_point_imports_when_called():
    assert _thinc_ops.ops.name == FastnnOps.name
    assert type(_thinc_ops.ops(use_blis=False)) is FastnnOps
    code = "import sys, fastnn.compat._thinc_ops; assert not {'thinc', 'numba'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_copies_and_pickles():
    ops = FastnnOps(philox_dropout=True)
    for other in (copy.deepcopy(ops), pickle.loads(pickle.dumps(ops))):
        assert type(other) is FastnnOps
        assert other.philox_dropout


def test_import_goes_through_require():
    code = "import fastnn.compat._peers as p; p.PEERS['thinc'] = p.Versions('no-such-thinc', '1', '2')"
    command = [sys.executable, "-c", f"{code}; import fastnn.compat.thinc"]
    found = subprocess.run(command, capture_output=True, text=True)
    message = 'fastnn.compat.thinc: no-such-thinc is not installed; get it with: pip install "fastnn[thinc]"'
    assert f"ImportError: {message}" in found.stderr
    assert _peers.PEERS["thinc"].distribution == "thinc"
