"""`locate(parameters, gradients, table, width)`: where the gradients of a whole model are, in one call, compiled.

Both are lists of arrays. Where every gradient is a plain array as its parameter is (dtype, shape, order, alignment),
and the parameter is where its row says (0: anywhere), their addresses go into the table, a row of `width` words a
parameter, and the result is -1. Otherwise it is the index of the first that is not, and the caller looks at them one by
one. 2,000 gradients take about 20 us; reading their `array.ctypes.data` takes 1,700.
"""

from . import launch_layout as L
from .memory import call1, load, store


def common_size(a, b):
    """The size of two arrays of one shape, else -1."""
    count, size = load(a, L.NDIM) & L.LOW_HALF, 1
    if count != load(b, L.NDIM) & L.LOW_HALF:
        return -1
    for k in range(count):
        length = load(load(a, L.SHAPE), k)
        if length != load(load(b, L.SHAPE), k):
            return -1
        size *= length
    return size


def fits(row, parameter, gradient, array_type):
    """Whether a gradient can be taken as it is, and the parameter is still where it was."""
    if load(gradient, L.TYPE) != array_type or load(gradient, L.DTYPE) != load(parameter, L.DTYPE):
        return False
    needed = load(row, L.NEEDED)
    if load(gradient, L.FLAGS) & (needed & L.LOW_HALF) != needed & L.LOW_HALF:
        return False
    if load(parameter, L.FLAGS) & (needed >> 32) != needed >> 32:
        return False
    if load(row, L.PARAMETER) and load(parameter, L.DATA) != load(row, L.PARAMETER):
        return False
    return common_size(parameter, gradient) == load(row, L.SIZE)


def locate(self, arguments, count):
    """Python calls this: PyObject *(PyObject *self, PyObject *const *arguments, Py_ssize_t count)."""
    words = load(self, L.HEADER)  # self is an array
    if count != 4:
        call1(load(words, L.BAD_ARGUMENT), 0)
        return 0
    parameters, gradients = load(arguments, 0), load(arguments, 1)
    table, width = load(load(arguments, 2), L.DATA), call1(load(words, L.AS_INTEGER), load(arguments, 3))
    length, result = load(parameters, L.LENGTH), -1
    if load(gradients, L.LENGTH) != length:
        result = 0
        length = 0
    for k in range(length):
        parameter, gradient = load(load(parameters, L.ITEMS), k), load(load(gradients, L.ITEMS), k)
        row = table + 8 * width * k
        if not fits(row, parameter, gradient, load(words, L.ARRAY_TYPE)):
            result = k
            break
        store(row, L.GRADIENT, load(gradient, L.DATA))
    return call1(load(words, L.FROM_INTEGER), result)
