"""Optimisers: rules as functions on one array, and as objects on all parameters of a model."""

from .optimizer import SGD, Adam, AdamW, Optimizer
from .rules import adam_update, sgd_update

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "adam_update", "sgd_update"]
