"""Everything in `layers`, as the course's file of this name has it."""

from .layers import *  # noqa: F403
from .layers import __all__ as __all__
