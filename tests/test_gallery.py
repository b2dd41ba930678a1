"""`fastnn gallery`: what the pictures mark is where it is, the page stands alone, and files are whole or not there."""

import contextlib
import html.parser
import io
import math
import struct
import sys
import zlib

import numpy as np
import pytest
from cases import CASES

import fastnn as fnn
from fastnn import cli
from fastnn.cli import _gallery_page, gallery
from fastnn.cli._gallery_curves import SATURATED, curve_of, shape_of
from fastnn.cli._gallery_picture import window

FEW = ["relu", "tanh", "softshrink", "threshold", "prelu", "rrelu", "hard_swish"]


class Page(html.parser.HTMLParser):
    """Tags in order, which must nest; the text of each cell of a table or list; all text."""

    EMPTY, CELLS = ("meta", "img", "br"), ("td", "dt", "dd")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.cells, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag in self.CELLS:
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if set(self.open) & set(self.CELLS):
            self.cells[-1] += data

    def all(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]

    def row(self, name):
        """Of the table: zero-centred, saturates, can die, forward, backward."""
        place = self.cells.index(name)
        return self.cells[place + 1 : place + 6]


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery") / "made" / "here"
    assert cli.main(["gallery", str(folder), "--only", *FEW]) == 0
    return folder


@pytest.fixture(scope="module")
def page(few):
    return Page((few / "index.html").read_text(encoding="utf-8"))


# --- what curves show -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in fnn.activations.NAMES if name in CASES])
def test_kinks_are_where_the_formulas_have_them(name):
    case, curve = CASES[name], curve_of(name)
    x = np.array(sorted(case.kinks_for(tuple(curve.parameters.values()))))
    before, after = curve.derivative(x - 1e-9), curve.derivative(x + 1e-9)
    expected = [place for place, a, b in zip(x, before, after, strict=True) if abs(a - b) > 1e-6]
    assert list(shape_of(curve).kinks) == expected


@pytest.mark.parametrize(
    ("name", "kinks", "breaks"),
    [
        ("relu", (0,), ()),
        ("relu6", (0, 6), ()),
        ("hard_tanh", (-1, 1), ()),
        ("softshrink", (-0.5, 0.5), ()),
        ("hardshrink", (-0.5, 0.5), (-0.5, 0.5)),
        ("threshold", (1,), (1,)),
        ("prelu", (0,), ()),
        ("rrelu", (0,), ()),
        ("selu", (0,), ()),
        ("elu", (), ()),
        ("tanh", (), ()),
        ("gelu", (), ()),
    ],
)
def test_kinks_and_breaks(name, kinks, breaks):
    shape = shape_of(curve_of(name))
    assert shape.kinks == kinks
    assert shape.breaks == breaks


LOGIT = math.log((1 - 2 * SATURATED + math.sqrt(1 - 4 * SATURATED)) / (2 * SATURATED))  # s (1 - s) is SATURATED there
TANH = math.acosh(SATURATED**-0.5)


@pytest.mark.parametrize(
    ("name", "below", "above"),
    [
        ("sigmoid", -LOGIT, LOGIT),
        ("tanh", -TANH, TANH),
        ("softsign", 1 - SATURATED**-0.5, SATURATED**-0.5 - 1),
        ("elu", math.log(SATURATED), math.inf),
        ("relu", 0, math.inf),
        ("relu6", 0, 6),
        ("hard_tanh", -1, 1),
        ("leaky_relu", -math.inf, math.inf),
        ("softshrink", -math.inf, math.inf),
        ("log_sigmoid", -math.inf, math.log(1 / SATURATED - 1)),
    ],
)
def test_saturated_sides(name, below, above):
    assert shape_of(curve_of(name)).saturated == pytest.approx((below, above), abs=1e-8)


@pytest.mark.parametrize(
    ("name", "flat"),
    [
        ("relu", ((-math.inf, 0),)),
        ("relu6", ((-math.inf, 0), (6, math.inf))),
        ("hard_sigmoid", ((-math.inf, -3), (3, math.inf))),
        ("hardshrink", ((-0.5, 0.5),)),
        ("threshold", ((-math.inf, 1),)),
        ("leaky_relu", ()),
        ("sigmoid", ()),
        ("gelu", ()),
    ],
)
def test_units_die_where_the_slope_is_exactly_zero(name, flat):
    assert shape_of(curve_of(name)).flat == flat


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("relu", 1 / math.sqrt(2 * math.pi)),
        ("sigmoid", 0.5),
        ("tanh", 0),
        ("selu", 0),
        ("gelu", 1 / math.sqrt(4 * math.pi)),
    ],
)
def test_mean_output_of_standard_normal_inputs(name, mean):
    assert shape_of(curve_of(name)).mean == pytest.approx(mean, abs=1e-5)


