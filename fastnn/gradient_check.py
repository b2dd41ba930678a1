"""Gradients by finite differences, and what they say of a gradient that was derived by hand."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._engine import check
from .typing import Rng

#: Rounding errors of f's result that are put up with, in units of its last place.
_ROUNDINGS = 8

#: A kink shows where this share of the step gives another slope than the step itself.
_FINER = 1 / 4


class _Slope(NamedTuple):
    value: float
    jump: float  #: slope to the right minus slope to the left
    noise: float  #: how far rounding may have moved them


class _Differences:
    """Slopes of f along the coordinates of x, which f finds as it was before, but for one of them."""

    def __init__(self, name: str, f: Callable, x: np.ndarray, dy: Any, eps: float | None, order: int):
        self.name, self.f, self.eps, self.order = name, f, eps, order
        self.x = x if x.flags.writeable else x.copy()
        self.before = x.copy()
        self.rounding = float(np.finfo(x.dtype).eps)
        self.dy = None if dy is None else check.real_array(name, "dy", dy).astype(np.float64)
        self.here = self._called()
        if not np.allclose(self.here, self._called(), rtol=math.sqrt(self.rounding), atol=0, equal_nan=True):
            raise ValueError(f"{name}: f gives two values for one x, expected a function (seed what is random in it)")

    def _called(self, index: tuple[int, ...] = (), coordinate: float | None = None) -> np.ndarray:
        """f where one coordinate has another value; x is then as it was, whatever f did to it."""
        try:
            if coordinate is not None:
                self.x[index] = coordinate
            result = self.f(self.x)
            if isinstance(result, tuple):
                raise TypeError(f"{self.name}: f returns a tuple, expected a number or an array")
            values = check.real_array(self.name, "what f returns", result).astype(np.float64)
        finally:
            self.x[...] = self.before
        if self.dy is None and values.ndim:
            raise ValueError(
                f"{self.name}: f returns an array of shape {values.shape}, expected a number where no dy is"
            )
        if self.dy is not None:
            check.same_shape(self.name, "dy", self.dy, values.shape, "to match what f returns")
        return values

    def step(self, index: tuple[int, ...]) -> float:
        if self.eps is not None:
            return self.eps
        size = max(abs(float(self.before[index])), 1.0)
        wanted = self.rounding ** (1 / (self.order + 1)) * (size if math.isfinite(size) else 1.0)
        return 2.0 ** math.floor(math.log2(wanted))  # a power of two, so that x +- step is exact

    def slope(self, index: tuple[int, ...], step: float, order: int) -> _Slope:
        near = self._central(index, step)
        if order == 2:
            return near
        far = self._central(index, 2 * step)
        return near._replace(value=(4 * near.value - far.value) / 3)  # cancels the error in step**2

    def _central(self, index: tuple[int, ...], step: float) -> _Slope:
        here = float(self.before[index])
        low, high = (float(self.before.dtype.type(here + offset)) for offset in (-step, step))
        below, above = self._called(index, low), self._called(index, high)
        with np.errstate(all="ignore"):  # infinities give NaN, which is reported
            left, right = (
                self._weighted(self.here - below) / (here - low),
                self._weighted(above - self.here) / (high - here),
            )
            sizes = np.abs(above if self.dy is None else above * self.dy)
            # What does not depend on this coordinate has the same bits on both sides, and no noise.
            magnitude = max(float(np.linalg.norm(sizes[above != below])), float(np.max(sizes, initial=0)))
            value = ((high - here) * right + (here - low) * left) / (high - low)
        return _Slope(value, right - left, _ROUNDINGS * self.rounding * magnitude / step)

    def _weighted(self, change: np.ndarray) -> float:
        return float(np.sum(change if self.dy is None else change * self.dy))


def _differences(name: str, f: Any, x: Any, dy: Any, eps: Any, order: Any, finest: float) -> _Differences:
    """Checked; `finest` is the smallest step in units of eps."""
    if not callable(f):
        raise TypeError(f"{name}: f is {f!r}, expected a function")
    array = check.real_array(name, "x", x)
    if check.integer(name, "order", order) not in (2, 4):
        raise ValueError(f"{name}: order is {order}, expected 2 or 4")
    if eps is not None:
        eps = check.number(name, "eps", eps, low=0)
        step = array.dtype.type(eps * finest)
        if (((array + step == array) | (array - step == array)) & np.isfinite(array)).any():
            raise ValueError(f"{name}: eps is {eps:g}, expected one that changes every entry of x in {array.dtype}")
    return _Differences(name, f, array, dy, eps, order)


def numeric_gradient(
    f: Callable, x: ArrayLike, dy: ArrayLike | None = None, *, eps: float | None = None, order: int = 2
) -> Any:
    """The gradient of a function of an array by central differences.

    Parameters
    ----------
    f : callable
        ``f(x)`` is a number or, with `dy`, an array. It is called with `x` itself, one entry of which is changed in
        place and put back after the call, whatever happens in it; thus f may also read the array from where it keeps
        it, as a network its weights. (Read-only arrays, lists and integers it gets as a copy.)
    x : array_like
        In float64 for good digits; f gets its dtype.
    dy : array_like, optional
        The gradient with respect to what f returns, of its shape: the result is the gradient of ``sum(f(x) * dy)``.
    eps : float, optional
        The step. By default ``u**(1 / (order + 1)) * max(abs(x), 1)``, u being the spacing of the dtype at 1 (about
        6e-6 and 7e-4 for orders 2 and 4 in float64, 5e-3 and 4e-2 in float32), rounded down to a power of two. There
        the error of the formula, ``eps**order``, and that of rounding, ``u / eps``, are equal. Entries below 1 get the
        step of 1 since small weights, too, meet activations of the order of 1; where f changes faster, give eps.
    order : {2, 4}
        2 calls f at ``x +- eps``; 4 at ``x +- 2 * eps`` too, which gives more digits.

    Returns
    -------
    ndarray
        Of the shape and dtype of x.

    Raises
    ------
    ValueError, TypeError
        An f that is no function, returns an array where no dy is given, or gives two values for one x; shapes, eps or
        order
        that cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> fnn.numeric_gradient(lambda x: (x**2).sum(), x).round(6)
    array([2., 4., 6.])
    """
    differences = _differences("numeric_gradient", f, x, dy, eps, order, 1.0)
    gradient = np.empty_like(differences.before)
    for index in np.ndindex(gradient.shape):
        gradient[index] = differences.slope(index, differences.step(index), order).value
    return gradient[()]


@dataclass(frozen=True, repr=False)
class GradientReport:
    """What `check_gradient` found; true where it is `ok`.

    Attributes
    ----------
    max_relative_error : float
        The largest over the coordinates checked; inf where a NaN is.
    worst_index : tuple of int or None
        Where it is; None where nothing was checked.
    ok : bool
        Whether it is within `tolerance`. Not where every coordinate was left out.
    numeric, analytic : float
        Both gradients there.
    checked, kinks, size : int
        How many coordinates were compared, how many left out, and how many x has.
    tolerance : float
        The largest relative error that passes.
    factor : float or None
        Where analytic is the same multiple of numeric at every coordinate: a sign or a 1/N that was forgotten.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> report = fnn.check_gradient(lambda x: (x**2).sum(), np.array([1.0, 2.0]), [1.0, 2.0])
    >>> report.ok, report.factor
    (False, 0.5)
    """

    max_relative_error: float
    worst_index: tuple[int, ...] | None
    ok: bool
    numeric: float
    analytic: float
    checked: int
    kinks: int
    size: int
    tolerance: float
    factor: float | None

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        lines = [
            f"gradient {'ok' if self.ok else 'WRONG' if self.checked else 'not checked'}:"
            f" max relative error {self.max_relative_error:.2g}, tolerance {self.tolerance:.2g}",
            f"  {self.checked} of {self.size} coordinates checked, {self.kinks} left out at kinks",
        ]
        if self.worst_index is not None:
            lines.append(f"  worst at {self.worst_index}: numeric {self.numeric:.9g}, analytic {self.analytic:.9g}")
        if not self.ok and self.factor is not None:
            lines.append(f"  analytic is {self.factor:.6g} times numeric everywhere: a sign or a factor?")
        return "\n".join(lines)


def check_gradient(
    f: Callable,
    x: ArrayLike,
    analytic: ArrayLike,
    dy: ArrayLike | None = None,
    *,
    eps: float | None = None,
    order: int = 4,
    tolerance: float | None = None,
    samples: int | None = 200,
    rng: Rng = 0,
) -> GradientReport:
    """Compare a gradient with that of central differences.

    The relative error at a coordinate is ``abs(a - b) / max(abs(a), abs(b), tiny)``, where `tiny` is so that the
    rounding of f passes. A kink between the points of the differences, as relu's at 0 or where two entries tie for the
    maximum, makes them meaningless: where those of a quarter of the step, or those to the left and to the right in the
    limit, differ by more than smoothness and rounding explain, the coordinate is left out and counted. That is rare for
    a network in float64; in float32, where the step is a hundred times as long, it can be every second coordinate.

    Parameters
    ----------
    f : callable
        As in `numeric_gradient`.
    x : array_like
        As in `numeric_gradient`: changed in place during the check, and put back.
    analytic : array_like
        The gradient to check, of the shape of x.
    dy, eps, order
        As in `numeric_gradient`.
    tolerance : float, optional
        The largest relative error that passes. By default ``u**0.4``, half the digits that differences can have: 5e-7
        for float64, 2e-3 for float32.
    samples : int or None
        At most so many coordinates are checked, drawn without repetition; None for all.
    rng : None, int or numpy.random.Generator
        What draws them.

    Returns
    -------
    GradientReport
        True where the gradients agree; printed, it says where they do not.

    Raises
    ------
    ValueError, TypeError
        As `numeric_gradient`; an analytic gradient of another shape, a tolerance, samples or rng that cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> x, dy = np.array([-1.0, 0.5, 2.0]), np.array([1.0, 2.0, 3.0])
    >>> report = fnn.check_gradient(fnn.gelu, x, fnn.gelu_backward(dy, x), dy)
    >>> assert report, report
    """
    name = "check_gradient"
    array = check.real_array(name, "x", x)
    given = check.same_shape(name, "analytic", check.real_array(name, "analytic", analytic), array.shape, "to match x")
    if tolerance is None:
        tolerance = float(np.finfo(array.dtype).eps) ** 0.4
    elif check.number(name, "tolerance", tolerance, low=0) == 0:
        raise ValueError(f"{name}: tolerance is 0, expected a number > 0")
    coordinates = _drawn(name, array, samples, rng)
    differences = _differences(name, f, x, dy, eps, order, _FINER / 2)
    compared = []
    for index in coordinates:
        slope, smooth = _probed(differences, index, tolerance)
        if smooth:
            compared.append((index, slope.value, float(given[index]), slope.noise))
    return _report(compared, len(coordinates) - len(compared), array.size, tolerance)


def _drawn(name: str, array: np.ndarray, samples: Any, rng: Any) -> list[tuple[int, ...]]:
    generator = check.generator(name, rng)
    if samples is not None and check.integer(name, "samples", samples) < 1:
        raise ValueError(f"{name}: samples is {samples}, expected an integer >= 1")
    flat: Any = range(array.size)
    if samples is not None and samples < array.size:
        flat = sorted(generator.choice(array.size, samples, replace=False).tolist())
    return [tuple(int(k) for k in np.unravel_index(place, array.shape)) for place in flat]


def _probed(differences: _Differences, index: tuple[int, ...], tolerance: float) -> tuple[_Slope, bool]:
    """(the slope at a coordinate, whether f is smooth there).

    The jump between the two sides is J + O(step), J being that of a kink at x: two steps give it. A kink off x changes
    the slope with the step instead, which smoothness does too, but in order 4 hardly. Both are compared with what would
    matter to the verdict.
    """
    step, order = differences.step(index), differences.order
    slope = differences.slope(index, step, order)
    wide = slope if order == 4 else differences.slope(index, step / 2, 4)  # no farther out than the slope itself
    fine = differences.slope(index, (step if order == 4 else step / 2) * _FINER, 4)
    jump = (fine.jump - _FINER * wide.jump) / (1 - _FINER)
    doubt = max(abs(wide.value - fine.value), abs(jump) / 2)
    return slope._replace(noise=fine.noise), not doubt > max(tolerance * abs(slope.value), fine.noise) / 4


def _report(
    compared: list[tuple[tuple[int, ...], float, float, float]], kinks: int, size: int, tolerance: float
) -> GradientReport:
    counts = {"checked": len(compared), "kinks": kinks, "size": size, "tolerance": tolerance}
    if not compared:
        return GradientReport(0.0, None, size == 0, math.nan, math.nan, factor=None, **counts)  # type: ignore[arg-type]
    numeric, analytic, noise = (np.array([row[k] for row in compared]) for k in (1, 2, 3))
    with np.errstate(all="ignore"):
        tiny = np.maximum(noise / tolerance, sys.float_info.min)
        errors = np.abs(numeric - analytic) / np.maximum(np.maximum(np.abs(numeric), np.abs(analytic)), tiny)
    errors[np.isnan(errors)] = np.inf
    worst = int(np.argmax(errors))
    return GradientReport(
        float(errors[worst]),
        compared[worst][0],
        bool(errors[worst] <= tolerance),
        float(numeric[worst]),
        float(analytic[worst]),
        factor=_factor(numeric, analytic, noise, tolerance),
        **counts,  # type: ignore[arg-type]
    )


def _factor(numeric: np.ndarray, analytic: np.ndarray, noise: np.ndarray, tolerance: float) -> float | None:
    """c, other than 1, where analytic = c * numeric at two coordinates or more."""
    if np.count_nonzero(numeric) < 2 or not (np.isfinite(numeric).all() and np.isfinite(analytic).all()):
        return None
    factor = float(analytic @ numeric / (numeric @ numeric))
    explained = tolerance * np.abs(analytic) + np.abs(factor) * noise
    close = bool((np.abs(analytic - factor * numeric) <= explained).all())
    return factor if close and abs(factor - 1) > tolerance else None
