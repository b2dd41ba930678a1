"""Random numbers of a block: those of the whole array, drawn element by element in C order."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._blocks import da

#: Numbers that one draw costs as much as, besides its own.
_DRAW = 1 << 14
#: Numbers drawn at a time at most, where the block allows it.
_MOST = 1 << 22

Draw = Callable[[int, int], np.ndarray]


def starts(x: Any) -> list[tuple[Any, tuple[int]]]:
    """Operands for `blocks`: one an axis, whose blocks say where those of x begin along it."""
    firsts = [np.cumsum([0, *lengths[:-1]]) for lengths in x.chunks]
    return [(da.from_array(first, chunks=1), (axis,)) for axis, first in enumerate(firsts)]


def located(draw: Draw, shape: Sequence[int], begins: Sequence[Any], lengths: Sequence[int]) -> np.ndarray:
    """The numbers of a block of an array of `shape`, draw(first, end) giving those of a range of elements.

    Parameters
    ----------
    draw : callable
        (first, end) -> a 1-D array.
    shape : the array's
    begins : where the block begins along each axis, arrays of one integer
    lengths : the block's shape
    """
    steps = [int(np.prod(shape[k + 1 :], dtype=np.int64)) for k in range(len(shape))]
    first = sum(int(begin.item()) * step for begin, step in zip(begins, steps, strict=True))
    return _part(draw, first, steps, lengths) if 0 not in lengths else draw(0, 0).reshape(lengths)


def _part(draw: Draw, first: int, steps: Sequence[int], lengths: Sequence[int]) -> np.ndarray:
    """Elements `steps` apart along each axis, in as few draws as pay.

    What lies between them is drawn as well where that takes less time than another draw.
    """
    if not lengths:
        return draw(first, first + 1).reshape(())
    row = _span(steps[1:], lengths[1:])
    together = 1 if steps[0] > row + _DRAW else max(1, (_MOST - row) // steps[0] + 1)
    if together == 1 or lengths[0] == 1:
        rows = [_part(draw, first + k * steps[0], steps[1:], lengths[1:]) for k in range(lengths[0])]
        return np.stack(rows)
    if together < lengths[0]:
        rows = [
            _part(draw, first + k * steps[0], steps, (min(together, lengths[0] - k), *lengths[1:]))
            for k in range(0, lengths[0], together)
        ]
        return np.concatenate(rows)
    numbers = draw(first, first + _span(steps, lengths))
    return np.lib.stride_tricks.as_strided(numbers, lengths, [step * numbers.itemsize for step in steps])


def _span(steps: Sequence[int], lengths: Sequence[int]) -> int:
    """Elements from the first to the last."""
    return 1 + sum(step * (length - 1) for step, length in zip(steps, lengths, strict=True))
