"""The update rules of other systems, each written out in float64 from that system's own source.

Every rule is a generator with that system's keywords and defaults; it yields the weights after each of `grads`.
"""

from . import cs231n, keras, optax, thinc, torch

__all__ = ["cs231n", "keras", "optax", "thinc", "torch"]
