"""erf, erfc and the normal distribution.

Two ideas carry all of it:

* log2(erfc(x)) is close to a parabola, so that erf(x) = 1 - 2**(a polynomial) needs few terms where erf is near 1.
* normal_cdf(-a) = mills(a) * exp(-a**2 / 2) keeps the relative accuracy of the left tail. mills(a) decays slowly,
  like 1 / (a sqrt(2 pi)), and is a ratio of polynomials (float32) or a polynomial of a / (a + 5.5). The rounding
  error of a**2, which the exponential would magnify a thousandfold, is recovered by a second fma.

Coefficients are minimax (Remez in 45 digits, rounded); each comment gives interval and error.
"""

from ..pairs import Double, Pair, horner
from ..primitives import f32_bits, f32_from_bits, f64_bits, f64_from_bits, fma, to_f32, to_f64
from .exponential import exp2_slope

#: Adding these rounds to an integer, which then stands in the low bits; with k added, the integer plus k.
_ROUND_32, _ROUND_64 = 1.5 * 2.0**23, 1.5 * 2.0**52

#: log2(e) / 2 = HALF_LOG2E + HALF_LOG2E_LOW: exp(-s / 2) = 2**(-s * HALF_LOG2E)
_HALF_LOG2E, _HALF_LOG2E_LOW = 0.7213475204444817, 1.0177636870465517e-17
_SQRT2, _SQRT2_LOW = 1.4142135623730951, -9.667293313452913e-17
INV_SQRT_2PI, INV_SQRT_2PI_LOW = 0.3989422804014327, -2.49232720227773e-17


# --- erf ---------------------------------------------------------------------------------------------------

# erf(x) / x - 1 as a polynomial of x**2, |x| < 1: 2**-29
_erf_centre_f32 = horner(
    0.12837916612625122, -0.3761262595653534, 0.1128358542919159, -0.026853814721107483,
    0.005188328213989735, -0.0008010189631022513, 7.853823626646772e-05,
)  # fmt: skip
# log2(erfc(1 + x)), 1 < 1 + x < 3.95: 2**-27 in erf
_log2_erfc_f32 = horner(
    -2.668416738510132, -3.8072237968444824, -1.216363787651062, -0.05987299233675003,
    0.014269553124904633, -0.002634543925523758, 0.0002677122538443655,
)  # fmt: skip


def _erf_f32(x):
    a = abs(x)
    a = 3.95 if a > 3.95 else a
    centre = fma(x, _erf_centre_f32(x * x), x)
    z = to_f32(_log2_erfc_f32(a - 1.0))  # already is, but as Python, whose literals are wider
    shifted = z + _ROUND_32
    f = z - (shifted - _ROUND_32)
    erfc = f32_from_bits(f32_bits(fma(f, exp2_slope(f), 1.0)) + (f32_bits(shifted) << 23))
    tail = 1.0 - erfc
    return (-tail if x < 0.0 else tail) if a > 1.0 else centre


# erf(x) / x - 1 as a polynomial of x**2, |x| < 1: 2**-57
_erf_centre_f64 = horner(
    0.12837916709551256, -0.3761263890318352, 0.11283791670944195, -0.02686617064311312, 0.005223977606131888,
    -0.0008548325929946786, 0.00012055293595425282, -1.4924712649764138e-05, 1.6447135758248397e-06,
    -1.620634502832459e-07, 1.3711112288133577e-08, -7.779708622100498e-10,
)  # fmt: skip
# log2(erfc(1.25 + x)), 1 < 1.25 + x < 5.95: 2**-56 in erf
_log2_erfc_f64 = horner(
    -3.697127729570993, -4.425790117462553, -1.2563135052432823, -0.04715738532833045, 0.011241424374782868,
    -0.002318340167349379, 0.0003560340399433291, -1.4487331601674156e-05, -1.5625066145294585e-05,
    7.4541872055546895e-06, -2.0904106522092735e-06, 3.7218975901673766e-07, -1.5327838711622758e-08,
    -1.620123368188748e-08, 6.368141449863462e-09, -1.2736524397685143e-09, 1.4225622271053084e-10,
    -7.014797402168788e-12,
)  # fmt: skip


