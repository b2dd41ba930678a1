"""A call to be made, and checks of its result against the reference."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fused_cases import results
from fuzz_arrays import Draw

from fastnn import reference


@dataclass
class Call:
    name: str
    function: Callable
    arguments: list[Any]
    keywords: dict[str, Any] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None
    changed: list[Any] = field(default_factory=list)  #: arrays that the function writes to
    writes_arguments: bool = False  #: whether it does so to any of its arguments
    may_refuse: bool = False  #: whether these arguments may be refused

    def __str__(self) -> str:
        shown = [_show(value) for value in self.arguments]
        return f"{self.name}({', '.join([*shown, *(f'{key}={_show(v)}' for key, v in self.keywords.items())])})"


def _show(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return repr(value)[:60]
    text = f"<{value.dtype} {value.shape} strides {value.strides}{'' if value.flags.writeable else ' read-only'}>"
    return text + (f" {value.tolist()}" if value.size <= 6 else "")


def copies(values: Any) -> Any:
    """What was given, before anything is written."""
    if isinstance(values, dict):
        return dict(zip(values, copies(values.values()), strict=True))
    return [value.copy() if isinstance(value, np.ndarray) else value for value in values]


def native(dtype: Any) -> np.dtype:
    """Of a result: the input's own, float64 for integers."""
    dtype = np.dtype(dtype)
    return dtype.newbyteorder("=") if dtype.kind == "f" else np.dtype("f8")


def close(actual: Any, expected: Any, roundings: float = 32.0, coarsest: Any = "f8", terms: float = 1.0) -> None:
    """Every result within so many roundings of its dtype at the scale of its largest value, or of terms that cancel."""
    actual, expected = results(actual), results(expected)
    assert len(actual) == len(expected), f"{len(actual)} results, expected {len(expected)}"
    for k, (a, e) in enumerate(zip(actual, expected, strict=True)):
        assert a.shape == e.shape, f"result {k} has shape {a.shape}, expected {e.shape}"
        finite = np.abs(e[np.isfinite(e)])
        eps = max(np.finfo(a.dtype).eps, np.finfo(coarsest).eps) if a.dtype.kind == "f" else 0.0
        limit = roundings * eps * max(1.0, terms, float(finite.max(initial=0)))
        same = np.isclose(a.astype("f8"), e, rtol=0, atol=limit, equal_nan=True)
        if a.dtype == np.float16:
            same |= (np.abs(e) > 65000) & np.isinf(a)
        assert same.all(), f"result {k}: {a[~same].ravel()[:3]}, expected {e[~same].ravel()[:3]} within {limit:g}"


def twin(name: str) -> Callable:
    return getattr(reference, name, None) or getattr(reference.optim, name)


def like_twin(name: str, arguments: list, keywords: dict, roundings: float = 32.0, terms: float = 1.0) -> Callable:
    """A check against the reference's function of the same name on copies of the arguments; see `close`."""
    given, options = copies(arguments), {key: value for key, value in copies(keywords).items() if key != "out"}
    floats = [a.dtype for a in given if isinstance(a, np.ndarray) and a.dtype.kind == "f"]

    def check(result: Any) -> None:
        coarsest = min(floats, key=lambda dtype: np.dtype(dtype).itemsize, default="f8")
        close(result, twin(name)(*given, **options), roundings, coarsest, terms)

    return check


def an_axis(draw: Draw, ndim: int) -> int:
    return draw.below(ndim) - draw.below(2) * ndim
