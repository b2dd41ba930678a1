"""The report as one HTML file that needs nothing else: no network, no script, pictures inside."""

import html
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import report_plots as plots
from report_rows import EVEN, Machine, Row, threads_text
from report_tables import LONG, WORDS, Report, Table, capital, ratio

_SPEEDUPS = (
    "Bars: the best peer's time over fastnn's, the geometric mean over all rows of a function; red where fastnn is "
    "slower. Marks: the same of each library, over the rows that it is in."
)
_ROOFLINE = (
    "The rate at which calls go through their operands, a point for each row. Large arrays cannot be read and written "
    "faster than memory streams, the dashed line; small ones stay in a cache, and there the point shows how much is "
    "computed for each byte. Far to the left the cost of the call itself counts."
)
_TIMES = "Medians; of each library the fastest way at each size. Both axes are logarithmic."

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1f24; --soft: #5c636e; --card: #f6f7f9; --line: #d9dce2;
  --bad: #c92a2a; --link: #1864ab; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --ink: #e6e8eb; --soft: #9aa2ad; --card: #1d2025;
  --line: #343941; --bad: #ff8787; --link: #74c0fc; } }
html { scroll-behavior: smooth; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 92rem;
  margin: 0 auto; padding: 2rem 1.5rem 5rem; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
h1 { font-size: 2.2rem; margin: 0 0 1rem; letter-spacing: -0.02em; }
h2 { margin: 3rem 0 1rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { margin: 2rem 0 0.5rem; }
p { max-width: 56rem; }
.note { color: var(--soft); }
nav { background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; padding: 0.8rem 1.2rem; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; }
nav > ul > li { flex-basis: 100%; }
nav ul ul { padding-left: 1.2rem; font-size: 0.9rem; }
.numbers { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; padding: 0; list-style: none; }
.numbers li { background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; padding: 0.8rem 1.4rem;
  color: var(--soft); font-size: 0.9rem; }
.numbers strong { display: block; color: var(--ink); font-size: 1.9rem; line-height: 1.2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
.word { text-align: left; }
td.long { white-space: normal; min-width: 13rem; }
#slower td.long { min-width: 22rem; }
#slower td:nth-child(6) { color: var(--bad); font-weight: 600; }
tbody tr:hover { background: var(--card); }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; padding: 0.8rem; }
figcaption { font-size: 0.85rem; font-weight: 600; }
figure.alone { max-width: 52rem; margin-bottom: 1rem; }
svg { display: block; width: 100%; height: auto; }
svg * { stroke-linejoin: round; }
.legend { max-width: 48rem; position: sticky; top: 0; background: var(--page); border-bottom: 1px solid var(--line); }
"""


class Part(NamedTuple):
    """A section: its head, then titled groups, which the table of contents lists."""

    identifier: str
    title: str
    head: str
    groups: dict[str, str]

    def links(self) -> dict[str, str]:
        """Identifier -> title of each group."""
        return {f"{self.identifier}-{k}": title for k, title in enumerate(self.groups, 1)}


def page(machine: Machine, rows: Sequence[Row], found: Report) -> str:
    """The whole page."""
    parts = _parts(machine, rows, found)
    facts = "\n".join(f"<p>{html.escape(fact)}</p>" for fact in found.facts)
    sections = "\n".join(map(_section, parts))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastnn: benchmarks</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>fastnn, measured</h1>
{_numbers(rows)}
{facts}
{_contents(parts)}
{sections}
</body>
</html>
"""


def _parts(machine: Machine, rows: Sequence[Row], found: Report) -> list[Part]:
    known = plots.styles(dict.fromkeys(["fastnn", *(name for row in rows for name in row.libraries)]))
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(capital(row.family), []).append(row)
    slower, *others = found.rows
    rooflines = [
        _alone(plots.roofline(families, threads, rate), threads_text(threads))
        for threads, rate in machine.streaming.items()
    ]
    speedups = {
        family: _alone(plots.speedups(family, group, known), "Times as long as fastnn")
        for family, group in families.items()
    }
    return [
        Part("summary", "Summary", "", {table.title: _table(table) for table in found.summary}),
        Part("slower", slower.title, _table(slower), {}),
        Part("speedups", "Speed-ups", _with_legend("Speed-ups", _SPEEDUPS, known), speedups),
        Part("roofline", "Roofline", f"<p>{_ROOFLINE}</p>\n{''.join(rooflines)}", {}),
        Part("times", "Time against size", _with_legend("Times", _TIMES, known), _times(families, known)),
        Part("rows", "All other rows", "", {table.title: _table(table) for table in others}),
    ]


# --- pieces of the page -----------------------------------------------------------------------------------------------


def _numbers(rows: Sequence[Row]) -> str:
    """The whole in a few numbers."""
    ratios = [row.best.ratio for row in rows if row.best]
    numbers = {
        "rows measured": str(len(rows)),
        f"slower than {EVEN:g} of the best peer": str(sum(row.slower for row in rows)),
    }
    if ratios:
        numbers["the best peer's time over fastnn's, geometric mean"] = ratio(statistics.geometric_mean(ratios))
        numbers["at worst"] = ratio(min(ratios))
    items = "\n".join(f"<li><strong>{number}</strong>{html.escape(what)}</li>" for what, number in numbers.items())
    return f'<ul class="numbers">\n{items}\n</ul>'


def _contents(parts: Iterable[Part]) -> str:
    def link(identifier: str, title: str) -> str:
        return f'<a href="#{identifier}">{html.escape(title)}</a>'

    def inner(part: Part) -> str:
        links = "".join(f"<li>{link(*group)}</li>" for group in part.links().items())
        return f"<ul>{links}</ul>" if links else ""

    items = "\n".join(f"<li>{link(part.identifier, part.title)}{inner(part)}</li>" for part in parts)
    return f"<nav>\n<ul>\n{items}\n</ul>\n</nav>"


def _section(part: Part) -> str:
    groups = "\n".join(
        f'<h3 id="{identifier}">{html.escape(title)}</h3>\n{part.groups[title]}'
        for identifier, title in part.links().items()
    )
    return f'<section id="{part.identifier}">\n<h2>{html.escape(part.title)}</h2>\n{part.head}\n{groups}\n</section>'


def _table(table: Table) -> str:
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    if not table.body:
        return note
    body = "\n".join(_line("td", table.heading, line) for line in table.body)
    return f"""{note}<div class="wide"><table>
<thead>{_line("th", table.heading, table.heading)}</thead>
<tbody>
{body}
</tbody>
</table></div>"""


def _line(tag: str, heading: Sequence[str], line: Sequence[str]) -> str:
    """A row of a table, each cell of the class that its column has."""
    cells = zip((_column_class(name) for name in heading), line, strict=True)
    return f"<tr>{''.join(f'<{tag}{name}>{html.escape(cell)}</{tag}>' for name, cell in cells)}</tr>"


def _column_class(name: str) -> str:
    classes = ["word"] * (name in WORDS) + ["long"] * (name in LONG)
    return f' class="{" ".join(classes)}"' if classes else ""


def _times(families: dict[str, list[Row]], known: dict[str, plots.Style]) -> dict[str, str]:
    """Of each family, cards with a plot each; no family without one."""
    found = {}
    for family, rows in families.items():
        pictures = {name: plots.time_against_size(name, group, known) for name, group in plots.panels(rows).items()}
        cards = [
            f"<figure><figcaption>{html.escape(name)}</figcaption>{svg}</figure>" for name, svg in pictures.items()
        ]
        if cards:
            found[family] = f'<div class="cards">{"".join(cards)}</div>'
    return found


def _with_legend(title: str, text: str, known: dict[str, plots.Style]) -> str:
    return f'<p>{text}</p>\n<div class="legend">{plots.legend(title, known)}</div>'


def _alone(picture: str, caption: str) -> str:
    return f'<figure class="alone"><figcaption>{html.escape(caption)}</figcaption>{picture}</figure>'
