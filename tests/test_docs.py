"""The documentation: its Python runs, its tables show the data, its reference has every public name, and it builds."""

import html
import importlib.util
import itertools
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cases import CASES

import fastnn

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
#: A block of Python; a comment "<!-- not run: why -->" on the line above keeps it from being run.
BLOCK = re.compile(r"(?P<skip><!-- not run: \S.*? -->\n)?^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")


def _extension(name):
    """An extension of the site; `docs/_ext` is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measured, public = _extension("measured"), _extension("public")


def _program(page):
    """The blocks of a page that are to be run, each on its own lines; empty if there are none."""
    text, program = page.read_text(encoding="utf-8"), ""
    for block in BLOCK.finditer(text):
        if not block["skip"]:
            program += "\n" * (text[: block.start("code")].count("\n") - program.count("\n")) + block["code"]
    return program


@pytest.mark.parametrize("page", [pytest.param(p, id=str(p.relative_to(ROOT))) for p in PAGES if _program(p)])
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    script = tmp_path / "page.py"  # not thinc.py, which would hide the package
    script.write_text(_program(page), encoding="utf-8")
    run = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, f"{page.relative_to(ROOT)}, by its lines:\n{run.stderr}"


def test_blocks_are_found_and_left_out(tmp_path):
    page = tmp_path / "page.md"
    left_out = "<!-- not run: a reason -->\n```python\nb\n```\n"
    page.write_text(f"text\n\n```python\na = 1\n```\n\n{left_out}```python\nc = a\n```\n")
    assert _program(page) == "\n\n\na = 1\n" + "\n" * 7 + "c = a\n"


def _reference():
    """The names in the pages of the reference."""
    names = set()
    for page in (DOCS / "reference").glob("*.rst"):
        text = page.read_text(encoding="utf-8")
        names |= set(re.findall(r"^\.\. autofunction:: (\S+)", text, re.MULTILINE))
        for modules in re.findall(r"^\.\. public-names:: (.+)", text, re.MULTILINE):
            for module in modules.split():
                names |= public.public_names(importlib.import_module(module)).keys()
    return names


def test_the_reference_has_every_public_name():
    expected = {f"fastnn.{name}" for name in dir(fastnn) if callable(getattr(fastnn, name)) and name[0] != "_"}
    modules = [m for m in fastnn._SUBMODULES if m not in ("activations", "compat", "reference", "dropout", "losses")]
    for module in modules:
        expected |= public.public_names(importlib.import_module(f"fastnn.{module}")).keys()
    assert expected - _reference() == set()


def test_accuracy_data_have_the_bounds_of_the_tests():
    data = json.loads((DOCS / "_data" / "accuracy.json").read_text())
    measured = {(row["name"], row["derivative"]): row for row in data["rows"] if row["library"] == "fastnn"}
    assert data["every"] == 1
    assert len(measured) >= 60
    for (name, derivative), row in measured.items():
        for dtype, bound in row["bounds"].items():
            assert row[dtype]["max_ulp"] <= bound, (name, dtype)
        assert row["float32"]["nan_mismatches"] == 0, name
        if name in CASES:
            declared = getattr(CASES[name], "backward" if derivative else "forward")
            assert row["bounds"] == vars(declared), name
            assert row["float32"]["inputs"] + 2 * (2**23 - 1) == 2**32
    assert measured.keys() >= set(itertools.product(CASES, (False, True)))


def _accuracy_row(library, **changes):
    float32 = {"max_ulp": 1.5, "at": "0.25", "median_ulp": 0.0, "mean_ulp": 0.125, "nan_mismatches": 0}
    row = {"name": "f", "derivative": False, "library": library, "bounds": {"float32": 2.0, "float64": 3.5}}
    return row | {"float32": float32 | changes}


def test_accuracy_table():
    rows = [
        _accuracy_row("fastnn") | {"float64": {"max_ulp": 3.0}},
        _accuracy_row("fastnn", max_ulp=0.0) | {"derivative": True},
        _accuracy_row("torch", max_ulp=str(math.inf), nan_mismatches=3),
        _accuracy_row("torch", max_ulp=0.0, median_ulp=0.5) | {"derivative": True},
        _accuracy_row("numpy", max_ulp=0.5, median_ulp=-0.5),
    ]
    heading, body = measured.accuracy({"rows": rows})
    assert heading[4:] == ["at x in float32", "Median", "Mean", "torch", "numpy"]
    assert body == [
        ["f", "-", "1.500 of 2", "3.000 of 3.5", "0.25", "0.000", "0.125", "inf, NaN lost", "0.5"],
        ["f_backward", "-", "0.000 of 2", "-", "", "0.000", "0.125", "0", "-"],
    ]
    torch, numpy = measured.comparisons({"rows": rows})
    assert "is smaller for 1, the same for 1, larger for 0; its median is no larger for 2. torch makes" in torch
    assert "is smaller for 0, the same for 0, larger for 1; its median is no larger for 0." in numpy


def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(DOCS), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr
    assert "fastnn.gelu_backward" in (tmp_path / "reference" / "activations.html").read_text(encoding="utf-8")
    page = (tmp_path / "benchmarks.html").read_text(encoding="utf-8").replace("\u2019", "'")
    tables = json.loads((DOCS / "_data" / "benchmarks.json").read_text(encoding="utf-8"))["tables"]
    assert page.count("<tr") == sum(len(found["body"]) + 1 for found in tables if found["body"])
    for found in tables:
        assert html.escape(found["title"], quote=False) in page
        assert all(f"<p>{html.escape(cell, quote=False)}</p>" in page for line in found["body"] for cell in line)
