"""The disk cache: nothing compiled twice, nothing stale, nothing foreign, and no folder needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import driver_alone, run_python

import fastnn
from fastnn._engine import cache

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


def flip(content: bytes, position: int) -> bytes:
    """One bit of the byte at a position turned over."""
    changed = bytearray(content)
    changed[position] ^= 0x10
    return bytes(changed)


#: What a crash, a full disk or a bad sector makes of a file: cut and changed in its magic, digest and payload.
DAMAGES = {
    "empty": lambda b: b"",
    "cut in the magic": lambda b: b[:3],
    "magic alone": lambda b: b[:8],
    "cut in the digest": lambda b: b[:20],
    "head alone": lambda b: b[:40],
    "one byte of payload": lambda b: b[:41],
    "half": lambda b: b[: len(b) // 2],
    "last byte missing": lambda b: b[:-1],
    "one byte more": lambda b: b + b"\0",
    "last byte another": lambda b: b[:-1] + b"\0\0",
    "bit of the magic": lambda b: flip(b, 2),
    "bit of the digest": lambda b: flip(b, 17),
    "bit of the payload": lambda b: flip(b, 41),
    "bit in the middle": lambda b: flip(b, len(b) // 2),
    "bit at the end": lambda b: flip(b, -1),
    "garbage": lambda b: b"garbage" * 500,
    "zeros": lambda b: bytes(len(b)),
    "twice": lambda b: b + b,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed(tmp_path, monkeypatch, damage):
    """The file is not read, and gone."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    payload = bytes(range(256)) * 40
    cache.write("kernel", payload)
    assert cache.read("kernel") == payload
    path = tmp_path / "kernel"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read("kernel") is None
    assert not path.exists()


@pytest.mark.parametrize("damage", ["half", "bit in the middle", "empty"])
def test_damaged_files_are_rebuilt(tmp_path, damage):
    call(driver_alone(tmp_path))
    before = {p.name: p.read_bytes() for p in files(tmp_path)}
    for path in files(tmp_path):
        if path.name != "driver" or damage == "half":
            path.write_bytes(DAMAGES[damage](path.read_bytes()))
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
    code = "import warnings; warnings.simplefilter('error')\nimport timeit, numpy as np, fastnn as fnn\n"
    code += "x = np.zeros(100_000, np.float32)\n"
    code += "seconds = min(timeit.repeat(lambda: fnn.relu(x), number=1, repeat=10))\n"
    code += "assert seconds < 0.01  # compiled: as Python it takes longer than that\n"
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


@pytest.fixture
def package(tmp_path):
    """A copy of the package, and the start of a program that uses it."""
    copy = tmp_path / "copy" / "fastnn"
    shutil.copytree(Path(fastnn.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy, f"import sys; sys.path.insert(0, {str(copy.parent)!r})\nimport numpy as np, fastnn as fnn\n"


def test_a_changed_source_line_never_meets_old_code(package, tmp_path):
    copy, code = package
    code, kept = f"{code}print(fnn.relu6(np.float32(9)))", str(tmp_path / "cache")
    assert run_python(code, FASTNN_CACHE_DIR=kept).stdout.strip() == "6.0"
    source = copy / "activations" / "rectified.py"
    changed = source.read_text().replace("6.0 if x >= 6.0", "5.0 if x >= 6.0")
    assert changed != source.read_text()
    source.write_text(changed)
    assert run_python(code, FASTNN_CACHE_DIR=kept).stdout.strip() == "5.0"


def test_every_source_file_is_part_of_the_key(package):
    """Helpers of a formula, in whatever file they stand, and the compiler's own parts."""
    copy, code = package
    code += f"""
from pathlib import Path
from fastnn._engine import cache
keys, sources = [cache.key()], sorted(Path({str(copy)!r}).rglob("*.py"))
for source in sources:
    source.write_bytes(source.read_bytes() + b"#")
    cache.key.cache_clear()
    keys.append(cache.key())
assert len(set(keys)) == len(sources) + 1 > 100
"""
    run_python(code)


def test_processes_that_fill_one_cache_at_once(tmp_path):
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path)}
    several = [
        subprocess.Popen([sys.executable, "-c", CALL], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert [p.communicate(timeout=500)[0].strip() for p in several] == ["True 0"] * 8
    assert len(files(tmp_path)) == 3
    assert call(tmp_path) == "False 0"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    code = """
import os
from pathlib import Path
import pytest
from fastnn._engine import cache
def interrupted(*arguments):
    raise KeyboardInterrupt
os.replace = interrupted
with pytest.raises(KeyboardInterrupt):
    cache.write("kernel", b"payload")
assert not list(Path(cache.folder()).iterdir())
"""
    run_python(code, FASTNN_CACHE_DIR=str(tmp_path / "cache"))
