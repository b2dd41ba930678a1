"""The `fastnn` command.

A command lives in a module of its own with two functions: ``add_arguments(parser)`` and ``run(options)``. Whatever is
wrong with the user's input is one line on standard error and exit code 2.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from .._version import __version__
from .errors import CommandError

#: command -> what it does, for the help
COMMANDS = {
    "train": "train a network on real images, end to end",
    "predict": "classify images with a trained model",
    "bench": "measure functions here and now against the libraries that are installed",
    "gallery": "draw every activation with its derivative, and an index page",
    "info": "show the CPU, SIMD features, threads, cache folder and versions",
    "warmup": "compile everything once, so that later calls start at full speed",
}


class _Parser(argparse.ArgumentParser):
    """argparse without the usage text before an error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fastnn", description="Neural-network kernels for NumPy.")
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command, purpose in COMMANDS.items():
        module = importlib.import_module(f".{command}", __name__)
        module.add_arguments(commands.add_parser(command, help=purpose, description=module.__doc__))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's own); returns the exit code."""
    try:
        options = _parser().parse_args(arguments)
        importlib.import_module(f".{options.command}", __name__).run(options)
    except CommandError as error:
        print(f"fastnn {options.command}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0
