"""What one call has to do, as data: every library looks up its own ways of doing it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: way -> call; the first word of a way is the library. A call returns its result: an array of the library or several.
Ways = dict[str, Callable[[], Any]]

OUT, FRESH, IN_PLACE = "forward out=", "forward fresh", "forward in place"
BACKWARD, FROM_OUTPUT = "backward", "backward from output"
DIRECTIONS = (OUT, FRESH, IN_PLACE, BACKWARD, FROM_OUTPUT)


FEWEST_FOR_THREADS = 32_768


@dataclass(frozen=True)
class Work:
    """A function, and arrays that have the names of its arguments.

    `out` among them is where the result goes, if the library can; in place it goes into a copy of x, each one's own.
    """

    family: str
    function: str
    direction: str  #: one of DIRECTIONS, or "" where the function's name says it
    dtype: np.dtype
    shape: tuple[int, ...]
    bytes: int  #: read and written, each operand once
    threads: int
    arrays: dict[str, Any] = field(default_factory=dict)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def threaded(self) -> bool:
        """Whether any library uses its threads: none does for so few elements."""
        return self.threads > 1 and self.elements > FEWEST_FOR_THREADS
