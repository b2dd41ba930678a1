"""What editors and type checkers are told: true, complete, and precise enough to find mistakes."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import run_python

import fastnn as fnn

PROGRAMS = Path(__file__).parent / "typing_programs"
PACKAGE = Path(fnn.__file__).parent


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[str, dict[int, set[str]]]:
    """What `mypy --strict` reports, from a user's folder: {program: {line: kinds of error}}."""
    folder = tmp_path_factory.mktemp("user")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / "cache"), "--hide-error-context"]
    files = sorted(PROGRAMS.glob("*.py"))
    environment = {"MYPYPATH": str(PACKAGE.parent), "PYTHONPATH": str(PACKAGE.parent), "PATH": "", "HOME": str(folder)}
    done = subprocess.run(
        [*command, *map(str, files)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, dict[int, set[str]]] = {file.stem: {} for file in files}
    for path, line, kind in re.findall(r"^(.*?):(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE):
        found[Path(path).stem].setdefault(int(line), set()).add(kind)
    return found


def test_a_program_that_uses_everything_has_no_error(reports):
    assert reports["uses_everything"] == {}


def test_every_wrong_use_is_reported(reports):
    lines = (PROGRAMS / "wrong_uses.py").read_text().splitlines()
    expected = {k: mark[1] for k, line in enumerate(lines, 1) if (mark := re.search(r"# E: ([\w-]+)", line))}
    assert len(expected) > 30
    found = reports["wrong_uses"]
    assert found.keys() == expected.keys()
    assert [k for k in expected if expected[k] not in found[k]] == []


def test_the_program_uses_every_public_name():
    tree = ast.parse((PROGRAMS / "uses_everything.py").read_text())
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "fnn"
    }
    assert {*fnn.__all__, *fnn.activations.__all__} - used == {"NAMES"}  # that is fnn.activations.NAMES


def test_the_program_runs():
    run_python(f"import runpy; runpy.run_path({str(PROGRAMS / 'uses_everything.py')!r}, run_name='__main__')", 500)


def _imports(stub: Path) -> tuple[set[str], set[str]]:
    """(names, modules that all is taken from) of a stub's imports."""
    nodes = [node for node in ast.parse(stub.read_text()).body if isinstance(node, ast.ImportFrom)]
    names = {alias.asname for node in nodes for alias in node.names if alias.asname}
    return names, {node.module or "" for node in nodes if node.names[0].name == "*"}


def test_the_stub_has_the_names_of_the_package():
    names, stars = _imports(PACKAGE / "__init__.pyi")
    assert names | {"activation"} == set(fnn.__all__)
    assert stars == {"activations"}
    assert _imports(PACKAGE / "activations" / "__init__.pyi")[1] == set(fnn.activations._FAMILIES)
    assert {*fnn.__all__, *fnn.activations.__all__} - {"NAMES"} <= set(dir(fnn))


def test_the_stub_of_reference_has_its_names():
    _, stars = _imports(PACKAGE / "reference" / "__init__.pyi")
    modules = [__import__(f"fastnn.reference.{star}", fromlist=["*"]) for star in stars]
    found = {name for module in modules for name, value in vars(module).items() if inspect.isfunction(value)}
    public = {name for name, value in vars(fnn.reference).items() if inspect.isfunction(value)}
    assert public <= found


def _signature(node: ast.FunctionDef) -> dict[str, tuple[bool, object]]:
    """{argument: (keyword-only, default)} of a stub's function."""
    arguments = node.args
    positional = [argument.arg for argument in arguments.args]
    required = [inspect.Parameter.empty] * (len(positional) - len(arguments.defaults))
    defaults = [*required, *(ast.literal_eval(value) for value in arguments.defaults)]
    found: dict[str, tuple[bool, object]] = {n: (False, d) for n, d in zip(positional, defaults, strict=True)}
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = True, inspect.Parameter.empty if value is None else ast.literal_eval(value)
    return found


def _runtime(function) -> dict[str, tuple[bool, object]]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: (p.kind is p.KEYWORD_ONLY, p.default) for p in parameters}


def test_the_stub_of_the_losses_has_their_signatures():
    functions = [
        n for n in ast.parse((PACKAGE / "losses/__init__.pyi").read_text()).body if isinstance(n, ast.FunctionDef)
    ]
    assert {node.name for node in functions} == set(fnn.losses.__all__)
    for node in functions:
        expected, found = _runtime(getattr(fnn.losses, node.name)), _signature(node)
        assert [*found] == [*expected], node.name
        for name, (keyword, default) in found.items():  # an overload may require what has a default
            assert keyword == expected[name][0]
            assert default in (expected[name][1], inspect.Parameter.empty), (node.name, name)


def test_the_stub_of_the_optimisers_has_their_signatures():
    body = ast.parse((PACKAGE / "optim/__init__.pyi").read_text()).body
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    common = {entry.target.id for entry in classes.pop("_Common").body if isinstance(entry, ast.AnnAssign)}
    assert classes.keys() | {"Optimizer"} == {n for n in fnn.optim.__all__ if inspect.isclass(getattr(fnn.optim, n))}
    for name, node in classes.items():
        expected, found = _runtime(getattr(fnn.optim, name)), _signature(node.body[0])
        assert found.pop("self") == (False, inspect.Parameter.empty)
        assert expected.keys() - found.keys() == common, name
        assert found == {key: value for key, value in expected.items() if key not in common}, name


def test_annotations_are_there_when_a_program_runs():
    from fastnn.typing import Elementwise, Gradient

    assert Elementwise.__doc__
    assert Gradient.__doc__
    assert inspect.signature(fnn.dropout_forward).parameters["out"].annotation is not inspect.Parameter.empty
    assert not isinstance(fnn.relu, Elementwise)  # it is NumPy's own
    assert isinstance(fnn.relu, np.ufunc)
