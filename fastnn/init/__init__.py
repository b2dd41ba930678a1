"""Initial weights.

Every function is ``f(shape, ..., *, rng=None, dtype=np.float32, layout="in_out")``. `layout` says which axes are
fan-in and fan-out: "in_out" for the W of ``x @ W``, "out_in" for ``x @ W.T`` (torch's Linear), "conv" for
(out, in, *kernel). Numbers are drawn in float64 and rounded, so that a seed means the same weights in every dtype.
"""

from ._shapes import LAYOUTS
from .matrix import orthogonal
from .plain import constant, normal, truncated_normal, uniform, zeros
from .scaled import (
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
)

__all__ = [
    "LAYOUTS",
    "constant",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
