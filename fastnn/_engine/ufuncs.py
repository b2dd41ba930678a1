"""From a scalar formula and its derivative to public functions: the decorator behind every activation."""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, overload

import numpy as np

from . import docstrings
from .definitions import DEFINITIONS as _DEFINITIONS
from .definitions import Definition, definition_of, own
from .formulas import composed, error_at, frozen
from .loops import Formula, compile_now, make_ufunc

if TYPE_CHECKING:
    from ..typing import Elementwise, Gradient

P = ParamSpec("P")


def activation(
    *, derivative: Callable[..., Any], from_output: Callable[..., Any] | None = None, zero_blocks: bool = False
) -> "Callable[[Callable[Concatenate[Any, P], Any]], Elementwise[P]]":
    """Decorator: a formula f(x, parameters=defaults) becomes a public function with a backward.

    Parameters
    ----------
    derivative : formula of the same arguments that returns f'.
    from_output : the same from y = f(x) in place of x.
    zero_blocks : whether a derivative of exactly 0 makes the gradient +0 whatever dy is, infinite or NaN:
        for functions whose derivative is 0 by a branch.
    """

    def decorate(formula: Callable[..., Any]) -> Any:
        name = formula.__name__
        made = Definition(formula, derivative, zero_blocks)
        forward = _public(name, docstrings.forward(name, formula, builtin=True), formula, formula, 1)
        _DEFINITIONS[forward] = made
        made.backward = _backward(made, name, derivative, "x")
        if from_output:
            made.backward_from_output = _backward(made, name, from_output, "y")
        return forward

    return decorate


def _backward(made: Definition, name: str, derivative: Callable, argument: str, by_user: Callable | None = None) -> Any:
    """The gradient from "x" or "y"; `by_user`: the formula of the user's that it is compiled from."""
    text = docstrings.backward(name, made.formula, argument, made.zero_blocks, builtin=by_user is None)
    name += "_backward" if argument == "x" else "_backward_from_output"
    product = _product(derivative, made.zero_blocks)
    return _public(name, text, product, made.formula, 2, ("dy", argument), made if by_user else None, by_user)


def backward(forward: "Elementwise[P]") -> "Gradient[P]":
    """f_backward(dy, x, parameters) of a function made here."""
    return _DEFINITIONS[forward].backward


def backward_from_output(forward: "Elementwise[P]") -> "Gradient[P]":
    """f_backward_from_output(dy, y, parameters) of a function made here."""
    return _DEFINITIONS[forward].backward_from_output


def backward_of(forward: Any, from_output: bool = False) -> Any:
    """The backward of a function made here, None for any other object or a function without that derivative."""
    made = definition_of(forward)
    return made and (made.backward_from_output if from_output else made.backward)


