"""The first use of fastnn by the compilation of a loop that names it: numba holds its lock then, and waits for us."""

import pytest
from processes import run_python

_VMATH = """
import numba, numpy as np, fastnn as fnn

@numba.njit
def loop(x, out):
    for i in range(x.size):
        out[i] = fnn.vmath.exp(x[i])

out = np.empty(3)
loop(np.zeros(3), out)
assert out.tolist() == [1, 1, 1]
"""
_ACTIVATION = """
import numba, numpy as np, fastnn as fnn

@numba.njit
def loop(x):
    return fnn.relu(x)

try:
    loop(1.0)
except numba.TypingError:
    print("refused")
assert fnn.relu(np.array([-1.0, 2.0])).tolist() == [0, 2]
"""


@pytest.mark.parametrize("cache", ["empty", "filled"])
@pytest.mark.parametrize(("code", "output"), [(_VMATH, ""), (_ACTIVATION, "refused\n")], ids=["vmath", "activation"])
def test_first_use_while_numba_compiles(code, output, cache, tmp_path):
    for _ in range(1 if cache == "empty" else 2):
        done = run_python(code, timeout=120, FASTNN_CACHE_DIR=str(tmp_path / "cache"))
        assert done.stdout == output
