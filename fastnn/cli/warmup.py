"""Compile every function once and keep the machine code, so that later calls start at full speed."""

import argparse
from collections.abc import Callable
from functools import partial

import fastnn as fnn

from .._engine import cache, fused, loops, ufuncs
from ..normalization import _columns, _rows, _runs
from .errors import needs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(options: argparse.Namespace) -> None:
    """Compile what is not in the cache yet, with a progress bar on a terminal."""
    progress = needs("rich.progress")
    console = needs("rich.console").Console(highlight=False, soft_wrap=True)
    work = kernels()
    with progress.Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("compiling", total=len(work))
        for name, compile_one in work:
            bar.update(task, description=name)
            compile_one()
            bar.advance(task)
    console.print(f"{len(work)} kernels in {cache.folder() or 'memory only: no folder is writable'}")


def kernels() -> list[tuple[str, Callable[[], None]]]:
    """(name, function that loads or compiles it) of every kernel of the package; none where the JIT is off."""
    if not loops.JIT:
        return []
    for name in dir(fnn):
        getattr(fnn, name)
    plain = ufuncs.IDENTITY
    for passes in (_runs, _columns):
        passes.forward(plain.formula), passes.backward(plain.product)
    for centred in (True, False):
        _rows.forward(plain.formula, centred), _rows.backward(plain.product, centred)
    work: dict[str, Callable[[], None]] = {}
    for loop in loops._LOOPS:
        name = f"{loop.formula.name} {loop.dtype.__name__}"
        work[name] = partial(loop.resolve, False)
        if loop.formula.parameters:
            work[f"{name} of arrays"] = partial(loop.resolve, True)
    for kernel in fused.KERNELS:
        for char in "fd":
            work[f"{kernel.name} {char}"] = partial(kernel.__getitem__, char)
    return list(work.items())
