"""Makes a report of benchmarks: Markdown, an HTML page with plots, the README's block, the documentation's data.

    python -m pytest bench --profile=report --benchmark-json=times.json
    python -m bench.report times.json --out report --readme README.md --docs docs/_data/benchmarks.json

Rows where fastnn is slower come first, with the reason that `bench/reasons.py` has for them.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import report_page
import report_tables
from reasons import REASONS, Reason, reason_for
from report_rows import Row, read

from fastnn.cli.errors import CommandError
from fastnn.cli.models import write_whole

START, END = "<!-- benchmarks:start -->", "<!-- benchmarks:end -->"
COMMAND = (
    "python -m pytest bench --profile=report --benchmark-json=times.json\n"
    "python -m bench.report times.json --out report --readme README.md"
)


def with_block(text: str, block: str) -> str:
    """A README with everything between its markers replaced, and nothing else."""
    if (text.count(START), text.count(END)) != (1, 1) or text.index(START) > text.index(END):
        raise CommandError(f"--readme: expected {START} and after it {END}, each once")
    return text[: text.index(START)] + f"{START}\n{block}\n" + text[text.index(END) :]


def docs_data(report: report_tables.Report) -> str:
    """What the documentation's page shows, as JSON with a line for each row of a table."""

    def in_lines(table: report_tables.Table) -> str:
        head = _json(table._replace(body=[])._asdict())
        body = ",\n".join(map(_json, table.body))
        return head.replace('"body": []', f'"body": [\n{body}\n]', 1)

    tables = ",\n".join(map(in_lines, (*report.summary, *report.rows)))
    return f'{{"facts": {_json(report.facts)}, "tables": [\n{tables}\n]}}\n'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def unexplained(rows: Iterable[Row], reasons: Sequence[Reason]) -> list[Row]:
    """Slower rows without a reason."""
    return [row for row in report_tables.slowest_first(rows) if reason_for(row, reasons) is None]


def unused(rows: Iterable[Row], reasons: Sequence[Reason]) -> list[Reason]:
    """Reasons that no slower row has."""
    served = [reason_for(row, reasons) for row in report_tables.slowest_first(rows)]
    return [reason for reason in reasons if reason not in served]


def make(options: argparse.Namespace) -> int:
    """Write what is asked for, when all of it is there, and tell; the exit code."""
    machine, rows = read(options.reports)
    report = report_tables.report(machine, rows, REASONS)
    files = {
        options.out / "report.md": report_tables.markdown(report),
        options.out / "report.html": report_page.page(machine, rows, report),
    }
    if options.readme:
        files[options.readme] = with_block(_text(options.readme), report_tables.block(machine, rows, COMMAND))
    if options.docs:
        files[options.docs] = docs_data(report)
    _folder(options.out)
    for path, content in files.items():
        write_whole(path, content.encode())
        print(path)
    print(report_tables.counted(rows))
    unknown = unexplained(rows, REASONS)
    for row in unknown:
        print(f"{report_tables.UNKNOWN}: {row} ({report_tables.ratio(row.best.ratio)})", file=sys.stderr)
    for reason in unused(rows, REASONS):
        print(f"unused reason: {reason.function} {reason.direction} {reason.dtype}: {reason.text}", file=sys.stderr)
    return 1 if options.check and unknown else 0


def _text(path: Path) -> str:
    """With the ends of lines that it has."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({error.strerror})") from None


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{path}: cannot be made ({error.strerror})") from None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", nargs="+", type=Path, metavar="TIMES", help="a file of --benchmark-json")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where report.md and report.html go")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="replace what stands between its markers")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="write the data of the documentation's page")
    parser.add_argument("--check", action="store_true", help="fail if a slower row has no reason")
    try:
        return make(parser.parse_args(arguments))
    except CommandError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
