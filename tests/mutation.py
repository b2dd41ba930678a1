"""Breaks the kernels one number or comparison at a time and reports what no test noticed.

    python -m tests.mutation                                        40 mutants, shared out among all files
    python -m tests.mutation fastnn/activations/smooth.py --sample 200
    python -m tests.mutation --list                                 all there are, and which tests are to notice them

Every mutant is applied to a copy of the repository with a cache folder of its own, and the tests that its file names
in mutation_selection.py are run until one fails; a crash or a hang is noticed too. The same seed gives the same
mutants, and a larger sample begins with the smaller one. Mutants in mutation_accepted.py, which are wrong in no way
that a test could or should notice, are not tried. Fails if a mutant survives, or the tests fail by themselves.

With --json a run that was stopped goes on: what was noticed stays so as long as the sources are the same, and what was
not is tried again with other tests.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parent))

from mutation_accepted import reason
from mutation_points import ROOT, Mutant, find
from mutation_selection import FILES, all_runs, runs

#: What a copy consists of.
COPIED = ("fastnn", "tests", "bench", "pyproject.toml", "README.md")
#: Seconds for the tests of unbroken sources; of broken ones SLOWER times what those took, and COMPILING.
LIMIT, SLOWER, COMPILING = 1200.0, 4.0, 300.0
#: Bytes of address space: a wrong bound may ask for any number.
MEMORY = 16 << 30


class Copy:
    """A copy of the repository, to be broken."""

    def __init__(self, folder: Path, root: Path = ROOT):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)

    def run(self, tests: tuple[str, ...], limit: float, **own: str) -> tuple[str, float]:
        """("passed", "failed", "crashed" or "hung", seconds)."""
        # Python's own cache goes by size and second, which two mutants may share; plugins take longer than some tests.
        own |= {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        start = time.monotonic()
        code = _exit_code(command, self.folder, {**os.environ, **own}, limit)
        return _VERDICTS.get(code, "crashed"), time.monotonic() - start

    def run_broken(self, mutant: Mutant, runs: list[tuple[str, ...]], limit: float) -> tuple[str, float]:
        """The same for several runs, as far as they pass, with a mutant in the copy and a cache that goes with it."""
        file = self.folder / mutant.file
        source = file.read_text(encoding="utf-8")
        file.write_text(mutant.applied(source), encoding="utf-8")
        try:
            with tempfile.TemporaryDirectory() as cache:
                seconds = 0.0
                for tests in runs:
                    verdict, more = self.run(tests, limit, FASTNN_CACHE_DIR=cache)
                    seconds += more
                    if verdict != "passed":
                        break
                return verdict, seconds
        finally:
            file.write_text(source, encoding="utf-8")


_HUNG = "hung"
#: By pytest's exit status; 2 is an error while the tests are collected, 5 that there are none, which notice nothing.
_VERDICTS: dict[int | str, str] = {0: "passed", 1: "failed", 2: "failed", 5: "passed", _HUNG: _HUNG}


def _exit_code(command: list[str], folder: Path, environment: dict[str, str], limit: float) -> int | str:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **quiet) as process:
        if hasattr(resource, "prlimit"):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return _HUNG
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def sample(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """The first `size` of them in an order that takes one of each file in turn, at random within the file."""
    by_file = defaultdict(list)
    for mutant in sorted(mutants):
        by_file[mutant.file].append(mutant)
    turns = []
    for file, own in by_file.items():
        random.Random(f"{seed} {file}").shuffle(own)  # noqa: S311
        turns += [(turn, mutant) for turn, mutant in enumerate(own)]
    return [mutant for _, mutant in sorted(turns)[:size]]


class Record:
    """What is known already, in a JSON file if there is one: (verdict, seconds) of mutants and of selections."""

    def __init__(self, file: Path | None):
        self.file, self.package, self.tests = file, _hash("fastnn/**/*.py"), _hash("tests/*.py")
        self.rows: dict[str, dict] = {}
        self.lock = threading.Lock()
        if file and file.exists():
            data = json.loads(file.read_text(encoding="utf-8"))
            if data["package"] == self.package:
                self.rows = {row["key"]: row for row in data["rows"]}

    def get(self, key: str) -> dict | None:
        """What was noticed is noticed by more tests too."""
        row = self.rows.get(key)
        return row if row and (row["verdict"] != "passed" or row["tests"] == self.tests) else None

    def put(self, key: str, verdict: str, seconds: float) -> dict:
        row = {"key": key, "verdict": verdict, "seconds": round(seconds, 1), "tests": self.tests}
        with self.lock:
            self.rows[key] = row
            if self.file:
                data = {"package": self.package, "rows": list(self.rows.values())}
                aside = self.file.with_name(f"{self.file.name}.new")
                aside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
                aside.replace(self.file)
        return row


def _hash(pattern: str) -> str:
    files = sorted(file for file in ROOT.glob(pattern) if "mutation" not in file.name)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def sound(files: list[str], record: Record, console) -> bool:
    """Whether the tests of all these sources pass while nothing is broken; prints how long each selection takes."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        for tests in dict.fromkeys(tests for file in files for tests in all_runs(file)):
            row = record.get(" ".join(tests))
            if row is None or row["verdict"] != "passed":
                row = record.put(" ".join(tests), *copy.run(tests, LIMIT))
            console.print(f"{row['seconds']:7.1f} s  {row['key']}")
            if row["verdict"] != "passed":
                console.print(f"these tests of unbroken sources have {row['verdict']}")
                return False
    return True


