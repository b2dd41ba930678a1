"""Ranges that a hyperparameter may be drawn from."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .._engine import check
from ..typing import Rng


@dataclass(frozen=True)
class Distribution:
    """A range of numbers, both ends included.

    `position` and `value` translate between the numbers and where draws, grids and refinement see the range as even.

    Parameters
    ----------
    low, high : float
        The ends.

    Raises
    ------
    ValueError, TypeError
        Ends that cannot be, or in the wrong order.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.search.uniform(0.0, 1.0).sample(rng=0) == fnn.search.uniform(0.0, 1.0).sample(rng=0)
    True
    """

    low: float
    high: float

    logarithmic: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        checked: Callable[[str, str, Any], Any] = check.integer if self.whole else check.number
        low, high = checked(name, "low", self.low), checked(name, "high", self.high)
        if self.logarithmic and low <= 0:
            raise ValueError(f"{name}: low is {low}, expected a number > 0")
        if high < low:
            raise ValueError(f"{name}: high is {high}, expected a number >= low, which is {low}")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def position(self, value: float) -> float:
        """Where draws, grids and refinement see the range as even: the number or its logarithm.

        Parameters
        ----------
        value : float
            A number.

        Returns
        -------
        float
            Its place.
        """
        return math.log(value) if self.logarithmic else float(value)

    def value(self, position: float) -> Any:
        """The nearest number within the range: the reverse of `position`.

        Parameters
        ----------
        position : float
            A place.

        Returns
        -------
        int or float
            The number.
        """
        number = math.exp(position) if self.logarithmic else position
        return min(max(round(number) if self.whole else number, self.low), self.high)

    def sample(self, rng: Rng = None) -> Any:
        """Draw a number.

        Parameters
        ----------
        rng : None, int or numpy.random.Generator
            What draws it.

        Returns
        -------
        int or float
            A Python number.

        Raises
        ------
        TypeError
            If rng is none of the three.
        """
        half = 0.5 if self.whole else 0.0  # so that after rounding the ends are as likely as the rest
        ends = self.position(self.low - half), self.position(self.high + half)
        return self.value(check.generator(f"{type(self).__name__}.sample", rng).uniform(*ends))

    def contains(self, value: Any) -> bool:
        """Whether a draw could be `value`.

        Parameters
        ----------
        value : object
            Anything.

        Returns
        -------
        bool
            Not for what is no number.
        """
        if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
            return False
        return self.low <= float(value) <= self.high and (not self.whole or float(value).is_integer())

    def grid(self, n: int) -> list:
        """Numbers evenly spaced from `low` to `high`.

        Parameters
        ----------
        n : int
            How many, at least 1.

        Returns
        -------
        list
            Fewer where integers coincide; the middle of the range for n = 1.

        Raises
        ------
        ValueError, TypeError
            An n that cannot be.
        """
        if check.integer(f"{type(self).__name__}.grid", "n", n) < 1:
            raise ValueError(f"{type(self).__name__}.grid: n is {n}, expected an integer >= 1")
        first, last = self.position(self.low), self.position(self.high)
        if n == 1:
            return [self.value((first + last) / 2)]
        between = [self.value(position) for position in np.linspace(first, last, n)[1:-1].tolist()]
        return list(dict.fromkeys([self.low, *between, self.high]))


class uniform(Distribution):
    """Any number from `low` to `high`.

    Parameters
    ----------
    low, high : float
        The ends.

    Raises
    ------
    ValueError, TypeError
        Ends that cannot be, or in the wrong order.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.search.uniform(0.0, 1.0).grid(3)
    [0.0, 0.5, 1.0]
    """


class loguniform(Distribution):
    """Any number from `low` > 0 to `high`, every order of magnitude alike.

    Parameters
    ----------
    low, high : float
        The ends.

    Raises
    ------
    ValueError, TypeError
        Ends that cannot be, or in the wrong order.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.search.loguniform(1e-4, 1.0).grid(3)
    [0.0001, 0.010000000000000004, 1.0]
    """

    logarithmic = True


class integers(Distribution):
    """An integer from `low` to `high`, both included.

    Parameters
    ----------
    low, high : int
        The ends.

    Raises
    ------
    ValueError, TypeError
        Ends that cannot be, or in the wrong order.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.search.integers(1, 4).grid(4)
    [1, 2, 3, 4]
    """

    whole = True


class logintegers(Distribution):
    """An integer from `low` >= 1 to `high`, both included, every order of magnitude about alike.

    Parameters
    ----------
    low, high : int
        The ends.

    Raises
    ------
    ValueError, TypeError
        Ends that cannot be, or in the wrong order.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.search.logintegers(16, 256).grid(3)
    [16, 64, 256]
    """

    logarithmic = whole = True
