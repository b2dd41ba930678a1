"""Which kernels normalise an array, and how its groups lie in memory.

A plan follows from shapes alone. Over contiguous arrays it has `forward` and `backward`, everything in one launch or
three, and their halves for statistics that come from elsewhere: `statistics` and `apply`, `sums` and `gradient`.

Statistics are arrays (GROUP, groups) of float64, see `_statistics`. Sums are a pair of float64 arrays over the groups:
sum(dz) and sum(dz * (x - mean)).
"""

import functools
from typing import Any, NamedTuple

import numpy as np

from .._engine.fused import launch
from .._engine.geometry import LARGE
from .._engine.ufuncs import IDENTITY, Activation
from .._engine.vectors import LANES
from . import _columns, _runs
from ._statistics import GROUP, RSTD

#: Values that make a chunk of a launch.
_CHUNK = 1 << 14
#: Groups that leave every core something to do; fewer are cut into parts.
_SHARES = 16
#: Parts of the rows of a matrix at most: each has sums of its own for every column.
_PARTS = 64
#: Vectors that are summed one after the other: in float64 the error of one chain of 2,400 was 57 ulps, of parts 9.
_CHAIN = 256
#: ns a value takes in the two passes of forward, or of backward.
_WORK = 0.4


class RunsPlan(NamedTuple):
    """Groups made of runs; the words of `_runs`, in its order."""

    groups: int
    runs: int
    length: int
    group_step: int
    run_step: int
    cycle: int
    channels: int
    own: int
    parts: int
    pieces: int
    piece: int
    together: int

    @property
    def size(self) -> int:
        """Values of a group."""
        return self.runs * self.length

    @property
    def _split(self) -> bool:
        return self.groups < _SHARES and self.groups * self.size >= 4 * _CHUNK

    def _run(self, kernel, chunks, arrays, eps, count, act) -> None:
        x, y = arrays[0], arrays[2]
        streams = y is not None and y.nbytes >= LARGE
        work = int(self.groups * self.size * _WORK)
        launch(kernel[x.dtype.char], chunks, work, *arrays, *self, streams, eps, float(count), act.parameter)

    def _buffers(self) -> tuple[np.ndarray, np.ndarray]:
        return np.empty((GROUP, self.groups)), np.empty((self.groups, self.parts, 2))

    def forward(self, x, y, gamma, beta, eps: float, act: Activation) -> np.ndarray:
        """Write y; the statistics."""
        statistics, sums = self._buffers()
        kernels = _runs.forward(act.formula)
        arrays = x, None, y, gamma, beta, statistics, sums
        if self._split:
            self._take_statistics(arrays, eps, act)
            self._run(kernels.apply, self.groups * self.parts, arrays, eps, self.size, act)
        else:
            self._run(kernels.whole, -(-self.groups // self.together), arrays, eps, self.size, act)
        return statistics

    def _take_statistics(self, arrays, eps, act) -> None:
        self._run(_runs.SUMS_KERNEL, self.groups * self.parts, arrays, eps, self.size, act)
        self._run(_runs.FINISH_KERNEL, self.groups, arrays, eps, self.size, act)

    def statistics(self, x, eps: float) -> np.ndarray:
        """Of x alone."""
        statistics, sums = self._buffers()
        self._take_statistics((x, None, None, None, None, statistics, sums), eps, IDENTITY)
        return statistics

    def apply(self, x, y, gamma, beta, statistics, act: Activation) -> None:
        """Write y for given statistics."""
        arrays = x, None, y, gamma, beta, statistics, None
        self._run(_runs.forward(act.formula).apply, self.groups * self.parts, arrays, 0.0, self.size, act)

    def backward(self, dy, x, dx, gamma, beta, statistics, act: Activation) -> np.ndarray:
        """Write dx; (dbeta, dgamma) as an array (2, channels)."""
        sums = np.empty((self.groups, self.parts, 2))
        kernels = _runs.backward(act.product)
        arrays = x, dy, dx, gamma, beta, statistics, sums
        if self._split:
            self._run(kernels.sums, self.groups * self.parts, arrays, 0.0, self.size, act)
            self._run(kernels.apply, self.groups * self.parts, arrays, 0.0, self.size, act)
        else:
            self._run(kernels.whole, -(-self.groups // self.together), arrays, 0.0, self.size, act)
        sums[..., 1] *= statistics[RSTD][:, None]
        samples = self.groups // max(self.cycle, 1)
        if self.own:
            return sums.reshape(samples, self.cycle * self.parts, 2).sum(0).T
        return sums.reshape(samples, self.cycle, self.parts, 2).sum((0, 2)).T

    def sums(self, dy, x, gamma, beta, statistics, act: Activation) -> np.ndarray:
        """sum(dz) and sum(dz * (x - mean)), an array (2, groups)."""
        sums = np.empty((self.groups, self.parts, 2))
        arrays = x, dy, None, gamma, beta, statistics, sums
        self._run(_runs.backward(act.product).sums, self.groups * self.parts, arrays, 0.0, self.size, act)
        return sums.sum(1).T

    def gradient(self, dy, x, dx, gamma, beta, statistics, act: Activation, sums, count) -> None:
        """Write dx for given sums over `count` values."""
        in_parts = np.zeros((self.groups, self.parts, 2))
        in_parts[:, 0] = sums.T
        arrays = x, dy, dx, gamma, beta, statistics, in_parts
        self._run(_runs.backward(act.product).apply, self.groups * self.parts, arrays, 0.0, count, act)


@functools.lru_cache(256)
def runs_plan(groups, runs, length, group_step, run_step, cycle, channels, own) -> RunsPlan:
    """The plan for groups as `_runs` describes them."""
    count = runs * length
    parts, pieces, piece = (runs if own else 1), 1, length
    if not own and groups < _SHARES and groups * count >= 4 * _CHUNK:
        parts = min(-(-2 * _SHARES // groups), -(-count // (_CHUNK // 2)))
        if parts > runs:
            piece = -(-length * runs // parts // 64) * 64
            pieces = -(-length // piece)
    if not own:
        parts = min(max(parts, -(-runs * -(-length // LANES) // _CHAIN)), max(runs * pieces, 1))
    together = max(1, _CHUNK // max(count, 1))
    words = groups, runs, length, group_step, run_step, cycle, channels, own, parts, pieces, piece, together
    return RunsPlan(*words)


class ColumnsPlan(NamedTuple):
    """A group each column; the words of `_columns`, in its order."""

    rows: int
    columns: int
    parts: int
    width: int

    @property
    def size(self) -> int:
        """Values of a column."""
        return self.rows

    def _run(self, kernel, chunks, arrays, eps, count, act) -> None:
        x, y = arrays[0], arrays[2]
        work = int(self.rows * self.columns * _WORK)
        streams = y is not None and y.nbytes >= LARGE and self.columns % 16 == 0 and y.ctypes.data % 64 == 0
        launch(kernel[x.dtype.char], chunks, work, *arrays, *self, streams, eps, float(count), act.parameter)

    def _applied(self, x: np.ndarray) -> np.ndarray:
        return np.empty((_columns.KINDS, self.columns), np.float64 if x.dtype == np.float64 else np.float32)

    def _all(self, kernels, for_sums, arrays, eps, act) -> None:
        if self.parts == 1:
            self._run(kernels.whole, 1, arrays, eps, self.size, act)
        else:
            self._take_sums(for_sums, arrays, eps, act)
            self._run(kernels.apply, self.parts, arrays, eps, self.size, act)

    def _take_sums(self, kernels, arrays, eps, act) -> None:
        self._run(kernels.sums, self.parts, arrays, eps, self.size, act)
        self._run(kernels.finish, -(-self.columns // self.width), arrays, eps, self.size, act)

    def _sums(self) -> np.ndarray:
        return np.empty((self.parts, 2, self.columns)) if self.rows else np.zeros((self.parts, 2, self.columns))

    def forward(self, x, y, gamma, beta, eps: float, act: Activation) -> np.ndarray:
        """Write y; the statistics."""
        statistics = np.empty((GROUP, self.columns))
        arrays = x, None, y, gamma, beta, statistics, self._sums(), None, self._applied(x)
        self._all(_columns.forward(act.formula), _columns.forward(IDENTITY.formula), arrays, eps, act)
        return statistics

    def statistics(self, x, eps: float) -> np.ndarray:
        """Of x alone."""
        statistics = np.empty((GROUP, self.columns))
        arrays = x, None, None, None, None, statistics, self._sums(), None, self._applied(x)
        self._take_sums(_columns.forward(IDENTITY.formula), arrays, eps, IDENTITY)
        return statistics

    def apply(self, x, y, gamma, beta, statistics, act: Activation) -> None:
        """Write y for given statistics."""
        arrays = x, None, y, gamma, beta, statistics, None, None, self._applied(x)
        self._apply(_columns.forward(act.formula), arrays, self.size, act)

    def _apply(self, kernels, arrays, count, act) -> None:
        self._run(kernels.prepare, -(-self.columns // self.width), arrays, 0.0, count, act)
        self._run(kernels.apply, self.parts, arrays, 0.0, count, act)

    def backward(self, dy, x, dx, gamma, beta, statistics, act: Activation) -> np.ndarray:
        """Write dx; (dbeta, dgamma) as an array (2, channels)."""
        totals = np.empty((2, self.columns))
        arrays = x, dy, dx, gamma, beta, statistics, self._sums(), totals, self._applied(x)
        kernels = _columns.backward(act.product)
        self._all(kernels, kernels, arrays, 0.0, act)
        totals[1] *= statistics[RSTD]
        return totals

    def sums(self, dy, x, gamma, beta, statistics, act: Activation) -> np.ndarray:
        """sum(dz) and sum(dz * (x - mean)), an array (2, columns)."""
        totals = np.empty((2, self.columns))
        arrays = x, dy, None, gamma, beta, statistics, self._sums(), totals, None
        self._take_sums(_columns.backward(act.product), arrays, 0.0, act)
        return totals

    def gradient(self, dy, x, dx, gamma, beta, statistics, act: Activation, sums, count) -> None:
        """Write dx for given sums over `count` values."""
        arrays = x, dy, dx, gamma, beta, statistics, None, np.ascontiguousarray(sums), self._applied(x)
        self._apply(_columns.backward(act.product), arrays, count, act)


@functools.lru_cache(256)
def channels_plan(before: int, channels: int, after: int) -> Any:
    """For statistics of each channel of an array (before, channels, after)."""
    if after == 1:
        parts = 1 if before * channels < 2 * _CHUNK else max(1, min(before // 16, before * channels // _CHUNK, _PARTS))
        return ColumnsPlan(before, channels, parts, 64 if parts > 1 else max(channels, 1))
    return runs_plan(channels, before, after, after, channels * after, channels, 1, 0)
