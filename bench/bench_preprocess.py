"""Preprocessing against NumPy.

    pytest bench/bench_preprocess.py

"copy" is np.copyto of x on one thread, and is there to compare with.
"""

import numpy as np
import pytest
from selection import work_of

from fastnn import preprocess
from fastnn.benchmark import peers

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize("shape", [(64, 32, 32, 3), (32, 224, 224, 3), (1000, 28, 28, 1)], ids=str)
@pytest.mark.parametrize("layout", preprocess.images.LAYOUTS)
def test_to_float(measure, shape, layout):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    mean, std = MEAN[: shape[-1]], STD[: shape[-1]]
    column = (slice(None), None, None) if layout == "nchw->nchw" else ()
    if layout == "nchw->nchw":
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    out = preprocess.to_float(images, mean, std, layout=layout)

    def in_numpy():
        y = (images / 255 - mean[column]) / std[column]
        return np.ascontiguousarray(y.transpose(0, 3, 1, 2) if layout == "nhwc->nchw" else y, np.float32)

    np.testing.assert_array_equal(in_numpy(), out)
    calls = {"fastnn": lambda: preprocess.to_float(images, mean, std, layout=layout, out=out), "numpy": in_numpy}
    measure(work_of("preprocess", f"to_float {layout}", "float32", shape, 1.25), calls)


@pytest.mark.parametrize("shape", [(4096, 1024), (50_000, 784), (200, 20)], ids=str)
@pytest.mark.parametrize("step", ["fit", "transform", "inverse_transform"])
def test_standardizer(measure, shape, step):
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    standardizer, out = preprocess.Standardizer().fit(x), np.zeros_like(x)
    mean, scale = standardizer.mean_.astype("f4"), standardizer.scale_.astype("f4")
    calls = {
        "fit": {"fastnn": lambda: standardizer.fit(x), "numpy": lambda: (x.mean(0), x.std(0))},
        "transform": {
            "fastnn": lambda: standardizer.transform(x, out=out),
            "numpy": lambda: np.divide(np.subtract(x, mean, out=out), scale, out=out),
        },
        "inverse_transform": {
            "fastnn": lambda: standardizer.inverse_transform(x, out=out),
            "numpy": lambda: np.add(np.multiply(x, scale, out=out), mean, out=out),
        },
    }[step]
    work = work_of("preprocess", f"Standardizer.{step}", "float32", shape, 1 if step == "fit" else 2)
    if step != "fit":
        peers.check(calls, work, calls["numpy"]())
    measure(work, calls, {"copy": lambda: np.copyto(out, x)})
