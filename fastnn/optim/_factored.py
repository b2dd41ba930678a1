"""Adafactor's kernels: the average of squares of a matrix kept as one of its rows and one of its columns.

A parameter is (batch, rows, columns), a vector one row. Its rows are cut into blocks, at most 16 a matrix. The phases:
squares of every block added up by row and by column; then the columns' averages and what concerns a matrix as a whole;
the norm of the update; its factor; the update.
"""

from math import sqrt
from typing import Any

import numpy as np

from .._engine.fused import Kernel
from .._engine.launch_layout import GRADIENT, PARAMETER
from .._engine.primitives import select, to_f64
from .._engine.vectors import (
    LANES,
    Several,
    below,
    double,
    put_real,
    real,
    root,
    splat,
    stored,
    total,
    wide,
    word,
    working,
)  # fmt: skip
from ._averages import average
from ._kernels import INFO, NUMBERS, OPTIONS, TABLE, Update, given_back, taken

# Words of INFO. ROW_VAR and COL_VAR are the states, of a vector only the second. SUMS holds two sums of squares a
# block, of the parameter and of the update; COLUMNS the columns' sums of a block; MEANS 1 / (the mean of row_var) of a
# matrix; STEP the length of the step.
BATCH, ROWS, LENGTH, BLOCK, BLOCKS, FACTORED, ROW_VAR, COL_VAR, SUMS, COLUMNS, MEANS, STEP = range(12)

#: Blocks of a matrix, and elements of a block at least.
_BLOCKS, _LEAST = 16, 4096

# What follows the weights of the average among the numbers.
RHO, EPS1, EPS2, D = NUMBERS + 3, NUMBERS + 4, NUMBERS + 5, NUMBERS + 6
_weights = Several(3)


def _eps1(context):
    """Its default, given as -1, is that of the dtype."""
    given = real(context, EPS1)
    of_dtype = to_f64(2.0**-23) if stored.size() == 4 else to_f64(2.0**-52)
    return of_dtype if given < 0 else given


def _rows_of(info, index):
    """(matrix, first row, row after the last) of a block."""
    matrix = index // word(info, BLOCKS)
    first = (index - matrix * word(info, BLOCKS)) * word(info, BLOCK)
    return matrix, first, min(first + word(info, BLOCK), word(info, ROWS))


def _gradient(context, row, i, count):
    return taken(context, row, word(row, PARAMETER), word(row, GRADIENT), i, count, word(context, OPTIONS))[1]


def _square(vector, count):
    """In float64; 0 in the lanes beyond."""
    w = wide(vector)
    return select(below(count), w * w, splat(to_f64(0.0)))


def _squares_job(context, index):
    row, weights = word(context, TABLE), _weights.numbers(context, NUMBERS)
    info = word(row, INFO)
    matrix, first, last = _rows_of(info, index)
    length, columns = word(info, LENGTH), word(info, COLUMNS) + 8 * word(info, LENGTH) * index
    of_parameter = splat(to_f64(0.0))
    for j in range(length):
        put_real(columns, j, to_f64(0.0))
    for r in range(first, last):
        start, s = (matrix * word(info, ROWS) + r) * length, splat(to_f64(0.0))
        for j in range(0, length, LANES):
            count = min(LANES, length - j)
            square = _square(_gradient(context, row, start + j, count), count)
            s = s + square
            double.store_part(columns, j, double.load_part(columns, j, count) + square, count)
            of_parameter = of_parameter + _square(stored.load_part(word(row, PARAMETER), start + j, count), count)
        if word(info, FACTORED):
            at, k = word(info, ROW_VAR), matrix * word(info, ROWS) + r
            mean = splat(working.number(total(s) / length))
            stored.store_part(at, k, average(mean, stored.load_part(at, k, 1), weights), 1)
    put_real(word(info, SUMS), 2 * index, total(of_parameter))
    return 0


def _columns_job(context, index):
    """A matrix: the average of its columns, and 1 / (the mean of row_var)."""
    row = word(context, TABLE)
    info, weights = word(row, INFO), _weights.numbers(context, NUMBERS)
    length, rows, blocks = word(info, LENGTH), word(info, ROWS), word(info, BLOCKS)
    at = word(info, COL_VAR)
    for j in range(0, length, LANES):
        count, s = min(LANES, length - j), splat(to_f64(0.0))
        for b in range(index * blocks, (index + 1) * blocks):
            s = s + double.load_part(word(info, COLUMNS) + 8 * length * b, j, count)
        mean = working.narrowed(s / splat(to_f64(rows)))
        k = index * length + j
        stored.store_part(at, k, average(mean, stored.load_part(at, k, count), weights), count)
    inverse = to_f64(1.0)
    if word(info, FACTORED):
        s = splat(to_f64(0.0))
        for r in range(0, rows, LANES):
            count = min(LANES, rows - r)
            s = s + wide(stored.load_part(word(info, ROW_VAR), index * rows + r, count))
        mean, least = total(s) / rows, _eps1(context)
        inverse = to_f64(1.0) / (least if mean < least else mean)
    put_real(word(info, MEANS), index, inverse)
    return 0


