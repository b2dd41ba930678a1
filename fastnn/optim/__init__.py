"""Optimisers: rules as functions on one array, and as objects on all parameters of a model."""

from .base import Optimizer
from .clip import clip_by_global_norm, clip_by_value, global_norm
from .presets import preset
from .rules.adam import Adam, AdamW, adam_update
from .rules.adam_variants import NAdam, RAdam, nadam_update, radam_update
from .rules.adaptive import Adadelta, Adagrad, RMSprop, adadelta_update, adagrad_update, rmsprop_update
from .rules.factored import Adafactor, adafactor_update
from .rules.layerwise import LAMB, LARS, lamb_update, lars_update
from .rules.momentum import SGD, Lion, Rprop, lion_update, rprop_update, sgd_update
from .rules.scales import AdaBelief, Adamax, adabelief_update, adamax_update

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
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
    "preset",
    "radam_update",
    "rmsprop_update",
    "rprop_update",
    "sgd_update",
]
