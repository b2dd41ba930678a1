"""Parameters as users keep them: an array, a list or tuple, or a nested dict of arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np


def leaves(name: str, tree: Any, path: str = "params") -> Iterator[tuple[str, np.ndarray]]:
    """(path, array) of every array in `tree`, in order; the path reads like the expression for it."""
    if isinstance(tree, np.ndarray):
        yield path, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(name, value, f"{path}[{key!r}]")
    elif isinstance(tree, (list, tuple)):
        for k, value in enumerate(tree):
            yield from leaves(name, value, f"{path}[{k}]")
    else:
        raise TypeError(f"{name}: {path} is a {type(tree).__name__}, expected an array, a list or a dict of arrays")


def matched(name: str, tree: Any, grads: Any, path: str = "grads") -> Iterator[tuple[str, Any]]:
    """(path, gradient or None) for every array of `tree`; None anywhere stands for all that is below."""
    if isinstance(tree, np.ndarray):
        yield path, grads
    elif isinstance(tree, dict):
        if grads is not None and not (isinstance(grads, dict) and grads.keys() == tree.keys()):
            found = sorted(map(repr, grads)) if isinstance(grads, dict) else type(grads).__name__
            raise ValueError(f"{name}: {path} is {found}, expected a dict with keys {sorted(map(repr, tree))}")
        for key, value in tree.items():
            yield from matched(name, value, None if grads is None else grads[key], f"{path}[{key!r}]")
    else:
        if grads is not None and not (isinstance(grads, (list, tuple)) and len(grads) == len(tree)):
            found = f"{len(grads)} entries" if isinstance(grads, (list, tuple)) else type(grads).__name__
            raise ValueError(f"{name}: {path} is {found}, expected a list of {len(tree)}")
        for k, value in enumerate(tree):
            yield from matched(name, value, None if grads is None else grads[k], f"{path}[{k}]")


def rebuilt(tree: Any, arrays: Iterator[np.ndarray]) -> Any:
    """`tree` with its arrays replaced, in order, by `arrays`."""
    if isinstance(tree, np.ndarray):
        return next(arrays)
    if isinstance(tree, dict):
        return {key: rebuilt(value, arrays) for key, value in tree.items()}
    entries = [rebuilt(value, arrays) for value in tree]
    return entries if isinstance(tree, list) else tuple(entries)
