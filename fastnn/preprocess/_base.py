"""What all transformers share: scikit-learn's protocol, written without it, and the checks of samples and `out`."""

import dataclasses
import importlib
import math
from abc import ABC, abstractmethod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from ..typing import Out

Self = TypeVar("Self", bound="Transformer")


class NotFittedError(ValueError, AttributeError):
    """A transformer is used before `fit` or `partial_fit`."""


class Transformer(ABC):
    """Base of all transformers. A subclass is a dataclass of its parameters, unchecked until it is fitted.

    `_moments` are what batches come to; the attributes follow from them.

    Attributes
    ----------
    n_samples_seen_, n_features_in_ : int
        Samples learnt from, and features of each.

    Examples
    --------
    >>> import fastnn as fnn
    >>> scaler = fnn.preprocess.Standardizer()
    >>> isinstance(scaler, fnn.preprocess.Transformer), scaler.get_params()
    (True, {'center': True, 'scale': True, 'eps': 0.0})
    """

    #: Samples learnt from, and features of each.
    n_samples_seen_: int
    n_features_in_: int
    _moments: Any
    _shape: tuple[int, ...]

    def fit(self: Self, x: ArrayLike, y: Any = None) -> Self:
        """Learn from x, forgetting what was learnt before.

        Parameters
        ----------
        x : array_like of shape (n_samples, ...)
            The training data.
        y : ignored
            Taken because pipelines pass it.

        Returns
        -------
        Transformer
            The object itself.

        Raises
        ------
        ValueError, TypeError
            Parameters or data that do not fit; what was learnt before is kept then.
        """
        return self._learn("fit", x, fresh=True)

    def partial_fit(self: Self, x: ArrayLike, y: Any = None) -> Self:
        """Learn from a further batch, as if all batches had been given to `fit` together.

        Parameters
        ----------
        x : array_like of shape (n_samples, ...)
            Any number of samples with the same features as the batches before.
        y : ignored
            Taken because pipelines pass it.

        Returns
        -------
        Transformer
            The object itself.

        Raises
        ------
        ValueError, TypeError
            Parameters or data that do not fit; what was learnt before is kept then.
        """
        return self._learn("partial_fit", x, fresh=not self._is_fitted())

    def fit_transform(self, x: ArrayLike, y: Any = None, out: Out = None) -> np.ndarray:
        """Learn from x and transform it: ``fit(x).transform(x, out)``.

        Parameters
        ----------
        x, y
            As `fit` takes them.
        out : ndarray, optional
            Receives the result.

        Returns
        -------
        ndarray
            As from `transform`.

        Raises
        ------
        ValueError, TypeError
            As `fit` and `transform`.
        """
        return self.fit(x, y).transform(x, out)

    @abstractmethod
    def transform(self, x: ArrayLike, out: Out = None) -> np.ndarray:
        """Transform x by what was learnt.

        Parameters
        ----------
        x : array_like
            Any number of samples with the features of the training data.
        out : ndarray, optional
            Receives the result.

        Returns
        -------
        ndarray
            The transformed samples.
        """

    @abstractmethod
    def inverse_transform(self, x: ArrayLike, out: Out = None) -> np.ndarray:
        """Find what `transform` made x of.

        Parameters
        ----------
        x : array_like
            Any number of transformed samples.
        out : ndarray, optional
            Receives the result.

        Returns
        -------
        ndarray
            Samples as they were.
        """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name.

        Parameters
        ----------
        deep : bool
            Of no effect; scikit-learn passes it.

        Returns
        -------
        dict
            Of the values as they were given.
        """
        return {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}  # type: ignore[arg-type]

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters by name, for the next `fit`.

        Parameters
        ----------
        **params
            The parameters to change.

        Returns
        -------
        Transformer
            The object itself.

        Raises
        ------
        ValueError
            An unknown name.
        """
        known = self.get_params()
        if unknown := sorted(params.keys() - known.keys()):
            expected = ", ".join(known) or "none, it has no parameters"
            raise ValueError(f"{type(self).__name__}.set_params: {', '.join(unknown)} given, expected {expected}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted()

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of every step of a pipeline; only it calls this, so it is installed."""
        utils = importlib.import_module("sklearn.utils")
        return utils.Tags("transformer", utils.TargetTags(required=False), utils.TransformerTags())

    def _is_fitted(self) -> bool:
        return hasattr(self, "_moments")

    def _learn(self: Self, method: str, x: Any, fresh: bool) -> Self:
        name = f"{type(self).__name__}.{method}"
        x = samples(name, x)
        shape = self._feature_shape(name, x)
        if x.size == 0:
            raise ValueError(f"{name}: x has shape {x.shape}, expected at least one sample and one feature")
        if not fresh:
            same_features(name, x, shape, self._shape)
        self._check_parameters(name, math.prod(shape))
        moments = self._moments_of(name, x)
        if fresh:
            self._moments, self.n_samples_seen_ = moments, len(x)
        else:
            self._moments, self.n_samples_seen_ = self._merged(self._moments, moments), self.n_samples_seen_ + len(x)
        self._shape, self.n_features_in_ = shape, math.prod(shape)
        self._conclude()
        return self

    def _known(self, method: str, x: Any) -> tuple[str, np.ndarray]:
        """(name for messages, x): checked against what was learnt."""
        name = f"{type(self).__name__}.{method}"
        self._require_fit(name)
        x = samples(name, x)
        same_features(name, x, self._feature_shape(name, x), self._shape)
        return name, x

    def _require_fit(self, name: str) -> None:
        if not self._is_fitted():
            raise NotFittedError(f"{name}: nothing has been learnt yet, expected fit or partial_fit before")

    def _feature_shape(self, name: str, x: np.ndarray) -> tuple[int, ...]:
        """The shape of what has statistics of its own."""
        return x.shape[1:]

    @abstractmethod
    def _check_parameters(self, name: str, features: int) -> None:
        """Raise for parameters that cannot be, with so many features."""

    @abstractmethod
    def _moments_of(self, name: str, x: np.ndarray) -> Any:
        """The statistics of one batch."""

    @abstractmethod
    def _merged(self, a: Any, b: Any) -> Any:
        """Those of two together."""

    @abstractmethod
    def _conclude(self) -> None:
        """Set the attributes that follow from the moments."""


def samples(name: str, x: ArrayLike) -> np.ndarray:
    """`x` as a float array of samples with features."""
    array = np.asarray(check.real_array(name, "x", x))
    if array.ndim < 2:
        raise ValueError(f"{name}: x has shape {array.shape}, expected (samples, features) or more axes")
    return array


def same_features(name: str, x: np.ndarray, shape: tuple[int, ...], known: tuple[int, ...]) -> None:
    if shape != known:
        raise ValueError(
            f"{name}: x has shape {x.shape}, i.e. {math.prod(shape)} features, "
            f"expected {math.prod(known)}, of shape {known}, as fitted"
        )


def flag(name: str, argument: str, value: Any) -> None:
    """Raise unless `value` is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: {argument} is {value!r}, expected True or False")


def matrix(x: np.ndarray) -> np.ndarray:
    """(samples, all features of each)."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def delivered(y: np.ndarray, target: np.ndarray | None) -> np.ndarray:
    """What the caller gets: y, or `target` with y in it, which y may already be a view of."""
    if target is None:
        return y
    if not np.may_share_memory(y, target):
        np.copyto(target, y, casting="same_kind")
    return target
