"""What a rule states: its hyperparameters, its kernels, and the numbers that its formula gets."""

from typing import Any, ClassVar

import numpy as np

from ._cohorts import like
from ._hyperparameters import RULE_KEYWORDS, STEP_KEYWORDS, Hyperparameter
from ._kernels import Update


class Rule:
    """The part of `Optimizer` that rules override; it needs no parameters."""

    #: The rule's own hyperparameters, and how many of them may be given by position.
    own: ClassVar[dict[str, Hyperparameter]] = {}
    positional: ClassVar[int] = 0
    #: Defaults of common keywords that are different in this rule.
    overrides: ClassVar[dict[str, Any]] = {}
    #: Whether decoupled decay is part of the rule's formula.
    own_decay: ClassVar[bool] = False

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        return {key: kind.default for key, kind in (cls.kinds() | STEP_KEYWORDS).items()} | cls.overrides

    @classmethod
    def kinds(cls) -> dict[str, Hyperparameter]:
        """Every hyperparameter that a group may have of its own, the rule's own ones first.

        Returns
        -------
        dict
            What each may be, with its default.
        """
        return cls.own | {key: kind for key, kind in RULE_KEYWORDS.items() if key not in cls.own}

    @classmethod
    def check(cls, name: str, hyper: dict[str, Any]) -> None:
        """Raise for hyperparameters that are right one by one but not together.

        Parameters
        ----------
        name : str
            The rule's, for the message.
        hyper : dict
            Every hyperparameter as it is at a step, or a schedule.
        """

    @classmethod
    def update(cls, hyper: dict[str, Any]) -> Update:
        """The kernels for these hyperparameters: what is not 0, or not None, may matter.

        Parameters
        ----------
        hyper : dict
            Every hyperparameter, or a schedule.

        Returns
        -------
        Update
            The rule's kernels and the names of its state arrays.

        Raises
        ------
        TypeError
            From the base class, which is no rule.
        """
        raise TypeError(f"{cls.__name__} is a base class, not a rule")

    @classmethod
    def numbers(cls, hyper: dict[str, Any], step: int) -> tuple[float, ...]:
        """What the formula gets at a parameter's step.

        Parameters
        ----------
        hyper : dict
            Every hyperparameter's value.
        step : int
            Number of the parameter's step, from 1.

        Returns
        -------
        tuple of float
            As many as the kernels expect.

        Raises
        ------
        TypeError
            From the base class, which is no rule.
        """
        raise TypeError(f"{cls.__name__} is a base class, not a rule")

    @classmethod
    def initial(cls, hyper: dict[str, Any], names: tuple[str, ...], array: np.ndarray) -> dict[str, np.ndarray]:
        """The state of a parameter that has taken no step.

        Parameters
        ----------
        hyper : dict
            Every hyperparameter's value.
        names : tuple of str
            The state arrays' names.
        array : ndarray
            The parameter.

        Returns
        -------
        dict of ndarray
            By default zeros like the parameter.
        """
        return {name: like(array, 0.0) for name in names}
