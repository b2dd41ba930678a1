"""NUMBA_DISABLE_JIT=1: every function works, as Python, and gives what the compiled one gives.

Where coverage is measured, this is what executes the bodies of kernels; tests of the families named `without_the_jit`
do the rest.
"""

from functools import partial
from unittest import mock

import numpy as np
import pytest
from calls import Calls, calls, result_arrays
from optim_objects import RULES
from processes import run_python

import fastnn as fnn
from fastnn.activations import _softmax_lines

_VALUES = [-100.0, -3.0, -1.25, -0.5, -0.0, 0.0, 1e-5, 0.5, 1.5, 6.0, 90.0, np.inf, -np.inf, np.nan]
_EXTRA = {"threshold": (0.5, 20.0), "prelu": (0.25,)}
#: Less than a vector and more than a block, the same again as columns; float16 is not for optimisers.
_SHAPES = [(4, 8), (3, 70)]
_NOT_OF_HALF = {*RULES, "global_norm"}


def _activations(dtype: str) -> Calls:
    """At the kinks, in the tails and beyond numbers."""
    x, found = np.array(_VALUES).astype(dtype), {}
    for name in fnn.activations.NAMES:
        if name != "rrelu":
            extra = _EXTRA.get(name, ())
            found[name] = partial(getattr(fnn, name), x, *extra)
            found[f"{name}_backward"] = partial(getattr(fnn, f"{name}_backward"), x[::-1], x, *extra)
    return found


def _variants(shape: tuple[int, int], dtype: str) -> Calls:
    """Options and axes that lead to other kernels than those of the plain calls."""
    rng = np.random.default_rng(1)
    x, dy = (rng.standard_normal((*shape, 3)).astype(dtype) for _ in range(2))
    y, log_y = fnn.softmax(x, 1), fnn.log_softmax(x, 1)
    labels, weight = rng.integers(shape[1], size=(shape[0], 3)), rng.uniform(0.5, 2, shape[1]).astype(dtype)
    labels[0, 0] = -1
    found: Calls = {
        "softmax": partial(fnn.softmax, x, 1),
        "softmax_backward": partial(fnn.softmax_backward, dy, y, 1),
        "log_softmax": partial(fnn.log_softmax, x, 1),
        "log_softmax_backward": partial(fnn.log_softmax_backward, dy, log_y, 1),
        "logsumexp": partial(fnn.logsumexp, x, (0, 2), keepdims=True),
        "glu": partial(fnn.glu, x[:, :2], 1, "gelu"),
        "glu_backward": partial(fnn.glu_backward, dy[:, :1], x[:, :2], 1, "gelu"),
        "multiclass_hinge": partial(fnn.multiclass_hinge, x, abs(labels), axis=1, reduction="none"),
    }
    for loss, given in (("softmax_cross_entropy", x), ("nll_loss", log_y)):
        f = partial(getattr(fnn, loss), given, axis=1)
        found |= {
            f"{loss} weighted": partial(f, labels, weight=weight, ignore_index=-1),
            f"{loss} smoothed": partial(f, labels, weight=weight, ignore_index=-1, label_smoothing=0.1),
            f"{loss} of probabilities": partial(f, y, weight=weight, reduction="sum"),
            f"{loss} alone": partial(f, abs(labels), reduction="none", return_grad=False),
        }
    return found


def _evaluated(kind: str, dtype: str, named: Calls) -> dict[str, np.ndarray]:
    return {
        f"{dtype} {kind} {name} {k}": array
        for name, call in named.items()
        if dtype != "e" or name not in _NOT_OF_HALF
        for k, array in enumerate(result_arrays(call()))
    }


def every_result() -> dict[str, np.ndarray]:
    """{call: each array of its result}."""
    found = {}
    for dtype in "efd":
        found |= _evaluated("values", dtype, _activations(dtype))
        for shape in _SHAPES:
            found |= _evaluated(f"plain {shape}", dtype, calls(*shape, dtype))
            found |= _evaluated(f"variant {shape}", dtype, _variants(shape, dtype))
        with mock.patch.multiple(_softmax_lines, _ROW=(40, 32), _COLUMN=(40, 32)):  # lines are cut, as long ones are
            rows = {name: call for name, call in calls(2, 70, dtype).items() if "softmax" in name}
            found |= _evaluated("rows in blocks", dtype, rows)
            found |= _evaluated("columns in blocks", dtype, _variants((2, 70), dtype))
    return found


def save(path: str) -> None:
    """What the other process does."""
    with np.errstate(all="ignore"):
        np.savez(path, **every_result())


def test_same_results_as_compiled(tmp_path):
    results = []
    for disable in ("0", "1"):
        path = str(tmp_path / f"{disable}.npz")
        run_python(f"from test_jit_off import save; save({path!r})", timeout=900, NUMBA_DISABLE_JIT=disable)
        with np.load(path) as data:
            results.append(dict(data))
    compiled, interpreted = results
    assert set(compiled) == set(interpreted)
    assert len(compiled) > 1000
    for name, expected in compiled.items():
        _assert_close(interpreted[name], expected, name)


def _assert_close(actual, expected, name):
    """The interpreter's float32 fma rounds twice now and then; sums and products of a whole call do so many times."""
    assert actual.dtype == expected.dtype
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected, err_msg=name)
        return
    eps, tiny = np.finfo(expected.dtype).eps, np.finfo(expected.dtype).tiny
    finite = expected[np.isfinite(expected)].astype("f8")
    scale = 0.0 if " values " in name else np.abs(finite).max(initial=0)
    np.testing.assert_allclose(actual, expected, rtol=4 * eps, atol=float(tiny) + 8 * eps * scale, err_msg=name)


@pytest.mark.parametrize("disable", ["0", "1"])
def test_the_rest_works(disable):
    run_python(
        "import numpy as np, fastnn as fnn\n"
        "assert isinstance(fnn.relu, np.ufunc)\n"
        "x = np.arange(-7.0, 7)\n"
        "assert fnn.relu(x[::2], out=np.empty(7, np.float32), casting='same_kind').dtype == np.float32\n"
        "y, cache = fnn.batch_norm_forward(np.arange(12.0).reshape(4, 3), None, None, activation='relu')\n"
        "dx = fnn.batch_norm_backward(y, cache)[0]\n"
        "assert abs(y.mean(0) - 0.447213595).max() < 1e-6 and abs(dx.sum(0)).max() < 1e-12\n"
        "assert fnn.elementwise(lambda x: 2 * x, name='twice')(np.float32(3)) == 6\n"
        "assert fnn.vmath.exp(0.0) == 1\n"
        "with fnn.threads(1): assert not fnn.relu(np.full(100_000, -1.0)).any()\n",
        NUMBA_DISABLE_JIT=disable,
    )
