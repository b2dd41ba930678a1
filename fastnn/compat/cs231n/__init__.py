"""The functions that the cs231n assignments ask students to write, with the course's signatures, on fastnn's kernels.

`layers`, `fast_layers`, `layer_utils` and `optim` stand in for the assignment files of those names: what imported
``from cs231n.layers import *`` imports ``from fastnn.compat.cs231n.layers import *``.
"""

from . import fast_layers, layer_utils, layers, optim

__all__ = ["fast_layers", "layer_utils", "layers", "optim"]