def _erf_f64(x):
    a = abs(x)
    a = 5.95 if a > 5.95 else a
    centre = fma(x, _erf_centre_f64(x * x), x)
    z = _log2_erfc_f64(a - 1.25)
    shifted = z + _ROUND_64
    f = z - (shifted - _ROUND_64)
    erfc = f64_from_bits(f64_bits(fma(f, exp2_slope(f), 1.0)) + (f64_bits(shifted) << 52))
    tail = 1.0 - erfc
    return (-tail if x < 0.0 else tail) if a > 1.0 else centre


erf = Pair(_erf_f32, _erf_f64)


# --- the normal distribution in float32: float64 arithmetic, in which a**2 is exact enough and nothing underflows ----

# 2**x, |x| < 1/2: 2**-29
_exp2_single = horner(
    1.0000000005531315, 0.6931472057391743, 0.24022646893458227, 0.05550328775914299,
    0.009618488786503926, 0.0013399931543237762, 0.00015345843076091086,
)  # fmt: skip
# mills(a), 0 <= a < 14.6, as a ratio of polynomials: 2**-27
_mills_p = horner(48.369345088230695, 42.419962538637, 17.74067753687216, 3.9357831867993167, 0.3989468356468248)
_mills_q = horner(96.73868959768139, 162.0262731051488, 116.3898033669056, 45.45491832170331, 9.866162359917546, 1.0)


def bell_single(s):
    """exp(-s / 2), 0 <= s < 1000."""
    shifted = fma(s, -_HALF_LOG2E, _ROUND_64)
    m = _exp2_single(fma(s, -_HALF_LOG2E, -(shifted - _ROUND_64)))
    return f64_from_bits(f64_bits(m) + (f64_bits(shifted) << 52))


def mills_single(a):
    """mills(a), 0 <= a < 14.6."""
    return _mills_p(a) / _mills_q(a)


def left_tail_single(a):
    """normal_cdf(-a), a >= 0, beyond 14.6 less than any float32."""
    a = 14.6 if a > 14.6 else a
    return mills_single(a) * bell_single(a * a)


@Double
def _normal_cdf_single(x):
    tail = left_tail_single(abs(x))
    return 1.0 - tail if x > 0.0 else tail


@Double
def _erfc_single(x):
    tail = 2.0 * left_tail_single(_SQRT2 * abs(x))
    return 2.0 - tail if x < 0.0 else tail


@Double
def _normal_pdf_single(x):
    a = abs(x)
    a = 16.0 if a > 16.0 else a
    return x if x != x else INV_SQRT_2PI * bell_single(a * a)


def _normal_cdf_f32(x):
    return to_f32(_normal_cdf_single(to_f64(x)))


def _erfc_f32(x):
    return to_f32(_erfc_single(to_f64(x)))


def _normal_pdf_f32(x):
    return to_f32(_normal_pdf_single(to_f64(x)))


# --- the same in float64, the square carried in two words ------------------------------------------------------------

# mills(a) (a + 5.5) = MILLS_0 + v (MILLS_1 + v bend(v)), v = a / (a + 5.5) - MILLS_CENTRE, 0 <= a < 39: 2**-56.
# The centre is right of the middle: v is smaller where the function is, and still exact to 2**-55 everywhere.
_mills_bend = horner(
    2.145135146651464, -2.940744344208223, 3.4914369097192446, -3.515902998852551, 2.8901373674629034,
    -1.7837691322072025, 0.62501468435754, 0.1390743458384447, -0.33281245329073034, 0.14600676141610627,
    0.06724875275348051, -0.09931039503057736, 0.007089237359254141, 0.04872056327790867, -0.0174447462349816,
    -0.023415294126587896, 0.013142360849627336, 0.012287316900437266, -0.005849016386764074, -0.005741006594443957,
    -0.00024647018613416504,
)  # fmt: skip
_MILLS_SHIFT, _MILLS_CENTRE, _MILLS_0, _MILLS_1 = 5.5, 0.49968814849853516, 0.7741971936724101, -1.371703910830568


