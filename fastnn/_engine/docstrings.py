"""What the docstrings of all elementwise functions have in common: their parameters, results and errors.

A formula's own docstring says what it computes and where it comes from; the sections that follow from it being
a ufunc, and all that is to be said of its gradient, are written here.
"""

import inspect
import re
from collections.abc import Callable

_FORWARD = """Parameters
----------
x : array_like
    Real numbers of any shape.
{parameters}out : ndarray or tuple of one ndarray, optional
    Receives the result, and is returned. May be x itself.
where : array_like of bool, optional
    Where it is False nothing is computed, and out keeps what it holds.{keywords}

Returns
-------
ndarray or scalar
    {name} of each element. float16, float32 and float64 stay what they are, integers become floating-point numbers.

{raises}"""

_BACKWARD = """Gradient of `{name}`: dy * f'(x), in one pass{how}.

f' is the derivative that `{name}` documents.{blocked}

Parameters
----------
dy : array_like
    Gradient of the loss with respect to the output.
{argument} : array_like
    {meaning}, of a shape that broadcasts with dy.
{parameters}out : ndarray or tuple of one ndarray, optional
    Receives the result, and is returned. May be dy or {argument} itself.
where : array_like of bool, optional
    Where it is False nothing is computed, and out keeps what it holds.{keywords}

Returns
-------
ndarray or scalar
    Gradient of the loss with respect to x, of the wider dtype of dy and {argument}.

{raises}"""

_RAISES = """Raises
------
TypeError
    If an operand is not real (complex, object, text, dates), or out's dtype cannot hold the result.
ValueError
    If shapes do not broadcast, or out has not the shape of the result."""

_KEYWORDS = """
**kwargs
    dtype, casting, order, subok: see `numpy.ufunc`."""

_EXAMPLE = """

Examples
--------
>>> import numpy as np
>>> import fastnn as fnn
>>> x, dy = np.array([-2.25, -0.75, 0.25, 1.75]), np.array([1.0, 2.0, -1.0, 0.5])
>>> dx = fnn.{name}_backward(dy, x{values})
>>> fnn.check_gradient({function}, x, dx, dy).ok
True
"""

_EXAMPLE_FROM_OUTPUT = """

Examples
--------
>>> import numpy as np
>>> import fastnn as fnn
>>> x = np.array([-2.25, -0.75, 0.25, 1.75])
>>> dx = fnn.{name}_backward(1.0, x{values})
>>> y = fnn.{name}(x{values}, out=x)
>>> np.allclose(fnn.{name}_backward_from_output(1.0, y{values}), dx)
True
"""

_SECTION = re.compile(r"^(?=[A-Z][A-Za-z ]*\n-{3,}$)", re.MULTILINE)


def forward(name: str, formula: Callable, builtin: bool) -> str:
    """The formula's own docstring with the common sections after its text; unchanged if it has a list of parameters."""
    own = inspect.getdoc(formula) or f"{name} of each element."
    if re.search(r"^Parameters\n-{3,}$", own, re.MULTILINE):
        return own
    text, *sections = _SECTION.split(own, maxsplit=1)
    common = _FORWARD.format(name=name, **_filled(formula, "x", builtin))
    return "\n\n".join(part.strip() for part in (text, common, *sections)) + "\n"


def backward(name: str, formula: Callable, argument: str, zero_blocks: bool, builtin: bool) -> str:
    """The docstring of a gradient, from "x" or from "y"; of fastnn's own functions with an example."""
    text = _BACKWARD.format(
        name=name,
        argument=argument,
        how=", from the output: the forward pass may be in place" if argument == "y" else "",
        meaning=f"The {'input' if argument == 'x' else 'output'} of the forward pass",
        blocked=" Where it is exactly 0 the gradient is 0, whatever dy is." if zero_blocks else "",
        **_filled(formula, argument, builtin),
    )
    if not builtin:
        return text + "\n"
    required = [p for p in _parameters(formula) if p.default is p.empty]
    values = ", 0.5" * len(required)
    function = f"lambda x: fnn.{name}(x{values})" if required else f"fnn.{name}"
    template = _EXAMPLE if argument == "x" else _EXAMPLE_FROM_OUTPUT
    return text + template.format(name=name, values=values, function=function)


def _parameters(formula: Callable) -> list[inspect.Parameter]:
    return list(inspect.signature(formula).parameters.values())[1:]


def _filled(formula: Callable, argument: str, builtin: bool) -> dict[str, str]:
    """The parts of the templates that depend on the formula's parameters."""
    parameters = _parameters(formula)
    entries = [
        f"{p.name} : array_like{'' if p.default is p.empty else f', default {p.default}'}\n"
        f"    As in the formula; broadcasts with {argument}.\n"
        for p in parameters
    ]
    required = all(p.default is p.empty for p in parameters)
    is_ufunc = not parameters or (required and not builtin)  # else a plain function that takes out and where alone
    return {"parameters": "".join(entries), "keywords": _KEYWORDS if is_ufunc else "", "raises": _RAISES}
