"""What the documentation's benchmark page shows, from the files that pytest-benchmark writes.

    python -m pytest bench -k "float32" --benchmark-json=times.json
    python -m bench.data times.json --out docs/_data/benchmarks.json

A row is one candidate beside fastnn in one benchmark, with the medians of both in seconds and their ratio: how many
times as long as fastnn it takes.
"""

import argparse
import ast
import json
import re
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
DTYPES = ("float16", "float32", "float64")
SIZE = re.compile(r"\d+(e\d+|(x\d+)*)")
#: Tests whose parameters say all that there is to say.
PLAIN_TESTS = ("activation", "fused", "step")
#: Entries of a benchmark's record that are no candidates.
DERIVED = ("fastnn", "GBps", "vs_numpy", "vs_torch", "torch_way")
PACKAGES = ("fastnn", "numpy", "numba", "torch", "scikit-learn", "thinc", "dask")


def described(benchmark: dict) -> dict:
    """Group, function, dtype and size of a benchmark, from its file, its name and the label of its parameters."""
    test = benchmark["name"].partition("[")[0].removeprefix("test_")
    words = (benchmark["param"] or "").split("-")
    dtype = next((word for word in words if word in DTYPES), "float32")
    size = next((word for word in words if SIZE.fullmatch(word)), "")
    name = [] if test in PLAIN_TESTS else [test.replace("_", " ")]
    name += [word for word in words if word not in (dtype, size, "")]
    group = Path(benchmark["fullname"].partition("::")[0]).stem
    return {"group": group, "function": " ".join(name), "dtype": dtype, "size": size}


def rows_of(benchmark: dict) -> list[dict]:
    """One row for each candidate."""
    record, base = benchmark["extra_info"], described(benchmark)
    ours = record["fastnn"]
    return [
        {**base, "fastnn": ours, "peer": peer, "median": median, "ratio": round(median / ours, 3)}
        for peer, median in record.items()
        if peer not in DERIVED and median is not None
    ]


def reduced(reports: list[dict]) -> dict:
    """The data of the page from the reports of pytest-benchmark, all of one machine."""
    rows = [row for report in reports for benchmark in report["benchmarks"] for row in rows_of(benchmark)]
    cpu = reports[0]["machine_info"].get("cpu", {})
    machine = {"CPU": cpu.get("brand_raw", "unknown"), "cores": cpu.get("count"), "python": _python(reports[0])}
    versions = {package: version for package in PACKAGES if (version := _version(package))}
    titles = {group: _title(group) for group in dict.fromkeys(row["group"] for row in rows)}
    return {"date": reports[0]["datetime"][:10], "machine": machine | versions, "titles": titles, "rows": rows}


def _python(report: dict) -> str:
    return report["machine_info"].get("python_version", "unknown")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _title(group: str) -> str:
    """The first sentence of a benchmark file's docstring."""
    file = HERE / f"{group}.py"
    docstring = ast.get_docstring(ast.parse(file.read_text())) if file.exists() else None
    return docstring.partition("\n")[0].rstrip(".") if docstring else group


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="file of --benchmark-json")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    data = reduced([json.loads(file.read_text()) for file in options.reports])
    options.out.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
