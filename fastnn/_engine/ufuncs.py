"""From a scalar formula and its derivative to public functions: the decorator behind every activation."""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .loops import Formula, compile_now, make_ufunc


@dataclass
class Definition:
    """What a public function was made of and what was made with it."""

    formula: Callable
    derivative: Callable
    zero_blocks: bool
    backward: Any = None
    backward_from_output: Any = None


_DEFINITIONS: dict[Any, Definition] = {}


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
        made = _DEFINITIONS[forward] = Definition(formula, derivative, zero_blocks)
        made.backward = _backward(name, derivative, zero_blocks, formula, "x")
        if from_output:
            made.backward_from_output = _backward(name, from_output, zero_blocks, formula, "y")
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


def _backward(name: str, derivative: Callable, zero_blocks: bool, formula: Callable, argument: str, eager=False) -> Any:
    text = _BACKWARD_DOC.format(name=name, argument=argument, meaning=_MEANING[argument])
    name += "_backward" if argument == "x" else "_backward_from_output"
    return _public(name, text, _product(derivative, zero_blocks), formula, 2, ("dy", argument), eager)


def backward(forward) -> Any:
    """f_backward(dy, x, parameters) of a function made here."""
    return _DEFINITIONS[forward].backward


def backward_from_output(forward) -> Any:
    """f_backward_from_output(dy, y, parameters) of a function made here."""
    return _DEFINITIONS[forward].backward_from_output


def backward_of(forward) -> Any:
    """The backward of a function made here, None for any other object or a function without a derivative."""
    try:
        made = _DEFINITIONS.get(forward)
    except TypeError:  # not hashable
        return None
    return made and made.backward


def elementwise(f=None, derivative: Callable | None = None, *, name: str | None = None) -> Any:
    """Compile a scalar formula to a NumPy ufunc like fastnn's own; also as a decorator.

    The formula is a Python function of floats over arithmetic, comparisons, `a if c else b` and the functions
    of `fastnn.vmath`. It gets loops for float16 (computed in float32), float32 and float64, vector instructions,
    threads, `out=`, `where=`, broadcasting and a place in the disk cache. Python numbers in the formula never
    promote: `0.5 * x` of a float32 x is a float32.

    Parameters
    ----------
    f : callable
        y = f(x, parameters...). Parameters without defaults are further operands of the ufunc; if all have
        defaults, the result is a plain function with those defaults over a ufunc.
    derivative : callable, optional
        f' as a formula of the same arguments. With it `fastnn.activation(result)` gives (function,
        backward), and every `activation=` takes the result. Where f' is exactly 0 the gradient is 0,
        whatever dy is.
    name : str, optional
        The function's name, by default f's own. Needed for a lambda that is to be pickled: the name under
        which its module holds the result.

    Returns
    -------
    numpy.ufunc, or a function over one

    Raises
    ------
    TypeError
        If the formula cannot be compiled.

    Examples
    --------
    >>> import fastnn as fnn
    >>> @fnn.elementwise
    ... def cube(x):
    ...     return x * x * x
    >>> float(cube(2.0))
    8.0
    """
    if f is None:
        return functools.partial(elementwise, derivative=derivative, name=name)
    for what, function in (("f", f), ("derivative", derivative)):
        if not inspect.isfunction(function) and not (what == "derivative" and function is None):
            raise TypeError(f"elementwise: {what} is {function!r}, expected a Python function")
    name = name or f.__name__
    forward = _public(name, inspect.getdoc(f) or "", f, f, 1, eager=True)
    _DEFINITIONS[forward] = made = Definition(f, derivative or f, True)
    if derivative is not None:
        made.backward = _backward(name, derivative, True, f, "x", eager=True)
        _keep(f.__module__, f"{name}_backward", made.backward)
    return forward


@functools.cache
def with_bias(forward) -> tuple[tuple[np.ufunc, np.ufunc], tuple[float, ...]]:
    """((f(x + bias), dy * f'(x + bias)), f's default parameters) of a function made here.

    The bias counts as a parameter: along a row of one channel it is one value, and the kernel knows it.
    """
    made = _DEFINITIONS[forward]
    parameters = list(inspect.signature(made.formula).parameters.values())[1:]
    names = tuple(p.name for p in parameters)
    arguments = ", ".join(["x + bias", *names])
    declared = ", ".join(["x", "bias", *names])
    product = _product(made.derivative, made.zero_blocks)
    scope = {"f": made.formula, "product": product, "__name__": __name__}
    fused = (
        _define(f"def fused({declared}):\n    return f({arguments})", "fused", dict(scope)),
        _define(f"def fused(dy, {declared}):\n    return product(dy, {arguments})", "fused", dict(scope)),
    )
    ufuncs = [
        make_ufunc(name, "", Formula(name, formula, arrays, ("bias", *names)))
        for arrays, (name, formula) in enumerate(
            zip((f"bias_{forward.__name__}", f"bias_{forward.__name__}_backward"), fused, strict=True), start=1
        )
    ]
    return (ufuncs[0], ufuncs[1]), tuple(float(p.default) for p in parameters if p.default is not p.empty)


class Activation(NamedTuple):
    """An activation inside another kernel: formulas of (z, parameter) and (dy, z, parameter), and its parameter."""

    formula: Callable
    product: Callable
    parameter: float


def _identity(z, parameter):
    return z


def _identity_product(dy, z, parameter):
    return dy


