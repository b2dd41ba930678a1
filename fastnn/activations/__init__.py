"""Activation functions with their gradients, one module a family.

Each function is a scalar formula next to its derivative; the engine makes a ufunc of it. `NAMES` lists the
activations, `activation(name)` finds one with its backward.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..typing import ActivationLike

_FAMILIES = ("rectified", "sigmoidal", "smooth", "shrink", "parametric", "gated", "softmax_family")
_ALIASES = ("swish", "hard_silu")
_OTHERS = ("maxout", "bias_activation", "glu", "softmax", "log_softmax")  # not elementwise functions of x


def __getattr__(name: str):
    if name.startswith("_") and name != "__all__":
        raise AttributeError(f"module 'fastnn.activations' has no attribute {name!r}")
    if name in _FAMILIES:
        return importlib.import_module(f"{__name__}.{name}")
    modules = [importlib.import_module(f"{__name__}.{family}") for family in _FAMILIES]
    public = {n: getattr(module, n) for module in modules for n in module.__all__}
    if name == "__all__":
        return sorted([*public, "NAMES", "activation"])
    if name == "NAMES":
        return tuple(n for n in public if f"{n}_backward" in public and n not in (*_ALIASES, *_OTHERS))
    if name in public:
        globals()[name] = public[name]
        return public[name]
    raise AttributeError(f"module 'fastnn.activations' has no attribute {name!r}")


def activation(f: "ActivationLike", *, from_output: bool = False) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Find an activation and its gradient, (f, f_backward), by name.

    Parameters
    ----------
    f : str, callable or tuple
        A name in `fastnn.activations.NAMES` (or an alias), an activation function itself, one made by
        `fastnn.elementwise` with a derivative, or (name or function, parameter) to fix its first parameter.
    from_output : bool
        Give (f, f_backward_from_output), whose second argument is the output.

    Returns
    -------
    f, f_backward : callable
        y = f(x) and dx = f_backward(dy, x), or dx = f_backward_from_output(dy, y).

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.
    TypeError
        If f is no activation, or has no derivative (from the output).

    Examples
    --------
    >>> import fastnn as fnn
    >>> f, f_backward = fnn.activation(("leaky_relu", 0.1))
    >>> f([-2.0, 3.0]), f_backward(1.0, [-2.0, 3.0])
    (array([-0.2,  3. ]), array([0.1, 1. ]))
    """
    if isinstance(f, tuple):
        if len(f) != 2:
            raise ValueError(f"activation: a tuple of length {len(f)} given, expected (name, parameter)")
        forward, backward = activation(f[0], from_output=from_output)
        return partial(_with_parameter, forward, f[1]), partial(_with_parameter, backward, f[1])
    if isinstance(f, str):
        names = __getattr__("NAMES")
        if f not in (*names, *_ALIASES):
            raise ValueError(f"activation: unknown name {f!r}, expected one of {', '.join(names)}")
        if not from_output:
            return __getattr__(f), __getattr__(f"{f}_backward")
        f = __getattr__(f)
    from .._engine.ufuncs import backward_of

    found = backward_of(f, from_output)
    if found is None or not callable(f):
        raise TypeError(
            f"activation: {f!r} is not an activation function with a derivative{' from its output' * from_output}"
        )
    return f, found


def _with_parameter(function, parameter, *arrays, **keywords):
    return function(*arrays, parameter, **keywords)
