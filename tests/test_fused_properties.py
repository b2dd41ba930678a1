"""What holds for every function of several arrays: right, the same bits whatever the threads, inputs left alone."""

import numpy as np
import pytest
from fused_cases import FUSED, results

import fastnn as fnn
from fastnn import reference

DTYPES = [np.float32, np.float64]


def _rows():
    return [pytest.param(fused, shape, id=f"{fused.name}-{shape}") for fused in FUSED.values() for shape in fused.small]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fused", "shape"), _rows())
def test_equals_the_reference(fused, shape, dtype):
    if not fused.has_reference:
        pytest.skip("random: compared with the reference's bits in the tests of its family")
    arrays, given = fused.prepared(fnn, np.random.default_rng(0), shape, dtype)
    kept = {name: array.copy() for name, array in arrays.items()}
    actual = results(fused.call(fnn, given))
    expected = results(fused.call(reference, arrays | fused.prepare(reference, arrays)))
    assert len(actual) == len(expected) > 0
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == dtype
        assert a.shape == e.shape
        scale = max(1.0, float(np.max(np.abs(e), initial=0)))
        assert np.max(np.abs(a - e), initial=0) <= fused.ulps * np.finfo(dtype).eps * scale
    for name, array in arrays.items():
        assert np.array_equal(array, kept[name]), f"{name} was written to"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fused", FUSED.values(), ids=lambda fused: fused.name)
def test_same_bits_for_any_number_of_threads(fused, dtype):
    shape = {4: (4, 12, 40, 60), 2: (700, 130), 1: (200_001,)}[len(fused.shapes[0])]
    found = []
    for threads in (1, 2, 2):
        with fnn.threads(threads):
            _, given = fused.prepared(fnn, np.random.default_rng(1), shape, dtype)
            found.append([a.tobytes() for a in results(fused.call(fnn, given))])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("fused", FUSED.values(), ids=lambda fused: fused.name)
def test_same_bits_for_any_alignment(fused):
    shape = {4: (2, 3, 20, 30), 2: (30, 130), 1: (5_001,)}[len(fused.shapes[0])]
    arrays = fused.make(np.random.default_rng(2), shape, np.float32)
    shifted = {}
    for name, array in arrays.items():
        memory = np.empty(array.nbytes + 64, np.uint8)
        view = memory[4 : 4 + array.nbytes].view(array.dtype) if array.dtype == np.float32 else array.copy()
        shifted[name] = view.reshape(array.shape)
        shifted[name][...] = array
    a, b = (results(fused.call(fnn, group | fused.prepare(fnn, group))) for group in (arrays, shifted))
    assert [v.tobytes() for v in a] == [v.tobytes() for v in b]
