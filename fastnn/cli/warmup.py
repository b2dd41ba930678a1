"""Compile every function once and keep the machine code, so that later calls start at full speed."""

import argparse

from .._engine import cache
from .errors import needs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(options: argparse.Namespace) -> None:
    """Compile what is not in the cache yet, with a progress bar on a terminal."""
    from .._engine.warmup import kernels

    progress = needs("rich.progress")
    console = needs("rich.console").Console()
    work = list(kernels())
    with progress.Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("compiling", total=len(work))
        for name, compile_one in work:
            bar.update(task, description=name)
            compile_one()
            bar.advance(task)
    console.print(f"{len(work)} kernels in {cache.folder() or 'memory only: no folder is writable'}", soft_wrap=True)
