"""Elementwise functions on arrays that are not NumPy's own: each keeps its type, and all that comes with it."""

import inspect
import pickle

import cloudpickle
import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import fastnn as fnn

X = np.linspace(-3, 3, 24, dtype="f4").reshape(4, 6)
#: a value for each parameter without a default
NEEDED = {"alpha": 0.25, "threshold": 0.5, "value": 20.0}
#: backwards of another kind: gradients of parameters too, or a cache
OTHERS = ("prelu_backward", "rrelu_backward")


def _calls():
    """{label: function of one array}: every function, its gradient, each with default parameters and with others."""
    calls = {}
    for name in fnn.activations.NAMES:
        names = (name, f"{name}_backward", f"{name}_backward_from_output")
        for function in (getattr(fnn, n) for n in names if hasattr(fnn, n) and n not in OTHERS):
            arrays = 1 if function is getattr(fnn, name) else 2
            parameters = []
            if not isinstance(function, np.ufunc):
                declared = list(inspect.signature(function).parameters.values())[arrays:]
                parameters = [p for p in declared if p.name not in ("out", "where", "axis", "training", "rng")]
            needed = [NEEDED[p.name] for p in parameters if p.default is p.empty]
            calls[function.__name__] = _call(function, arrays, needed)
            if parameters:
                given = [NEEDED.get(p.name, 0.3) for p in parameters]
                calls[f"{function.__name__}, parameters"] = _call(function, arrays, given)
    return calls


def _call(function, arrays, parameters):
    return lambda x: function(*[x] * arrays, *parameters)


CALLS = _calls()
every = pytest.mark.parametrize("label", CALLS)


def test_every_activation_is_tried():
    assert len(CALLS) >= 2 * len(fnn.activations.NAMES)
    assert {"relu", "relu_backward", "elu_backward_from_output, parameters", "prelu", "rrelu, parameters"} <= {*CALLS}


@every
@pytest.mark.parametrize("dtype", ["f2", "f4", "i4"])
def test_dask_arrays_stay_lazy(label, dtype):
    x, computed = X.astype(dtype), []

    def watched(block):
        computed.append(block)
        return block

    lazily = da.from_array(x, chunks=(3, 4)).map_blocks(watched, dtype=dtype, meta=np.empty((0, 0), dtype))
    y, expected = CALLS[label](lazily), CALLS[label](x)
    assert isinstance(y, da.Array)
    assert not computed
    assert y.chunks == lazily.chunks
    assert y.dtype == y._meta.dtype == expected.dtype
    assert type(y._meta) is np.ndarray
    np.testing.assert_array_equal(y.compute(scheduler="synchronous"), expected)
    assert len(computed) >= 4


@every
def test_xarray_keeps_labels_and_attributes(label):
    array = xr.DataArray(X, {"row": list("abcd")}, ("row", "column"), "x", {"unit": "mV"})
    data = xr.Dataset({"x": array, "wide": array.astype("f8")}, attrs={"of": "all"})
    with xr.set_options(keep_attrs=True):
        y, of_all = CALLS[label](array), CALLS[label](data)
    assert (y.dims, y.attrs, y.dtype) == (array.dims, array.attrs, np.float32)
    assert y.row.values.tolist() == list("abcd")
    np.testing.assert_array_equal(y.values, CALLS[label](X))
    assert isinstance(of_all, xr.Dataset)
    assert {k: v.dtype for k, v in of_all.items()} == {"x": np.float32, "wide": np.float64}
    assert of_all.attrs == data.attrs
    np.testing.assert_array_equal(of_all.x.values, y.values)


@every
def test_xarray_over_dask_stays_lazy(label):
    array = xr.DataArray(X, dims=("row", "column")).chunk(row=3)
    y = CALLS[label](array)
    assert isinstance(y, xr.DataArray)
    assert isinstance(y.data, da.Array)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.compute(scheduler="synchronous").values, CALLS[label](X))


@every
@pytest.mark.parametrize("dtype", ["float32", "int32", "Float32", "Float64"])
def test_pandas_series_keep_index_name_and_dtype(label, dtype):
    numbers = pd.Series([1, -2, 0, 3], list("abcd"), dtype, name="x")
    if dtype[0] == "F":
        numbers = pd.concat([numbers, pd.Series([None], ["e"], dtype, name="x")])
    y = CALLS[label](numbers)
    assert isinstance(y, pd.Series)
    assert y.index.tolist() == numbers.index.tolist()
    assert y.name == "x"
    assert y.dtype == ("float64" if dtype == "int32" else dtype)
    expected = CALLS[label](np.array([1, -2, 0, 3], dtype.lower()))
    np.testing.assert_array_equal(y[:4].to_numpy(expected.dtype), expected)
    assert y[4:].isna().all()


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pandas_frames_keep_index_columns_and_dtype(label, dtype):
    frame = pd.DataFrame(X.astype(dtype), list("abcd"), [f"c{k}" for k in range(6)])
    y = CALLS[label](frame)
    assert isinstance(y, pd.DataFrame)
    assert y.index.equals(frame.index)
    assert y.columns.equals(frame.columns)
    # pandas makes a float64 array of a Python number beside a frame: np.float32(0.3) keeps float32
    widened = "parameters" in label or label in ("prelu", "rrelu", "threshold", "threshold_backward")
    assert {*y.dtypes} == {np.dtype("float64" if widened else dtype)}
    wide = X.astype(dtype).astype(y.dtypes.iloc[0])
    np.testing.assert_array_equal(y.to_numpy(), CALLS[label](wide))


