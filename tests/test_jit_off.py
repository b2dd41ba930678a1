"""NUMBA_DISABLE_JIT=1: every function works, as Python, and gives what the compiled one gives."""

import numpy as np
import pytest
from processes import run_python

_VALUES = [-100.0, -3.0, -1.25, -0.5, -0.0, 0.0, 1e-5, 0.5, 1.5, 6.0, 90.0, np.inf, -np.inf, np.nan]
_CODE = """
import sys, numpy as np, fastnn as fnn
x = np.array(VALUES)
out = {}
for name in fnn.activations.NAMES:
    if name == "rrelu":
        continue
    extra = {"threshold": (0.5, 20.0), "prelu": (0.25,)}.get(name, ())
    for dtype in "efd":
        z = x.astype(dtype)
        out[f"{name} {dtype}"] = getattr(fnn, name)(z, *extra)
        out[f"{name}_backward {dtype}"] = np.asarray(getattr(fnn, name + "_backward")(z[::-1], z, *extra)[0]
            if name == "prelu" else getattr(fnn, name + "_backward")(z[::-1], z, *extra))
assert isinstance(fnn.relu, np.ufunc)
assert fnn.relu(x[::2], out=np.empty(7, np.float32), casting="same_kind").dtype == np.float32
np.savez(PATH, **out)
"""


@pytest.mark.filterwarnings("ignore:invalid value")
def test_same_results_as_compiled(tmp_path):
    results = []
    for disable in ("0", "1"):
        path = str(tmp_path / f"{disable}.npz")
        code = _CODE.replace("VALUES", repr(_VALUES).replace("inf", "np.inf").replace("nan", "np.nan"))
        run_python(code.replace("PATH", repr(path)), NUMBA_DISABLE_JIT=disable)
        with np.load(path) as data:
            results.append({name: data[name] for name in data.files})
    compiled, interpreted = results
    assert set(compiled) == set(interpreted)
    assert len(compiled) > 100
    for name, expected in compiled.items():
        actual = interpreted[name]
        assert actual.dtype == expected.dtype == np.dtype(name[-1])
        eps = np.finfo(expected.dtype).eps  # the interpreter's float32 fma rounds twice now and then
        np.testing.assert_allclose(
            actual, expected, rtol=4 * eps, atol=float(np.finfo(expected.dtype).tiny), err_msg=name
        )


def test_the_rest_works():
    run_python(
        "import numpy as np, fastnn as fnn\n"
        "y, cache = fnn.batch_norm_forward(np.arange(12.0).reshape(4, 3), None, None, activation='relu')\n"
        "fnn.batch_norm_backward(y, cache)\n"
        "assert fnn.elementwise(lambda x: 2 * x, name='twice')(np.float32(3)) == 6\n"
        "assert fnn.vmath.exp(0.0) == 1\n"
        "with fnn.threads(1): fnn.relu(np.zeros(100_000))\n",
        NUMBA_DISABLE_JIT="1",
    )
