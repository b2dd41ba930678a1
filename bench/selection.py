"""What the benchmarks of a family have in common: numbers of threads, and rows as pytest's parameters."""

import math

import numpy as np
import pytest

import fastnn as fnn
from fastnn.benchmark.work import Work

ALL = fnn.get_num_threads()
#: The numbers of threads to measure with, all first.
THREADS = (ALL, 1) if ALL > 1 else (1,)


def work_of(family, function, dtype, shape, operands):
    """The work of a benchmark that has its own candidates: `operands` arrays as large as the shape, on all threads."""
    size = int(operands * math.prod(shape) * np.dtype(dtype).itemsize)
    return Work(family, function, "", np.dtype(dtype), tuple(shape), size, ALL)


def row(*values, label: str, report: bool, smoke: bool):
    """A set of parameters, named, and marked for the profiles that it belongs to."""
    marks = [pytest.mark.report] * report + [pytest.mark.smoke] * smoke
    return pytest.param(*values, id=label, marks=marks)