def judge(mutants: list[Mutant], workers: int, record: Record, console) -> list[Mutant]:
    """Prints a line for each, in their order; those that nothing noticed."""
    from rich.progress import Progress

    survivors = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for k in range(workers):
            copies.put(Copy(Path(folder) / str(k)))

        def row_of(mutant: Mutant) -> dict:
            row = record.get(str(mutant))
            if row is None:
                unbroken = max(record.rows[" ".join(tests)]["seconds"] for tests in all_runs(mutant.file))
                limit = COMPILING + SLOWER * unbroken
                copy = copies.get()
                try:
                    row = record.put(str(mutant), *copy.run_broken(mutant, runs(mutant), limit))
                finally:
                    copies.put(copy)
            return row

        with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
            for mutant, row in zip(mutants, bar.track(pool.map(row_of, mutants), total=len(mutants)), strict=True):
                survived = row["verdict"] == "passed"
                survivors += [mutant] * survived
                outcome = "SURVIVED" if survived else "killed" if row["verdict"] == "failed" else row["verdict"]
                console.print(f"{outcome:8} {row['seconds']:7.1f} s  {mutant}")
    return survivors


def report(accepted: list[Mutant], killed: int, survivors: list[Mutant], console) -> None:
    """What was left out for a reason, and what survived."""
    for mutant in (*accepted, *survivors):
        console.print(f"\n{mutant.file}:{mutant.line}: {reason(mutant) or 'SURVIVED'}")
        console.print(f"    {mutant.text.strip()}\n    {mutant.mutated.strip()}")
    console.print(f"\n{killed} killed, {len(survivors)} survived, {len(accepted)} accepted without a try")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="sources; all that have kernels without one")
    parser.add_argument("--sample", type=int, default=40, metavar="N", help="how many mutants, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="list all mutants of the files, and do nothing else")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results in FILE; go on from it")
    options = parser.parse_args()
    unknown = set(options.files) - set(FILES)
    if unknown:
        parser.error(f"no tests are chosen for {', '.join(sorted(unknown))}; known: {', '.join(FILES)}")
    mutants = [mutant for file in options.files or FILES for mutant in find(file)]
    if options.list:
        for mutant in mutants:
            print(f"{mutant}  ({'; '.join(map(' '.join, runs(mutant)))})")
        return 0
    from rich.console import Console

    console, record = Console(highlight=False, soft_wrap=True, markup=False), Record(options.json)
    chosen = sorted(sample(mutants, options.sample, options.seed))
    if not sound(list(dict.fromkeys(mutant.file for mutant in chosen)), record, console):
        return 1
    accepted, tried = [m for m in chosen if reason(m)], [m for m in chosen if not reason(m)]
    survivors = judge(tried, options.workers, record, console)
    report(accepted, len(tried) - len(survivors), survivors, console)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
