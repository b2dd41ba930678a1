"""Arrays of every dtype and every place in memory, drawn at random."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

FLOATS = ("f2", "f4", "f8")
#: Dtypes of arrays that count as numbers, the usual ones more often.
REAL = ("f4", "f4", "f4", "f8", "f8", "f2", ">f4", ">f8", ">f2", "i1", "u1", "i2", "i4", "i8", "u8", "?", ">i4")


class Draw:
    """Random choices, and the arrays that came of them."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.made: list[np.ndarray] = []

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def below(self, n: int) -> int:
        return int(self.rng.integers(n))

    def one_of(self, values: Any) -> Any:
        return values[self.below(len(values))]

    def shape(self, low: int = 0, high: int = 4, least: int = 0) -> tuple[int, ...]:
        """Small as a rule; now and then one axis long enough for several blocks, or for several threads."""
        sides = [max(least, self.one_of((0, 1, 1, 2, 3, 4, 5, 7, 8))) for _ in range(low + self.below(high - low + 1))]
        if sides and self.chance(0.1):
            room = 80_000 // max(1, int(np.prod([side or 1 for side in sides])))
            sides[self.below(len(sides))] *= 1 + self.below(max(1, room))
        return tuple(sides)

    def values(self, shape: tuple[int, ...], dtype: Any, wild: bool = False) -> np.ndarray:
        """Normal numbers; wild ones are of all magnitudes, infinite and NaN too. Integers are small."""
        dtype = np.dtype(dtype)
        if dtype.kind in "iub":
            return self.rng.integers(0 if dtype.kind != "i" else -9, 2 if dtype.kind == "b" else 10, shape).astype(
                dtype
            )
        x = self.rng.standard_normal(shape) * self.one_of((1.0, 1.0, 0.1, 4.0))
        if wild:
            x = x * 10.0 ** self.rng.integers(-12, 13, shape)
            chosen = self.rng.random(shape)
            large = np.finfo(dtype).max / (8 if dtype.itemsize == 8 else 1)  # the reference overflows before that
            for k, value in enumerate((np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-44, large)):
                x = np.where((0.03 * k <= chosen) & (chosen < 0.03 * (k + 1)), value, x)
        with np.errstate(all="ignore"):
            return np.asarray(x).astype(dtype)

    def array(self, shape: tuple[int, ...], dtype: Any = None, wild: bool = False) -> np.ndarray:
        """An array of one of the dtypes, laid out in any way; it may be read-only, or one number everywhere."""
        if shape and self.chance(0.04):
            self.made.append(single := self.values((), dtype or self.one_of(REAL), wild))
            return np.broadcast_to(single, shape)
        return self.lay(self.values(shape, dtype or self.one_of(REAL), wild))

    def lay(self, x: np.ndarray, writable: bool = False) -> np.ndarray:
        """The same values, stored in another way."""
        kinds = [kind for kind in LAYOUTS if not (writable and kind in READ_ONLY)]
        laid = np.array(x)
        if self.chance(0.7):
            laid = LAYOUTS[self.one_of(kinds)](self, laid)
        self.made.append(laid)
        return laid

    def out(self, shape: tuple[int, ...], dtype: Any, inputs: Iterable[np.ndarray] = ()) -> np.ndarray:
        """Somewhere to write: an array of its own, one of the inputs, or one that overlaps an input."""
        dtype = np.dtype(dtype)
        alike = [a for a in inputs if a.shape == shape and a.dtype == dtype and a.flags.writeable and _apart(a)]
        if alike and self.chance(0.4):
            chosen = self.one_of(alike)
            return chosen if self.chance(0.6) or chosen.ndim == 0 else chosen[::-1]
        return self.lay(self.values(shape, dtype), writable=True)


def _apart(x: np.ndarray) -> bool:
    """Whether no two elements share memory."""
    return all(stride or side < 2 for stride, side in zip(x.strides, x.shape, strict=True))


def _strided(step: int) -> Callable[[Draw, np.ndarray], np.ndarray]:
    def lay(draw: Draw, x: np.ndarray) -> np.ndarray:
        if not x.ndim:
            return x.copy()
        axis = draw.below(x.ndim)
        sides = [side * abs(step) if k == axis else side for k, side in enumerate(x.shape)]
        room = draw.values(tuple(sides), x.dtype)
        view = room[tuple(slice(None, None, step) if k == axis else slice(None) for k in range(x.ndim))]
        view[...] = x
        return view

    return lay


def _unaligned(draw: Draw, x: np.ndarray) -> np.ndarray:
    memory = np.zeros(x.nbytes + 9, np.uint8)
    start = 1 + draw.below(8)
    view = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


def _transposed(draw: Draw, x: np.ndarray) -> np.ndarray:
    order = draw.rng.permutation(x.ndim)
    return np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order)) if x.ndim else x.copy()


def _read_only(draw: Draw, x: np.ndarray) -> np.ndarray:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def _huge_steps(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A page between neighbours; large arrays would be too large."""
    return _strided(4096 // x.itemsize)(draw, x) if x.size <= 200 else x.copy()


def _as_field(draw: Draw, x: np.ndarray) -> np.ndarray:
    """Every element beside a byte: strides that are no multiple of the element."""
    records = np.zeros(x.shape, [("flag", "i1"), ("value", x.dtype)])
    records["value"] = x
    return records["value"] if x.ndim else x.copy()


LAYOUTS: dict[str, Callable[[Draw, np.ndarray], np.ndarray]] = {
    "Fortran": lambda draw, x: np.array(x, order="F"),
    "every second": _strided(2),
    "every third backwards": _strided(-3),
    "backwards": _strided(-1),
    "transposed": _transposed,
    "unaligned": _unaligned,
    "a page apart": _huge_steps,
    "a field": _as_field,
    "read-only": _read_only,
}
READ_ONLY = {"read-only"}


def roots(values: Iterable[Any]) -> list[np.ndarray]:
    """The arrays that own the memory of those among the values, each once."""
    found: dict[int, np.ndarray] = {}
    for value in values:
        if isinstance(value, (tuple, list)):
            found |= {id(root): root for root in roots(value)}
        elif isinstance(value, dict):
            found |= {id(root): root for root in roots(value.values())}
        elif isinstance(value, np.ndarray):
            while isinstance(value.base, np.ndarray):
                value = value.base
            if value.dtype.kind != "O":
                found[id(value)] = value
    return list(found.values())
