"""`fastnn train` with these arguments, in which the last rank fails at its 40th step."""

import sys

from fastnn import cli
from fastnn.cli.training import Run

steps, original = 0, Run._step


def step(self, *arguments, **options):
    global steps
    steps += 1
    if steps == 40 and self.ranks.comm.rank == self.ranks.size - 1:
        raise ZeroDivisionError("on purpose")
    return original(self, *arguments, **options)


Run._step = step
sys.exit(cli.main(["train", *sys.argv[1:]]))
