"""The exhaustive run itself: it counts errors as the tests do, notices a wrong function, goes on where it stopped."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import exhaustive_rows
import exhaustive_samples
import numpy as np
import pytest
from ulp_counts import BIN, count
from ulps import ulp_error

ROOT = Path(__file__).parents[1]


def test_errors_are_those_of_ulp_error(rng):
    bits = rng.integers(0, 1 << 32, 20_000, dtype=np.uint64).astype(np.uint32)
    x = np.where(bits & 0x7F800000 == 0x7F800000, bits | 0x00400000, bits).view(np.float32)  # casts warn of other NaNs
    expected = x.astype(np.float64) * (1 + rng.uniform(-3e-7, 3e-7, x.size))
    expected[:6] = np.inf, -np.inf, np.nan, 0.0, 4e38, 1e-45
    actual = x.copy()
    actual[:6] = np.inf, 3e38, 1.0, -0.0, np.inf, 0.0
    error = ulp_error(actual, expected)
    found = count(x, actual, expected)
    of_numbers = ~np.isnan(x)
    assert found.largest == np.inf
    assert found.count == of_numbers.sum()
    assert found.above_half == (error[of_numbers] > 0.5).sum()
    assert found.nan_mismatches == np.isinf(error[~of_numbers]).sum()
    finite = np.isfinite(error) & of_numbers
    some = count(x[finite], actual[finite], expected[finite])
    assert some.largest == error[finite].max()
    assert some.total == pytest.approx(error[finite].sum(), rel=1e-12)
    assert some.median == pytest.approx(np.median(error[finite]), abs=BIN)
    both = count(x[:9], actual[:9], expected[:9]) + count(x[9:], actual[9:], expected[9:])
    assert both[:2] + both[3:6] == found[:2] + found[3:6]


def test_a_number_for_a_nan_counts_apart():
    x = np.array([np.nan, np.nan, 1.0], np.float32)
    found = count(x, np.array([np.nan, 0.0, 1.0], np.float32), np.array([np.nan, np.nan, 1.0]))
    assert (found.nan_mismatches, found.count, found.largest) == (1, 1, 0.0)


def test_a_crossing_has_an_absolute_bound_and_a_limit_leaves_out():
    x = np.array([1.0, 2.0, 8.0], np.float32)
    expected = np.array([1e-12, 1e-12, 1.0])
    actual = np.array([2e-12, 2e-12, 9.0], np.float32)
    found = count(x, actual, expected, crossings=[(1.0, 0.5)], crossing_bound=4.0, limit=4.0)
    assert (found.at, found.count, found.above_half) == (2.0, 2, 1)


def test_every_row_is_near_the_independent_reference():
    x = np.concatenate([np.geomspace(1e-30, 80, 500), -np.geomspace(1e-30, 80, 500)])
    rows = exhaustive_rows.rows("fastnn")
    assert len(rows) >= 60
    for name, row in rows.items():
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(row.exact(x), row.reference(x), rtol=2e-12, atol=1e-15, err_msg=name)


def test_a_run_is_written_and_taken_up_again(tmp_path):
    file = tmp_path / "accuracy.json"
    command = [sys.executable, "-m", "tests.exhaustive", "relu", "tanh'", "--every", "100003", "--json", str(file)]
    first = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)
    data = json.loads(file.read_text())
    assert [(row["name"], row["derivative"]) for row in data["rows"]] == [("relu", False), ("tanh", True)]
    for dtype in ("float32", "float64"):
        assert 0.5 < data["rows"][1][dtype]["max_ulp"] <= data["rows"][1]["bounds"][dtype]
    assert data["rows"][1]["float16"]["inputs"] == (1 << 16) - 2 * ((1 << 10) - 1)
    data["rows"][0]["float32"]["max_ulp"] = 7.0
    file.write_text(json.dumps(data))
    second = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    assert (first.returncode, second.returncode) == (0, 1)
    assert "EXCEEDED" in second.stdout


@pytest.mark.parametrize(("dtype", "smallest"), [("float16", 0.9), ("float64", 3.0)])
def test_samples_notice_a_wrong_function(dtype, smallest, monkeypatch):
    monkeypatch.setattr(exhaustive_samples, "PER_BUSY_EXPONENT", 4)
    exhaustive_samples.sample.cache_clear()
    row = exhaustive_rows.rows("fastnn")["tanh"]
    assert exhaustive_samples.summary(row, dtype)["max_ulp"] <= 0.7
    eps = np.finfo(dtype).eps
    wrong = replace(row, value=lambda x: row.value(x) * x.dtype.type(1 + 4 * eps))
    assert exhaustive_samples.summary(wrong, dtype)["max_ulp"] > smallest
    exhaustive_samples.sample.cache_clear()


def test_samples_allow_an_absolute_error_at_a_crossing_alone():
    row = exhaustive_rows.rows("fastnn")["silu'"]
    place = row.crossings[0][0]
    off = replace(row, value=lambda x: row.value(x) + 2 * np.finfo(x.dtype).eps * (np.abs(x - place) < 0.01))
    assert exhaustive_samples.summary(off, "float16")["max_ulp"] <= 1.0
    elsewhere = replace(off, crossings=())
    assert exhaustive_samples.summary(elsewhere, "float16")["max_ulp"] > 1.0


def test_a_library_without_the_dtype_has_no_summary():
    row = replace(exhaustive_rows.rows("fastnn")["tanh"], value=lambda x: x.astype(np.float32))
    assert exhaustive_samples.summary(row, "float16") is None
