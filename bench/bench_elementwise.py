"""A user's formula against plain NumPy, numba.vectorize, and the same function built into fastnn.

    pytest bench/bench_elementwise.py

"general" is the call with a parameter given, "in place" that with out=x, "built in" the function that fastnn has.
"""

import numba
import numpy as np
import pytest
from selection import work_of

import fastnn as fnn
from fastnn import vmath
from fastnn.benchmark import peers


@fnn.elementwise
def snake(x, a=1.0):
    s = vmath.sin(a * x)
    return x + s * s / a


@fnn.elementwise
def swish(x):
    return x * vmath.sigmoid(x)


def numpy_snake(x):
    return x + np.sin(x) ** 2


def numpy_swish(x):
    return x / (1 + np.exp(-x))


@numba.vectorize
def numba_snake(x):
    s = np.sin(x)
    return x + s * s


@numba.vectorize
def numba_swish(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("n", [1_000, 100_000, 1_000_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["snake", "swish"])
def test_elementwise(measure, name, dtype, n):
    x = np.random.default_rng(0).standard_normal(n).astype(dtype)
    y, own = np.empty_like(x), {"snake": snake, "swish": swish}[name]
    written_over = x.copy()
    calls = {
        "fastnn": lambda: own(x, out=y),
        "numpy": lambda: globals()[f"numpy_{name}"](x),
        "numba": lambda: globals()[f"numba_{name}"](x, y),
    }
    yardsticks = {"in place": lambda: own(written_over, out=written_over)}
    yardsticks |= {"general": lambda: snake(x, 0.5, y)} if name == "snake" else {"built in": lambda: fnn.silu(x, out=y)}
    work = work_of("elementwise", name, dtype, x.shape, 2)
    peers.check(calls, work, calls["numpy"]())
    measure(work, calls, yardsticks)
