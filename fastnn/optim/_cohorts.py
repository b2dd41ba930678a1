"""Parameters that take the same step in one launch: one dtype, one group of hyperparameters, one step number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any, Literal

import numpy as np

from .._engine.fused import Kernel, launch, locate
from .._engine.geometry import empty_lines
from .._engine.launch_layout import GRADIENT, NEEDED, PARAMETER, SIZE
from ._kernels import (
    CHUNK_WIDTH,
    COUNT,
    EACH,
    EACH_SCALED,
    EMA,
    NORM,
    SCALED,
    SEGMENT,
    SEGMENTS,
    STATES,
    TRUST,
    WIDTH,
)  # fmt: skip

#: Bits of NumPy's array flags.
C_ORDER, F_ORDER, ALIGNED, WRITEABLE = 1, 2, 0x100, 0x400

#: Elements up to which arrays are packed into one chunk, and of the pieces that larger ones are cut into at least.
_PACKED, _SMALLEST, _LARGEST = 4096, 1024, 1 << 14

#: Gradients that one core squares and adds in a ns, or scales.
_NORMED_PER_NS = 8


def like(array: np.ndarray, value: float | None = None, rows: bool = False) -> np.ndarray:
    """A dense array of the same shape and, where `array` is dense too, order: of one value, or its copy for None.

    It begins at a cache line, where vectors do not lie across two. With `rows` it is in C order.
    """
    transposed = array.flags.fnc and not rows
    result = empty_lines(array.shape[::-1] if transposed else array.shape, array.dtype)
    result = result.T if transposed else result
    result[...] = array if value is None else value
    return result


Order = Literal["C", "F"]


@dataclass(slots=True, eq=False)
class Slot:
    """One parameter: the user's array, the one that kernels update (another where the user's has gaps), its state."""

    path: str
    array: np.ndarray
    dense: np.ndarray
    states: dict[str, np.ndarray]
    ema: np.ndarray | None
    place: int

    @property
    def order(self) -> Order:
        return "C" if self.dense.flags.c_contiguous else "F"

    def row(self, writes_grad: bool) -> list[int]:
        """Its words in the table of `_kernels`."""
        grad_flags = (C_ORDER if self.order == "C" else F_ORDER) | ALIGNED | (WRITEABLE if writes_grad else 0)
        row = [0] * WIDTH
        row[PARAMETER], row[SIZE] = self.dense.ctypes.data, self.dense.size
        row[NEEDED] = grad_flags | WRITEABLE << 32
        row[EMA] = 0 if self.ema is None else self.ema.ctypes.data
        for k, state in enumerate(self.states.values(), STATES):
            row[k] = state.ctypes.data
        return row


def _piece(size: int) -> int:
    """Elements of the pieces of an array: an eighth of it, so that cores share it evenly."""
    return size if size <= _SMALLEST else min(max(-(-size // 8) + 63 & -64, _SMALLEST), _LARGEST)


@lru_cache(maxsize=64)
def chunks_of(sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """(chunks, (first segment, segments) of each array, segments in all) for arrays of these sizes."""
    chunks: list[list[int]] = []
    segments, segment, packing = [], 0, False
    for k, size in enumerate(sizes):
        first, small = segment, size <= _SMALLEST
        if small and packing and chunks[-1][COUNT] + size <= _PACKED:
            chunks[-1][COUNT] += size
            segment += 1
        elif size:
            piece = _piece(size)
            for begin in range(0, size, piece):
                chunks.append([k, begin, min(piece, size - begin), segment])
                segment += 1
            packing = small
        segments.append((first, segment - first))
    pieces = np.array(chunks, np.int64).reshape(-1, CHUNK_WIDTH)
    return pieces, np.array(segments, np.int64).reshape(-1, 2), segment


class Batch:
    """Arrays of one dtype, each without gaps, as the tables that the kernels read."""

    def __init__(self, arrays: list[np.ndarray], table: np.ndarray):
        self.arrays, self.table, self.char = arrays, table, arrays[0].dtype.char
        self.chunks, segments, count = chunks_of(tuple([array.size for array in arrays]))
        self.table[:, SEGMENT : SEGMENTS + 1] = segments
        self.table.view(np.float64)[:, [EACH, TRUST]] = 1.0
        self.partials = np.zeros((count, 2))
        self.pieces, self.size = len(self.chunks), int(self.table[:, SIZE].sum())

    def locate(self, gradients: list[Any]) -> int:
        """Take gradients that lie as the arrays do; the index of the first that does not, or -1.

        The table has their addresses: they must stay alive until the kernels have run.
        """
        return locate(self.arrays, gradients, self.table, WIDTH)

    def sum_of_squares(self, factor: float = 1.0) -> float:
        """Of all gradients times a factor; what overflows or is lost on the way there is lost."""
        self.launch(NORM, SCALED if factor != 1 else 0, factor)
        return float(self.partials[:, 0].sum())

    def launch(self, kernel: Kernel, options: int, factor: float, limit: float = inf) -> None:
        """Run a kernel that needs the gradients only, times a factor, within +-limit."""
        arguments = self.table, self.chunks, self.partials, options, factor, limit, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        launch(kernel[self.char], self.pieces, self.size // _NORMED_PER_NS, *arguments)

    def gradients(self) -> tuple[np.ndarray, np.ndarray]:
        """(addresses, bytes) of the gradients."""
        return self.table[:, GRADIENT], self.table[:, SIZE] * self.arrays[0].itemsize


class Cohort(Batch):
    """Slots whose step is one launch.

    Parameters
    ----------
    slots : sequence of Slot
        Of one dtype and one group.
    group : Group
        Whose rule and hyperparameters they have.
    step : int
        Steps that they have taken.
    writes_grad : bool
        Whether gradients are cleared.
    """

    def __init__(self, slots: Iterable[Slot], group: Any, step: int, writes_grad: bool):
        self.slots = list(slots)
        self.group, self.step = group, step
        self.places = [slot.place for slot in self.slots]
        self.copies = [slot for slot in self.slots if slot.dense is not slot.array]
        super().__init__([slot.dense for slot in self.slots], np.array([slot.row(writes_grad) for slot in self.slots]))
        self.info = group.update.prepare(self.table, self.slots)
        #: What a launch gets from the third argument on, to the partial sums.
        self.fixed = int(self.size * group.update.work), self.table, self.chunks, self.partials
        self._jobs: dict[int, tuple[Any, int]] = {}

    def moved(self) -> Slot | None:
        """The first slot whose array with gaps is not what it was."""
        for slot in self.copies:
            if slot.array.shape != slot.dense.shape or not slot.array.flags.writeable:
                return slot
        return None

    def jobs(self, options: int) -> tuple[Any, int]:
        """The first two arguments of the launch that takes the step."""
        scaled = options & EACH_SCALED
        if scaled not in self._jobs:
            self._jobs[scaled] = self.group.update.jobs(self, bool(scaled))
        return self._jobs[scaled]

    def take_with_copies(self, arguments: tuple) -> None:
        """Take the step of a cohort in which there are parameters with gaps: these by way of their dense copies."""
        for slot in self.copies:
            slot.dense[...] = slot.array
        launch(*arguments)
        for slot in self.copies:
            slot.array[...] = slot.dense
        self.step += 1


def apart(batches: Sequence[Batch]) -> bool:
    """Whether no two gradients share memory."""
    found = [batch.gradients() for batch in batches]
    starts, sizes = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.argsort(starts)
    return bool((starts[order][1:] >= (starts + sizes)[order][:-1]).all())
