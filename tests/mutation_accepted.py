"""Mutants that survive and may: what each changes is nothing that a test could or should notice."""

from typing import NamedTuple

from mutation_points import Mutant


class Accepted(NamedTuple):
    """Mutants of a file, by the text of their lines."""

    file: str
    line: str  #: contained in the line
    mutated: str  #: contained in the line as it becomes; "" for whatever is changed in it
    why: str

    def matches(self, mutant: Mutant) -> bool:
        return mutant.file == self.file and self.line in mutant.text and self.mutated in mutant.mutated


ACCEPTED: list[Accepted] = []


def reason(mutant: Mutant) -> str | None:
    """Why a mutant may survive, if it may."""
    return next((accepted.why for accepted in ACCEPTED if accepted.matches(mutant)), None)
