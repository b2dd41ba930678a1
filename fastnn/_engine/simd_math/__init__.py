"""Vectorisable scalar maths: plain arithmetic, no table and no call, that LLVM turns into vector code."""

from .error_function import erf, erfc, normal_cdf, normal_pdf
from .exponential import exp, exp2, exp_sum, expm1
from .gelu import gelu, gelu_derivative
from .logarithm import log, log1p, log2
from .reciprocal_root import rsqrt
from .sigmoidal import sigmoid, sigmoid_sum, sigmoid_tail, softplus, tanh
from .trigonometric import cos, sin

__all__ = [
    "cos",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp_sum",
    "expm1",
    "gelu",
    "gelu_derivative",
    "log",
    "log1p",
    "log2",
    "normal_cdf",
    "normal_pdf",
    "rsqrt",
    "sigmoid",
    "sigmoid_sum",
    "sigmoid_tail",
    "sin",
    "softplus",
    "tanh",
]