@overload
def elementwise(
    f: Callable[Concatenate[Any, P], Any],
    derivative: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    derivative_from_output: Callable[..., Any] | None = None,
) -> "Elementwise[P]": ...
@overload
def elementwise(
    f: None = None,
    derivative: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    derivative_from_output: Callable[..., Any] | None = None,
) -> "Callable[[Callable[Concatenate[Any, P], Any]], Elementwise[P]]": ...
def elementwise(
    f: Any = None,
    derivative: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    derivative_from_output: Callable[..., Any] | None = None,
) -> Any:
    """Compile a scalar formula to a NumPy ufunc like fastnn's own; also as a decorator.

    The formula is a Python function of floats over arithmetic, comparisons, `a if c else b`, loops, the functions
    of `fastnn.vmath`, and functions like itself: helpers, fastnn's activations, what `elementwise` made before. It
    gets loops for float16 (computed in float32), float32 and float64, vector instructions, threads, `out=`, `where=`,
    broadcasting and a place in the disk cache. Python numbers in the formula never promote: `0.5 * x` of a float32 x
    is a float32. What the formula refers to is taken as it is now: a global number that changes later changes nothing.

    Parameters
    ----------
    f : callable
        y = f(x, parameters...). Parameters without defaults are further operands of the ufunc; if some have
        defaults, the result is a plain function with those defaults over a ufunc.
    derivative : callable, optional
        f' as a formula of the same arguments. With it `fastnn.activation(result)` gives (function,
        backward), and every `activation=` takes the result. Where f' is exactly 0 the gradient is 0,
        whatever dy is.
    name : str, optional
        The function's name, by default f's own.
    derivative_from_output : callable, optional
        f' as a formula of y = f(x) and the parameters, for a forward pass in place:
        `fastnn.activation(result, from_output=True)` gives (function, backward from the output). Without
        `derivative` it also makes the backward from the input, which then computes f(x) once more.

    Returns
    -------
    numpy.ufunc, or a function over one

    Raises
    ------
    TypeError
        If the formula cannot be compiled, with the line that cannot.

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
        return functools.partial(
            elementwise, derivative=derivative, name=name, derivative_from_output=derivative_from_output
        )
    given = {"f": f, "derivative": derivative, "derivative_from_output": derivative_from_output}
    for what, function in given.items():
        if not inspect.isfunction(function) and (what == "f" or function is not None):
            raise TypeError(f"elementwise: {what} is {function!r}, expected a Python function")
    name = f.__name__ if name is None else name
    if not isinstance(name, str):
        raise TypeError(f"elementwise: name is {name!r}, expected a string")
    formula, slope, slope_of_output = (_frozen_like(f, what, function, name) for what, function in given.items())
    by_user = slope_of_output if slope is None else slope
    derivative = slope if slope_of_output is None or slope is not None else composed(slope_of_output, formula)
    made = Definition(formula, derivative or formula, True)
    made.module, made.places = f.__module__ or "", (f.__qualname__, name)
    made.recipe = formula, slope, slope_of_output, name
    text = docstrings.forward(name, f, builtin=False)
    forward = _public(name, text, formula, formula, 1, by=made, by_user=formula)
    _DEFINITIONS[forward] = made
    if not isinstance(forward, np.ufunc):
        forward._definition = made  # goes with the function where it is pickled by value
    if derivative is not None:
        made.backward = _backward(made, name, derivative, "x", by_user)
        _keep(made.module, made.backward)
    if slope_of_output is not None:
        made.backward_from_output = _backward(made, name, slope_of_output, "y", slope_of_output)
        _keep(made.module, made.backward_from_output)
    return forward


def _frozen_like(f, what: str, function, name: str) -> Any:
    """f, or a derivative of it, frozen; a derivative has as many arguments as f."""
    if function is None:
        return None
    expected, found = (list(inspect.signature(each).parameters) for each in (f, function))
    if len(found) != len(expected):
        problem = f"{what} of {name} has the arguments {', '.join(found)}, expected {', '.join(expected)} as {name}"
        raise error_at(function.__code__, function.__code__.co_firstlineno, problem)
    return frozen(function, name if what == "f" else f"{name}_{what}")


def _definition(forward: Any) -> Definition:
    made = definition_of(forward)
    if made is None:
        raise TypeError(f"{forward!r} has no formula")
    return made


@functools.cache
def with_bias(forward) -> tuple[tuple[np.ufunc, np.ufunc], tuple[float, ...]]:
    """((f(x + bias), dy * f'(x + bias)), f's default parameters) of a function made here.

    The bias counts as a parameter: along a row of one channel it is one value, and the kernel knows it.
    """
    made = _definition(forward)
    parameters = list(inspect.signature(made.formula).parameters.values())[1:]
    names = tuple(f"p{k}" for k in range(len(parameters)))
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
    parameters = list(inspect.signature(_definition(forward).formula).parameters.values())[1:]
    return {p.name: None if p.default is p.empty else float(p.default) for p in parameters}


@functools.cache
def inside_kernels(forward) -> Activation:
    """A function made here as formulas with exactly one parameter; others keep their defaults."""
    made, parameters = _definition(forward), parameters_of(forward)
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

    arguments = ", ".join(f"p{k}" for k in range(len(inspect.signature(derivative).parameters)))
    source = f"def backward(dy, {arguments}):\n    return product(dy, derivative({arguments}))"
    return _define(source, "backward", {"product": product, "derivative": derivative, "__name__": __name__})


def _define(source: str, name: str, scope: dict) -> Callable:
    exec(source, scope)  # noqa: S102
    return scope[name]


def _public(name, doc, formula, signature_of, arrays, array_names=("x",), by=None, by_user=None):
    """A ufunc if the formula has no parameters, else a function with their defaults over a ufunc.

    Two ufuncs then: one of array and parameters, and one with the default parameters built in. Converting a Python
    float to an operand costs more than ten elements of work, and a division by a beta of 1 is none. An integer
    array becomes float64 in both, as in x * 1.0.

    A user's formula, whose definition is `by`, is compiled at once, and errors are those of the function `by_user`.
    """
    parameters = list(inspect.signature(signature_of).parameters.values())[1:]
    names = tuple(p.name for p in parameters)
    spec = Formula(name, formula, arrays, names)
    module = signature_of.__module__
    if by:
        compile_now(spec, by_user)
    if not parameters or (by and all(p.default is p.empty for p in parameters)):
        ufunc = _at_home(make_ufunc(name, doc, spec), module, (*array_names, *names))
        if by:
            own(by, ufunc)
        return ufunc
    general = make_ufunc(f"_{name}_general", doc, spec)
    fixed = None
    if all(p.default is not p.empty for p in parameters):
        constants = _with_constants(formula, arrays, {p.name: float(p.default) for p in parameters})
        fixed = make_ufunc(f"_{name}_default", doc, Formula(f"{name}_default", constants, arrays), order="def")
    for ufunc in filter(None, (general, fixed)):
        if by:
            own(by, ufunc)
        else:
            _keep(module, _at_home(ufunc, module, (*array_names, *names)))
    function = _wrapper(array_names, parameters, general, fixed)
    function.__doc__, function.__module__, function.__name__, function.__qualname__ = doc, module, name, name
    return function


def _with_constants(formula: Callable, arrays: int, constants: dict[str, float]) -> Callable:
    """The formula of the arrays alone."""
    data = ", ".join(f"a{k}" for k in range(arrays))
    scope = {f"_{name}": value for name, value in constants.items()}
    source = f"def fixed({data}):\n    return formula({data}, {', '.join(scope)})"
    return _define(source, "fixed", {"formula": formula, "__name__": __name__, **scope})


_KEPT: set[tuple[str, str]] = set()


def _keep(module: str, function: Any) -> None:
    """Put a function where pickle looks for it, unless the user has that name; code run by exec may have no module."""
    name = function.__name__
    if module in sys.modules and ((module, name) in _KEPT or not hasattr(sys.modules[module], name)):
        setattr(sys.modules[module], name, function)
        _KEPT.add((module, name))


def _at_home(ufunc, module: str, names: tuple[str, ...]):
    """The ufunc, told which module holds it (pickle need not search them all), and what its operands are called.

    NumPy before 2.2 has no room for the one, before 2.4 for the other.
    """
    with contextlib.suppress(AttributeError, ValueError):
        ufunc.__module__, ufunc.__qualname__ = module, ufunc.__name__
        if ufunc.nin > 1:
            signature = inspect.signature(ufunc)
            given = list(signature.parameters.values())
            named = [p.replace(name=name) for p, name in zip(given, names[: ufunc.nin], strict=False)]
            ufunc.__signature__ = signature.replace(parameters=[*named, *given[ufunc.nin :]])
    return ufunc


def _wrapper(arrays, parameters, general, fixed) -> Callable:
    """The plain function `f(arrays, parameters=defaults, out=None, *, where=True)`."""
    data = ", ".join(arrays)
    names = [p.name for p in parameters]
    declared = ", ".join(p.name if p.default is p.empty else f"{p.name}=_{p.name}" for p in parameters)
    scope = {f"_{p.name}": p.default for p in parameters}
    scope |= {"__general": general, "__fixed": fixed, "__only": _only, "__weak": _weak}
    lines = [f"def function({data}, {declared}, out=None, *, where=True):"]
    # a ufunc takes out by position as an array only
    lines += ["    if out.__class__ is tuple:", "        out = __only(out)"]
    if fixed is not None:
        same = " and ".join(f"{n} is _{n}" for n in names)
        lines += [f"    if {same}:", "        if where is True:", f"            return __fixed({data}, out)"]
        lines += [f"        return __fixed({data}, out, where=where)"]
    operands = ", ".join(f"__weak({arrays[-1]}, {n})" if _VALUE_BASED else n for n in names)
    lines += [f"    return __general({data}, {operands}, out, where=where)"]
    return _define("\n".join(lines), "function", scope)


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
