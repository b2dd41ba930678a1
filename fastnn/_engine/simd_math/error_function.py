"""erf, erfc, the normal distribution, and gelu with its derivative.

Two ideas carry all of it:

* log2(erfc(x)) is close to a parabola, so that erf(x) = 1 - 2**(a polynomial) needs few terms where erf is near 1.
* normal_cdf(-a) = mills(a) * exp(-a**2 / 2) keeps the relative accuracy of the left tail. mills(a) decays slowly,
  like 1 / (a sqrt(2 pi)), and is a ratio of polynomials with positive coefficients: nothing cancels. The rounding
  error of a**2, up to exp(100) ulps in the exponential, is recovered by a second fma.

Coefficients are minimax (Remez in 45 digits, rounded); each comment gives interval and error.
"""

from ..pairs import Double, Pair, horner
from ..primitives import f32_bits, f32_from_bits, f64_bits, f64_from_bits, fma, to_f32, to_f64

#: Adding these rounds to an integer, which then stands in the low bits; with k added, the integer plus k.
_ROUND_32, _ROUND_64 = 1.5 * 2.0**23, 1.5 * 2.0**52

#: log2(e) / 2 = HALF_LOG2E + HALF_LOG2E_LOW: exp(-s / 2) = 2**(-s * HALF_LOG2E)
_HALF_LOG2E, _HALF_LOG2E_LOW = 0.7213475204444817, 1.0177636870465517e-17
_SQRT2 = 2.0**0.5
_INV_SQRT_2PI, _INV_SQRT_2PI_LOW = 0.3989422804014327, -2.49232720227773e-17


# --- erf ---------------------------------------------------------------------------------------------------

# erf(x) / x - 1 as a polynomial of x**2, |x| < 0.9: 2**-26
_erf_centre_f32 = horner(
    0.12837915122509003, -0.3761250376701355, 0.11281921714544296,
    -0.026770493015646935, 0.004998959135264158, -0.0006020799628458917,
)  # fmt: skip
# log2(erfc(x)), 0.9 < x < 3.95: 2**-29 in erf
_log2_erfc_f32 = horner(
    -0.00025622977409511805, -1.626997947692871, -0.919084370136261,
    -0.15009281039237976, 0.03213833272457123, -0.004408123437315226, 0.0002844537957571447,
)  # fmt: skip
# 2**x, |x| < 1/2: 2**-23
_exp2_f32 = horner(
    1.0000001192092896, 0.6931470036506653, 0.2402210235595703,
    0.055507272481918335, 0.009675512090325356, 0.0013276460813358426,
)  # fmt: skip


def _erf_f32(x):
    a = abs(x)
    a = 3.95 if a > 3.95 else a
    centre = fma(x, _erf_centre_f32(x * x), x)
    z = _log2_erfc_f32(a)
    shifted = z + _ROUND_32
    erfc = f32_from_bits(f32_bits(_exp2_f32(z - (shifted - _ROUND_32))) + (f32_bits(shifted) << 23))
    tail = 1.0 - erfc
    return (-tail if x < 0.0 else tail) if a > 0.9 else centre


# erf(x) / x - 1 as a polynomial of x**2, |x| < 1: 2**-57
_erf_centre_f64 = horner(
    0.12837916709551256, -0.3761263890318352, 0.11283791670944195, -0.02686617064311312, 0.005223977606131888,
    -0.0008548325929946786, 0.00012055293595425282, -1.4924712649764138e-05, 1.6447135758248397e-06,
    -1.620634502832459e-07, 1.3711112288133577e-08, -7.779708622100498e-10,
)  # fmt: skip
# log2(erfc(x)), 1 < x < 5.95: 2**-57 in erf
_log2_erfc_f64 = horner(
    -7.409525465584262e-07, -1.6278995573371888, -0.9184832421939999, -0.1481680266888659, 0.027393845820630914,
    0.0005967565930875764, -0.0027686098986588314, 0.001115392574134705, -0.00019708709265031744,
    -2.8126145554464394e-05, 3.2492445195660725e-05, -1.2371700220484757e-05, 3.0498363232546174e-06,
    -5.32954865167593e-07, 6.623869425350305e-08, -5.609421341939999e-09, 2.9132066750661756e-10,
    -7.014797402168788e-12,
)  # fmt: skip
# 2**x, |x| < 1/2: 2**-58
_exp2_f64 = horner(
    1.0, 0.6931471805599453, 0.24022650695910155, 0.055504108664819925, 0.009618129107588315, 0.00133335581467891,
    0.00015403530462539862, 1.5252733490898759e-05, 1.3215433077477417e-06, 1.0178197632275182e-07,
    7.074107636328285e-09, 4.4353405292844453e-10,
)  # fmt: skip


def _erf_f64(x):
    a = abs(x)
    a = 5.95 if a > 5.95 else a
    centre = fma(x, _erf_centre_f64(x * x), x)
    z = _log2_erfc_f64(a)
    shifted = z + _ROUND_64
    erfc = f64_from_bits(f64_bits(_exp2_f64(z - (shifted - _ROUND_64))) + (f64_bits(shifted) << 52))
    tail = 1.0 - erfc
    return (-tail if x < 0.0 else tail) if a > 1.0 else centre


