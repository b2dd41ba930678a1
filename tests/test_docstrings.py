"""Every public name, found by introspection, has a docstring in numpydoc's form whose examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re
import warnings

import numpy as np
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import fastnn

#: numpydoc's checks that matter here. Not among them: where the text begins (GL01, GL02), an extended summary (ES01),
#: See Also (SA01), the style of summaries (SS02, SS05), order, types and full sentences of entries (PR03 to PR09, RT02
#: to RT05), since "x, gamma: as in batch_norm_forward" says more than a copy. PR01 and EX01 are done below.
CHECKS = {"GL03", "GL05", "GL06", "GL07", "GL08", "SS01", "SS03", "SS04", "SS06", "PR10", "RT01", "YD01"}

#: Sections in which arguments are documented; results that are named tuples list them as attributes.
ARGUMENTS = ("Parameters", "Other Parameters", "Attributes")

#: Their examples are those of docs/howto, which test_docs.py runs; errors are those of what they stand in for.
COMPAT = re.compile(r"fastnn\.compat\.")

#: Formulas of these modules have a References section, or name in backticks a function that has one ...
SOURCED = re.compile(r"fastnn\.(activations|dropout|losses|normalization|optim\.rules)\.")
#: ... but for mathematics that no one paper introduced.
NO_SOURCE = {"activation", "bias_activation", "log_sigmoid", "mae", "mse", "tanhshrink"}


def _modules():
    """The modules that users import; of `fastnn.compat` those with a list of names. The reference's are formulas."""
    names = [f"fastnn.{name}" for name in fastnn._SUBMODULES if name not in ("compat", "reference")]
    found = pkgutil.walk_packages(importlib.import_module("fastnn.compat").__path__, "fastnn.compat.")
    names += [entry.name for entry in found if "._" not in entry.name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what peers say when they are imported
        modules = [importlib.import_module(name) for name in names]
    return [fastnn, *(m for m in modules if hasattr(m, "__all__") or not m.__name__.startswith("fastnn.compat."))]


def _objects():
    """{name: object} of all public functions, ufuncs, classes, methods and properties, each object once."""
    found, seen = {}, set()
    for module in _modules():
        listed = getattr(module, "__all__", None)
        for name in listed or vars(module):
            value = getattr(module, name)
            home = getattr(value, "__module__", None) or "fastnn"
            if name.startswith("_") or not callable(value) or id(value) in seen:
                continue
            if home.startswith("fastnn") if listed else home == module.__name__:
                seen.add(id(value))
                name = value.__name__  # of hard_silu and hard_swish, which are one
                found[f"{home}.{name}"] = value
                if inspect.isclass(value):
                    found |= {f"{home}.{name}.{member}": each for member, each in _members(value)}
    return found


def _members(cls):
    """Public methods and properties, but for those that inherit their docstring or follow another package's class."""
    kinds, foreign = (property, classmethod, staticmethod, type(_modules)), set()
    for base in cls.__mro__:
        foreign |= set() if base.__module__.startswith("fastnn") else set(vars(base))
    listed = [entry for owner in (cls, *_hidden_bases(cls)) for entry in vars(owner).items()]
    own = [name for name, value in listed if name[0] != "_" and isinstance(value, kinds)]
    members = {name: getattr(cls, name) for name in own if name not in foreign}
    return [(name, value) for name, value in members.items() if value.__doc__ or not inspect.getdoc(value)]


def _hidden_bases(cls):
    """Bases in private modules that their package does not give: users see their members in the class alone."""
    package = importlib.import_module(".".join(cls.__module__.split(".")[:2]))
    private = [base for base in cls.__bases__ if base.__module__.startswith(f"{package.__name__}._")]
    return [base for base in private if not hasattr(package, base.__name__)]


def _is_error(value):
    return inspect.isclass(value) and issubclass(value, BaseException)


OBJECTS = _objects()
FUNCTIONS = {name: value for name, value in OBJECTS.items() if not (isinstance(value, property) or _is_error(value))}


def _is_member(name):
    return name.rpartition(".")[0] in OBJECTS


def _is_known(name):
    return _is_member(name) or re.sub(r"_backward.*", "", name.rpartition(".")[2]) in NO_SOURCE


def _documented(value):
    return NumpyDocString(inspect.getdoc(value))


def _arguments(value):
    """The names that a docstring has to explain."""
    if isinstance(value, np.ufunc):
        return ["x", "out", "where", "**kwargs"] if value.nin == 1 else ["dy", "out", "where", "**kwargs"]
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    parameters = inspect.signature(value).parameters.values()
    return [stars.get(p.kind, "") + p.name for p in parameters if p.name not in ("self", "cls")]


@pytest.mark.parametrize("name", OBJECTS)
def test_numpydoc_finds_nothing_to_say(name):
    assert [error for error in validate(name)["errors"] if error[0] in CHECKS] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_explained(name):
    doc, expected = _documented(FUNCTIONS[name]), _arguments(FUNCTIONS[name])
    explained = {each for section in ARGUMENTS for entry in doc[section] for each in entry.name.split(", ")}
    assert set(expected) - explained == set()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not (_is_member(name) or COMPAT.match(name))])
def test_examples_and_errors(name):
    doc = _documented(FUNCTIONS[name])
    assert doc["Examples"], "no Examples section"
    if doc["Parameters"]:
        assert doc["Raises"], "no Raises section"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if SOURCED.match(name) and not _is_known(name)])
def test_formulas_have_a_source(name):
    text = inspect.getdoc(FUNCTIONS[name])
    named = [value for other, value in FUNCTIONS.items() if f"`{other.rpartition('.')[2]}`" in text]
    assert any(_documented(value)["References"] for value in (FUNCTIONS[name], *named)), "no References section"


@pytest.mark.parametrize("name", OBJECTS)
def test_examples_run(name):
    text = inspect.getdoc(OBJECTS[name])
    examples = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, name, None, 0)
    report = []
    doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert not report, "".join(report)
