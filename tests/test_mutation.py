"""The mutation check itself: what it breaks, that it does so in one place, and that it tells noticed from unnoticed."""

import ast
import io
from collections import Counter

import mutation_accepted
import pytest
from mutation import Copy, Record, judge, report, sample
from mutation_accepted import ACCEPTED, Accepted
from mutation_points import ROOT, find
from mutation_selection import FILES, all_runs, runs
from rich.console import Console


@pytest.fixture(scope="module")
def mutants():
    return [mutant for file in FILES for mutant in find(file)]


def found(tmp_path, text):
    (tmp_path / "a.py").write_text(text, encoding="utf-8")
    return [(mutant.line, mutant.old, mutant.new) for mutant in find("a.py", tmp_path)]


def test_every_kernel_source_has_mutants(mutants):
    count = Counter(mutant.file for mutant in mutants)
    assert count.total() > 2000
    assert set(count) == set(FILES)
    kernels = {
        file.relative_to(ROOT).as_posix()
        for folder in ("activations", "_engine/simd_math", "losses", "dropout", "optim/rules", "normalization")
        for file in (ROOT / "fastnn" / folder).glob("*.py")
        if file.name != "__init__.py"
    }
    arrays_only = {f"fastnn/{name}.py" for name in ("dropout/channels", "dropout/elements", "normalization/_arrays")}
    assert kernels - set(FILES) == arrays_only | {"fastnn/normalization/synchronized.py"}


def test_a_mutant_changes_one_place_and_parses(mutants):
    for mutant in sample(mutants, 150, 0):
        source = (ROOT / mutant.file).read_text(encoding="utf-8")
        before, after = source.split("\n"), mutant.applied(source).split("\n")
        assert [k for k, (a, b) in enumerate(zip(before, after, strict=True), start=1) if a != b] == [mutant.line]
        start = len(mutant.text.encode()[: mutant.column].decode())
        assert mutant.text[start:].startswith(mutant.old)
        assert mutant.mutated == mutant.text[:start] + mutant.new + mutant.text[start + len(mutant.old) :]
        ast.parse("\n".join(after))
        with pytest.raises(ValueError, match="another"):
            mutant.applied(source.replace(mutant.text, f"{mutant.text} # changed"))


def test_a_mutant_changes_what_a_constant_or_comparison_means(mutants):
    for mutant in mutants:
        if mutant.old[0] in "<>=!":
            assert {mutant.old, mutant.new} < {"<", "<=", ">", ">=", "==", "!="}
        else:
            assert ast.literal_eval(mutant.new) != ast.literal_eval(mutant.old), mutant


def test_how_wrong_a_constant_is(tmp_path):
    text = """
def f(x, low=1.0):
    \"\"\"2.0 is no constant.\"\"\"
    if x is None or x < 1:
        raise ValueError(f"{x:3} < 1")
    x = 20.0 if x > 20.0 else (-0.9 if x < -0.9 else x)  # ½, of two bytes
    ü = 7; return ü * 0.5 + 1.4142135623730951 * 1e-17 + 0.0 if 0 <= x != 3.0 else 0x1F
    return 0
g_f64 = Update(horner(0.5, -0.25, 4.0), work=0.3)
"""
    assert found(tmp_path, text) == [
        (6, "20.0", "10.0"),
        (6, ">", ">="),
        (6, "20.0", "10.0"),
        (6, "0.9", "0.45"),
        (6, "<", "<="),
        (6, "0.9", "0.45"),
        (7, "7", "8"),
        (7, "0.5", repr(0.5 * 1.001)),
        (7, "1.4142135623730951", repr(1.4142135623730951 * 1.00001)),
        (7, "1e-17", "2e-17"),
        (7, "0.0", "0.001"),
        (7, "0", "1"),
        (7, "<=", "<"),
        (7, "!=", "=="),
        (7, "3.0", repr(3.0 * 1.001)),
        (7, "0x1F", "0x20"),
        (9, "0.5", repr(0.5 * (1 + 1e-12))),
        (9, "0.25", repr(0.25 * (1 + 1e-6))),
        (9, "4.0", "8.0"),
    ]