def _update(context, row, matrix, r, j, count, g):
    """g / sqrt(the estimate of its square)."""
    info = word(row, INFO)
    inverse, eps1 = real(word(info, MEANS), matrix), _eps1(context)
    estimate = stored.load_part(word(info, COL_VAR), matrix * word(info, LENGTH) + j, count)
    if word(info, FACTORED):
        of_row = stored.get(word(info, ROW_VAR), matrix * word(info, ROWS) + r)
        estimate = splat(working.number(to_f64(of_row) * inverse)) * estimate
    least = splat(working.number(eps1 * eps1))
    return g / root(select(estimate < least, least, estimate))


def _norm_job(context, index):
    row = word(context, TABLE)
    info = word(row, INFO)
    matrix, first, last = _rows_of(info, index)
    length, s = word(info, LENGTH), splat(to_f64(0.0))
    for r in range(first, last):
        start = (matrix * word(info, ROWS) + r) * length
        for j in range(0, length, LANES):
            count = min(LANES, length - j)
            g = _gradient(context, row, start + j, count)
            s = s + _square(_update(context, row, matrix, r, j, count, g), count)
    put_real(word(info, SUMS), 2 * index + 1, total(s))
    return 0


def _step_job(context, index):
    """The length of the step. What is not less than a bound may be NaN, and stays."""
    info = word(word(context, TABLE), INFO)
    p, u = to_f64(0.0), to_f64(0.0)
    for k in range(word(info, BATCH) * word(info, BLOCKS)):
        p, u = p + real(word(info, SUMS), 2 * k), u + real(word(info, SUMS), 2 * k + 1)
    size, eps2 = word(info, BATCH) * word(info, ROWS) * word(info, LENGTH), real(context, EPS2)
    scale, length = sqrt(p / size), sqrt(u / size) / real(context, D)
    scale = eps2 if scale < eps2 else scale
    length = to_f64(1.0) if length < 1 else length
    put_real(info, STEP, scale * real(context, RHO) / length)
    return 0


def _apply_job(context, index):
    row, options = word(context, TABLE), word(context, OPTIONS)
    info, p_at, g_at = word(row, INFO), word(row, PARAMETER), word(row, GRADIENT)
    matrix, first, last = _rows_of(info, index)
    length, step = word(info, LENGTH), splat(working.number(real(info, STEP)))
    for r in range(first, last):
        start = (matrix * word(info, ROWS) + r) * length
        for j in range(0, length, LANES):
            count = min(LANES, length - j)
            p, g = taken(context, row, p_at, g_at, start + j, count, options)
            p = p - step * _update(context, row, matrix, r, j, count, g)
            given_back(context, row, p_at, g_at, start + j, count, options, p)
    return 0


class Factored(Update):
    """Adafactor's kernels; see `Update`. Its states are row_var and col_var, the latter the variance of a vector."""

    alone = rows = True

    def __init__(self):
        self.name, self.states, self.work = "adafactor", ("row_var", "col_var"), 1.5
        jobs = {
            "squares": _squares_job,
            "columns": _columns_job,
            "norm": _norm_job,
            "step": _step_job,
            "apply": _apply_job,
        }
        self.kernels = {name: Kernel(f"optim_adafactor_{name}", job) for name, job in jobs.items()}

    def prepare(self, table: np.ndarray, slots: list[Any]) -> tuple[np.ndarray, list[np.ndarray]]:
        (slot,) = slots
        array, (col_var, *row_var) = slot.dense, reversed(slot.states.values())
        length = array.shape[-1] if array.ndim else 1
        rows = array.shape[-2] if array.ndim > 1 else 1
        batch = array.size // (rows * length) if array.size else 0
        block = max(1, -(-rows // _BLOCKS), _LEAST // max(length, 1))
        blocks = -(-rows // block)
        info = np.zeros(STEP + 1, np.int64)
        memory = [np.zeros(size) for size in (2 * batch * blocks, batch * blocks * length, batch)]
        info[: FACTORED + 1] = batch, rows, length, block, blocks, bool(row_var)
        info[ROW_VAR:STEP] = [each.ctypes.data for each in (*(row_var or [col_var]), col_var, *memory)]
        table[0, INFO] = info.ctypes.data
        return info, memory

    def phases(self, cohort: Any) -> list[tuple[Any, int]]:
        info, _ = cohort.info
        batch = int(info[BATCH])
        chunks = {"squares": batch * int(info[BLOCKS]), "columns": batch, "step": min(batch, 1)}
        chunks["norm"] = chunks["apply"] = chunks["squares"]
        return [(kernel[cohort.char], chunks[name]) for name, kernel in self.kernels.items()]
