"""Hypothesis profile, and the parametrisation of tests over the rows of cases.py."""

import numpy as np
import pytest
from cases import CASES
from hypothesis import HealthCheck, settings

# The first call of a kernel compiles it, so that no deadline holds.
settings.register_profile(
    "fastnn", deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("fastnn")


def pytest_generate_tests(metafunc):
    """Run a test once per row, or per row and parameter set, according to the names of its arguments."""
    rows = list(CASES.values())
    variants = [(case, parameters) for case in rows for parameters in case.parameter_sets]
    selections = {
        "case": rows,
        "parametric": [case for case in rows if case.parameters],
        "invertible": [case for case in rows if case.from_output],
        "variant": variants,
        "invertible_variant": [(case, parameters) for case, parameters in variants if case.from_output],
    }
    for argument, chosen in selections.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, chosen, ids=map(_label, chosen))


def _label(row):
    case, parameters = row if isinstance(row, tuple) else (row, ())
    return "-".join([case.name, *map(str, parameters)])


@pytest.fixture
def rng():
    """A generator seeded for the test."""
    return np.random.default_rng(20240611)
