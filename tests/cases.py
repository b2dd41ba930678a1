"""One row per elementwise function: what the tests, the benchmarks and the gallery need to know about it.

A row is data about fastnn.<name> and its backward: the formula in arbitrary precision (independent of
both the kernels and the reference), parameters, kinks, and how accurate the kernels are in ulps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import mpmath as mp
import numpy as np
from hypothesis import strategies as st

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@dataclass(frozen=True)
class Ulps:
    """Largest error in ulps of the result, per dtype; float64 is measured against mpmath."""

    float16: float = 1.0
    float32: float = 2.0
    float64: float = 3.0

    def of(self, dtype):
        return getattr(self, np.dtype(dtype).name)


EXACT = Ulps(0.51, 0.0, 0.0)
ROUNDED = Ulps(0.51, 0.51, 0.51)


@dataclass(frozen=True)
class Case:
    name: str
    exact: Callable  #: the formula over mpmath numbers, parameters after x
    torch: str  #: the name in torch.nn.functional or torch
    forward: Ulps = Ulps()
    backward: Ulps = Ulps()  #: at dy = 1; a product with another dy may round once more, to a binade of half the ulp
    #: (x, width) where the derivative crosses zero, and there is only an absolute bound, in eps of the dtype
    crossings: tuple[tuple[float, float], ...] = ()
    crossing_bound: float = 4.0
    kinks: tuple[float, ...] = ()
    parameters: tuple[str, ...] = ()
    default: tuple[float, ...] = ()
    drawn: tuple[st.SearchStrategy, ...] = ()  #: one Hypothesis strategy per parameter
    kinks_at: Callable | None = None  #: kinks as a function of the parameters, where they move
    other: tuple[tuple[float, ...], ...] = ()  #: parameter sets besides the default one, exact in float16
    from_output: Ulps | None = None
    #: eps of the dtype, absolute, allowed to backward_from_output where its formula cancels (1 - y, y + alpha)
    from_output_absolute: float = 0.0
    saturates_at: float = float("inf")  #: where y has lost x, for backward_from_output against backward
    reference_ulps: float = 4.0  #: float64 ulps by which the reference itself may be off
    shapes: tuple[tuple[int, ...], ...] = ((10,), (1000,), (10_000,), (100_000,), (1_000_000,), (16_000_000,))
    aliases: tuple[str, ...] = field(default=())

    def kinks_for(self, parameters=None):
        if self.kinks_at is not None:
            return self.kinks_at(*(parameters or self.default))
        return self.kinks

    @property
    def parameter_sets(self):
        """The default parameters and the others."""
        return (self.default, *self.other)


def _numbers(low, high):
    return st.floats(low, high, width=16)


#: Beyond it an exponential is 0 or infinity to any format, and takes mpmath ever longer.
_EXPONENT_LIMIT = 10**5


def _logistic(x):
    return 1 / (1 + mp.exp(-x)) if abs(x) < _EXPONENT_LIMIT else mp.mpf(x > 0)


def _softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def _normal_cdf(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2 if abs(x) < _EXPONENT_LIMIT else mp.mpf(x > 0)


def _tanhshrink(x):
    """By the series where x and tanh(x) have too many digits in common."""
    return x - mp.tanh(x) if abs(x) > 1e-20 else x**3 / 3 - 2 * x**5 / 15 + 17 * x**7 / 315


def _squareplus(x, b):
    root = mp.sqrt(x * x + b)
    return (x + root) / 2 if x > 0 else b / (root - x) / 2


RECTIFIED = [
    Case(
        "relu",
        exact=lambda x: max(x, mp.mpf(0)),
        torch="relu",
        forward=EXACT,
        backward=ROUNDED,
        kinks=(0.0,),
        from_output=ROUNDED,
    ),
    Case(
        "relu6",
        exact=lambda x: min(max(x, mp.mpf(0)), mp.mpf(6)),
        torch="relu6",
        forward=EXACT,
        backward=ROUNDED,
        kinks=(0.0, 6.0),
    ),
    Case(
        "leaky_relu",
        exact=lambda x, a: x if x > 0 else a * x,
        torch="leaky_relu",
        forward=ROUNDED,
        backward=ROUNDED,
        kinks=(0.0,),
        parameters=("negative_slope",),
        default=(0.01,),
        drawn=(_numbers(0.0078125, 4.0),),
        other=((0.25,), (1.5,)),
        from_output=ROUNDED,
    ),
    Case(
        "threshold",
        exact=lambda x, t, v: v if x <= t else x,
        torch="threshold",
        forward=EXACT,
        backward=ROUNDED,
        parameters=("threshold", "value"),
        default=(0.5, 20.0),
        drawn=(_numbers(-8, 8), _numbers(-8, 8)),
        kinks_at=lambda t, v: (t,),
        other=((-1.25, -3.0), (0.0, 0.0)),
    ),
    Case(
        "elu",
        exact=lambda x, a: x if x > 0 else a * mp.expm1(x),
        torch="elu",
        kinks=(0.0,),
        parameters=("alpha",),
        default=(1.0,),
        drawn=(_numbers(0.125, 4.0),),
        other=((0.75,), (2.5,)),
        from_output=Ulps(),
    ),
    Case(
        "selu",
        exact=lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * mp.expm1(x)),
        torch="selu",
        kinks=(0.0,),
        from_output=Ulps(),
        from_output_absolute=1.0,
    ),
    Case(
        "celu",
        exact=lambda x, a: x if x > 0 else a * mp.expm1(x / a),
        torch="celu",
        kinks=(0.0,),
        parameters=("alpha",),
        default=(1.0,),
        drawn=(_numbers(0.125, 4.0),),
        other=((0.75,), (2.5,)),
        from_output=Ulps(),
        from_output_absolute=1.0,
        reference_ulps=800.0,
    ),
]

SIGMOIDAL = [
    Case(
        "sigmoid",
        exact=_logistic,
        torch="sigmoid",
        forward=Ulps(float32=1.0),
        from_output=Ulps(),
        saturates_at=8.0,
    ),
    Case(
        "log_sigmoid",
        exact=lambda x: -_softplus(-x),
        torch="logsigmoid",
    ),
    Case(
        "hard_sigmoid",
        exact=lambda x: min(max((x + 3) / 6, mp.mpf(0)), mp.mpf(1)),
        torch="hardsigmoid",
        kinks=(-3.0, 3.0),
    ),
    Case(
        "tanh",
        exact=mp.tanh,
        torch="tanh",
        forward=Ulps(float32=1.0),
        from_output=Ulps(),
        saturates_at=4.0,
    ),
    Case(
        "hard_tanh",
        exact=lambda x, low, high: min(max(x, low), high),
        torch="hardtanh",
        forward=EXACT,
        backward=ROUNDED,
        parameters=("min_val", "max_val"),
        default=(-1.0, 1.0),
        drawn=(_numbers(-8, -0.125), _numbers(0.125, 8)),
        kinks_at=lambda low, high: (low, high),
        other=((-2.5, 0.75), (0.5, 3.0)),
        from_output=ROUNDED,
    ),
    Case(
        "tanhshrink",
        exact=_tanhshrink,
        torch="tanhshrink",
    ),
    Case(
        "softsign",
        exact=lambda x: x / (1 + abs(x)),
        torch="softsign",
        from_output=Ulps(float32=3.0),
        saturates_at=64.0,
    ),
]

SMOOTH = [
    Case(
        "softplus",
        exact=lambda x, b: _softplus(b * x) / b,
        torch="softplus",
        forward=Ulps(float32=2.5),
        parameters=("beta",),
        default=(1.0,),
        drawn=(_numbers(0.125, 4.0),),
        other=((0.75,), (2.5,)),
        from_output=Ulps(),
        reference_ulps=800.0,
    ),
    Case(
        "silu",
        exact=lambda x: x * _logistic(x),
        torch="silu",
        crossings=((-1.2784645427610738, 0.5),),
        aliases=("swish",),
    ),
    Case(
        "hard_swish",
        exact=lambda x: x * min(max(x + 3, mp.mpf(0)), mp.mpf(6)) / 6,
        torch="hardswish",
        kinks=(-3.0, 3.0),
        crossings=((-1.5, 0.3),),
        aliases=("hard_silu",),
    ),
    Case(
        "gelu",
        exact=lambda x: x * _normal_cdf(x),
        torch="gelu",
        crossings=((-0.7517915246935645, 0.2),),
        reference_ulps=2000.0,
    ),
    Case(
        "gelu_tanh",
        exact=lambda x: x * _logistic(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)),
        torch="gelu",
        crossings=((-0.7524614220710162, 0.2),),
        reference_ulps=4000.0,
    ),
    Case(
        "quick_gelu",
        exact=lambda x: x * _logistic(mp.mpf("1.702") * x),
        torch="",
        crossings=((-0.7511542554412889, 0.2),),
        reference_ulps=800.0,
    ),
    Case(
        "mish",
        exact=lambda x: x * mp.tanh(_softplus(x)),
        torch="mish",
        backward=Ulps(float64=4.0),
        reference_ulps=8.0,
        crossings=((-1.1924312145154935, 0.3),),
    ),
    Case(
        "squareplus",
        exact=_squareplus,
        torch="",
        parameters=("b",),
        default=(4.0,),
        drawn=(_numbers(0.125, 16.0),),
        other=((0.75,), (9.0,)),
    ),
]

SHRINK = [
    Case(
        "hardshrink",
        exact=lambda x, lambd: x if abs(x) > lambd else mp.mpf(0),
        torch="hardshrink",
        forward=EXACT,
        backward=ROUNDED,
        parameters=("lambd",),
        default=(0.5,),
        drawn=(_numbers(0.0, 4.0),),
        kinks_at=lambda lambd: (-lambd, lambd),
        other=((0.0,), (1.25,)),
    ),
    Case(
        "softshrink",
        exact=lambda x, lambd: mp.sign(x) * max(abs(x) - lambd, mp.mpf(0)),
        torch="softshrink",
        forward=ROUNDED,
        backward=ROUNDED,
        parameters=("lambd",),
        default=(0.5,),
        drawn=(_numbers(0.0, 4.0),),
        kinks_at=lambda lambd: (-lambd, lambd),
        other=((0.0,), (1.25,)),
    ),
]

CASES = {case.name: case for case in RECTIFIED + SIGMOIDAL + SMOOTH + SHRINK}


def values(dtype, per_exponent=64, near=()):
    """Every exponent of `dtype`, both signs, its two ends and what is between; 0, inf, NaN; points around `near`."""
    dtype = np.dtype(dtype)
    info = np.finfo(dtype)
    mantissas, exponents = 1 << info.nmant, 1 << info.nexp
    rng = np.random.default_rng(per_exponent)
    drawn = rng.integers(0, mantissas, (exponents - 1, per_exponent))
    drawn[:, :4] = 0, 1, mantissas - 1, mantissas // 2
    bits = (np.arange(exponents - 1)[:, None] * mantissas + drawn).ravel().astype(f"u{dtype.itemsize}")
    special = np.array([0.0, np.inf, np.nan, info.max, info.smallest_subnormal], dtype)
    around = [_around(dtype, x) for x in near]
    positive = np.concatenate([bits.view(dtype), special, *around])
    return np.concatenate([positive, -positive])


def _around(dtype, x):
    """The 64 numbers on either side of x and a geometric approach to it."""
    steps = np.concatenate([np.arange(65.0), np.geomspace(64, 1 << (np.finfo(dtype).nmant - 1), 128)])
    unit = np.spacing(np.asarray(abs(x), dtype)).astype(np.float64)
    return np.concatenate([x + steps * unit, x - steps * unit]).astype(dtype)


def moderate_sample(case, parameters, count=120):
    """float64 numbers of both signs, exponents -20 to 9, no closer than 2**-20 to a kink."""
    rng = np.random.default_rng(1)
    x = np.ldexp(rng.uniform(1, 2, count), rng.integers(-20, 10, count)) * rng.choice([-1, 1], count)
    x = np.concatenate([x, rng.uniform(-12, 12, count)])
    for kink in case.kinks_for(parameters):
        x = x[np.abs(x - kink) > 2.0**-20]
    return x


def exact_values(case, x, parameters, rounded=float):
    """f(x), correctly rounded to float64, or what `rounded` makes of the mpmath number."""
    with mp.workdps(60):
        return np.array([rounded(case.exact(mp.mpf(v), *map(mp.mpf, parameters))) for v in x])


def exact_derivatives(case, x, parameters, rounded=float):
    """f'(x) as a central difference, rounded likewise.

    Its step is 1e-60 of x where |x| < 1, so that it never reaches over a kink at 0, and its 460 digits leave enough of
    the difference for the smallest x. At 0 the step's square, its error, is nothing in float64.
    """

    def derivative(v):
        step = mp.mpf(10) ** -60 * min(1, abs(v)) or mp.mpf(10) ** -200
        upper, lower = (case.exact(mp.mpf(v) + h, *map(mp.mpf, parameters)) for h in (step, -step))
        return (upper - lower) / (2 * step)

    with mp.workdps(460):
        return np.array([rounded(derivative(v)) for v in x])
