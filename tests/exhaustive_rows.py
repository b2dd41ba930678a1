"""What the accuracy is measured of: each function and derivative of a library, with what to compare it with.

For float32 that is fastnn's own float64 kernel, itself held against the independent reference on a sample of the
inputs; for float64 it is arithmetic of arbitrary precision.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial

import mpmath as mp
import numpy as np
from cases import CASES, Case, exact_derivatives, exact_values

import fastnn as fnn
from fastnn import reference, vmath

LIBRARIES = ("fastnn", "torch", "numpy", "scipy")
F32, F64 = np.float32, np.float64


@dataclass(frozen=True)
class Row:
    """One function of one input, by a library and by what it is compared with."""

    name: str
    library: str
    value: Callable  #: float16, float32 or float64 array -> array of the same dtype
    exact: Callable  #: float64 array -> float64 array, by fastnn
    reference: Callable  #: the same, independent and slower
    precise: Callable  #: float64 array -> (value, what its rounding to float64 left) in rows, slowest
    bounds: dict[str, float]
    crossings: tuple = ()
    crossing_bound: float = 0.0
    kinks: tuple[float, ...] = ()
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
            found[f"vmath.{name}"] = _vmath_row(name, library, value)
    return found


def _vmath_row(name: str, library: str, value: Callable) -> Row:
    limit = 2.0**45 if name in ("sin", "cos") else float("inf")
    bounds = {"float32": 1.0, "float64": 2.5 if name == "erfc" else 1.5}
    precise = partial(_precise_vmath, _ARBITRARY.get(name) or getattr(mp, name))
    return Row(f"vmath.{name}", library, value, _vmath(name), _independent(name), precise, bounds, limit=limit)


def _activation(case: Case, derivative: bool, library: str, value: Callable) -> Row:
    parameters = tuple(map(F32, case.default))
    wide = tuple(map(F64, parameters))
    bounds = asdict(case.backward if derivative else case.forward)
    if not derivative:
        exact, independent = partial(_with, getattr(fnn, case.name), wide), getattr(reference, case.name)
        precise = partial(_precise, exact_values, case)
        return Row(case.name, library, value, exact, partial(_with, independent, parameters), precise, bounds)
    exact = partial(_slope, getattr(fnn, f"{case.name}_backward"), wide)
    independent = partial(_slope, getattr(reference, f"{case.name}_backward"), parameters)
    precise = partial(_precise, exact_derivatives, case)
    crossings = case.crossings, case.crossing_bound, case.kinks_for()
    return Row(f"{case.name}'", library, value, exact, independent, precise, bounds, *crossings)


def _precise(of: Callable, case: Case, x):
    return of(case, x, case.default, _two_words)


def _precise_vmath(f: Callable, x):
    with mp.workdps(60):
        return np.array([_two_words(f(mp.mpf(v))) for v in x])


def _two_words(value: mp.mpf) -> tuple[float, float]:
    rounded = float(value)
    return rounded, float(value - rounded) if mp.isfinite(value) and np.isfinite(rounded) else 0.0


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


#: Functions under another name in mpmath, or that have limits which it does not take.
_ARBITRARY: dict[str, Callable] = {
    "erfc": lambda x: mp.erfc(x) if abs(x) < 10**5 else mp.mpf(2 * (x < 0)),
    "exp2": lambda x: mp.mpf(2) ** x,
    "log": lambda x: mp.log(x) if x > 0 else mp.mpf(-mp.inf if x == 0 else mp.nan),
    "log2": lambda x: mp.log(x, 2) if x > 0 else mp.mpf(-mp.inf if x == 0 else mp.nan),
    "log1p": lambda x: mp.log1p(x) if x > -1 else mp.mpf(-mp.inf if x == -1 else mp.nan),
    "rsqrt": lambda x: 1 / mp.sqrt(x) if x > 0 else mp.mpf(mp.inf if x == 0 else mp.nan),
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
}


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
