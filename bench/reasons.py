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


_SMALL = (0, 30_000)
_TAIL = "up to 1.7e7 ulps, no digit at all, in the negative tail"

#: Of several that match, the first counts. Errors are the largest of every 1021st float32, in units in the last place.
REASONS = (
    Reason(
        f"Good to 0.63 ulps everywhere; torch, JAX and onnxruntime compute 0.5 x (1 + erf) and are off by {_TAIL}.",
        function="gelu",
        direction="forward*",
    ),
    Reason(
        f"Good to 0.53 ulps by float64 arithmetic inside; the others cancel, or clamp: off by {_TAIL}.",
        function="gelu_tanh",
    ),
    Reason(
        "Good to 0.53 ulps by float64 arithmetic inside; the others are off by 19 ulps for |x| < 10, onnxruntime by "
        "2.8e7, and have no digit right in the negative tail.",
        function="quick_gelu",
    ),
    Reason(
        "Good to 0.51 ulps, by a series where x and tanh(x) cancel; the others subtract: off by 1.7e7 ulps at 7e-5.",
        function="tanhshrink",
    ),
    Reason(
        "Good to 0.5 ulps; the others compute x + sqrt(x^2 + 4), off by 46 ulps and more at -8, with no digit right "
        "from -8192 on.",
        function="squareplus",
    ),
    Reason(
        "Good to 0.98 ulps; onnxruntime's quotient of polynomials is off by up to 104, JAX's by 4.2, NumPy's by 1.4.",
        function="tanh",
        direction="forward*",
    ),
    Reason(
        "Good to 0.93 ulps down to the smallest results; onnxruntime is off by 2.9e4 ulps for |x| < 10 and returns 0 "
        "from -18 on, torch by 2.1e6 where the result is subnormal.",
        function="sigmoid",
        direction="forward*",
    ),
    Reason(
        "Good to 1.5 ulps down to the smallest results; onnxruntime is off by 3e4 ulps for |x| < 10 and returns 0 from "
        "-18 on, torch by 1.7e7 in the tail.",
        function="silu",
        direction="forward*",
    ),
    Reason(
        "torch's forward pass stores exp(-|x|) for its backward; fastnn keeps nothing and computes it again.",
        function="log_sigmoid",
        direction="backward",
    ),
    Reason(
        "From x: torch's autograd has kept y, from which the gradient is a product, as in `_backward_from_output`.",
        function="[ts][ai][ng][hm]*",
        direction="backward",
        family="activations",
    ),
    Reason(
        "Three streams and a comparison, on one thread in the shared cache: why torch is faster there is not known.",
        function="*relu",
        direction="backward",
    ),
    Reason(
        "Sums in float64 and exponentials to 0.9 ulps, so that long lines and far values lose nothing, in two passes "
        "over each line; onnxruntime and torch sum in float32. In small calls checks of `out` are 3 to 6 us of Python.",
        function="*softmax*",
        family="softmax",
    ),
    Reason(
        "A small call is mostly its fixed cost in Python: checks, the plan, the launch.",
        function="*norm*",
        elements=_SMALL,
    ),
    Reason(
        "What belongs to each column is prepared in float64 by a launch of its own, before the pass over x.",
        function="batch_norm_inference",
    ),
    Reason(
        "Down the columns of a matrix x is read twice, first for statistics that are summed in float64.",
        family="norms",
        function="batch_norm*",
    ),
    Reason(
        "Every row is added to sums for dgamma and dbeta in float64, twice as wide as torch's.",
        function="layer_norm_backward",
    ),
)


def reason_for(row: Row, reasons: Iterable[Reason]) -> Reason | None:
    return next((reason for reason in reasons if reason.explains(row)), None)
