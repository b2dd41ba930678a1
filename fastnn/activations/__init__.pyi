"""The activations by what their families list, and how to look one up."""

# ruff: noqa: F403

from collections.abc import Callable
from typing import Any

from ..typing import ActivationLike
from .gated import *
from .parametric import *
from .rectified import *
from .shrink import *
from .sigmoidal import *
from .smooth import *
from .softmax_family import *

NAMES: tuple[str, ...]
_FAMILIES: tuple[str, ...]
_ALIASES: tuple[str, ...]

def activation(f: ActivationLike, *, from_output: bool = False) -> tuple[Callable[..., Any], Callable[..., Any]]: ...
