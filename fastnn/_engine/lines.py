"""Work along one axis of a contiguous array: reduce each line, then do something to each of its elements.

Along the last axis lines are rows; along another they are columns, and nothing has to be transposed. Lines are done in
groups, so that what is computed once a line, a logarithm, say, is computed for LANES of them at a time, and each step's
work for one does not wait for that for another. A group is some rows, as many as stay in L1 and LANES at most, or a
panel of neighbouring columns, up to STRIPS vectors wide, which is passed over in the order of memory.

A kernel is a function `group(context, at, place, part, slots)`, written once for both by means of a `Layout`, that
returns a float64. `at` = (start, stride, steps, count): `count` rows of `steps` elements, `stride` being 0, or as many
columns of `steps` elements `stride` apart. `place` is the number of the first line. Long lines may be cut into blocks,
done one by one; `part` numbers those, as if each were a line. `slots` has a place for values of every line of a group.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .fused import Kernel, launch
from .geometry import around
from .line_passes import COLUMNS, ROWS, SLOTS, STRIPS, Layout
from .primitives import to_f64
from .vectors import LANES, Stack, put_real, word

#: Words of the context: lines (panels of columns, blocks of cut lines) in all and a chunk; elements along the axis, of
#: a block and after the axis; lines (vectors of columns) a group; an array for the sum of each chunk's results or 0;
#: then a kernel's own.
LINES, PER_CHUNK, LENGTH, _BLOCK, INNER, _GROUP, SUMS, OWN = range(1, 9)

_SLOTS = Stack(SLOTS)


def _over_rows(group: Callable) -> Callable:
    def job(context, index):
        length, block, sums = word(context, LENGTH), word(context, _BLOCK), word(context, SUMS)
        begin, together = index * word(context, PER_CHUNK), word(context, _GROUP)
        end = min(begin + word(context, PER_CHUNK), word(context, LINES))
        slots, s = _SLOTS(), to_f64(0.0)
        if block == length:
            for row in range(begin, end, together):
                s += group(context, (row * length, 0, length, min(together, end - row)), row, row, slots)
        else:
            blocks = (length + block - 1) // block
            for part in range(begin, end):
                row, first = part // blocks, part % blocks * block
                s += group(context, (row * length + first, 0, min(block, length - first), 1), row, part, slots)
        if sums:
            put_real(sums, index, s)
        return 0

    return job


def _over_columns(group: Callable) -> Callable:
    def job(context, index):
        length, block, inner = word(context, LENGTH), word(context, _BLOCK), word(context, INNER)
        width, sums, begin = word(context, _GROUP) * LANES, word(context, SUMS), index * word(context, PER_CHUNK)
        blocks, panels = (length + block - 1) // block, (inner + width - 1) // width
        slots, s = _SLOTS(), to_f64(0.0)
        for number in range(begin, min(begin + word(context, PER_CHUNK), word(context, LINES))):
            column, cut, outer = number % panels * width, number // panels % blocks, number // panels // blocks
            start, steps = (outer * length + cut * block) * inner + column, min(block, length - cut * block)
            place, part = outer * inner + column, (outer * blocks + cut) * inner + column
            s += group(context, (start, inner, steps, min(width, inner - column)), place, part, slots)
        if sums:
            put_real(sums, index, s)
        return 0

    return job


#: ns of work that make a chunk, as far as lines go: a launch shares out 8 chunks or more where that pays.
_CHUNK_NS = 5000.0
#: Elements up to which a call is over before a second core could help, and Python's own time counts.
_SMALL = 2048
#: Elements that the rows of a group have together, at most.
_GROUPED = 1536


def _rows_together(length: int) -> int:
    return max(1, min(LANES, _GROUPED // length))


class LineKernel:
    """A kernel over rows and over columns, made by `make(layout)`; `element` and `line` are ns for one of each."""

    def __init__(self, name: str, make: Callable[[Layout], Callable], *, element: float, line: float):
        self.rows = Kernel(f"{name}_rows", _over_rows(make(ROWS)))
        self.columns = Kernel(f"{name}_columns", _over_columns(make(COLUMNS)))
        self.element, self.line = element, line
        self._small: dict[np.dtype, Any] = {}

    def small(self, x: Any, axis: int) -> tuple | None:
        """The first arguments of `launch`, SUMS being the next, if x is a small array of rows as kernels want them.

        Of 10 elements all the rest of a call takes half a microsecond.
        """
        if type(x) is not np.ndarray or type(axis) is not int:
            return None
        shape, size = x.shape, x.size
        if not 0 < size <= _SMALL or not shape or (axis != -1 and axis != len(shape) - 1) or not x.flags.carray:
            return None
        job = self._small.get(x.dtype)
        if job is None:
            if not x.dtype.isnative or x.dtype.char not in "efd":
                return None
            job = self._small[x.dtype] = self.rows[x.dtype.char]
        length = shape[-1]
        lines = size // length
        return (
            job,
            1,
            0,
            lines,
            lines,
            length,
            length,
            1,
            LANES if length * LANES <= _GROUPED else _rows_together(length),
        )

    def __call__(self, x: np.ndarray, axis: int, *arguments: Any, block: int = 0) -> None:
        """Run it over the lines of x, C-contiguous and not empty, along axis >= 0, cut into blocks unless that is 0."""
        kernel, lines, chunk, work, cut = self._plan(x, axis, block)
        launch(kernel[x.dtype.char], -(-lines // chunk), work, lines, chunk, *cut, None, *arguments)

    def summed(self, x: np.ndarray, axis: int, *arguments: Any) -> tuple[int, float]:
        """The same over whole lines: (the status, the sum of all that `group` returned)."""
        kernel, lines, chunk, work, cut = self._plan(x, axis, 0)
        sums = np.empty(-(-lines // chunk))
        status = launch(kernel[x.dtype.char], sums.size, work, lines, chunk, *cut, sums, *arguments)
        return status, sums.item() if sums.size == 1 else sum(sums.tolist())

    def _plan(self, x: np.ndarray, axis: int, block: int) -> tuple[Kernel, int, int, int, tuple[int, ...]]:
        """(kernel, lines or panels or blocks of them, as many of a chunk, ns in all, the words from LENGTH to SUMS)."""
        shape = x.shape
        length = shape[axis]
        blocks = -(-length // block) if block else 1
        block = block or length
        outer, _, inner = around(shape, axis)
        if inner == 1:
            kernel, lines, group = self.rows, outer * blocks, _rows_together(length)
            cost, least = block * self.element + self.line, group
        else:
            group = _panel(outer * blocks, inner)
            kernel, lines, least = self.columns, outer * blocks * -(-inner // (group * LANES)), 1
            cost = group * LANES * (block * self.element + self.line / LANES)
        chunk = max(least, min(lines, int(_CHUNK_NS / cost) // least * least))
        return kernel, lines, chunk, int(lines * cost), (length, block, inner, group)


def _panel(others: int, inner: int) -> int:
    """Vectors that make a panel's width, when there are `others` lines of panels."""
    strips = -(-inner // LANES)
    return min(STRIPS, strips, max(STRIPS // 4, strips * others // 8))
