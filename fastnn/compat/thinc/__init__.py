"""fastnn inside thinc and spaCy: operations for models, a layer norm, optimisers.

Importing this module registers all of them with thinc: the ops "fastnn", the layer "fastnn.LayerNorm.v1", and the
optimisers "fastnn.Adam.v1", "fastnn.RAdam.v1" and "fastnn.SGD.v1".
"""

from .layers import LayerNorm, accelerate
from .ops import FastnnOps
from .optimizers import SGD, Adam, Optimizer, RAdam

__all__ = ["SGD", "Adam", "FastnnOps", "LayerNorm", "Optimizer", "RAdam", "accelerate"]