erf = Pair(_erf_f32, _erf_f64)


# --- the normal distribution in float32: float64 arithmetic, in which a**2 is exact enough and nothing underflows ----

# 2**x, |x| < 1/2: 2**-34
_exp2_single = horner(
    0.9999999999616992, 0.693147180728426, 0.24022651198115277, 0.05550410352976692,
    0.009618027252493569, 0.0013333922975500392, 0.00015469292307416726, 1.520183442919426e-05,
)  # fmt: skip
# mills(a), 0 <= a < 14.6: 2**-33
_mills_single_p = horner(
    0.49999999995827327, 0.5074896034187819, 0.250530302191976, 0.07129113290234733,
    0.011639347554799142, 0.0008891265758731761,
)  # fmt: skip
_mills_single_q = horner(
    1.0, 1.8128637596301997, 1.4475167324019307, 0.6570624159232475, 0.1809346640347391,
    0.029175331186333812, 0.002228712587703927,
)  # fmt: skip


def _bell_single(s):
    """exp(-s / 2), 0 <= s < 1000."""
    z = -_HALF_LOG2E * s
    shifted = z + _ROUND_64
    return _exp2_single(z - (shifted - _ROUND_64)) * f64_from_bits((f64_bits(shifted) + 1023) << 52)


def _left_tail_single(a):
    """normal_cdf(-a), a >= 0, beyond 14.6 less than any float32."""
    a = 14.6 if a > 14.6 else a
    return _bell_single(a * a) * _mills_single_p(a) / _mills_single_q(a)


@Double
def _normal_cdf_single(x):
    tail = _left_tail_single(abs(x))
    return 1.0 - tail if x > 0.0 else tail


@Double
def _erfc_single(x):
    tail = 2.0 * _left_tail_single(_SQRT2 * abs(x))
    return 2.0 - tail if x < 0.0 else tail


@Double
def _normal_pdf_single(x):
    a = abs(x)
    a = 16.0 if a > 16.0 else a
    return _INV_SQRT_2PI * _bell_single(a * a)


def _normal_cdf_f32(x):
    return to_f32(_normal_cdf_single(to_f64(x)))


def _erfc_f32(x):
    return to_f32(_erfc_single(to_f64(x)))


def _normal_pdf_f32(x):
    return to_f32(_normal_pdf_single(to_f64(x)))


# --- the same in float64, the square carried in two words ------------------------------------------------------------

# mills(a) / MILLS_SCALE, 0 <= a < 39, as a ratio of monic polynomials: 2**-59
_MILLS_SCALE = 0.39894228040152346
_mills_p = horner(
    2228137.944264977, 3689749.197552299, 3028982.4960195776, 1592785.6728407505, 588612.5325741261,
    159007.08665504894, 31756.684087317914, 4635.94027306824, 475.24553931599644, 31.112352784291385, 1.0,
)  # fmt: skip
_mills_q = horner(
    1777796.8650684648, 4362470.588844274, 5008627.865777882, 3558756.204477795, 1742832.2521580532,
    619428.712758672, 163580.8027411311, 32229.92961062316, 4667.052626215786, 476.2455393104935, 31.11235278435136,
    1.0,
)  # fmt: skip


def _bell(high, low):
    """exp(-(high + low) / 2) as (m, shifted): m * 2**shifted's low bits."""
    shifted = fma(high, -_HALF_LOG2E, _ROUND_64)
    f = fma(high, -_HALF_LOG2E, -(shifted - _ROUND_64))
    f = f - fma(low, _HALF_LOG2E, high * _HALF_LOG2E_LOW)
    return _exp2_f64(f), shifted


def _scaled(m, shifted):
    """m * 2**128 * 2**shifted's low bits: the 2**128 keeps a subnormal result normal up to its last rounding."""
    return m * f64_from_bits((f64_bits(shifted) + 1151) << 52)


def _left_tail(a, high, low):
    """2**128 normal_cdf(-a), a**2 = high + low, 0 <= a < 39."""
    m, shifted = _bell(high, low)
    return _scaled(m * _MILLS_SCALE * _mills_p(a) / _mills_q(a), shifted)


def _normal_cdf_f64(x):
    a = abs(x)
    a = 39.0 if a > 39.0 else a
    s = a * a
    tail = _left_tail(a, s, fma(a, a, -s))
    return fma(tail, -(2.0**-128), 1.0) if x > 0.0 else tail * 2.0**-128


def _erfc_f64(x):
    a = abs(x)
    a = 27.5 if a > 27.5 else a
    s = 2.0 * a * a
    tail = _left_tail(_SQRT2 * a, s, fma(2.0 * a, a, -s))
    return fma(tail, -(2.0**-127), 2.0) if x < 0.0 else tail * 2.0**-127


def _normal_pdf_f64(x):
    a = abs(x)
    a = 39.0 if a > 39.0 else a
    s = a * a
    m, shifted = _bell(s, fma(a, a, -s))
    return _scaled(m * _INV_SQRT_2PI, shifted) * 2.0**-128


normal_cdf = Pair(_normal_cdf_f32, _normal_cdf_f64)
normal_pdf = Pair(_normal_pdf_f32, _normal_pdf_f64)
erfc = Pair(_erfc_f32, _erfc_f64)
