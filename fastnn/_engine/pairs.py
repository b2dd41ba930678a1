"""Functions with one implementation per dtype."""

import numpy as np


class Pair:
    """A scalar function with one implementation for float32 and one for float64.

    In compiled formulas `specialise` picks the one for the formula's dtype; called from Python it picks
    by its first argument.
    """

    def __init__(self, f32, f64):
        self.f32, self.f64 = f32, f64

    def implementation(self, dtype):
        return self.f32 if dtype is np.float32 else self.f64

    def __call__(self, x, *args):
        if type(x) is np.float32:
            return self.f32(x, *args)
        return self.f64(np.float64(x), *args)


def arity(formula) -> int:
    """Number of arguments of a function or Pair."""
    return (formula.f32 if isinstance(formula, Pair) else formula).__code__.co_argcount


class Double:
    """A scalar helper whose constants and arithmetic stay float64 inside a float32 formula.

    The caller widens the arguments (`to_f64`) and rounds the result (`to_f32`): where float32 would need
    two-word arithmetic, float64 at half the vector width is often both shorter and faster.
    """

    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)


def horner(*coefficients):
    """The polynomial c0 + c1 x + c2 x**2 + ... as a formula: nested fma, highest power first.

    Written out as source, since a loop over a tuple would stay a loop for numba.
    """
    from .primitives import fma

    body = repr(float(coefficients[-1]))
    for c in reversed(coefficients[:-1]):
        body = f"fma({body}, x, {float(c)!r})"
    scope = {"fma": fma, "__name__": __name__}
    exec(f"def polynomial(x):\n    return {body}", scope)  # noqa: S102
    return scope["polynomial"]
