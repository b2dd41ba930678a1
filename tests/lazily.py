"""What the tests of fastnn.compat.dask share: arrays, chunks, and the comparison with what NumPy arrays give."""

import dask.array as da
import numpy as np
from ulps import same_bits, ulp_error

X = np.random.default_rng(0).standard_normal((7, 6, 5, 4)).astype("f4")
DY = np.random.default_rng(1).standard_normal((7, 6, 5, 4)).astype("f4")
CHUNKS = [(3, 4, 2, 3), ((1, 5, 1), (6,), (4, 1), (1, 1, 2))]


class Counted:
    """A Dask array of x that counts how often a block of it is computed."""

    def __init__(self, x, chunks):
        self.count = 0
        self.array = da.from_array(x, chunks=chunks).map_blocks(self._block, dtype=x.dtype, meta=np.empty(0, x.dtype))

    def _block(self, block):
        self.count += 1
        return block


def given(x, chunks):
    return da.from_array(x, chunks=chunks)


def computed(result):
    """The result's parts, each having the dtype and shape it said it would have."""
    parts = result if isinstance(result, tuple) else (result,)
    found = []
    for part in parts:
        if part is None:
            found.append(None)
            continue
        assert isinstance(part, da.Array)
        value = np.asarray(part.compute(scheduler="synchronous"))
        assert value.dtype == part.dtype == part._meta.dtype
        assert value.shape == part.shape
        assert part.ndim == part._meta.ndim
        found.append(value)
    return found


def compare(result, expected, ulps=0.0, absolute=0.0):
    """`absolute` in eps of the dtype: for sums over the blocks, whose terms may cancel."""
    expected = expected if isinstance(expected, tuple) else (expected,)
    for ours, theirs in zip(computed(result), expected, strict=True):
        if theirs is None:
            assert ours is None
            continue
        theirs = np.asarray(theirs)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if ulps == absolute == 0.0:
            assert same_bits(ours, theirs)
            continue
        with np.errstate(invalid="ignore"):
            near = np.abs(ours.astype("f8") - theirs) <= absolute * np.finfo(ours.dtype).eps
        assert np.all(near | (ulp_error(ours, theirs) <= ulps))


def rechunked_for(x, axes):
    return x.rechunk(dict.fromkeys(axes, -1))
