"""The index page of the gallery: one HTML file that needs nothing but the pictures beside it."""

import html
import inspect
import math
import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import NamedTuple

import numpy as np

import fastnn as fnn

from ._gallery_curves import SATURATED, Curve, Shape
from ._gallery_picture import HEIGHT, WIDTH

#: A mean output nearer to 0 than this, of standard normal inputs, counts as zero-centred.
_CENTRED = 0.01

_STYLE = """
:root { color-scheme: light dark; --card: #f6f7f9; --line: #d5d8dd; }
@media (prefers-color-scheme: dark) { :root { --card: #1d2025; --line: #3a3f47; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.2rem 0.8rem; border-bottom: 1px solid var(--line); }
td.cost { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); }
article { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 1rem; }
article h3 { margin: 0; }
img { width: 100%; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; margin: 0.5rem 0; font-size: 0.9rem; }
dt { font-weight: 600; }
dd { margin: 0; }
"""

_GUIDE = f"""
<dl>
<dt>Kink</dt><dd>where the derivative jumps; at the very point it is that of one side.</dd>
<dt>Zero-centred</dt><dd>whether outputs average 0 for standard normal inputs. Otherwise the gradients of all weights
of a unit in the next layer tend to the same sign.</dd>
<dt>Saturates</dt><dd>on the sides where the slope falls below {SATURATED:g} in size: hardly any gradient comes
back.</dd>
<dt>Can die</dt><dd>if the slope is exactly 0 on an interval: a unit whose inputs all fall there learns no
more.</dd>
</dl>
"""


class Portrait(NamedTuple):
    """All that the page says of a curve beside its documentation; cost is ns an element, (forward, backward)."""

    curve: Curve
    shape: Shape
    cost: tuple[float, float]


def page(portraits: Iterable[Portrait], *, whole: bool, conditions: str) -> str:
    """The page of these portraits, and if it is of the whole package also of what has no picture."""
    drawn = {portrait.curve.name: portrait for portrait in portraits}
    families = {module: _members(module, drawn, whole) for module in _families()}
    known = {name for names in families.values() for name in names}
    sections = "\n".join(_section(module, names, drawn, known) for module, names in families.items() if names)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastnn: activations</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Activations</h1>
{_GUIDE}
<p>Times are for {html.escape(conditions)}.</p>
{_table(drawn)}
{sections}
</body>
</html>
"""


# --- what belongs together --------------------------------------------------------------------------------------------


def _families() -> list[ModuleType]:
    return [getattr(fnn.activations, family) for family in fnn.activations._FAMILIES]


def _members(module: ModuleType, drawn: dict[str, Portrait], whole: bool) -> list[str]:
    functions = [name for name in module.__all__ if not re.search("_(forward|backward)", name)]
    others = set(functions) - {*fnn.activations.NAMES, *fnn.activations._ALIASES} if whole else set()
    return [name for name in functions if name in drawn or name in others]


def _aliases(f: Callable) -> list[str]:
    return [alias for alias in fnn.activations._ALIASES if getattr(fnn, alias) is f]


# --- pieces of the page -----------------------------------------------------------------------------------------------


def _table(drawn: dict[str, Portrait]) -> str:
    rows = "\n".join(
        f'<tr><td><a href="#{name}"><code>{name}</code></a></td><td>{_centred(shape)}</td><td>{_saturates(shape)}</td>'
        f'<td>{_dies(shape)}</td><td class="cost">{forward:.3f}</td><td class="cost">{backward:.3f}</td></tr>'
        for name, (_, shape, (forward, backward)) in drawn.items()
    )
    return f"""<div class="wide"><table>
<thead><tr><th>Function</th><th>Zero-centred</th><th>Saturates</th><th>Can die</th><th>Forward, ns an element</th>
<th>Backward, ns an element</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""


def _section(module: ModuleType, names: list[str], drawn: dict[str, Portrait], known: set[str]) -> str:
    title, _, about = (_paragraphs(module) or [""])[0].rstrip(".").partition(": ")
    cards = "\n".join(_card(name, drawn.get(name), known) for name in names)
    return f"""<section>
<h2>{_prose(_capital(title), known)}</h2>
{f"<p>{_prose(_capital(about), known)}.</p>" if about else ""}
<div class="cards">
{cards}
</div>
</section>"""


