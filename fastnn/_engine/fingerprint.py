"""What a formula's machine code depends on, as a hash: names the cache file of a user's own formula."""

import hashlib
import types

import numpy as np

from .definitions import definition_of
from .formulas import Namespace, global_names
from .pairs import Double, Pair
from .vectors import Lanewise, Memory, Several, Stack


def fingerprint(formula) -> str:
    """Hash of a function's bytecode and constants and of every value and function that it refers to."""
    digest = hashlib.sha256()
    _feed(digest, formula, set())
    return digest.hexdigest()[:16]


def _feed(digest, value, seen) -> None:
    name: str
    made = definition_of(value)
    if made is not None:
        value = made.formula
    if isinstance(value, types.FunctionType):
        if value in seen:
            return
        seen.add(value)
        _feed(digest, value.__code__, seen)
        for name in global_names(value.__code__):
            if name in value.__globals__:
                digest.update(name.encode())
                _feed(digest, value.__globals__[name], seen)
        for cell in value.__closure__ or ():
            _feed(digest, cell.cell_contents, seen)
        _feed(digest, value.__defaults__, seen)
    elif isinstance(value, Namespace):
        for name, attribute in sorted(value.attributes.items()):
            digest.update(name.encode())
            _feed(digest, attribute, seen)
    elif isinstance(value, types.CodeType):
        digest.update(value.co_code + repr((value.co_names, value.co_varnames)).encode())
        for constant in value.co_consts:
            _feed(digest, constant, seen)
    elif isinstance(value, Pair):
        _feed(digest, value.f32, seen)
        _feed(digest, value.f64, seen)
    elif isinstance(value, Double):
        _feed(digest, value.function, seen)
    elif isinstance(value, Lanewise):
        _feed(digest, value.formula, seen)
    elif isinstance(value, Several):
        digest.update(f"{value.count} {value.memory.role}".encode())
    elif isinstance(value, (Memory, Stack)):
        digest.update(repr(value.role if isinstance(value, Memory) else value.bytes).encode())
    elif isinstance(value, (bool, int, float, str, bytes, tuple, np.generic, type(None))):
        digest.update(repr(value).encode())
    else:  # modules, ufuncs, types, other people's dispatchers: by name
        name = getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__))
        digest.update(f"{getattr(value, '__module__', '')}.{name}".encode())
        if hasattr(value, "py_func"):  # a function that numba has compiled
            _feed(digest, value.py_func, seen)
            digest.update(repr(sorted(value.targetoptions.items())).encode())
