"""What a score may be."""

from typing import Any

from .._engine import check


def _score(name: str, argument: str, value: Any) -> float:
    """`value` as a float, which may be NaN or infinite."""
    array = check.real_array(name, argument, value)
    if array.ndim:
        raise ValueError(f"{name}: {argument} has shape {array.shape}, expected a number")
    return float(array)
