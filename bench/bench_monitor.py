"""tensor_stats against one read of the array and against the NumPy and torch calls that give the same numbers.

    pytest bench/bench_monitor.py

"read" is np.max, one pass on one thread; "norm" is fnn.global_norm, one pass on all threads that does the least with
what it reads. The array "relu" is half zeros, which are counted in a second look at every chunk.
"""

import numpy as np
import pytest
from selection import work_of

import fastnn as fnn
from fastnn.benchmark.libraries import load

torch = load("torch")

ARRAYS = {"normal": lambda x: x, "relu": lambda x: np.maximum(x, 0)}


def numpy_calls(x):
    zero, tiny = x.dtype.type(0), np.finfo(x.dtype).tiny
    finite = np.isfinite(x)
    values = x[finite]
    return (
        values.mean(dtype=np.float64),
        values.std(dtype=np.float64),
        values.min(),
        values.max(),
        np.count_nonzero(x == zero),
        np.count_nonzero(np.isnan(x)),
        x.size - np.count_nonzero(finite),
        np.count_nonzero((x != zero) & (np.abs(x) < tiny)),
    )


def torch_calls(x):
    tensor = torch.from_numpy(x)
    tiny = torch.finfo(tensor.dtype).tiny

    def calls():
        small = torch.count_nonzero(tensor.abs() < tiny)
        unusual = torch.count_nonzero(tensor.isnan()), torch.count_nonzero(tensor.isinf())
        return torch.var_mean(tensor), torch.aminmax(tensor), torch.count_nonzero(tensor), small, unusual

    return {"torch": calls}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("n", [10_000, 1_000_000, 16_000_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensor_stats(measure, dtype, n, kind):
    x = ARRAYS[kind](np.random.default_rng(0).standard_normal(n, dtype))
    calls = {"fastnn": lambda: fnn.monitor.tensor_stats(x), "numpy": lambda: numpy_calls(x)}
    if torch is not None:
        calls |= torch_calls(x)
    ours = fnn.monitor.tensor_stats(x)
    found = (ours.mean, ours.std, ours.min, ours.max)
    np.testing.assert_allclose(found, numpy_calls(x)[:4], rtol=1e-6, atol=1e-7)
    yardsticks = {"read": lambda: np.max(x), "norm": lambda: fnn.global_norm(x)}
    measure(work_of("monitor", f"tensor_stats, {kind}", dtype, x.shape, 1), calls, yardsticks)
