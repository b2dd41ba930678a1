"""softmax, gated units and the other activations of Dask arrays: as of the NumPy array."""

import dask.array as da
import numpy as np
import pytest
from lazily import CHUNKS, DY, X, compare, given, rechunked_for

import fastnn as fnn
from fastnn.compat import dask as lazy

# --- along one axis ---------------------------------------------------------------------------------------------------

ONE_ARRAY = [
    ("softmax", {}),
    ("log_softmax", {}),
    ("glu", {"gate": "gelu"}),
    ("maxout", {"pieces": 2}),
]
TWO_ARRAYS = ["softmax_backward", "log_softmax_backward"]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("axis", [1, -1, 3])
@pytest.mark.parametrize(("name", "options"), ONE_ARRAY)
def test_along_one_axis(name, options, axis, chunks):
    x = rechunked_for(given(X, chunks), [axis])
    compare(getattr(lazy, name)(x, axis=axis, **options), getattr(fnn, name)(X, axis=axis, **options))
    one, several = x.rechunk({0: 3, 2: 2}), x.rechunk({axis: 1})
    compare(getattr(lazy, name)(one, axis=axis, **options), getattr(fnn, name)(X, axis=axis, **options))
    place, message = axis % 4, f"{name}: x has {X.shape[axis]} chunks along axis {axis % 4}, expected one"
    with pytest.raises(ValueError, match=rf"{message}: x\.rechunk\({{{place}: -1}}\)"):
        getattr(lazy, name)(several, axis=axis, **options)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("name", TWO_ARRAYS)
def test_gradients_along_one_axis(name, axis, chunks):
    y = np.log(fnn.softmax(X, axis=axis)) if name.startswith("log") else fnn.softmax(X, axis=axis)
    lazy_y, expected = rechunked_for(given(y, chunks), [axis]), getattr(fnn, name)(DY, y, axis=axis)
    for dy in (DY, given(DY, (2, 3, 3, 4)), lazy_y * 0 + DY):  # cut as y is, otherwise, or not at all
        compare(getattr(lazy, name)(dy, lazy_y, axis=axis), expected, ulps=2, absolute=2)
    with pytest.raises(ValueError, match=rf"{name}: y has .* chunks along axis .*y\.rechunk"):
        getattr(lazy, name)(DY, lazy_y.rechunk({axis: 2}), axis=axis)
    with pytest.raises(ValueError, match=rf"{name}: dy has shape \(6, 6, 5, 4\), expected \(7, 6, 5, 4\) as y"):
        getattr(lazy, name)(DY[1:], lazy_y, axis=axis)


@pytest.mark.parametrize("axis", [1, -1])
def test_gradients_of_gated_units(axis):
    x = given(X, (2, 6, 3, 4))
    y, winner = fnn.maxout(X, 2, axis=axis)
    dy = np.take(DY, range(y.shape[axis]), axis)
    compare(lazy.glu_backward(dy, x, axis, "silu"), fnn.glu_backward(dy, X, axis, "silu"))
    lazy_dy = given(dy, (2, 6, 3, 4))
    compare(lazy.maxout_backward(lazy_dy, winner, 2, axis), fnn.maxout_backward(dy, winner, 2, axis))
    with pytest.raises(ValueError, match=r"glu_backward: dy has shape"):
        lazy.glu_backward(DY, x, axis)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [1, -1, (0, 2), (1, -1, 0), None, ()])
def test_logsumexp_over_any_chunks(axis, keepdims, chunks):
    compare(lazy.logsumexp(given(X, chunks), axis, keepdims), fnn.logsumexp(X, axis, keepdims), ulps=3)


def test_logsumexp_of_nothing_and_infinities():
    x = np.array([[-np.inf, -np.inf, 0.0], [np.inf, 1.0, np.nan], [-np.inf] * 3])
    for chunks in (1, 2, (3, 2)):
        compare(lazy.logsumexp(given(x, chunks)), fnn.logsumexp(x))


# --- one parameter for each channel -----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("as_dask", [False, True])
def test_bias_activation(axis, chunks, as_dask):
    x, bias = given(X, chunks), DY[:, :, 0, 0].ravel()[: X.shape[axis]]
    given_bias = da.from_array(bias, chunks=2) if as_dask else bias
    options = {"activation": ("leaky_relu", 0.2), "axis": axis}
    compare(lazy.bias_activation(x, given_bias, **options), fnn.bias_activation(X, bias, **options))
    expected = fnn.bias_activation_backward(DY, X, bias, **options)
    compare(lazy.bias_activation_backward(DY, x, given_bias, **options), expected, absolute=30)
    with pytest.raises(ValueError, match=r"bias_activation: bias has shape \(3,\), expected"):
        lazy.bias_activation(x, np.ones(3), **options)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("alpha", [np.float32(0.3), np.full((1, 1), 0.3), np.linspace(-1, 1, 6).astype("f4")], ids=str)
def test_prelu(alpha, chunks):
    x = given(X, chunks)
    compare(lazy.prelu(x, alpha), fnn.prelu(X, alpha))
    compare(lazy.prelu_backward(given(DY, 2), x, alpha), fnn.prelu_backward(DY, X, alpha), ulps=1, absolute=30)
    with pytest.raises(ValueError, match=r"prelu: alpha has shape \(5,\)"):
        lazy.prelu(x, np.ones(5))


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
def test_rrelu_draws_the_slopes_of_the_whole_array(dtype, chunks):
    whole = (10 * X).astype(dtype)
    x = given(whole, chunks)
    (y, cache), (expected, known) = lazy.rrelu_forward(x, rng=3), fnn.rrelu_forward(whole, rng=3)
    compare(y, expected)
    compare(lazy.rrelu_backward(DY, cache), fnn.rrelu_backward(DY, known))
    compare(lazy.rrelu(x, training=True, rng=3), expected)
    compare(lazy.rrelu(x, 0.1, 0.5), fnn.rrelu(whole, 0.1, 0.5))
