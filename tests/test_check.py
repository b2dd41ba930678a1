"""The argument checks themselves."""

import numpy as np
import pytest

from fastnn._engine import check


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_real_array_keeps_floats_and_makes_them_native(dtype, order):
    array = check.real_array("f", "x", np.array([1.5, -2], order + dtype))
    assert array.dtype == np.dtype(dtype)
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, [1.5, -2])


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "i8"])
def test_real_array_computes_integers_in_float64(dtype):
    assert check.real_array("f", "x", np.ones(2, dtype)).dtype == np.float64


@pytest.mark.parametrize("value", ["text", 1j, None, np.array("2020", "M8[Y]"), np.ones(1, np.longdouble)])
def test_real_array_refuses_other_types(value):
    with pytest.raises(TypeError, match="f: x has dtype"):
        check.real_array("f", "x", value)


def test_integer_and_number_take_numpy_scalars():
    assert check.integer("f", "n", np.uint8(3)) == check.integer("f", "n", np.array(3)) == 3
    assert check.number("f", "a", np.float32(0.5)) == check.number("f", "a", np.array(0.5)) == 0.5
    for value in (True, np.True_, "3", None, 1j, [1]):
        with pytest.raises(TypeError, match="f: a is"):
            check.number("f", "a", value)
        with pytest.raises(TypeError, match="f: a is"):
            check.integer("f", "a", value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 1.001])
def test_number_out_of_range(value):
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        check.number("f", "a", value, 0, 1)


def test_axis_of():
    x = np.zeros((2, 3))
    assert [check.axis_of("f", axis, x) for axis in (0, 1, -1, -2)] == [0, 1, 1, 0]
    with pytest.raises(ValueError, match=r"axis is -3, expected -2 to 1 for x of shape \(2, 3\)"):
        check.axis_of("f", -3, x)
    with pytest.raises(ValueError, match="x is 0-d"):
        check.axis_of("f", 0, np.zeros(()))


def test_output_follows_ufunc_casting():
    x = np.empty(3, "f4")
    assert check.output("f", (x,), (3,), np.dtype("f8")) is x
    assert check.output("f", None, (3,), np.dtype("f8")).dtype == np.float64
    read_only = np.empty(3)
    read_only.flags.writeable = False
    for out, error in [
        (np.empty(3, "i4"), TypeError),
        (np.empty((3, 1)), ValueError),
        (read_only, ValueError),
        ((x, x), ValueError),
    ]:
        with pytest.raises(error, match="f: out"):
            check.output("f", out, (3,), np.dtype("f4"))


def test_overlap_is_exact_for_interleaved_views():
    x = np.empty(10)
    assert check.overlap(x[:6], x[5:])
    assert not check.overlap(x[::2], x[1::2])


def test_generator():
    draw = check.generator("f", 7).random()
    assert check.generator("f", np.int64(7)).random() == draw
    generator = np.random.default_rng(0)
    assert check.generator("f", generator) is generator
    assert isinstance(check.generator("f", None), np.random.Generator)
    for value in (True, "7", 7.0, np.random.RandomState(0)):
        with pytest.raises(TypeError, match="f: rng is"):
            check.generator("f", value)
