"""Work along one axis of a contiguous array: reduce a line, then do something to each of its elements.

Along the last axis a line is a row, whose vectors lie one after the other. Along another axis it is a strip of LANES
neighbouring columns, each lane a column of its own, and nothing has to be transposed. Both are `steps` vectors of
`count` lanes that begin `stride` elements apart; only a row may end in a vector of fewer lanes, its `rest`.

A kernel is written once, for a `Layout`, as a function `line(context, at, place, part)` that returns a float64:
`at` = (start, stride, steps, count, rest), `place` the number of the line (of a strip's first column). Long lines may
be cut into blocks, each then done by itself: `part` numbers the blocks of all lines, and is `place` where there is one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .fused import Kernel, launch
from .geometry import CHUNK, around, rows_per_chunk
from .pairs import Double
from .primitives import to_f64
from .vectors import LANES, Lanewise, any_lane, double, largest, put_real, splat, stored, total, wide, word, working

#: Words of the context: what is done in all and in a chunk, elements along the axis, in a block and after the axis, an
#: array for the sum of each chunk's results or 0; then a kernel's own.
_LINES, _PER_CHUNK, LENGTH, _BLOCK, _INNER, _SUMS, OWN = 1, 2, 3, 4, 5, 6, 7


class Layout(NamedTuple):
    """What a kernel does with the values of a line: one number for a row, a vector for a strip of columns."""

    largest: Callable  #: of a line, from the largest of each lane
    total: Callable  #: of a line, from the sum of each lane
    any: Callable  #: whether a condition holds for a line
    spread: Callable  #: a line's value as a vector
    wide: Callable  #: a line's value as float64
    rounded: Callable  #: a line's float64 value in the working dtype
    of_line: Callable  #: a formula of values of a line
    of_line_double: Callable  #: the same in float64
    read: Callable  #: (base, place, count) of a float64 array with an element a line
    write: Callable  #: (base, place, value, count) the same
    put: Callable  #: (base, place, value, count) of an array of the caller's dtype


def _same(value):
    return value


def _number(value):
    return working.number(value)


def _narrowed(vector):
    return working.narrowed(vector)


def _read_row(base, place, count):
    return double.get(base, place)


def _read_columns(base, place, count):
    return double.load_part(base, place, count)


def _write_row(base, place, value, count):
    double.put(base, place, value)


def _write_columns(base, place, value, count):
    double.store_part(base, place, value, count)


def _put_row(base, place, value, count):
    stored.put(base, place, value)


def _put_columns(base, place, value, count):
    stored.store_part(base, place, value, count)


ROWS = Layout(
    largest, total, _same, splat, to_f64, _number, _same, Double, _read_row, _write_row, _put_row
)  # fmt: skip
COLUMNS = Layout(
    _same, _same, any_lane, _same, wide, _narrowed, Lanewise, Lanewise, _read_columns, _write_columns, _put_columns
)


def _over_rows(line: Callable) -> Callable:
    def job(context, index):
        length, block, sums = word(context, LENGTH), word(context, _BLOCK), word(context, _SUMS)
        begin = index * word(context, _PER_CHUNK)
        blocks = (length + block - 1) // block
        row, cut = begin // blocks, begin % blocks
        s = to_f64(0.0)
        for part in range(begin, min(begin + word(context, _PER_CHUNK), word(context, _LINES))):
            size = min(block, length - cut * block)
            s += line(context, (row * length + cut * block, LANES, size // LANES, LANES, size % LANES), row, part)
            cut += 1
            if cut == blocks:
                cut, row = 0, row + 1
        if sums:
            put_real(sums, index, s)
        return 0

    return job


def _over_columns(line: Callable) -> Callable:
    def job(context, index):
        length, block, inner = word(context, LENGTH), word(context, _BLOCK), word(context, _INNER)
        sums, begin = word(context, _SUMS), index * word(context, _PER_CHUNK)
        blocks, strips = (length + block - 1) // block, (inner + LANES - 1) // LANES
        strip, cut, outer = begin % strips, begin // strips % blocks, begin // strips // blocks
        s = to_f64(0.0)
        for _ in range(begin, min(begin + word(context, _PER_CHUNK), word(context, _LINES))):
            column = strip * LANES
            start, steps = (outer * length + cut * block) * inner + column, min(block, length - cut * block)
            place, part, count = outer * inner + column, (outer * blocks + cut) * inner + column, inner - column
            if count >= LANES:
                s += line(context, (start, inner, steps, LANES, 0), place, part)
            else:
                s += line(context, (start, inner, steps, count, 0), place, part)
            strip += 1
            if strip == strips:
                strip, cut = 0, cut + 1
                if cut == blocks:
                    cut, outer = 0, outer + 1
        if sums:
            put_real(sums, index, s)
        return 0

    return job


def one_chunk(x: np.ndarray) -> tuple:
    """The first words of a context: all rows of x in one chunk."""
    length = x.shape[-1]
    lines = x.size // length
    return lines, lines, length, length, 1, None


class LineKernel:
    """A kernel over rows and over columns, made by `make(layout)`; `element` and `line` are ns for one of each."""

    def __init__(self, name: str, make: Callable[[Layout], Callable], *, element: float, line: float):
        self.rows = Kernel(f"{name}_rows", _over_rows(make(ROWS)))
        self.columns = Kernel(f"{name}_columns", _over_columns(make(COLUMNS)))
        self.element, self.line = element, line
        self._small: dict[np.dtype, Any] = {}

    def small(self, x: Any, axis: int) -> Any:
        """The job for `launch(job, 1, 0, *one_chunk(x), ...)` if x is a small array of rows as kernels want them.

        Python's own time counts here: of 10 elements the rest of a call takes half a microsecond.
        """
        if type(x) is not np.ndarray or type(axis) is not int or not 0 < x.size <= CHUNK or not x.flags.carray:
            return None
        if axis not in (-1, x.ndim - 1):
            return None
        job = self._small.get(x.dtype)
        if job is None and x.dtype.isnative and x.dtype.char in "efd":
            job = self._small[x.dtype] = self.rows[x.dtype.char]
        return job

    def __call__(self, x: np.ndarray, axis: int, *arguments: Any, block: int = 0) -> None:
        """Run it over the lines of x, C-contiguous and not empty, along axis >= 0, cut into blocks unless that is 0."""
        kernel, lines, elements, length, inner = self._geometry(x, axis, block)
        chunk = rows_per_chunk(lines, elements)
        work = int(lines * (elements * self.element + self.line))
        cut = lines, chunk, length, block or length, inner
        launch(kernel[x.dtype.char], -(-lines // chunk), work, *cut, None, *arguments)

    def summed(self, x: np.ndarray, axis: int, *arguments: Any) -> tuple[int, float]:
        """The same over whole lines: (the status, the sum of all that `line` returned)."""
        kernel, lines, elements, length, inner = self._geometry(x, axis, 0)
        chunk = rows_per_chunk(lines, elements)
        work = int(lines * (elements * self.element + self.line))
        sums = np.empty(-(-lines // chunk))
        cut = lines, chunk, length, length, inner
        status = launch(kernel[x.dtype.char], sums.size, work, *cut, sums, *arguments)
        return status, sums.item() if sums.size == 1 else sum(sums.tolist())

    def _geometry(self, x: np.ndarray, axis: int, block: int) -> tuple[Kernel, int, int, int, int]:
        """(the kernel, lines or blocks of lines, elements in one of those, elements along the axis, and after it)."""
        shape = x.shape
        length = shape[axis]
        blocks = -(-length // block) if block else 1
        if axis == len(shape) - 1:
            return self.rows, x.size // length * blocks, block or length, length, 1
        outer, _, inner = around(shape, axis)
        return self.columns, outer * blocks * -(-inner // LANES), (block or length) * LANES, length, inner
