"""What the exhaustive run measures: each function and derivative of a library, with its float64 counterpart.

That is fastnn's own float64 kernel, itself held against the independent reference on a sample of the inputs.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

import numpy as np
from cases import CASES, Case

import fastnn as fnn
from fastnn import reference, vmath

LIBRARIES = ("fastnn", "torch", "numpy", "scipy")
F32, F64 = np.float32, np.float64


@dataclass(frozen=True)
class Row:
    """One function of one input: in float32 by a library, in float64 by fastnn."""

    name: str
    library: str
    value: Callable  #: float32 array -> float32 array
    exact: Callable  #: float64 array -> float64 array
    reference: Callable  #: the same, independent and slower
    bounds: dict[str, float]
    crossings: tuple = ()
    crossing_bound: float = 0.0
    limit: float = float("inf")


def rows(library: str) -> dict[str, Row]:
    """name -> row, derivatives named f'."""
    found = {}
    for case in CASES.values():
        for derivative in (False, True):
            value = _FINDERS[library](case, derivative)
            if value is not None:
                row = _activation(case, derivative, library, value)
                found[row.name] = row
    for name in vmath.__all__:
        value = _vmath(name) if library == "fastnn" else _peer_vmath(library, name)
        if value is not None:
            limit = 2.0**45 if name in ("sin", "cos") else float("inf")
            bounds = {"float32": 1.0, "float64": 2.5 if name == "erfc" else 1.5}
            row = Row(f"vmath.{name}", library, value, _vmath(name), _independent(name), bounds, limit=limit)
            found[row.name] = row
    return found


def _activation(case: Case, derivative: bool, library: str, value: Callable) -> Row:
    parameters = tuple(map(F32, case.default))
    wide = tuple(map(F64, parameters))
    bounds = asdict(case.backward if derivative else case.forward)
    name = f"{case.name}'" if derivative else case.name
    if not derivative:
        exact, independent = partial(_with, getattr(fnn, case.name), wide), getattr(reference, case.name)
        return Row(name, library, value, exact, partial(_with, independent, parameters), bounds)
    exact = partial(_slope, getattr(fnn, f"{case.name}_backward"), wide)
    independent = partial(_slope, getattr(reference, f"{case.name}_backward"), parameters)
    return Row(name, library, value, exact, independent, bounds, case.crossings, case.crossing_bound)


def _with(f, parameters, x):
    return f(x, *parameters)


def _slope(f, parameters, x):
    return f(x.dtype.type(1), x, *parameters)


def _fastnn(case, derivative):
    if derivative:
        return partial(_slope, getattr(fnn, f"{case.name}_backward"), case.default)
    return partial(_with, getattr(fnn, case.name), case.default)


def _torch(case, derivative):
    import torch

    special = {
        "gelu_tanh": partial(torch.nn.functional.gelu, approximate="tanh"),
        "threshold": lambda x: torch.nn.functional.threshold(x, *case.default),
    }
    f = special.get(case.name) or getattr(torch.nn.functional, case.torch or "-", None)
    f = f or getattr(torch, case.torch or "-", None)
    if f is None:
        return None
    return partial(_torch_slope if derivative else _torch_value, f)


def _torch_value(f, x):
    import torch

    with torch.no_grad():
        return f(torch.from_numpy(x)).numpy()


def _torch_slope(f, x):
    import torch

    z = torch.from_numpy(x).requires_grad_()
    f(z).backward(torch.ones_like(z))
    return z.grad.numpy()


def _numpy(case, derivative):
    return {"tanh": np.tanh}.get(case.name) if not derivative else None


def _scipy(case, derivative):
    import scipy.special as sc

    return {"sigmoid": sc.expit, "log_sigmoid": sc.log_expit}.get(case.name) if not derivative else None


_FINDERS = {"fastnn": _fastnn, "torch": _torch, "numpy": _numpy, "scipy": _scipy}


@cache
def _vmath(name: str):
    """The scalar function as a ufunc."""
    f = getattr(vmath, name)
    return fnn.elementwise(lambda x: f(x), name=f"vmath_{name}")


def _peer_vmath(library: str, name: str):
    if library == "numpy":
        return getattr(np, name, None)
    if library == "scipy":
        import scipy.special as sc

        return {"erf": sc.erf, "erfc": sc.erfc, "exp2": sc.exp2, "expm1": sc.expm1, "log1p": sc.log1p}.get(name)
    import torch

    f = getattr(torch, name, None) or getattr(torch.special, name, None)
    return f and partial(_torch_value, f)


def _independent(name: str):
    import scipy.special as sc

    others = {"erf": sc.erf, "erfc": sc.erfc, "rsqrt": lambda x: 1 / np.sqrt(x), "sigmoid": sc.expit}
    return others.get(name) or getattr(np, name)
