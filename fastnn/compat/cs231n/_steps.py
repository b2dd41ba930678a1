"""One step of an update rule from its old arrays to new ones, in one pass.

The rules of `fastnn.optim` work in place; the course's leave what they are given as it was. The formulas are the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._engine.fused import Kernel, launch
from ..._engine.geometry import CHUNK
from ..._engine.vectors import LANES, Several, stored, word
from ._memory import empty_like

# Words of the context. The addresses of the old state arrays, those of the new ones and the rule's numbers follow.
PARAM, GRAD, RESULT, SIZE, OWN = 1, 2, 3, 4, 5


class Step:
    """A rule's kernel: formula(param, grad, states, numbers) -> (param, states), of fastnn.optim.rules.

    Parameters
    ----------
    name : str
        Names the kernel.
    formula : callable
        Of one number of each.
    states : int
        How many state arrays.
    numbers : int
        How many numbers the formula gets.
    """

    def __init__(self, name: str, formula: Callable, states: int, numbers: int):
        self.kernel = Kernel(f"cs231n_{name}", _job(formula, Several(states), Several(numbers), states))

    def __call__(self, w: np.ndarray, dw: np.ndarray, states: list[np.ndarray], numbers: tuple[float, ...]) -> Any:
        """(w, states) after the step, all new; contiguous arrays of w's shape and dtype come in."""
        new = [empty_like(w) for _ in range(len(states) + 1)]
        kernel, size = self.kernel[w.dtype.char], w.size
        launch(kernel, -(-size // CHUNK), size // 2, w, dw, new[0], size, *states, *new[1:], *numbers)
        return new[0], new[1:]


def _job(formula, states, numbers, count):
    def some(arrays, i, lanes, own):
        param, grad, result, old, new = arrays
        p, g = stored.load_part(param, i, lanes), stored.load_part(grad, i, lanes)
        p, s = formula(p, g, states.load_part(old, i, lanes), own)
        stored.store_part(result, i, p, lanes)
        states.store_part(new, i, states.normal(s), lanes)

    def job(context, index):
        old, new = states.addresses(context, OWN), states.addresses(context, OWN + count)
        arrays = word(context, PARAM), word(context, GRAD), word(context, RESULT), old, new
        own = numbers.numbers(context, OWN + 2 * count)
        begin, end = index * CHUNK, min((index + 1) * CHUNK, word(context, SIZE))
        whole = end - (end - begin) % LANES
        for i in range(begin, whole, LANES):
            some(arrays, i, LANES, own)
        if whole < end:
            some(arrays, whole, end - whole, own)
        return 0

    return job
