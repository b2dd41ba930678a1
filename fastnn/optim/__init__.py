"""Optimisers: rules as functions on one array, and as objects on all parameters of a model."""

from .base import Optimizer
from .optimizer import SGD, Adam, AdamW
from .rules import adam_update, sgd_update

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "adam_update", "sgd_update"]
