"""to_float against the float64 formula, for every layout and stride of the images and of out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import run_python

import fastnn as fnn
from fastnn.preprocess import to_float
from fastnn.reference.preprocess import to_float as exact

LAYOUTS = ("nhwc->nchw", "nhwc->nhwc", "nchw->nchw")
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def images_for(layout, seed=0, n=2, h=7, w=9, c=3):
    shape = (n, h, w, c) if layout.startswith("nhwc") else (n, c, h, w)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@given(
    st.sampled_from(LAYOUTS),
    st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 40), st.integers(1, 5)),
    st.sampled_from(["f2", "f4", "f8"]),
    st.integers(0, 100),
)
def test_the_float64_formula_rounded_once(layout, shape, dtype, seed):
    n, h, w, c = shape
    images = images_for(layout, seed, n, h, w, c)
    mean, std = np.linspace(0.2, 0.6, c), np.linspace(0.3, 0.1, c)
    actual = to_float(images, mean, std, layout=layout, dtype=dtype)
    np.testing.assert_array_equal(actual, exact(images, mean, std, layout=layout).astype(dtype), strict=True)


def test_defaults():
    y = to_float(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1))
    assert y.shape == (1, 1, 16, 16)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.ravel(), (np.arange(256) / 255).astype("f4"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[:, ::2, ::-1],
        lambda a: a[::-1, ..., ::-1],
        lambda a: a[:, 1:5, 2:6],
        lambda a: a.copy("F"),
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: a.transpose(0, 2, 1, 3) if a.shape[-1] == 3 else a.transpose(0, 1, 3, 2),
    ],
)
def test_any_strides_of_the_images(layout, view):
    images = view(images_for(layout))
    before = images.copy()
    channels = images.shape[-1 if layout.startswith("nhwc") else 1]
    mean, std = MEAN[:channels], STD[:channels]
    actual = to_float(images, mean, std, layout=layout)
    np.testing.assert_array_equal(actual, exact(before, mean, std, layout=layout).astype("f4"))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_image_and_numbers_for_all_channels(layout):
    images = images_for(layout)
    expected = exact(images, 0.5, 0.25, layout=layout).astype("f4")
    np.testing.assert_array_equal(to_float(images[1], 0.5, 0.25, layout=layout), expected[1], strict=True)
    np.testing.assert_array_equal(to_float(images, [0.5], [0.25], layout=layout), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_out(layout):
    images = images_for(layout)
    expected = exact(images, MEAN, STD, layout=layout).astype("f4")
    wide = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), -7, "f4")
    outs = (
        np.empty_like(expected),
        expected.copy("F"),
        wide[..., ::2],
        np.empty(expected.shape),
        expected[::-1].copy(),
    )
    for out in outs:
        assert to_float(images, MEAN, STD, layout=layout, out=out) is out
        np.testing.assert_array_equal(out, expected)
    assert (wide[..., 1::2] == -7).all()
    assert to_float(images, MEAN, STD, layout=layout, out=(outs[0],)) is outs[0]


def test_out_may_overlap_the_images():
    memory = np.zeros((1, 8, 8, 4), "f4")
    images = memory.view(np.uint8).reshape(-1)[3 : 3 + 8 * 8 * 4].reshape(1, 8, 8, 4)
    images[...] = images_for("nhwc->nhwc", n=1, h=8, w=8, c=4)
    expected = exact(images, layout="nhwc->nhwc").astype("f4")
    np.testing.assert_array_equal(to_float(images, layout="nhwc->nhwc", out=memory), expected)


def test_nothing_beyond_the_images_is_read():
    """They end where the memory of the process does not go on."""
    code = (
        "import ctypes, mmap, numpy as np\n"
        "from fastnn.preprocess import to_float\n"
        "memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)\n"
        "first = np.frombuffer(memory, np.uint8)[:mmap.PAGESIZE]\n"
        "mprotect = ctypes.CDLL(None).mprotect\n"
        "mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n"
        "assert mprotect(first.ctypes.data + mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0\n"
        "for size in (1, 2, 5, 13):\n"
        "    images = first[-3 * size:].reshape(1, 1, size, 3)\n"
        "    assert (to_float(images) == 0).all() and (to_float(images[:, :, ::-1]) == 0).all()\n"
    )
    for jit_off in ("0", "1"):
        run_python(code, NUMBA_DISABLE_JIT=jit_off)


def test_threads_do_not_change_a_bit():
    images = images_for("nhwc->nchw", n=30, h=64, w=64)
    results = []
    for threads in (1, 2):
        with fnn.threads(threads):
            results.append(to_float(images, MEAN, STD))
    np.testing.assert_array_equal(*results)
    np.testing.assert_array_equal(results[0], exact(images, MEAN, STD).astype("f4"))


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (np.zeros((1, 2, 2, 3)), {}, TypeError, "images has dtype float64, expected uint8"),
        (np.zeros((2, 2), "u1"), {}, ValueError, r"images has shape \(2, 2\), expected 4 axes"),
        (np.zeros((1, 2, 2, 3), "u1"), {"mean": [0.5, 0.5]}, ValueError, r"mean has shape \(2,\), expected .*\(3,\)"),
        (np.zeros((1, 2, 2, 3), "u1"), {"std": [1, 0, 1]}, ValueError, "std is 0, expected numbers > 0"),
        (np.zeros((1, 2, 2, 3), "u1"), {"mean": np.nan}, ValueError, "mean has NaNs"),
        (np.zeros((1, 2, 2, 3), "u1"), {"layout": "chw"}, ValueError, "layout is 'chw', expected one of nhwc->nchw"),
        (np.zeros((1, 2, 2, 3), "u1"), {"dtype": "i4"}, TypeError, "dtype is int32"),
        (np.zeros((1, 2, 2, 3), "u1"), {"out": np.zeros((1, 2, 2, 3))}, ValueError, r"out has shape \(1, 2, 2, 3\)"),
        (np.zeros((1, 2, 2, 3), "u1"), {"out": np.zeros((1, 3, 2, 2), int)}, TypeError, "out has dtype int64"),
    ],
)
def test_errors(images, options, error, message):
    with pytest.raises(error, match=f"^to_float: {message}"):
        to_float(images, **options)
