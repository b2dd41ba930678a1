"""Why fastnn is slower where it is: patterns over rows of the report, each with a sentence."""

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from report_rows import Row


class Reason(NamedTuple):
    """A sentence for all rows that match: texts may hold `*`, and elements are a range with both its ends."""

    text: str
    function: str
    direction: str = "*"
    dtype: str = "*"
    elements: tuple[float, float] = (0, math.inf)
    threads: int | None = None
    family: str = "*"

    def explains(self, row: Row) -> bool:
        low, high = self.elements
        right_threads = self.threads is None or row.threads == self.threads
        texts = ("function", "direction", "dtype", "family")
        alike = all(fnmatchcase(getattr(row, name), getattr(self, name)) for name in texts)
        return alike and right_threads and low <= row.elements <= high


#: Of several that match, the first counts.
REASONS = (
    Reason(
        "Good to 0.63 units in the last place, in the negative tail too, where 0.5 x (1 + erf) cancels: torch, whose "
        "erf is a shorter formula besides (Abramowitz and Stegun's 7.1.26), is off by up to 1.7e7 units there.",
        function="gelu",
        direction="forward*",
        dtype="float32",
    ),
    Reason(
        "torch's forward pass stores exp(-|x|) for its backward; fastnn keeps nothing and computes it again.",
        function="log_sigmoid",
        direction="backward",
    ),
    Reason(
        "Down the columns of a matrix x is read twice, first for statistics that are summed in float64.",
        family="norms",
        function="batch_norm*",
        elements=(1e5, 5e6),
    ),
    Reason(
        "Every row is added to sums for dgamma and dbeta in float64, twice as wide as torch's.",
        function="layer_norm_backward",
        dtype="float32",
    ),
    Reason(
        "Of a model this small a step is mostly its fixed cost in Python: structure, schedules and step counts.",
        family="optimizers",
        function="Adam*",
        elements=(0, 2e4),
    ),
)


def reason_for(row: Row, reasons: Iterable[Reason]) -> Reason | None:
    return next((reason for reason in reasons if reason.explains(row)), None)
