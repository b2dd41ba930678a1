"""What every elementwise function was made of, and how users' own are pickled.

NumPy pickles a ufunc by its name, which is right for what a module holds and no other process can use for what a
script, a notebook or a function has made. So the first use of `fastnn.elementwise` puts a reducer of ours in front of
NumPy's own (registered with `copyreg`, as pickle has it no other way for a type of somebody else's). It looks at
users' functions alone and hands every other ufunc on to NumPy.
"""

import contextlib
import copyreg
import functools
import importlib
import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(eq=False)
class Definition:
    """What a public function was made of and what was made with it."""

    formula: Callable
    derivative: Callable
    zero_blocks: bool
    backward: Any = None
    backward_from_output: Any = None
    #: Of a user's function: its module, the names it may have there, all its ufuncs by name, and how to make it again
    module: str = ""
    places: tuple[str, ...] = ()
    members: dict[str, np.ufunc] = field(default_factory=dict)
    recipe: tuple = ()

    def __reduce__(self):
        return _definition_at, self.place()

    def place(self) -> tuple[str, str | bytes]:
        """(module, name) under which other processes find it, else ("", the recipe as bytes)."""
        for name in self.places:
            if self.module not in ("__main__", "__mp_main__") and _at(self.module, name) is self:
                return self.module, name
        return "", self.recipe_bytes

    @functools.cached_property
    def recipe_bytes(self) -> bytes:
        """What makes it again anywhere: the frozen formulas themselves."""
        from numba import cloudpickle  # the standard pickle takes functions by name alone

        content = cloudpickle.dumps(self.recipe)
        _MADE_AGAIN[content] = self
        return content


DEFINITIONS: dict[Any, Definition] = {}
#: user's ufunc -> (its definition, its name in `members`)
_OWNERS: dict[np.ufunc, tuple[Definition, str]] = {}
_MADE_AGAIN: dict[bytes, Definition] = {}


def definition_of(function: Any) -> Definition | None:
    """The definition of a function made here, None for any other object."""
    with contextlib.suppress(TypeError):  # not hashable
        if function in DEFINITIONS:
            return DEFINITIONS[function]
    # a plain function that another process has sent, but none that `functools.wraps` has given our attributes
    made = getattr(function, "_definition", None)
    return made if isinstance(made, Definition) and not hasattr(function, "__wrapped__") else None


def _at(module: str, name: str) -> Definition | None:
    """The definition of what a module that is there has under a name."""
    with contextlib.suppress(KeyError, AttributeError):
        return definition_of(operator.attrgetter(name)(sys.modules[module]))
    return None


def _definition_at(module: str, place: str | bytes) -> Definition:
    """The inverse of `Definition.place`."""
    if isinstance(place, str):
        importlib.import_module(module)
        found = _at(module, place)
        if found is None:
            raise AttributeError(f"{module}.{place} is no function that fastnn.elementwise has made")
        return found
    if place not in _MADE_AGAIN:
        from numba import cloudpickle

        from .ufuncs import elementwise

        f, derivative, from_output, name = cloudpickle.loads(place)
        again = DEFINITIONS[elementwise(f, derivative, name=name, derivative_from_output=from_output)]
        vars(again)["recipe_bytes"] = place
        _MADE_AGAIN.setdefault(place, again)
    return _MADE_AGAIN[place]


def _member(module: str, place: str | bytes, name: str) -> np.ufunc:
    return _definition_at(module, place).members[name]


def own(definition: Definition, ufunc: np.ufunc) -> None:
    """Let a ufunc be pickled as part of a user's definition."""
    definition.members[ufunc.__name__] = ufunc
    _OWNERS[ufunc] = definition, ufunc.__name__
    _reduce_ufuncs()


@functools.cache
def _reduce_ufuncs() -> None:
    numpys = copyreg.dispatch_table[np.ufunc]

    def reduced(ufunc: np.ufunc) -> Any:
        if ufunc not in _OWNERS:
            return numpys(ufunc)
        definition, name = _OWNERS[ufunc]
        return _member, (*definition.place(), name)

    copyreg.pickle(np.ufunc, reduced)