IDENTITY = Activation(_identity, _identity_product, 0.0)


def parameters_of(forward) -> dict[str, float | None]:
    """A function's parameters with their defaults, None for one without."""
    parameters = list(inspect.signature(_DEFINITIONS[forward].formula).parameters.values())[1:]
    return {p.name: None if p.default is p.empty else float(p.default) for p in parameters}


@functools.cache
def inside_kernels(forward) -> Activation:
    """A function made here as formulas with exactly one parameter; others keep their defaults."""
    made, parameters = _DEFINITIONS[forward], parameters_of(forward)
    rest = {f"_{name}": default for name, default in list(parameters.items())[1:]}
    arguments = ", ".join(["z", *(["parameter"] if parameters else []), *rest])
    name = made.formula.__name__
    scope = {"f": made.formula, "product": _product(made.derivative, made.zero_blocks), "__name__": __name__, **rest}
    formula = _define(f"def {name}(z, parameter):\n    return f({arguments})", name, dict(scope))
    product = _define(f"def {name}(dy, z, parameter):\n    return product(dy, {arguments})", name, dict(scope))
    return Activation(formula, product, next(iter(parameters.values()), None) or 0.0)


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


def _public(name, doc, formula, signature_of, arrays, array_names=("x",), eager=False):
    """A ufunc if the formula has no parameters, else a function with their defaults over a ufunc.

    Two ufuncs then: one of array and parameters, and one with the default parameters built in. Converting a Python
    float to an operand costs more than ten elements of work, and a division by a beta of 1 is none. An integer
    array becomes float64 in both, as in x * 1.0.
    """
    parameters = list(inspect.signature(signature_of).parameters.values())[1:]
    names = tuple(p.name for p in parameters)
    spec = Formula(name, formula, arrays, names)
    module = signature_of.__module__
    if eager:
        compile_now(spec)
    if not parameters or (eager and all(p.default is p.empty for p in parameters)):
        return _at_home(make_ufunc(name, doc, spec), module)
    general = make_ufunc(f"_{name}_general", doc, spec)
    fixed = None
    if all(p.default is not p.empty for p in parameters):
        constants = _with_constants(formula, array_names, {p.name: float(p.default) for p in parameters})
        fixed = make_ufunc(f"_{name}_default", doc, Formula(f"{name}_default", constants, arrays), order="def")
    for ufunc in filter(None, (general, fixed)):
        _keep(module, ufunc.__name__, _at_home(ufunc, module))
    function = _wrapper(name, array_names, parameters, general, fixed)
    function.__doc__, function.__module__ = doc, module
    return function


def _with_constants(formula: Callable, arrays: tuple[str, ...], constants: dict[str, float]) -> Callable:
    """The formula of the arrays alone."""
    data = ", ".join(arrays)
    scope = {f"_{name}": value for name, value in constants.items()}
    source = f"def fixed({data}):\n    return formula({data}, {', '.join(scope)})"
    return _define(source, "fixed", {"formula": formula, "__name__": __name__, **scope})


_KEPT: set[tuple[str, str]] = set()


def _keep(module: str, name: str, value) -> None:
    """Put a function where pickle looks for it, unless the user has that name; code run by exec may have no module."""
    if module in sys.modules and ((module, name) in _KEPT or not hasattr(sys.modules[module], name)):
        setattr(sys.modules[module], name, value)
        _KEPT.add((module, name))


def _at_home(ufunc, module: str):
    """The ufunc, told which module holds it: pickle need not search them all. NumPy before 2.2 has no room for it."""
    with contextlib.suppress(AttributeError):
        ufunc.__module__, ufunc.__qualname__ = module, ufunc.__name__
    return ufunc


def _wrapper(name, arrays, parameters, general, fixed) -> Callable:
    """The plain function `name(arrays, parameters=defaults, out=None, *, where=True)`."""
    data = ", ".join(arrays)
    names = [p.name for p in parameters]
    declared = ", ".join(p.name if p.default is p.empty else f"{p.name}=_{p.name}" for p in parameters)
    scope = {f"_{p.name}": p.default for p in parameters} | {"general": general, "fixed": fixed, "only": _only}
    lines = [f"def {name}({data}, {declared}, out=None, *, where=True):"]
    # a ufunc takes out by position as an array only
    lines += ["    if out.__class__ is tuple:", "        out = only(out)"]
    if fixed is not None:
        same = " and ".join(f"{n} is _{n}" for n in names)
        lines += [f"    if {same}:", "        if where is True:", f"            return fixed({data}, out)"]
        lines += [f"        return fixed({data}, out, where=where)"]
    operands = ", ".join(names)
    if _VALUE_BASED:
        scope["weak"] = _weak
        operands = ", ".join(f"weak({arrays[-1]}, {n})" for n in names)
    lines += [f"    return general({data}, {operands}, out, where=where)"]
    return _define("\n".join(lines), name, scope)


def _only(out: tuple):
    if len(out) != 1:
        raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
    return out[0]


#: NumPy 1 lets a Python float widen a float32 scalar.
_VALUE_BASED = int(np.__version__.partition(".")[0]) < 2


def _weak(x, parameter):
    """A Python number as NumPy 2 takes it beside x: of x's dtype (float32 beside float16)."""
    kind = np.asarray(x).dtype
    if kind.kind != "f" or hasattr(parameter, "dtype"):
        return parameter
    return np.asarray(parameter, np.float32 if kind == np.float16 else kind)
