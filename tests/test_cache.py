"""The disk cache: nothing compiled twice, nothing stale, nothing foreign, and no folder needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import run_python

import fastnn

CALL = """
import sys, warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import fastnn as fnn
    x = np.linspace(-3, 3, 101, dtype=np.float32)
    y = fnn.relu(x)
    z = fnn.hard_tanh(x)
assert (y == np.maximum(x, 0)).all() and (z == np.clip(x, -1, 1)).all()
print("numba" in sys.modules, len(caught), *[w.message for w in caught])
"""


def files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


def call(folder, **environment) -> str:
    return run_python(CALL, FASTNN_CACHE_DIR=str(folder), **environment).stdout.strip()


def test_import_is_lazy():
    run_python("import sys, fastnn; assert not {'numba', 'llvmlite'} & set(sys.modules)")


def test_the_second_process_compiles_nothing(tmp_path):
    assert call(tmp_path) == "True 0"
    stored = {p: p.stat().st_mtime_ns for p in files(tmp_path)}
    assert len(stored) == 3  # the driver and two kernels
    assert call(tmp_path) == "False 0"
    assert {p: p.stat().st_mtime_ns for p in files(tmp_path)} == stored


def test_folder_is_private(tmp_path):
    call(tmp_path / "new")
    for folder in (tmp_path / "new").iterdir():
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"garbage" * 500, lambda b: b[:-1] + b"\0\0"]
)
def test_damaged_files_are_rebuilt(tmp_path, damage):
    call(tmp_path)
    before = {p.name: p.read_bytes() for p in files(tmp_path)}
    for path in files(tmp_path):
        path.write_bytes(damage(path.read_bytes()))
    assert call(tmp_path) == "True 0"
    assert {p.name for p in files(tmp_path)} == set(before)
    assert call(tmp_path) == "False 0"


def test_no_usable_folder_costs_one_warning(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    output = call(blocked)
    assert output.startswith("True 1")
    assert "not kept on disk" in output


def test_no_usable_folder_where_warnings_are_errors(tmp_path):
    (tmp_path / "file").write_text("in the way")
    code = "import warnings; warnings.simplefilter('error')\nimport time, numpy as np, fastnn as fnn\n"
    code += "x = np.zeros(100_000, np.float32); fnn.relu(x); start = time.perf_counter(); fnn.relu(x)\n"
    code += "assert time.perf_counter() - start < 0.05  # compiled: as Python it takes longer than that\n"
    done = run_python(code, FASTNN_CACHE_DIR=str(tmp_path / "file"))
    assert "not kept on disk" in done.stderr


def test_no_home(tmp_path):
    code = CALL.replace("import sys", "import sys, os; os.environ.pop('FASTNN_CACHE_DIR', None); import sys")
    output = run_python(code, HOME="/proc/nowhere", XDG_CACHE_HOME="/proc/nowhere").stdout
    assert output.startswith("True 1")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX permissions")
def test_a_folder_others_can_write_to_is_not_used(tmp_path):
    call(tmp_path)
    (key,) = tmp_path.iterdir()
    key.chmod(0o777)
    assert call(tmp_path).startswith("True 1")


def test_a_changed_source_line_never_meets_old_code(tmp_path):
    package = tmp_path / "copy" / "fastnn"
    shutil.copytree(Path(fastnn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import sys; sys.path.insert(0, {!r})\n{}print(fnn.relu6(np.float32(9)))".format(
        str(package.parent), "import numpy as np, fastnn as fnn\n"
    )
    cache = str(tmp_path / "cache")
    assert run_python(code, FASTNN_CACHE_DIR=cache).stdout.strip() == "6.0"
    source = package / "activations" / "rectified.py"
    changed = source.read_text().replace("6.0 if x >= 6.0", "5.0 if x >= 6.0")
    assert changed != source.read_text()
    source.write_text(changed)
    assert run_python(code, FASTNN_CACHE_DIR=cache).stdout.strip() == "5.0"


def test_processes_that_fill_one_cache_at_once(tmp_path):
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path)}
    several = [
        subprocess.Popen([sys.executable, "-c", CALL], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [p.communicate(timeout=120)[0].strip() for p in several] == ["True 0"] * 4
    assert len(files(tmp_path)) == 3
    assert call(tmp_path) == "False 0"
