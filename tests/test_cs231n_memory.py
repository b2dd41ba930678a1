"""Memory of large arrays that is used again: never while anything can still see it."""

import pickle
import threading

import numpy as np
import pytest

from fastnn.compat.cs231n import _memory

SHAPE, SIZE = (300, 200), 300 * 200 * 8


@pytest.fixture(autouse=True)
def _nothing_held():
    _memory._FREE.clear()
    yield
    _memory._FREE.clear()


def address(array):
    return array.ctypes.data


def test_memory_is_used_again():
    first = _memory.empty(SHAPE, "f8")
    where = address(first)
    del first
    assert address(_memory.empty((200, 300), "f8")) == where


HOLDERS = {
    "itself": lambda a: a,
    "slice": lambda a: a[7:, ::3],
    "other dtype": lambda a: a.T.view("i8").view("f8"),
    "memoryview": memoryview,
    "frombuffer": np.frombuffer,
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS.keys())
def test_not_while_anything_holds_it(hold):
    first = _memory.empty(SHAPE, "f8")
    first.fill(1)
    held = hold(first)
    del first
    others = [_memory.empty(SHAPE, "f8") for _ in range(3)]
    for other in others:
        other.fill(2)
    np.testing.assert_array_equal(np.asarray(held), 1)
    assert len({address(array) for array in others}) == 3


@pytest.mark.parametrize("dtype", ["f4", "f8", np.float64])
def test_like_an_array_of_numpy(dtype):
    array = _memory.empty(SHAPE, dtype)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == (SHAPE, np.dtype(dtype))
    assert array.flags.carray
    assert address(array) % 64 == 0
    array.fill(3)
    for copy in (array.copy(), pickle.loads(pickle.dumps(array))):
        np.testing.assert_array_equal(copy, array)


def test_small_and_huge_arrays_are_numpys_own():
    for shape in ((4, 5), (0, 7), (1 << 12, 1 << 10)):
        array = _memory.empty(shape, "f8")
        assert array.shape == shape
        assert array.base is None
        del array
    assert not _memory._FREE


def test_what_waits_is_limited():
    arrays = [_memory.empty((1000, 1000), "f8") for _ in range(20)]
    del arrays
    held = sum(block.nbytes for blocks in _memory._FREE.values() for block in blocks)
    assert 40 << 20 < held <= 80 << 20


def test_threads_do_not_get_the_same_memory():
    wrong = []

    def work(number):
        for _ in range(300):
            array = _memory.empty(SHAPE, "f8")
            array.fill(number)
            if (array != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert SIZE in _memory._FREE


def test_products(rng):
    for shape in ((4, 5, 6), (300, 20, 200)):
        a, b = rng.standard_normal(shape[:2]), rng.standard_normal(shape[1:])
        np.testing.assert_allclose(_memory.product(a, b), a @ b, rtol=1e-13)
        assert _memory.product(a.astype("f4"), b.astype("f4")).dtype == "f4"