def test_pandas_frames_of_float32_with_a_parameter_of_float32():
    frame = pd.DataFrame(X)
    for y in (fnn.leaky_relu(frame, np.float32(0.3)), fnn.prelu(frame, np.linspace(0, 1, 6).astype("f4"))):
        assert {*y.dtypes} == {np.dtype("float32")}


@every
def test_masked_arrays_keep_the_mask_and_what_is_under_it(label):
    data = X.copy()
    data[X > 2] = np.nan
    x = np.ma.masked_array(data, X > 2)
    y = CALLS[label](x)
    assert isinstance(y, np.ma.MaskedArray)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.mask, x.mask)
    np.testing.assert_array_equal(y.compressed(), CALLS[label](X)[X <= 2])
    np.testing.assert_array_equal(x.data, data)
    np.testing.assert_array_equal(x.mask, X > 2)


class Named(np.ndarray):
    """An array with an attribute that results inherit."""

    def __array_finalize__(self, of):
        self.name = getattr(of, "name", None)


@every
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_subclasses(label):
    named = X.view(Named)
    named.name = "x"
    for x in (named, np.matrix(X)):
        y = CALLS[label](x)
        assert type(y) is type(x)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(np.asarray(y), CALLS[label](X))
        assert getattr(y, "name", "x") == "x"


class Wrapped:
    """Not an array: gives one when asked."""

    def __array__(self, dtype=None, copy=None):
        return np.array(X, dtype)


class Logged:
    """Takes ufuncs its own way: remembers which it was given."""

    dtype, shape, ndim = X.dtype, X.shape, X.ndim

    def __init__(self, x):
        self.x = x

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        assert method == "__call__"
        assert isinstance(ufunc, np.ufunc)
        return Logged(ufunc(*[i.x if isinstance(i, Logged) else i for i in inputs], **keywords))


@every
def test_other_objects(label):
    y = CALLS[label](Wrapped())
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, CALLS[label](X))
    y = CALLS[label](Logged(X))
    assert type(y) is Logged
    assert y.x.dtype == np.float32
    np.testing.assert_array_equal(y.x, CALLS[label](X))


def test_one_slope_for_each_channel():
    alpha = np.linspace(0, 1, 6)
    expected = fnn.prelu(X, alpha)
    kinds = [
        da.from_array(X, chunks=(3, 4)),
        xr.DataArray(X, dims=("row", "column")),
        np.ma.masked_array(X, X > 5),
        X.view(Named),
        Logged(X),
    ]
    for x in kinds:
        y = fnn.prelu(x, alpha)
        assert type(y) is type(x)
        assert (y.x if isinstance(y, Logged) else y).dtype == np.float32
        np.testing.assert_array_equal(np.asarray(y.x if isinstance(y, Logged) else y), expected)
    integers = fnn.prelu(da.arange(-3, 3, chunks=2).reshape(1, 6), alpha)
    np.testing.assert_array_equal(integers.compute(), fnn.prelu(np.arange(-3, 3).reshape(1, 6), alpha))


def test_out_and_where_of_masked_arrays_and_subclasses():
    x = np.ma.masked_array(X.copy(), X > 2)
    out = np.ma.masked_array(np.zeros_like(X), np.zeros(X.shape, bool))
    assert fnn.gelu(x, out=out) is out
    np.testing.assert_array_equal(out.compressed(), fnn.gelu(X)[X <= 2])
    named = np.full_like(X, 7).view(Named)
    assert fnn.leaky_relu(X.view(Named), 0.3, out=named, where=X > 0) is named
    np.testing.assert_array_equal(np.asarray(named), np.where(X > 0, X, 7))


def test_two_kinds_together():
    """dy and x of different kinds: who decides is the matter of those kinds."""
    dy, x = da.from_array(X, chunks=2), xr.DataArray(X, dims=("row", "column"))
    y = fnn.gelu_backward(dy, x)
    assert isinstance(y, xr.DataArray)
    assert isinstance(y.data, da.Array)
    lazily = fnn.relu_backward(X, dy)
    assert isinstance(lazily, da.Array)
    np.testing.assert_array_equal(lazily.compute(scheduler="synchronous"), fnn.relu_backward(X, X))


def test_functions_of_ones_own():
    tripled = fnn.elementwise(lambda x: 3.0 * x, derivative=lambda x: 3.0, name="tripled")
    powered = fnn.elementwise(lambda x, k=2.0: k * x, name="powered")
    for x in (da.from_array(X, chunks=3), xr.DataArray(X), pd.Series(X[0]), np.ma.masked_array(X, X > 2)):
        for y, factor in (
            (tripled(x), 3),
            (powered(x), 2),
            (powered(x, 5.0), 5),
            (fnn.activation(tripled)[1](x, x), 3),
        ):
            assert type(y) is type(x)
            assert y.dtype == np.float32
            np.testing.assert_array_equal(np.asarray(y), np.asarray(x) * np.float32(factor))


@pytest.mark.parametrize("name", fnn.activations.NAMES)
def test_tasks_are_pickled_by_reference(name):
    """What a worker is sent is a name: the functions are not, nor is compiled code."""
    for function in (getattr(fnn, name), getattr(fnn, f"{name}_backward")):
        for dumps in (pickle.dumps, cloudpickle.dumps):
            sent = dumps(function)
            assert len(sent) < 150
            assert pickle.loads(sent) is function
