"""The reference optimiser rules."""

from .rules import adam_update, sgd_update

__all__ = ["adam_update", "sgd_update"]
