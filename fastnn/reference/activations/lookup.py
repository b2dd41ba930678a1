"""Activations by name."""

import functools
from typing import Any

from . import rectified, shrink, sigmoidal, smooth

_FAMILIES = rectified, sigmoidal, smooth, shrink


def activation(which: Any) -> Any:
    """(f, f_backward) for a name, a function or ufunc of that name, or a tuple (name, *parameters).

    None is the identity.
    """
    if which is None:
        return (lambda x: x), (lambda dy, x: dy)
    which, *parameters = which if isinstance(which, tuple) else (which,)
    name = which if isinstance(which, str) else which.__name__
    return _with_parameters(_find(name), parameters, 1), _with_parameters(_find(f"{name}_backward"), parameters, 2)


def _find(name):
    for family in _FAMILIES:
        if hasattr(family, name):
            return getattr(family, name)
    raise ValueError(f"activation: unknown name {name!r}")


def _with_parameters(f, parameters, arrays):
    if not parameters:
        return f
    return functools.wraps(f)(lambda *args: f(*args[:arrays], *parameters))
