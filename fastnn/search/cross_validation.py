"""Cross-validation: the score of a model on each part of the data, trained on the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._engine import check
from ..typing import Rng
from ._scores import _score


@dataclass(frozen=True)
class CrossValidation:
    """The scores of `cross_validate`, one a fold.

    Attributes
    ----------
    scores : tuple of float
        One a fold.

    Examples
    --------
    >>> import fastnn as fnn
    >>> print(fnn.search.CrossValidation((0.5, 0.75)))
    0.625 +- 0.12 (2 folds)
    """

    scores: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """Standard deviation of the scores (``np.std``)."""
        return float(np.std(self.scores))

    def __str__(self) -> str:
        return f"{self.mean:.4g} +- {self.std:.2g} ({len(self.scores)} folds)"


def cross_validate(
    fit: Callable[..., float], x: Any, y: Any, folds: int = 5, *, rng: Rng = None, stratify: bool = False
) -> CrossValidation:
    """Scores of a model on each of several parts of the data, trained on the others.

    Parameters
    ----------
    fit : callable
        ``fit(x_train, y_train, x_val, y_val)`` trains a new model and returns its score on the last two.
    x, y : array_like
        One sample for each index of the first axis.
    folds : int
        How many parts, 2 or more. Their sizes differ by one at most; every sample is in one of them.
    rng : None, int or numpy.random.Generator
        Which samples go where.
    stratify : bool
        Spread each class over the folds as evenly as it goes; y is then 1-D.

    Returns
    -------
    CrossValidation
        The scores, with their mean and standard deviation.

    Raises
    ------
    ValueError, TypeError
        Samples without labels, more folds than samples, a score that is no number, or another argument that cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> def fit(x, y, x_val, y_val):
    ...     return float(np.mean(y_val == (x_val > np.mean(x))))
    >>> x = np.arange(10.0)
    >>> fnn.search.cross_validate(fit, x, x > 4.5, 5, rng=0).mean
    1.0
    """
    name = "cross_validate"
    x, y = np.asarray(x), np.asarray(y)
    if not x.ndim or y.shape[:1] != x.shape[:1]:
        raise ValueError(f"{name}: y has shape {y.shape}, expected as many samples as x of shape {x.shape}")
    if stratify and y.ndim != 1:
        raise ValueError(f"{name}: y has shape {y.shape}, expected one class a sample for stratify")
    if not 2 <= check.integer(name, "folds", folds) <= len(x):
        raise ValueError(f"{name}: folds is {folds}, expected an integer from 2 to the {len(x)} samples")
    order = check.generator(name, rng).permutation(len(x))
    if stratify:
        order = order[np.argsort(y[order], kind="stable")]
    fold_of = np.empty(len(x), np.int64)
    fold_of[order] = np.arange(len(x)) % folds
    scores = []
    for fold in range(folds):
        train, validation = fold_of != fold, fold_of == fold
        score = fit(x[train], y[train], x[validation], y[validation])
        scores.append(_score(name, f"the score of fold {fold}", score))
    return CrossValidation(tuple(scores))
