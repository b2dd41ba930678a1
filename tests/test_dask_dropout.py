"""Dropout of Dask arrays: the mask of the NumPy array, whatever the chunks."""

import dask.array as da
import numpy as np
import pytest
from lazily import CHUNKS, DY, X, compare, given
from ulps import same_bits

import fastnn as fnn
from fastnn.compat import dask as lazy

DROPOUTS = [
    ("dropout", {}, 0.5),
    ("dropout", {}, 0.3),
    ("dropout", {}, 0.0),
    ("dropout", {}, 1.0),
    ("alpha_dropout", {}, 0.2),
    ("gaussian_dropout", {}, 0.4),
    ("spatial_dropout", {}, 0.5),
    ("spatial_dropout", {"axis": -1}, 0.5),
    ("spatial_dropout", {"axis": 0}, 0.5),
    ("drop_path", {}, 0.5),
]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("dtype", ["f2", "f4", "i8"])
@pytest.mark.parametrize(("name", "options", "p"), DROPOUTS, ids=str)
def test_dropout_draws_the_mask_of_the_whole_array(name, options, p, dtype, chunks):
    x, dy = (10 * X).astype(dtype), DY.astype(dtype if dtype != "i8" else "f8")
    y, cache = getattr(lazy, f"{name}_forward")(given(x, chunks), p, rng=5, **options)
    expected, known = getattr(fnn, f"{name}_forward")(x, p, rng=5, **options)
    assert cache == known
    # alpha dropout's offset is added in a step of its own
    compare(y, expected, **({"ulps": 1, "absolute": 8} if name == "alpha_dropout" else {}))
    compare(getattr(lazy, f"{name}_backward")(given(dy, 3), cache), getattr(fnn, f"{name}_backward")(dy, known))
    compare(lazy.dropout_mask(cache, chunks), fnn.dropout_mask(known))
    assert same_bits(lazy.dropout_mask(cache), fnn.dropout_mask(known))


@pytest.mark.parametrize("chunks", [(2000, 1), (1, 3000), (700, 999), (2000, 3000)], ids=str)
def test_dropout_of_large_blocks(chunks, monkeypatch):
    """Blocks whose elements lie apart, drawn in rows, groups of rows and as a whole."""
    from fastnn.compat.dask import _location

    monkeypatch.setattr(_location, "_MOST", 1 << 20)
    x = np.ones((2000, 3000), "f4")
    take = (slice(100, 1300), slice(7, None, 500)) if chunks == (2000, 1) else (slice(None), slice(None))
    y, _ = lazy.dropout_forward(da.ones((2000, 3000), chunks=chunks, dtype="f4"), 0.3, rng=1)
    assert same_bits(y[take].compute(), fnn.dropout_forward(x, 0.3, rng=1)[0][take])


def test_elements_far_into_an_array_larger_than_memory():
    """Element 2**33 of a mask, against the mask of its own row: one of (2**21, 4096)."""
    y, cache = lazy.dropout_forward(da.ones((1 << 22, 4096), chunks=(1 << 12, 1024), dtype="f4"), 0.5, rng=0)
    far = y[(1 << 21) + 5, 1000:1100].compute()
    near = y[5, 1000:1100].compute()
    assert set(far) == {0.0, 2.0}
    assert not same_bits(far, near)
    whole_row = lazy.dropout_mask(cache, (1 << 11, 4096))[(1 << 21) + 5].compute()
    assert same_bits(far, 2 * whole_row[1000:1100].astype("f4"))


def test_a_generator_moves_on_by_one_draw():
    ours, theirs = np.random.default_rng(0), np.random.default_rng(0)
    for _ in range(2):
        assert lazy.dropout_forward(given(X, 3), rng=ours)[1] == fnn.dropout_forward(X, rng=theirs)[1]
