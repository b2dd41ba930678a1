"""Parameters as users keep them: an array, a list or tuple, or a nested dict of arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def _at_key(path: str, key: Any) -> str:
    return f'{path}["{key}"]' if isinstance(key, str) else f"{path}[{key!r}]"


def leaves(name: str, tree: Any, path: str = "params", optional: bool = False) -> Iterator[tuple[str, np.ndarray]]:
    """(path, array) of every array in `tree`, in order; the path reads like the expression for it.

    With `optional`, None stands for no array.
    """
    if isinstance(tree, np.ndarray):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(name, value, _at_key(path, key), optional)
    elif isinstance(tree, (list, tuple)):
        for k, value in enumerate(tree):
            yield from leaves(name, value, f"{path}[{k}]", optional)
    elif not (optional and tree is None):
        raise TypeError(f"{name}: {path} is a {type(tree).__name__}, expected an array, a list or a dict of arrays")


def matched(name: str, tree: Any, grads: Any, path: str = "grads") -> Iterator[tuple[str, Any]]:
    """(path, gradient or None) for every array of `tree`; None anywhere stands for all that is below."""
    if isinstance(tree, np.ndarray):
        yield path, grads
    elif isinstance(tree, dict):
        if grads is not None and not (isinstance(grads, dict) and grads.keys() == tree.keys()):
            found = _names(grads) if isinstance(grads, dict) else f"a {type(grads).__name__}"
            raise ValueError(f"{name}: {path} is {found}, expected a dict with keys {_names(tree)}")
        for key, value in tree.items():
            yield from matched(name, value, None if grads is None else grads[key], _at_key(path, key))
    else:
        if grads is not None and not (isinstance(grads, (list, tuple)) and len(grads) == len(tree)):
            found = f"{len(grads)} entries" if isinstance(grads, (list, tuple)) else f"a {type(grads).__name__}"
            raise ValueError(f"{name}: {path} is {found}, expected a list of {len(tree)}")
        for k, value in enumerate(tree):
            yield from matched(name, value, None if grads is None else grads[k], f"{path}[{k}]")


def _names(tree: dict) -> str:
    return ", ".join(sorted(map(repr, tree)))


def outline(tree: Any) -> Any:
    """What `flattened` needs to know of a tree: None for an array, else (its keys or None, outlines of what it holds).

    The outlines are None where all that it holds are arrays.
    """
    if isinstance(tree, np.ndarray):
        return None
    parts = [outline(value) for value in (tree.values() if isinstance(tree, dict) else tree)]
    keys = list(tree) if isinstance(tree, dict) else None
    return keys, len(parts), parts if any(part is not None for part in parts) else None


def flattened(form: Any, grads: Any, into: list) -> bool:
    """Append the gradients of a tree to a list; False where they are not built as the tree, in the same order.

    A dict of 2,000 takes 15 us; `matched`, which knows what is wrong, 600.
    """
    if form is None:
        into.append(grads)
        return True
    keys, count, parts = form
    if keys is None:
        if not isinstance(grads, (list, tuple)) or len(grads) != count:
            return False
        values: Any = grads
    else:
        if not isinstance(grads, dict) or list(grads) != keys:
            return False
        values = grads.values()
    if parts is None:
        into.extend(values)
        return True
    return all(flattened(part, value, into) for part, value in zip(parts, values, strict=True))


def gathered(tree: Any, into: list) -> None:
    """Append what is in a tree to a list, without a look at it, None aside."""
    if isinstance(tree, dict):
        for value in tree.values():
            gathered(value, into)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            gathered(value, into)
    elif tree is not None:
        into.append(tree)


def rebuilt(tree: Any, arrays: Iterator[np.ndarray]) -> Any:
    """`tree` with its arrays replaced, in order, by `arrays`."""
    if isinstance(tree, np.ndarray):
        return next(arrays)
    if isinstance(tree, dict):
        return {key: rebuilt(value, arrays) for key, value in tree.items()}
    entries = [rebuilt(value, arrays) for value in tree]
    return entries if isinstance(tree, list) else tuple(entries)


def copied(tree: Any) -> Any:
    """The same structure of the same arrays, which nobody else can change."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [copied(value) for value in tree] if isinstance(tree, list) else tuple(copied(value) for value in tree)
    return tree


def overlapping(arrays: list[np.ndarray]) -> tuple[int, int] | None:
    """The first two arrays that share memory (or one twice, whose own elements do), by their places in the list."""
    bounds = []
    for k, array in enumerate(arrays):
        if _overlaps_itself(array):
            return k, k
        if array.size:
            bounds.append((*_bounds(array), k))
    bounds.sort()
    reaching: list[tuple[int, int]] = []  # arrays that end after the present one begins
    for low, high, k in bounds:
        reaching = [(end, other) for end, other in reaching if end > low]
        for _, other in reaching:
            if np.shares_memory(arrays[other], arrays[k]):
                return min(other, k), max(other, k)
        reaching.append((high, k))
    return None


def _bounds(array: np.ndarray) -> tuple[int, int]:
    """Where an array's memory begins, and ends."""
    low = high = array.ctypes.data
    for stride, length in zip(array.strides, array.shape, strict=True):
        reach = stride * (length - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low, high + array.itemsize


def _overlaps_itself(array: np.ndarray) -> bool:
    """Whether two elements of an array are the same memory, as in what `broadcast_to` returns."""
    if array.flags.forc or array.size <= 1:
        return False
    strides = zip(map(abs, array.strides), array.shape, strict=True)
    steps = sorted((stride, length) for stride, length in strides if length > 1)
    reach = array.itemsize
    for stride, length in steps:
        if stride < reach:
            break
        reach = stride * (length - 1) + reach
    else:
        return False
    offsets = np.zeros(1, np.int64)
    for stride, length in steps:
        offsets = np.add.outer(offsets, stride * np.arange(length)).ravel()
    offsets.sort()
    return bool((np.diff(offsets) < array.itemsize).any())
