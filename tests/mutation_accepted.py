"""Mutants that survived and may: what each changes is nothing that a test could or should notice."""

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


_SPEED = "says how work is shared out, or which of two ways to the same result it takes"
_AGREE = "both formulas are within the bound on either side of the border"

ACCEPTED = [
    # --- numbers that were measured, and matter for speed alone
    *(
        Accepted(f"fastnn/{file}.py", line, "", _SPEED)
        for file, line in [
            ("_engine/lines", "_CHUNK_NS = 5000.0"),
            ("_engine/lines", "_SMALL = 2048"),
            ("_engine/lines", "_GROUPED = 1536"),
            ("_engine/lines", "return min(STRIPS, strips, max(STRIPS // 4, strips * others // 8))"),
            ("activations/gated", "_GLU_NS = 0.5"),
            ("dropout/_drawing", "_DRAWN, _COPIED, _NORMAL = 220, 100, 3500"),
            ("dropout/_drawing", "_STREAM = 48 << 20"),
            ("losses/_elementwise", "_CHUNK = 1 << 13"),
            ("monitor/_tensor_stats", "_PER_NS = 8"),
            ("normalization/_columns", "BLOCK, BLOCK_BACKWARD, APPLY, APPLY_BACKWARD = 8, 4, 4, 2"),
            ("normalization/_columns", "SPAN = 2048"),
            ("normalization/_plans", "_CHUNK = 1 << 14"),
            ("normalization/_plans", "_SHARES = 16"),
            ("normalization/_plans", "_PARTS = 64"),
            ("normalization/_plans", "_WORK = 0.4"),
            ("optim/_factored", "_BLOCKS, _LEAST = 16, 4096"),
            ("preprocess/_affine", "_LONG = 8 * LANES"),
            ("preprocess/_affine", "_WORK = 0.2"),
            ("preprocess/images", "_WORK = 0.5"),
        ]
    ),
    # --- borders between formulas that agree there
    Accepted("fastnn/activations/shrink.py", "near = a < 2.0", "near = a <= 2.0", _AGREE),
    Accepted("fastnn/activations/shrink.py", "near = a < 1.0", "near = a <", _AGREE),
    # --- limits with room
    Accepted(
        "fastnn/preprocess/images.py",
        "last = sum((size - 1) * max(step, 0)",
        "(size - 2)",
        "an end that is too early has the bytes before it read one by one, to the same result",
    ),
    Accepted(
        "fastnn/activations/exponential.py",
        "exponent = 1.4426950408889634 * (-700.0 if x < -700.0 else x)",
        "if x < -350.0",
        "the exponentials of both are 0 beside any float32",
    ),
    Accepted(
        "fastnn/activations/smooth.py",
        "_QUICK_GELU_DERIVATIVE = Pair(in_double(",
        "-75.0",
        "x * exp(1.702 x) is 0 in float32 from -70 on",
    ),
    Accepted(
        "fastnn/activations/sigmoidal.py",
        "clipped = 1e30 if x > 1e30",
        "5e+29",
        "the quotient is 1 from 2**54 on, so that the clip may be anywhere beyond",
    ),
    # --- what has no effect on the result
    *(
        Accepted(
            "fastnn/activations/rectified.py",
            "m.exp_sum(quotient, remainder if abs(remainder) < 1.0 else 0.0)",
            mutated,
            "a remainder around 1 comes with a quotient beyond -2**24, whose exponential is 0 whatever is added",
        )
        for mutated in ("abs(remainder) <= 1.0", "abs(remainder) < 1.001", "else 0.001)")
    ),
    Accepted(
        "fastnn/activations/sigmoidal.py",
        "scale = 2.0**-40 if abs(x) > 2.0**60 else 1.0",
        "2.002**-40",
        "the scale cancels; a power of two only spares some of the roundings",
    ),
    Accepted(
        "fastnn/preprocess/_affine.py", "numbers = np.zeros((4, columns)", "(5, columns)", "one row more is not used"
    ),
    Accepted("fastnn/optim/_factored.py", '"step": min(batch, 1)', "2", "a second job writes the same number again"),
    Accepted(
        "fastnn/optim/rules/adaptive.py",
        'apply("rmsprop_update", RMSprop, param, grad, states, 1,',
        "states, 2,",
        "the number of the step, which this rule does not use",
    ),
    Accepted("fastnn/losses/_elementwise.py", "NO_PARAMETERS = (0.0, 0.0, 0.0)", "", "what no formula reads"),
    Accepted("fastnn/optim/_factored.py", "info = np.zeros(STEP + 1, np.int64)", "", "one word more is not used"),
    Accepted(
        "fastnn/optim/_averages.py",
        "if float(high) > beta:",
        ">=",
        "a beta that float32 holds is cut in two parts, which add up to it as exactly",
    ),
    Accepted(
        "fastnn/monitor/_tensor_stats.py",
        "low, high = select(finite & (a < low), a, low)",
        "",
        "of two equal values it is the same which one is the least",
    ),
    # --- a thousandth of a rounding error
    Accepted(
        "fastnn/_engine/simd_math/error_function.py",
        "return m, fma(error_of_v * d * (1.0 / _MILLS_SHIFT)",
        "1.001",
        "a thousandth of a correction that is itself less than a unit in the last place",
    ),
]


def reason(mutant: Mutant) -> str | None:
    """Why a mutant may survive, if it may."""
    return next((accepted.why for accepted in ACCEPTED if accepted.matches(mutant)), None)
