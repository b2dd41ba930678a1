"""Mean and variance from one pass over the data, as the kernels of all norms compute them.

With a pivot K, one of the group's own values,

    s = sum(x - K),   q = sum((x - K)^2),   mean = K + s / n,   n var = q - s^2 / n

in float64. x - K is exact for values near K, so an offset of any number of standard deviations cancels nothing; and K
being one of the values, (mean - K)^2 <= n var whatever the data, so the last subtraction loses little either: a few
units in the last place of float64 for a K within a few deviations of the mean, n of them at worst.

A group's statistics are kept as GROUP numbers: the mean as the sum of a float of the working dtype and its rest, so
that x - mean is (x - mean) - rest in that dtype; the variance; and 1 / sqrt(variance + eps).
"""

import numpy as np

from .._engine.fused import Kernel
from .._engine.primitives import to_f64
from .._engine.vectors import put_real, real, stored, word, working

#: A group's numbers, each an array over the groups.
MEAN, REST, VARIANCE, RSTD = 0, 1, 2, 3
GROUP = 4


def inverse_root(x):
    """1 / sqrt(x)."""
    return 1.0 / np.sqrt(x)


def pivot(x, index):
    """x[index] in float64, or 0 for a NaN or infinity, which would make NaN of every x - K."""
    value = to_f64(stored.get(x, index))
    return value if value - value == 0.0 else 0.0


def finish(statistics, groups, group, count, k, s, q, eps):
    """Write a group's numbers from its sums; a variance below 0 is what rounding left of 0."""
    shift = s / count
    mean = k + shift
    variance = q / count - shift * shift
    if variance < 0.0:
        variance = 0.0
    high = to_f64(working.number(mean))
    put_statistic(statistics, groups, MEAN, group, high)
    put_statistic(statistics, groups, REST, group, (k - high) + shift)
    put_statistic(statistics, groups, VARIANCE, group, variance)
    put_statistic(statistics, groups, RSTD, group, inverse_root(variance + eps))


def put_statistic(statistics, groups, which, group, value):
    """Write one of a group's numbers."""
    put_real(statistics, which * groups + group, value)


def statistic(statistics, groups, which, group):
    """One of a group's numbers."""
    return real(statistics, which * groups + group)


def _update(context, index):
    """running = (1 - momentum) * running + momentum * factor * batch for one kind of statistics."""
    running, statistics, groups, which = word(context, 1), word(context, 2), word(context, 3), word(context, 4)
    factor, momentum = real(context, 5), real(context, 6)
    for group in range(groups):
        batch = factor * statistic(statistics, groups, which, group)
        if which == MEAN:
            batch += statistic(statistics, groups, REST, group)
        old = to_f64(stored.get(running, group))
        stored.put(running, group, working.number((1.0 - momentum) * old + momentum * batch))
    return 0


UPDATE = Kernel("update_running", _update)


def from_moments(mean: np.ndarray, variance: np.ndarray, eps: float, dtype: np.dtype) -> np.ndarray:
    """The array (GROUP, groups) for a mean and a variance from elsewhere."""
    statistics = np.empty((GROUP, mean.size))
    with np.errstate(all="ignore"):
        working_dtype = np.float64 if dtype == np.float64 else np.float32
        statistics[MEAN] = mean.astype(working_dtype)
        statistics[REST] = mean - statistics[MEAN]
        statistics[VARIANCE] = variance
        statistics[RSTD] = 1 / np.sqrt(statistics[VARIANCE] + eps)
    return statistics
