"""Formulas run as plain Python: slow, and right, where there is no compiler.

The loops of a process with NUMBA_DISABLE_JIT=1, and the last resort for a kernel that does not compile.
"""

import ctypes

import numpy as np

_INTP = ctypes.POINTER(ctypes.c_ssize_t)


def _array(address: int, count: int, step: int, dtype) -> np.ndarray:
    """The `count` elements from an address on, `step` bytes apart, as a view."""
    itemsize = np.dtype(dtype).itemsize
    span = abs(step) * max(count - 1, 0) + itemsize
    low = address + min(0, step * (count - 1))
    memory = (ctypes.c_char * span).from_address(low)
    return np.ndarray((count,), dtype, memory, offset=address - low, strides=(step,))


def _apply(function, dtype, inputs, out) -> None:
    done = 0
    try:
        with np.errstate(all="ignore"):
            for i in range(len(out)):  # in order, and each read after the last write: accumulate relies on it
                out[i] = dtype(function(*[dtype(x[i]) for x in inputs]))
                done = i + 1
    finally:
        out[done:] = np.nan  # where a formula raised: ctypes prints the error and goes on
        # Any scalar operation clears the status flags, which a comparison with NaN has left, and NumPy would report.
        np.float64(1.0) + np.float64(1.0)


def python_loop(loop):
    """NumPy's inner loop of a `loops.Loop`, as a C callback."""

    @ctypes.CFUNCTYPE(None, _INTP, _INTP, _INTP, ctypes.c_void_p)
    def inner_loop(args, dims, steps, data):
        n, chars = dims[0], loop.types
        operands = [_array(args[k], n, steps[k], char) for k, char in enumerate(chars)]
        _apply(loop.formula.function, loop.dtype, operands[:-1], operands[-1])

    return inner_loop


def python_kernel(formula, dtype, of_arrays: bool):
    """A kernel (see `kernels`) as a C callback."""
    size = np.dtype(dtype).itemsize

    @ctypes.CFUNCTYPE(None, _INTP, ctypes.c_ssize_t)
    def kernel(pointers, n):
        def operand(k):
            varies = of_arrays or k < formula.arrays or k == formula.operands - 1
            return _array(pointers[k], n, size if varies else 0, dtype)

        operands = [operand(k) for k in range(formula.operands)]
        _apply(formula.function, dtype, operands[:-1], operands[-1])

    return kernel
