"""rsqrt(x) = 1 / sqrt(x)."""

import numpy as np

from ..pairs import Double, Pair
from ..primitives import fma, to_f32, to_f64


@Double
def _rsqrt_single(x):
    return 1.0 / np.sqrt(x)


def _rsqrt_f32(x):
    return to_f32(_rsqrt_single(to_f64(x)))


def _rsqrt_f64(x):
    y = 1.0 / np.sqrt(x)
    # Two roundings leave 1.2 ulp; one Newton step with the residual 1 - x y**2 in two words leaves half of one.
    xy = x * y
    residual = fma(-fma(x, y, -xy), y, fma(-xy, y, 1.0))
    return fma(0.5 * y, residual, y) if 0.0 < x < np.inf else y


rsqrt = Pair(_rsqrt_f32, _rsqrt_f64)
