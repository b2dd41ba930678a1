"""Statistics of a tensor, two passes over its finite values in float64."""

from typing import Any

import numpy as np

from ..monitor import TensorStats


@np.errstate(all="ignore")
def tensor_stats(x: Any) -> Any:
    """Mean, standard deviation, min and max of what is finite; fractions of what is 0, NaN, infinite or subnormal."""
    x = np.asarray(x)
    x = x if x.dtype.kind == "f" else x.astype(np.float64)
    values = x[np.isfinite(x)].astype(np.float64)
    subnormal = (x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny)
    moments = _moments(values) if values.size else (np.nan,) * 4
    masks = (x == 0, np.isnan(x), np.isinf(x), subnormal)
    return TensorStats(x.size, *moments, *(float(np.sum(mask) / x.size) if x.size else np.nan for mask in masks))


def _moments(values):
    """(mean, std, min, max); scaled by a power of two so that no square overflows, or underflows where it matters."""
    _, exponent = np.frexp(np.abs(values).max())
    scaled = np.ldexp(values, -exponent)
    deviations = scaled - scaled[0]
    mean, std = scaled[0] + deviations.mean(), deviations.std()
    return *(float(np.ldexp(v, exponent)) for v in (mean, std)), float(values.min()), float(values.max())
