"""What holds for every function of fastnn.compat.dask: lazy, checked at the call, complete."""

import inspect
import warnings

import dask
import dask.array as da
import numpy as np
import pytest
from lazily import DY, Counted, X, given
from ulps import same_bits

import fastnn as fnn
from fastnn.compat import dask as lazy


def test_signatures_are_those_of_the_top_level():
    beyond = {"fit", "transform", "inverse_transform", "dropout_mask"}
    for name in set(lazy.__all__) - beyond:
        assert inspect.signature(getattr(lazy, name)) == inspect.signature(getattr(fnn, name)), name
        assert "On Dask arrays: " in getattr(lazy, name).__doc__
        assert getattr(lazy, name).__module__.startswith("fastnn.compat.dask.")
    assert lazy.relu is fnn.relu
    assert {"gelu", "gelu_backward", "softmax"} <= {*dir(lazy)}
    with pytest.raises(AttributeError, match="no attribute 'rely'"):
        lazy.rely  # noqa: B018


def test_every_function_of_arrays_is_there():
    """New norms, losses, dropouts and activations of the top level have to come here too."""
    left_out = {"merge_batch_stats", "l1_penalty", "l2_penalty", "elastic_net_penalty", "NAMES", "activation"}
    homes = ("fastnn.normalization", "fastnn.losses", "fastnn.dropout")
    needed = {n for n, module in fnn._HOME.items() if module.startswith(homes) and not n[0].isupper()}
    for name in (needed | {*fnn.activations.__all__}) - left_out:
        assert hasattr(lazy, name), name


def test_calls_without_a_dask_array_are_the_top_levels():
    assert same_bits(lazy.softmax(X), fnn.softmax(X))
    y, cache = lazy.layer_norm_forward(X.tolist())
    assert isinstance(y, np.ndarray)
    assert same_bits(lazy.layer_norm_backward(DY, cache)[0], fnn.layer_norm_backward(DY, cache)[0])
    out = np.empty_like(X)
    assert lazy.softmax(X, out=out) is out
    assert isinstance(lazy.mse(X, DY)[0], np.float32)


CALLS = {
    "softmax": lambda x: lazy.softmax(x),
    "log_softmax_backward": lambda x: lazy.log_softmax_backward(x, x),
    "logsumexp": lambda x: lazy.logsumexp(x),
    "glu": lambda x: lazy.glu(x),
    "maxout": lambda x: lazy.maxout(x, 2),
    "prelu": lambda x: lazy.prelu(x, 0.1),
    "rrelu_forward": lambda x: lazy.rrelu_forward(x),
    "bias_activation": lambda x: lazy.bias_activation(x, np.ones(4)),
    "layer_norm_forward": lambda x: lazy.layer_norm_forward(x),
    "instance_norm_forward": lambda x: lazy.instance_norm_forward(x),
    "batch_norm_stats": lambda x: lazy.batch_norm_stats(x),
    "dropout_forward": lambda x: lazy.dropout_forward(x),
    "mse": lambda x: lazy.mse(x, x),
    "softmax_cross_entropy": lambda x: lazy.softmax_cross_entropy(x, np.zeros(6, int)),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_computed_at_the_call(name):
    counted = Counted(np.ones((6, 4), "f4"), (3, 4))
    CALLS[name](counted.array)
    assert counted.count == 0


@pytest.mark.parametrize("name", CALLS)
def test_wrong_dtypes_are_refused_at_the_call(name):
    with pytest.raises(TypeError, match=name if name != "prelu" else "prelu|leaky_relu"):
        CALLS[name](da.ones((6, 4), chunks=3, dtype="c8").rechunk({1: -1}))


@pytest.mark.parametrize("call", ["softmax", "dropout_forward", "layer_norm_forward"])
def test_there_is_no_out(call):
    with pytest.raises(TypeError, match=f"{call}: out is a ndarray, expected None with Dask arrays"):
        getattr(lazy, call)(given(X, (3, 6, 5, 4)), out=np.empty_like(X))


def test_caches_of_another_function():
    x = given(X, (3, 6, 5, 4))
    _, cache = lazy.layer_norm_forward(x)
    for name in ("rms_norm_backward", "group_norm_backward", "batch_norm_backward"):
        with pytest.raises(
            TypeError, match=rf"{name}: cache is .* expected what \w+_forward returned for a Dask array"
        ):
            getattr(lazy, name)(DY, cache)
    with pytest.raises(TypeError, match="layer_norm_backward: cache is a RowNormCache"):
        lazy.layer_norm_backward(given(DY, 3), fnn.layer_norm_forward(X)[1])
    with pytest.raises(TypeError, match="rrelu_backward: cache is of type NormCache"):
        lazy.rrelu_backward(given(DY, 3), cache)


def unknown(x, chunks):
    """x with a first axis of unknown length, as after a selection."""
    array = given(np.concatenate([x, x]), chunks)
    chosen = array[da.from_array(np.arange(2 * len(x)) < len(x), chunks=array.chunks[0])]
    assert np.isnan(chosen.shape[0])
    return chosen


def test_an_axis_of_unknown_length():
    x = unknown(X, (3, 6, 5, 4))
    np.testing.assert_array_equal(lazy.softmax(x).compute(), fnn.softmax(X))
    y, cache = lazy.layer_norm_forward(x)
    np.testing.assert_array_equal(y.compute(), fnn.layer_norm_forward(X)[0])
    np.testing.assert_array_equal(
        lazy.layer_norm_backward(x, cache)[0].compute(), fnn.layer_norm_backward(X, fnn.layer_norm_forward(X)[1])[0]
    )
    y, cache = lazy.batch_norm_forward(x, None, None)
    assert cache.stats.count.compute() == 140
    expected, known = fnn.batch_norm_forward(X, None, None)
    np.testing.assert_allclose(y.compute(), expected, atol=1e-6)
    np.testing.assert_allclose(
        lazy.batch_norm_backward(x, cache)[0].compute(), fnn.batch_norm_backward(X, known)[0], atol=1e-6
    )
    for name in ("mse", "kl_div"):
        loss, grad = getattr(lazy, name)(x, x + 1)
        expected_loss, expected_grad = getattr(fnn, name)(X, X + 1)
        np.testing.assert_allclose(loss.compute(), expected_loss, rtol=1e-6)
        np.testing.assert_allclose(grad.compute(), expected_grad, rtol=1e-6)
    for call in (lambda: lazy.dropout_forward(x), lambda: lazy.softmax(x, axis=0), lambda: lazy.mse(x, X)):
        with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\)|chunks along axis 0"):
            call()


def test_what_several_results_share_is_computed_once():
    counted = Counted(X, (3, 6, 5, 4))
    _, cache = lazy.layer_norm_forward(counted.array, np.ones(4), np.zeros(4))
    dask.compute(*lazy.layer_norm_backward(DY, cache))
    assert counted.count == 3


def test_no_warning_and_the_same_keys_for_the_same_call():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calls = [lazy.layer_norm_forward(given(X, (3, 6, 5, 4)), activation="gelu")[0] for _ in range(2)]
    assert calls[0].name == calls[1].name
    assert lazy.layer_norm_forward(given(X, (3, 6, 5, 4)), activation="relu")[0].name != calls[0].name