def _card(name: str, portrait: Portrait | None, known: set[str]) -> str:
    f = getattr(fnn, name)
    summary, *notes = _paragraphs(f) or [""]
    also = "".join(f", <code>{alias}</code>" for alias in _aliases(f))
    body = "\n".join(f"<p>{_prose(note, known)}</p>" for note in notes)
    return f"""<article id="{name}">
<h3><code>{name}</code>{also}</h3>
{_formula(summary, known) if portrait else f"<p>{_prose(summary, known)}</p>"}
{_figure(portrait) if portrait else ""}
{body}
</article>"""


def _formula(summary: str, known: set[str]) -> str:
    """A summary of the form "Name: formula.", or the formula alone."""
    title, colon, formula = summary.rstrip(".").partition(": ")
    if not colon:
        return f"<p><code>{html.escape(title)}</code></p>"
    return f"<p>{_prose(title, known)}<br><code>{html.escape(formula)}</code></p>"


def _figure(portrait: Portrait) -> str:
    curve, shape, (forward, backward) = portrait
    facts = {
        "Drawn for": ", ".join(f"{key} = {_number(value)}" for key, value in curve.parameters.items()),
        "Kinks": _places(shape.kinks) or "none",
        "Jumps": _places(shape.breaks),
        "Zero-centred": _centred(shape),
        "Saturates": _saturates(shape),
        "Can die": _dies(shape),
        "Cost": f"{forward:.3f} ns forward, {backward:.3f} ns backward, an element",
    }
    rows = "\n".join(f"<dt>{what}</dt><dd>{fact}</dd>" for what, fact in facts.items() if fact)
    name, kinks, saturates = curve.name, facts["Kinks"], facts["Saturates"]
    text = f"Graph of {name} above that of its derivative. Kinks: {kinks}. Saturates: {saturates}."
    return f"""<img src="{name}.png" alt="{text}" width="{WIDTH}" height="{HEIGHT}" loading="lazy">
<dl>
{rows}
</dl>"""


# --- facts in words ---------------------------------------------------------------------------------------------------


def _number(x: float) -> str:
    return f"{x:.4g}".replace("-", "&minus;")


def _places(places: Iterable[float]) -> str:
    return ", ".join(map(_number, places))


def _centred(shape: Shape) -> str:
    return "yes" if abs(shape.mean) < _CENTRED else f"no (mean {_number(round(shape.mean, 2))})"


def _saturates(shape: Shape) -> str:
    below, above = shape.saturated
    sides = ["left"] * math.isfinite(below) + ["right"] * math.isfinite(above)
    return f"{' and '.join(sides)} ({_outside(below, above)})" if sides else "no"


def _outside(below: float, above: float) -> str:
    ends = [f"below {_number(below)}"] * math.isfinite(below) + [f"above {_number(above)}"] * math.isfinite(above)
    return ", ".join(ends)


def _dies(shape: Shape) -> str:
    return f"yes ({', '.join(_interval(low, high) for low, high in shape.flat)})" if shape.flat else "no"


def _interval(low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f"from {_number(low)} to {_number(high)}"
    return _outside(high, low)


# --- docstrings -------------------------------------------------------------------------------------------------------


def _paragraphs(documented: Callable | ModuleType) -> list[str]:
    """Summary and description; a ufunc's own begins with a signature."""
    text = re.split(r"\n\n\w+\n-{3,}\n", inspect.getdoc(documented) or "")[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph]
    return paragraphs[isinstance(documented, np.ufunc) :]


def _prose(text: str, known: set[str]) -> str:
    """A paragraph as HTML, names of functions on the page as links."""

    def code(match: re.Match) -> str:
        name = match[1]
        return f'<a href="#{name}"><code>{name}</code></a>' if name in known else f"<code>{name}</code>"

    return re.sub(r"`([^`]+)`", code, html.escape(text))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
