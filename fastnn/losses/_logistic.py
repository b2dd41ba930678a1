"""Formulas of a logit x and a target t: cross-entropy and focal loss.

With q = exp(-|x|), p = sigmoid(x) and 1 - p are 1 / (1 + q) and q / (1 + q), the larger one first. So each is written
with the part of the target on the losing side of p, `large`, which is 1 - t for x >= 0 and t for x < 0, and the other
part, `small`::

    cross-entropy = large |x| + log1p(q),   its slope = sign(x) (large - small q) / (1 + q)
    miss = (1 - t) p + t (1 - p) = (large + small q) / (1 + q)

in which nothing overflows, and nothing cancels for t = 0 and t = 1.
"""

from collections.abc import Callable
from math import inf

from .._engine.pairs import Pair
from .._engine.primitives import fma
from .._engine.simd_math import exp, log, softplus
from .._engine.simd_math.exponential import growth, power, reduced


def _falling_within(low):
    def falling(x):
        """exp(-|x|), in the very steps of `softplus`, of which only one is left once both are inlined."""
        above = -abs(x)
        r, shifted = reduced(low if above < low else above, 64.0)
        scale = power(shifted)
        return fma(scale, growth(r), scale) * 2.0**-64

    return falling


_falling = Pair(_falling_within(-104.0), _falling_within(-746.0))


def _log_sum(x):
    """log1p(q) = log(1 + exp(-|x|))."""
    return softplus(-abs(x))


def _sides(x, positive, negative):
    """(large, small) of the target's two parts."""
    return (positive, negative) if x < 0.0 else (negative, positive)


def _times_size(large, x):
    """large |x|, and 0 where large is 0; a NaN of x stays in the other terms."""
    return 0.0 if large == 0.0 else large * abs(x)


def _slope(x, large, small, q):
    y = fma(-small, q, large) / (1.0 + q)
    return -y if x < 0.0 else y


def cross_entropy(x, t, a, b, c):
    large, _ = _sides(x, t, 1.0 - t)
    return _times_size(large, x) + _log_sum(x)


def cross_entropy_gradient(x, t, a, b, c):
    large, small = _sides(x, t, 1.0 - t)
    return _slope(x, large, small, _falling(x))


def weighted_cross_entropy(x, t, pos_weight, weight, c):
    large, small = _sides(x, weight * pos_weight * t, weight * (1.0 - t))
    return fma(large + small, _log_sum(x), _times_size(large, x))


def weighted_cross_entropy_gradient(x, t, pos_weight, weight, c):
    large, small = _sides(x, weight * pos_weight * t, weight * (1.0 - t))
    return _slope(x, large, small, _falling(x))


def _product(a, b):
    """a b, and 0 for 0 times infinity."""
    return 0.0 if (a == 0.0) & (abs(b) == inf) else a * b


def _small_power(x, n):
    """x^n for an integer n from 0 to 7, by squaring."""
    square = x * x
    n, y = (n - 4.0, square * square) if n >= 4.0 else (n, 1.0)
    n, y = (n - 2.0, y * square) if n >= 2.0 else (n, y)
    return y * x if n >= 1.0 else y


def _balance(t, alpha, rest):
    """alpha for t = 1 and rest = 1 - alpha for t = 0."""
    return fma(alpha, t, rest * (1.0 - t))


def power_of_miss(x, large, small, q, gamma):
    """miss^gamma from its logarithm."""
    log_miss = -abs(x) if large == 0.0 else log(fma(small, q, large))
    return exp(gamma * (log_miss - _log_sum(x)))


def small_power_of_miss(x, large, small, q, gamma):
    return _small_power(fma(small, q, large) / (1.0 + q), gamma)


def focal_formulas(power: Callable) -> tuple[Callable, Callable]:
    """(value, gradient) of focal with miss^gamma computed by `power`."""

    def value(x, t, gamma, alpha, rest):
        large, small = _sides(x, t, 1.0 - t)
        q = _falling(x)
        loss = _times_size(large, x) + _log_sum(x)
        return _product(_balance(t, alpha, rest) * power(x, large, small, q, gamma), loss)

    def gradient(x, t, gamma, alpha, rest):
        large, small = _sides(x, t, 1.0 - t)
        q = _falling(x)
        loss = _times_size(large, x) + _log_sum(x)
        # miss' / miss = (1 - 2 t) q / ((1 + q) (large + small q)); where large is 0, small is 1 and q may be 0
        relative = (1.0 if large == 0.0 else q / fma(small, q, large)) * fma(-2.0, t, 1.0) / (1.0 + q)
        total = fma(gamma, _product(relative, loss), _slope(x, large, small, q))
        return _balance(t, alpha, rest) * power(x, large, small, q, gamma) * total

    return value, gradient
