"""The report's page stands alone, and its plots show what was measured."""

import re
import sys

import pytest
import report
import report_plots
import report_rows
from report_forms import Page, made, timed, written

pytest.importorskip("matplotlib", reason="the extra `train` is not installed")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A page of 200 rows, in 40 panels of five sizes: a quarter of what a report has."""
    folder = tmp_path_factory.mktemp("large")
    sizes = (1000, 10_000, 100_000, 1_000_000, 16_000_000)
    libraries = {name: 1.5 + k for k, name in enumerate(("torch", "numpy", "numexpr", "jax", "onnxruntime", "scipy"))}
    rows = [
        timed(f"function_{k}", direction, libraries, shape=[n], family=f"family {k % 5}")
        for k in range(20)
        for direction in ("forward out=", "backward")
        for n in sizes
    ]
    return made(folder, written(folder, *rows))[1]


def test_the_page_is_of_moderate_size(large):
    assert len(large.encode()) < 5e6 / 4
    assert large.count("<figcaption>") == 40 + 5 + 2


def test_the_page_stands_alone(large):
    page = Page(large)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in page.tags}
    assert not page.all("src")
    for outside in ("http:", "https:", "@import", "url(h", "url(/"):
        assert outside not in large
    identifiers = page.all("id")
    assert len(set(identifiers)) == len(identifiers)
    links = page.all("href") + page.all("xlink:href") + re.findall(r"url\(([^)]*)\)", large)
    assert len(links) > 1000
    assert all(link.startswith("#") and link[1:] in set(identifiers) for link in links)
    assert all(len(attributes["aria-label"]) > 20 for tag, attributes in page.tags if tag == "svg")


@pytest.fixture
def several(tmp_path):
    """Rows of two sizes with two libraries, and of one size."""
    rows = [
        timed("gelu", "backward", {"torch out": 2.0, "torch": 4.0, "numpy": 8.0}, shape=[n]) for n in (1000, 10_000)
    ]
    rows += [timed("gelu", "backward", {"torch": 0.5}, threads=1), timed("relu", "backward", {"numpy": 0.25})]
    return report_rows.read([written(tmp_path, *rows)])[1]


def lines_of(svg, colour):
    """Numbers of points of the lines of a colour."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*fill: none; stroke: {colour}', svg)
    return [len(re.findall("[ML]", path)) for path in paths]


def test_a_panel_has_a_line_for_each_library(several):
    panels = report_plots.panels(several)
    assert {name: len(rows) for name, rows in panels.items()} == {"gelu backward, float32, 2 threads": 2}
    known = report_plots.styles(["fastnn", "torch", "numpy"])
    (rows,) = panels.values()
    svg = report_plots.time_against_size("gelu", rows, known)
    assert [lines_of(svg, style.colour) for style in known.values()] == [[2], [2], [2]]
    assert all(f">{tick}</text>" in svg for tick in ("1 ms", "2 ms", "5 ms", "1k", "10k"))


def test_speedups_are_geometric_means_and_red_below_even(several):
    known = report_plots.styles(["fastnn", "torch", "numpy"])
    bars = report_plots.bars(several)
    assert list(bars) == ["gelu backward", "relu backward"]
    assert report_plots.mean_ratio(bars["gelu backward"], None) == pytest.approx((2 * 2 * 0.5) ** (1 / 3))
    assert report_plots.mean_ratio(bars["gelu backward"], "numpy") == pytest.approx(8.0)
    assert report_plots.mean_ratio(bars["relu backward"], "torch") is None
    svg = report_plots.speedups("activations", several, known)
    assert svg.count(report_plots.SLOWER) == 1
    assert report_plots.SLOWER not in report_plots.speedups("activations", bars["gelu backward"], known)
    assert "gelu backward" in svg


def test_the_roof_is_the_rate_of_memory(several):
    svg = report_plots.roofline({"Activations": several}, 2, 40.0)
    assert "memory, 40 GB/s" in svg
    (colour, _) = report_plots.styles(["Activations"])["Activations"]
    assert len(re.findall(rf"<use [^>]*fill: {colour}", svg)) == 3 + 1  # of two threads, and the legend's
    assert "memory, 20 GB/s" in report_plots.roofline({"Activations": several}, 1, 20.0)


def test_matplotlib_is_an_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert report.main([str(written(tmp_path, timed())), "--out", str(tmp_path / "out")]) == 2
    message = 'matplotlib is not installed; get it with: pip install "fastnn[train]"'
    assert capsys.readouterr().err == f"python -m bench.report: error: {message}\n"
    assert not (tmp_path / "out").exists()