def test_the_slope_drawn_is_that_of_the_curve_drawn():
    x = np.linspace(-3, 3, 41) + 0.011  # no kink
    for name in fnn.activations.NAMES:
        curve = curve_of(name)
        slope = (curve.f(x + 1e-6) - curve.f(x - 1e-6)) / 2e-6
        np.testing.assert_allclose(curve.derivative(x), slope, atol=1e-8, err_msg=name)


def test_all_kinks_are_inside_the_picture():
    for name in fnn.activations.NAMES:
        shape = shape_of(curve_of(name))
        assert all(abs(kink) < window(shape) for kink in shape.kinks)


# --- files ------------------------------------------------------------------------------------------------------------


def test_pictures_are_whole_png_files_and_nothing_else_is_left(few):
    assert sorted(path.name for path in few.iterdir()) == sorted(["index.html", *(f"{name}.png" for name in FEW)])
    for name in FEW:
        content = (few / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        kind, place, pixels = b"", 8, b""
        while kind != b"IEND":
            (length,), kind = struct.unpack_from(">I", content, place), content[place + 4 : place + 8]
            body = content[place + 8 : place + 8 + length]
            assert struct.unpack_from(">I", content, place + 8 + length) == (zlib.crc32(kind + body),)
            pixels += body if kind == b"IDAT" else b""
            place += 12 + length
        assert len(set(zlib.decompress(pixels))) > 20


def test_the_page_stands_alone(few, page):
    text = (few / "index.html").read_text(encoding="utf-8")
    for outside in ("http:", "https:", "//", "url(", "@import"):
        assert outside not in text
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert sorted(page.all("img", "src")) == sorted(f"{name}.png" for name in FEW)
    assert all(len(alt) > 40 for alt in page.all("img", "alt"))
    ids = page.all("article", "id")
    assert sorted(ids) == sorted(FEW)
    assert {link.removeprefix("#") for link in page.all("a", "href")} == set(ids)


def test_the_page_says_what_was_found(page):
    assert page.row("relu")[:3] == ["no (mean 0.4)", "left (below 0)", "yes (below 0)"]
    assert page.row("tanh")[:3] == ["yes", "left and right (below \N{MINUS SIGN}4.147, above 4.147)", "no"]
    assert page.row("softshrink")[:3] == ["yes", "no", "yes (from \N{MINUS SIGN}0.5 to 0.5)"]
    assert page.row("rrelu")[1:3] == ["no", "no"]
    given = set(zip(page.cells, page.cells[1:], strict=False))
    assert {("Kinks", "\N{MINUS SIGN}3, 3"), ("Kinks", "none"), ("Jumps", "1"), ("Drawn for", "alpha = 0.25")} <= given
    assert "max(x, 0)" in page.text
    assert "The rectifier family" in page.text
    assert "A unit pushed below zero on all data gets no gradient and stays dead" in page.text


def test_costs_are_measured(page):
    costs = [float(cost) for name in FEW for cost in page.row(name)[3:]]
    assert all(0.001 < cost < 1000 for cost in costs)
    assert len(set(costs)) > 2


def test_the_whole_page_lists_what_has_no_picture():
    page = Page(_gallery_page.page([], whole=True, conditions="<this> & that"))
    assert {"softmax", "maxout", "glu", "logsumexp"} <= set(page.all("article", "id"))
    assert "<this> & that" in page.text
    assert page.all("img", "src") == []


# --- bad input --------------------------------------------------------------------------------------------------------


def error_line(folder, *options):
    """The one line on standard error of a call that must end with 2 and print nothing else."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert cli.main(["gallery", str(folder), *options]) == 2
    assert out.getvalue() == ""
    (line,) = err.getvalue().splitlines()
    return line


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    line = error_line(tmp_path / "new", "--only", "relu", "rulu")
    known = ", ".join(fnn.activations.NAMES)
    assert line == f"fastnn gallery: error: --only rulu: unknown, expected some of {known}"
    assert not (tmp_path / "new").exists()


def test_folders_that_are_none(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    assert error_line(file) == f"fastnn gallery: error: {file}: is a file, expected a folder"
    assert error_line(file / "below") == f"fastnn gallery: error: {file / 'below'}: cannot be written (Not a directory)"
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path, monkeypatch):
    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(gallery.tempfile, "TemporaryFile", refuse)
    monkeypatch.delattr(gallery, "picture")
    assert "cannot be written (Permission denied)" in error_line(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_replaced_leaves_nothing_half_written(tmp_path):
    (tmp_path / "relu.png").mkdir()
    assert "relu.png: cannot be written (" in error_line(tmp_path, "--only", "relu")
    assert [path.name for path in tmp_path.iterdir()] == ["relu.png"]


def test_matplotlib_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    line = error_line(tmp_path / "new", "--only", "relu")
    assert line == 'fastnn gallery: error: matplotlib is not installed; get it with: pip install "fastnn[train]"'
    assert not (tmp_path / "new").exists()