def test_a_sample_is_reproducible_and_grows(mutants):
    small, large = sample(mutants, 60, 3), sample(mutants[::-1], 200, 3)
    assert small == large[:60]
    assert small != sample(mutants, 60, 4)
    assert len(set(large)) == 200
    assert {mutant.file for mutant in small} == set(FILES)


def test_selections_are_of_tests_that_there_are(mutants):
    for mutant in mutants:
        for arguments in (*runs(mutant), *all_runs(mutant.file)):
            files = [name for name in arguments if name.endswith(".py")]
            assert files
            assert all((ROOT / name).exists() for name in files)
    (derivative,) = {tests for m in mutants if m.file.endswith("smooth.py") and "_MISH" in m.scope for tests in runs(m)}
    assert derivative == ("tests/test_activations.py", "-k", "mish")
    twice = [("tests/test_layer_norm.py", "-k", f"{not_}the_reference") for not_ in ("not ", "")]
    assert all_runs("fastnn/normalization/layer.py") == twice


def test_what_is_accepted_is_there(mutants):
    for accepted in ACCEPTED:
        assert any(map(accepted.matches, mutants)), accepted
        assert len(accepted.why) > 20


TOY = """
def half(x):
    return x * 0.5


def steps(n):
    while n != 0:
        n -= 1
    return 0.25
"""
TOY_TEST = """
from fastnn.kernels import half, steps

def test_half():
    assert half(4.0) == 2.0
    assert steps(3) < 1.0
"""


def test_noticed_and_unnoticed_are_told_apart(tmp_path):
    toy = tmp_path / "toy"
    for name, text in (("fastnn/__init__.py", ""), ("fastnn/kernels.py", TOY), ("tests/test_kernels.py", TOY_TEST)):
        (toy / name).parent.mkdir(parents=True, exist_ok=True)
        (toy / name).write_text(text)
    copy = Copy(tmp_path / "copy", toy)
    tests = ("tests/test_kernels.py",)
    assert copy.run(tests, 60)[0] == "passed"
    mutants = {mutant.old: mutant for mutant in find("fastnn/kernels.py", toy)}
    assert set(mutants) == {"0.5", "!=", "0", "1", "0.25"}
    verdicts = {old: copy.run_broken(mutants[old], [tests, tests], 60)[0] for old in ("0.5", "0.25")}
    assert verdicts == {"0.5": "failed", "0.25": "passed"}
    assert copy.run_broken(mutants["1"], [tests], 2)[0] == "hung"
    assert (tmp_path / "copy/fastnn/kernels.py").read_text() == TOY


def test_what_was_noticed_is_not_tried_again(tmp_path, monkeypatch):
    file, console = tmp_path / "results.json", Console(file=io.StringIO())
    first, second = sample([mutant for name in FILES[:2] for mutant in find(name)], 2, 0)
    record = Record(file)
    for chosen in (first, second):
        for tests in all_runs(chosen.file):
            record.put(" ".join(tests), "passed", 1.0)
    record.put(str(first), "failed", 1.0)
    record.put(str(second), "passed", 2.0)
    monkeypatch.setattr(Copy, "run_broken", lambda *_: pytest.fail("tried again"))
    assert judge([first, second], 1, Record(file), console) == [second]
    assert "killed" in console.file.getvalue()
    record.tests = "others"
    record.put(str(second), "passed", 2.0)
    monkeypatch.setattr(Copy, "run_broken", lambda *_: ("crashed", 3.0))
    assert judge([first, second], 1, Record(file), console) == []
    assert Record(file).get(str(second))["verdict"] == "crashed"


def test_accepted_mutants_are_shown_with_the_reason_and_survivors_without(monkeypatch):
    first, second = find(FILES[0])[:2]
    why = Accepted(first.file, first.text.strip(), first.mutated.strip(), "for the sake of this test")
    monkeypatch.setattr(mutation_accepted, "ACCEPTED", [why])
    console = Console(file=io.StringIO(), width=200)
    report([first], 7, [second], console)
    text = console.file.getvalue()
    assert f"{first.file}:{first.line}: for the sake of this test\n    {first.text.strip()}\n" in text
    assert f"{second.file}:{second.line}: SURVIVED\n" in text
    assert "7 killed, 1 survived, 1 accepted" in text