def mills(a):
    """normal_cdf(-a) exp(a**2 / 2), 0 <= a <= 39, as (m, the error of m)."""
    d = a + _MILLS_SHIFT
    u = 1.0 / d
    v = fma(a, u, -_MILLS_CENTRE)
    bend = _mills_bend(v)
    slope = fma(v, bend, _MILLS_1)
    g = fma(v, slope, _MILLS_0)
    m = u * g
    # What was rounded off: of g and its last coefficient but one, of u (relative; that of d included), of the product
    error_of_g = fma(v, fma(v, bend, _MILLS_1 - slope), fma(v, slope, _MILLS_0 - g))
    error_of_u = fma(u, (d - _MILLS_SHIFT) - a, fma(-u, d, 1.0))
    error = fma(u, error_of_g, fma(m, error_of_u, fma(u, g, -m)))
    # ... and of v; the derivative of mills is a mills - 1 / sqrt(2 pi)
    w = v + _MILLS_CENTRE
    error_of_v = fma(w, error_of_u, fma(a, u, -w))
    return m, fma(error_of_v * d * (1.0 / _MILLS_SHIFT), fma(fma(a, m, -INV_SQRT_2PI), d, m), error)


def a_mills(a):
    """a mills(a), 0 <= a <= 39, as (m, most of the error of m): 2 ulp."""
    w = a / (a + _MILLS_SHIFT)
    v = w - _MILLS_CENTRE
    slope = fma(v, _mills_bend(v), _MILLS_1)
    g = fma(v, slope, _MILLS_0)
    m = w * g
    return m, fma(w, fma(v, slope, _MILLS_0 - g), fma(w, g, -m))


def scaled(m, error_of_m, square, error_of_square):
    """(m + its error) exp(-(square + its error) / 2) 2**128: 2**128 keeps normal what will be subnormal."""
    shifted = fma(square, -_HALF_LOG2E, _ROUND_64)
    f = fma(square, -_HALF_LOG2E, -(shifted - _ROUND_64))
    f = f - fma(error_of_square, _HALF_LOG2E, square * _HALF_LOG2E_LOW)
    return (m + fma(m, f * exp2_slope(f), error_of_m)) * f64_from_bits((f64_bits(shifted) + 1151) << 52)


def _normal_cdf_f64(x):
    a = abs(x)
    a = 39.0 if a > 39.0 else a
    s = a * a
    m, error_of_m = mills(a)
    tail = scaled(m, error_of_m, s, fma(a, a, -s))
    return fma(tail, -(2.0**-128), 1.0) if x > 0.0 else tail * 2.0**-128


def _erfc_f64(x):
    a = abs(x)
    a = 27.5 if a > 27.5 else a
    b = _SQRT2 * a
    error_of_b = fma(_SQRT2, a, -b) + _SQRT2_LOW * a
    m, error_of_m = mills(b)
    s = 2.0 * a * a
    tail = scaled(m, fma(fma(b, m, -INV_SQRT_2PI), error_of_b, error_of_m), s, fma(2.0 * a, a, -s))
    return fma(tail, -(2.0**-127), 2.0) if x < 0.0 else tail * 2.0**-127


def _normal_pdf_f64(x):
    a = abs(x)
    a = 39.0 if a > 39.0 else a
    s = a * a
    return scaled(INV_SQRT_2PI, INV_SQRT_2PI_LOW, s, fma(a, a, -s)) * 2.0**-128


normal_cdf = Pair(_normal_cdf_f32, _normal_cdf_f64)
normal_pdf = Pair(_normal_pdf_f32, _normal_pdf_f64)
erfc = Pair(_erfc_f32, _erfc_f64)
