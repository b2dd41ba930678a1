"""What the benchmarks of a family have in common: numbers of threads, and rows as pytest's parameters."""

import pytest

import fastnn as fnn

ALL = fnn.get_num_threads()
#: The numbers of threads to measure with, all first.
THREADS = (ALL, 1) if ALL > 1 else (1,)


def row(*values, label: str, report: bool, smoke: bool):
    """A set of parameters, named, and marked for the profiles that it belongs to."""
    marks = [pytest.mark.report] * report + [pytest.mark.smoke] * smoke
    return pytest.param(*values, id=label, marks=marks)
