"""From a scalar formula and its derivative to public functions: the decorator behind every activation."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import loops
from .loops import Formula, make_ufunc

#: forward function -> its backward, its backward from the output
_BACKWARD: dict[Any, Any] = {}
_BACKWARD_FROM_OUTPUT: dict[Any, Any] = {}


def activation(*, derivative: Callable, from_output: Callable | None = None, zero_blocks: bool = False):
    """Decorator: a formula f(x, parameters=defaults) becomes a public function with a backward.

    Parameters
    ----------
    derivative : formula of the same arguments that returns f'.
    from_output : the same from y = f(x) in place of x.
    zero_blocks : whether a derivative of exactly 0 makes the gradient +0 whatever dy is, infinite or NaN:
        for functions whose derivative is 0 by a branch.
    """

    def decorate(formula: Callable) -> Any:
        name, doc = formula.__name__, inspect.getdoc(formula) or ""
        forward = _public(name, doc, formula, formula, 1)
        backwards = [(derivative, "_backward", "x", _BACKWARD)]
        if from_output:
            backwards.append((from_output, "_backward_from_output", "y", _BACKWARD_FROM_OUTPUT))
        for f, suffix, argument, table in backwards:
            text = _BACKWARD_DOC.format(name=name, argument=argument, meaning=_MEANING[argument])
            table[forward] = _public(name + suffix, text, _product(f, zero_blocks), formula, 2, ("dy", argument))
        return forward

    return decorate


_BACKWARD_DOC = """Gradient of `{name}`: dy * f'(x), in one pass.

Parameters
----------
dy : array_like
    Gradient of the loss with respect to the output.
{argument} : array_like
    {meaning}, of a shape that broadcasts with dy.

Returns
-------
ndarray or scalar
    Gradient of the loss with respect to x.
"""
_MEANING = {"x": "The input of the forward pass", "y": "The output of the forward pass"}


def backward(forward):
    """f_backward(dy, x, parameters) of a function made here."""
    return _BACKWARD[forward]


def backward_from_output(forward):
    """f_backward_from_output(dy, y, parameters) of a function made here."""
    return _BACKWARD_FROM_OUTPUT[forward]


def _product(derivative: Callable, zero_blocks: bool) -> Callable:
    """(dy, x, parameters) -> dy * derivative(x, parameters), as a formula."""
    if zero_blocks:

        def product(dy, slope):
            return 0.0 if slope == 0.0 else dy * slope
    else:

        def product(dy, slope):
            return dy * slope

    arguments = ", ".join(inspect.signature(derivative).parameters)
    source = f"def backward(dy, {arguments}):\n    return product(dy, derivative({arguments}))"
    return _define(source, "backward", {"product": product, "derivative": derivative, "__name__": __name__})


def _define(source: str, name: str, scope: dict) -> Callable:
    exec(source, scope)  # noqa: S102
    return scope[name]


def _public(name, doc, formula, signature_of, arrays, array_names=("x",)):
    """A ufunc if the formula has no parameters, else a function with their defaults over a ufunc.

    Two ufuncs then: one of array and parameters, and one with the default parameters built in, since
    converting a Python float to an operand costs more than ten elements of work.
    """
    parameters = list(inspect.signature(signature_of).parameters.values())[1:]
    names = tuple(p.name for p in parameters)
    spec = Formula(name, formula, arrays, names)
    if not parameters:
        return make_ufunc(name, doc, spec)
    if any(p.default is p.empty for p in parameters):
        general, fixed = make_ufunc(f"_{name}_general", doc, spec), None
    else:
        general = make_ufunc(f"_{name}_general", doc, spec)
        fixed = make_ufunc(f"_{name}_default", doc, spec, tuple(float(p.default) for p in parameters))
    module = signature_of.__module__
    for ufunc in filter(None, (general, fixed)):  # where pickle looks for them
        setattr(sys.modules[module], ufunc.__name__, ufunc)
    function = _wrapper(name, array_names, parameters, general, fixed)
    function.__doc__, function.__module__ = doc, module
    return function


def _wrapper(name, arrays, parameters, general, fixed) -> Callable:
    """The plain function `name(arrays, parameters=defaults, out=None, *, where=True)`."""
    data = ", ".join(arrays)
    names = [p.name for p in parameters]
    declared = ", ".join(p.name if p.default is p.empty else f"{p.name}=_{p.name}" for p in parameters)
    scope = {f"_{p.name}": p.default for p in parameters} | {"general": general, "fixed": fixed}
    lines = [f"def {name}({data}, {declared}, out=None, *, where=True):"]
    if fixed is not None:
        same = " and ".join(f"{n} is _{n}" for n in names)
        lines += [f"    if {same}:", "        if where is True:", f"            return fixed({data}, out)"]
        lines += [f"        return fixed({data}, out, where=where)"]
    lines += [f"    return general({data}, {', '.join(names)}, out, where=where)"]
    return _define("\n".join(lines), name, scope)
