"""The reference optimiser rules: one step each, in place, on float64 arrays; and the clipping of gradients.

Every rule takes the keywords of `scaled_gradient` and `common_steps` besides its own. In the formulas g is the gradient
with all that these do to it, and m, v, u, s are the state arrays.
"""

from .adam import adabelief_update, adam_update, adamax_update, nadam_update, radam_update
from .adaptive import adadelta_update, adagrad_update, rmsprop_update
from .clip import clip_by_global_norm, clip_by_value, global_norm
from .layerwise import adafactor_update, lamb_update, lars_update
from .momentum import sgd_update
from .signs import lion_update, rprop_update

__all__ = [
    "adabelief_update",
    "adadelta_update",
    "adafactor_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "clip_by_global_norm",
    "clip_by_value",
    "global_norm",
    "lamb_update",
    "lars_update",
    "lion_update",
    "nadam_update",
    "radam_update",
    "rmsprop_update",
    "rprop_update",
    "sgd_update",
]
