"""The layers that the course has in a fast form of its own; here all forms are the same functions."""

from .conv import conv_backward_fast, conv_forward_fast, conv_forward_im2col
from .pool import max_pool_backward_fast, max_pool_forward_fast

__all__ = [
    "conv_backward_fast",
    "conv_forward_fast",
    "conv_forward_im2col",
    "max_pool_backward_fast",
    "max_pool_forward_fast",
]
