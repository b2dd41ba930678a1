"""Vectorisable scalar maths: plain arithmetic, no table and no call, that LLVM turns into vector code."""

from .error_function import erf as erf, erfc as erfc, normal_cdf as normal_cdf, normal_pdf as normal_pdf
from .exponential import exp as exp, exp2 as exp2, exp_sum as exp_sum, expm1 as expm1
from .gelu import gelu as gelu, gelu_derivative as gelu_derivative
from .logarithm import log as log, log1p as log1p, log2 as log2
from .reciprocal_root import rsqrt as rsqrt
from .sigmoidal import sigmoid as sigmoid, sigmoid_sum as sigmoid_sum, softplus as softplus, tanh as tanh
from .trigonometric import cos as cos, sin as sin
