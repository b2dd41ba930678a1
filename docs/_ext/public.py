"""The directive `public-names`: a summary and the entries of all that modules give users.

What a module gives is found by looking, so that a new function is in the reference without being listed there. Entries
have the names under which users import them, `fastnn.relu` rather than `fastnn.activations.rectified.relu`.
"""

import importlib
import inspect
import pkgutil
from types import FunctionType, ModuleType

import numpy as np
from docutils import nodes
from numpydoc.docscrape import NumpyDocString
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import fastnn


def public_names(module: ModuleType) -> dict[str, object]:
    """{dotted name: function, ufunc or class}, in the order of `__all__` or else of the file."""
    places = [fastnn, importlib.import_module(".".join(module.__name__.split(".")[:2]))]
    if module.__name__.startswith("fastnn.compat."):
        places.append(module)
    found = {}
    for name in getattr(module, "__all__", None) or vars(module):
        value = getattr(module, name)
        if name.startswith("_") or not callable(value) or not _is_made_in(module, value):
            continue
        place = next((place for place in places if getattr(place, name, None) is value), None)
        if place is not None:
            found[f"{place.__name__}.{name}"] = value
    return found


def _is_made_in(module: ModuleType, value: object) -> bool:
    """Whether a value comes from the module; one with `__all__` may pass on what others made."""
    return hasattr(module, "__all__") or getattr(value, "__module__", None) == module.__name__


def summary(names: dict[str, object]) -> list[str]:
    """The lines of a table of names with what each does. (autosummary cannot handle ufuncs.)"""
    rows = [[f"   * - `~{name}`", f"     - {' '.join(documented(value)['Summary'])}"] for name, value in names.items()]
    return [".. list-table::", "   :widths: 35 65", "", *(line for row in rows for line in row), ""]


def documented(value: object) -> NumpyDocString:
    return NumpyDocString(inspect.getdoc(value) or "")


def signature_of_ufunc(app: Sphinx, what: str, name: str, obj: object, options: object, *given: str | None):
    """The signature that autodoc shows: NumPy calls the operands x1 and x2 whatever they are."""
    if isinstance(obj, np.ufunc):
        operands = [entry.name for entry in documented(obj)["Parameters"][: obj.nin]]
        return f"({', '.join(operands)}, /, out=None, *, where=True, **kwargs)", ""
    return None


def entry(name: str, value: object) -> list[str]:
    """The lines that document one name."""
    if not inspect.isclass(value):
        return [f".. autofunction:: {name}", ""]
    owners = (value, *hidden_bases(value))
    members = [key for cls in owners for key, each in vars(cls).items() if key[0] != "_" and _is_documented(each)]
    return [f".. autoclass:: {name}", *([f"   :members: {', '.join(members)}"] if members else []), ""]


def hidden_bases(cls: type) -> list[type]:
    """Bases in private modules that no entry shows: their members are the class's."""
    package = importlib.import_module(".".join(cls.__module__.split(".")[:2]))
    private = [base for base in cls.__bases__ if base.__module__.startswith(f"{package.__name__}._")]
    return [base for base in private if not hasattr(package, base.__name__)]


def _is_documented(member: object) -> bool:
    kinds = (FunctionType, property, classmethod, staticmethod)
    return isinstance(member, kinds) and bool(member.__doc__)


class PublicNames(SphinxDirective):
    """Takes the names of modules."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        names: dict[str, object] = {}
        for module in self.arguments[0].split():
            names |= public_names(importlib.import_module(module))
        place = next(iter(names)).rpartition(".")[0]  # where names in backticks are looked up
        lines = [f".. py:currentmodule:: {place}", "", *summary(names)]
        for name, value in names.items():
            lines += entry(name, value)
        return self.parse_text_to_nodes("\n".join(lines))


class PublicModules(SphinxDirective):
    """Takes the name of a package: a section for each of its modules that has a list of public names, `__all__`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        package = importlib.import_module(self.arguments[0])
        sections = []
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "._" not in found.name:
                sections += self._section(found.name)
        return sections

    def _section(self, name: str) -> list[nodes.section]:
        section = nodes.section(ids=[nodes.make_id(name)])
        section += nodes.title(text=name)
        try:
            module = importlib.import_module(name)
        except ImportError as missing:  # a peer that is not installed here
            section += nodes.paragraph(text=str(missing))
            return [section]
        if not hasattr(module, "__all__"):
            return []
        about = [inspect.getdoc(module) or "", ""]
        names = [f".. public-names:: {name}"] if public_names(module) else []
        section += self.parse_text_to_nodes("\n".join(about + names))
        return [section]


def setup(app: Sphinx) -> dict:
    app.add_directive("public-names", PublicNames)
    app.add_directive("public-modules", PublicModules)
    app.connect("autodoc-process-signature", signature_of_ufunc, priority=400)  # before numpydoc's
    return {"parallel_read_safe": True}
