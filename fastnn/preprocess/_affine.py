"""Centre and scale in one pass: the second half of batch norm, with numbers of one's own."""

import numpy as np

from .._engine.fused import Kernel, launch
from .._engine.geometry import LARGE, rows_per_chunk
from .._engine.primitives import fma
from .._engine.ufuncs import IDENTITY
from .._engine.vectors import LANES, fence, stored, word, working
from ..normalization import _arrays
from ..normalization._runs import to_line
from ..normalization._statistics import MEAN, REST, RSTD, from_moments
from ..normalization.batch import planned

# Words of the context. NUMBERS are of the dtype computed in, for each column: mean, its rest, factor, shift.
X, Y, NUMBERS, ROWS, COLUMNS, TOGETHER = 1, 2, 3, 4, 5, 6

#: Columns from which on rows are long enough to be streamed one by one.
_LONG = 8 * LANES

#: ns a value takes on one core.
_WORK = 0.2


def affine(
    x: np.ndarray,
    out: np.ndarray | None,
    axis: int,
    *,
    mean: np.ndarray | None = None,
    factor: np.ndarray | None = None,
    shift: np.ndarray | None = None,
) -> np.ndarray:
    """``(x - mean) * factor + shift`` with one of each, in float64, for every index of `axis`.

    Computed in x's dtype (float32 for float16), where a large mean takes nothing from x - mean. `out`, of any layout,
    may be x or overlap it.
    """
    count = x.shape[axis]
    statistics = from_moments(np.zeros(count) if mean is None else mean, np.ones(count), 0.0, x.dtype)
    if factor is not None:
        statistics[RSTD] = factor
    laid, plan = planned(x, axis)
    y = _arrays.result_for(out, laid, laid.array)
    with np.errstate(all="ignore"):
        if y.nbytes >= LARGE and count >= _LONG and y.ndim == 2 and axis == 1 and laid.order is None:
            _stream(laid.array, y, statistics, shift)
        else:
            plan.apply(laid.array, y, None, _arrays.working(shift, x), statistics, IDENTITY)
        return _arrays.returned(y, out, laid)


# --- large matrices, by columns --------------------------------------------------------------------------------------
# Batch norm writes past the caches only where every row begins with a line, which NumPy's own arrays do not.


def _of_columns(context, start, column, count):
    """The result for `count` columns of the row that begins at `start`."""
    numbers, columns = word(context, NUMBERS), word(context, COLUMNS)
    mean = working.load_part(numbers, column, count)
    rest = working.load_part(numbers, columns + column, count)
    factor = working.load_part(numbers, 2 * columns + column, count)
    shift = working.load_part(numbers, 3 * columns + column, count)
    return fma((stored.load_part(word(context, X), start + column, count) - mean) - rest, factor, shift)


def _rows(context, index):
    y, columns, together = word(context, Y), word(context, COLUMNS), word(context, TOGETHER)
    for row in range(index * together, min((index + 1) * together, word(context, ROWS))):
        start = row * columns
        head = to_line(y, start)
        stored.store_part(y, start, _of_columns(context, start, 0, head), head)
        whole = columns - (columns - head) % LANES
        for column in range(head, whole, LANES):
            stored.stream(y, start + column, _of_columns(context, start, column, LANES))
        stored.store_part(y, start + whole, _of_columns(context, start, whole, columns - whole), columns - whole)
    fence()
    return 0


_KERNEL = Kernel("affine_streamed", _rows)


def _stream(x: np.ndarray, y: np.ndarray, statistics: np.ndarray, shift: np.ndarray | None) -> None:
    """Fill y, of (rows, columns) as x is."""
    rows, columns = x.shape
    numbers = np.zeros((4, columns), np.float64 if x.dtype == np.float64 else np.float32)
    numbers[:3] = statistics[[MEAN, REST, RSTD]]
    if shift is not None:
        numbers[3] = shift
    together = rows_per_chunk(rows, columns)
    job, work = _KERNEL[x.dtype.char], int(x.size * _WORK)
    launch(job, -(-rows // together), work, x, y, numbers, rows, columns, together)
