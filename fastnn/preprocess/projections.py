"""Principal components, and whitening: directions from the eigenvectors of the features' covariance.

What is learnt is the matrix of the sums of products of deviations from the mean, which batches can share: D^2 numbers
for D features. Of two batches with means m_a and m_b it is

    P = P_a + P_b + (m_b - m_a)(m_b - m_a)^T n_a n_b / n

as for one feature (Chan, Golub & LeVeque 1983).
"""

import functools
import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from ..normalization.synchronized import batch_norm_stats
from ..typing import Out
from ._affine import affine
from ._base import Transformer, delivered, matrix

#: Values that are taken to float64 at a time, and samples at least: fewer, and adding up the products would cost more
#: than computing them.
_BLOCK, _BLOCK_SAMPLES = 1 << 22, 1024


class Products(NamedTuple):
    """Number of samples, their mean and the sum of products of the deviations from it, in float64."""

    count: int  # type: ignore[assignment]
    mean: np.ndarray
    products: np.ndarray


class Basis(NamedTuple):
    """Variances along the directions, which are rows, largest first; and the matrices of both transforms."""

    variances: np.ndarray
    directions: np.ndarray
    forward: np.ndarray
    backward: np.ndarray


def _products(block: np.ndarray) -> Products:
    mean = batch_norm_stats(block).mean
    deviations = block - mean
    return Products(len(block), mean, deviations.T @ deviations)


def _merged_products(a: Products, b: Products) -> Products:
    count, delta = a.count + b.count, b.mean - a.mean
    products = a.products + b.products
    products += np.outer(delta, delta * (a.count * b.count / count))
    return Products(count, a.mean + delta * (b.count / count), products)


def _directions(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(variances, directions as rows), largest first; what is below rounding of the largest is 0.

    The sign of an eigenvector means nothing: its largest entry is made positive.
    """
    variances, vectors = np.linalg.eigh(covariance)
    variances, rows = variances[::-1], vectors.T[::-1]
    variances = np.where(variances > variances[0] * len(variances) * np.finfo(np.float64).eps, variances, 0.0)
    largest = np.take_along_axis(rows, np.abs(rows).argmax(1, keepdims=True), 1)
    return variances, rows * np.copysign(1, largest)


class Projection(Transformer):
    """Base: ``(x - mean_) @ forward``, with the basis found when it is first asked for."""

    mean_: np.ndarray
    _moments: Products
    _found: Basis | None

    def transform(self, x: ArrayLike, out: Out = None) -> np.ndarray:
        """Project x, centred by the mean of the training data.

        Parameters
        ----------
        x : array_like
            Any number of samples with the features of the training data.
        out : ndarray, optional
            Receives the result; may be x itself where the shapes are equal.

        Returns
        -------
        ndarray
            (samples, components), or of x's shape from ZCA; of x's dtype (float64 for integers).

        Raises
        ------
        NotFittedError, ValueError, TypeError
            Nothing learnt yet; other features than those of the training data; an unsuitable x or out.
        """
        name, x = self._known("transform", x)
        forward = self._basis.forward
        shape = (len(x), *self._projected_shape(forward.shape[1]))
        target = None if out is None else check.output(name, out, shape, x.dtype)
        deviations = affine(_computed_in(x), None, 1, mean=self.mean_.ravel())
        y = _product(deviations, forward)
        return delivered(y.reshape(shape).astype(x.dtype, copy=False), target)

    def inverse_transform(self, x: ArrayLike, out: Out = None) -> np.ndarray:
        """The data that `transform` maps to x, as far as the components go.

        Parameters
        ----------
        x : array_like
            As `transform` returns.
        out : ndarray, optional
            Receives the result.

        Returns
        -------
        ndarray
            (samples, *features), of x's dtype (float64 for integers).

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As `transform`.
        """
        name = f"{type(self).__name__}.inverse_transform"
        self._require_fit(name)
        backward = self._basis.backward
        x = np.asarray(check.real_array(name, "x", x))
        expected = self._projected_shape(len(backward))
        if x.shape[1:] != expected:
            wanted = ", ".join(map(str, ("samples", *expected)))
            raise ValueError(
                f"{name}: x has shape {x.shape}, i.e. {math.prod(x.shape[1:])} components, "
                f"expected ({wanted}), i.e. {math.prod(expected)}"
            )
        shape = (len(x), *self._shape)
        target = None if out is None else check.output(name, out, shape, x.dtype)
        y = _product(_computed_in(x), backward)
        affine(y, y, 1, shift=self.mean_.ravel())
        return delivered(y.reshape(shape).astype(x.dtype, copy=False), target)

    @property
    def components_(self) -> np.ndarray:
        """The directions as rows (components, features): orthonormal, by falling variance."""
        return self._basis.directions

    @property
    def explained_variance_(self) -> np.ndarray:
        """Variance of the training data along each direction."""
        return self._basis.variances

    @property
    def n_components_(self) -> int:
        """Number of components."""
        return len(self._basis.directions)

    @property
    def _basis(self) -> Basis:
        self._require_fit(type(self).__name__)
        if self._found is None:
            self._found = self._decomposed(self._moments)
        return self._found

    @abstractmethod
    def _decomposed(self, moments: Products) -> Basis:
        """The basis for what has been learnt."""

    def _projected_shape(self, components: int) -> tuple[int, ...]:
        return (components,)

    def _moments_of(self, name: str, x: np.ndarray) -> Products:
        rows = matrix(x)
        step = max(_BLOCK_SAMPLES, _BLOCK // rows.shape[1])
        with np.errstate(all="ignore"):
            blocks = (_products(rows[start : start + step]) for start in range(0, len(rows), step))
            moments = functools.reduce(_merged_products, blocks)
        if not np.isfinite(moments.products).all():
            raise ValueError(f"{name}: x has NaNs, infinities or numbers whose squares overflow, expected finite ones")
        return moments

    def _merged(self, a: Products, b: Products) -> Products:
        return _merged_products(a, b)

    def _conclude(self) -> None:
        self.mean_, self._found = self._moments.mean.reshape(self._shape), None


def _computed_in(x: np.ndarray) -> np.ndarray:
    """x as a matrix of a dtype that matrix products are fast and accurate in."""
    return matrix(x).astype(np.float64 if x.dtype == np.float64 else np.float32, copy=False)


def _product(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return rows @ by.astype(rows.dtype, copy=False)


@dataclass(eq=False)
class PCA(Projection):
    """Principal components: the data in the directions of its largest variance, ``(x - mean_) @ components_.T``.

    Parameters
    ----------
    n_components : int, float or None
        How many, at most as many as features; a float from 0 to 1: as many as keep that share of the variance;
        None: all there can be, as many as samples or features, whichever are fewer.

    Attributes
    ----------
    mean_ : ndarray of float64
        Mean of each feature, of the shape of one sample.
    components_ : ndarray of shape (components, features)
        The directions: orthonormal rows by falling variance, the largest entry of each positive.
    explained_variance_ : ndarray of shape (components,)
        Variance along each, over n - 1.
    explained_variance_ratio_ : ndarray of shape (components,)
        Its share of the variance of all features.
    singular_values_ : ndarray of shape (components,)
        Of the centred training data.
    n_components_, n_samples_seen_, n_features_in_ : int
        Components, samples learnt from, and features of each.

    Raises
    ------
    ValueError, TypeError
        A parameter that cannot be: when it is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.preprocess import PCA
    >>> pca = PCA(1).fit(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    >>> pca.components_.round(6).tolist(), pca.explained_variance_.round(6).tolist()
    ([[0.6, 0.8]], [25.0])
    """

    n_components: int | float | None = None

    @property
    def explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of all features along each direction."""
        variances = self.explained_variance_
        total = np.trace(self._moments.products) / max(self.n_samples_seen_ - 1, 1)
        return variances / (total or 1.0)

    @property
    def singular_values_(self) -> np.ndarray:
        """Singular values of the centred training data."""
        return np.sqrt(self.explained_variance_ * max(self.n_samples_seen_ - 1, 1))

    def _check_parameters(self, name: str, features: int) -> None:
        count = self.n_components
        if isinstance(count, (float, np.floating)):
            check.number(name, "n_components", count, low=0, high=1)
        elif count is not None and not 1 <= check.integer(name, "n_components", count) <= features:
            raise ValueError(f"{name}: n_components is {count}, expected 1 to {features}, the number of features")

    def _decomposed(self, moments: Products) -> Basis:
        variances, directions = _directions(moments.products / max(moments.count - 1, 1))
        count = self.n_components
        if count is None:
            count = min(moments.count, len(variances))
        elif isinstance(count, (float, np.floating)):
            shares = np.cumsum(variances) / (variances.sum() or 1.0)
            count = min(int(np.searchsorted(shares, count)) + 1, len(variances))
        directions = directions[:count]
        return Basis(variances[:count], directions, directions.T, directions)


@dataclass(eq=False)
class Whiten(Projection):
    """Decorrelate the features and scale to unit variance: the covariance of the result is the identity.

    Parameters
    ----------
    kind : {"pca", "zca"}
        "pca" leaves the data along its principal directions; "zca" turns it back, which of all ways to whiten changes
        the data least: images still look like images.
    eps : float
        Added to the variance along each direction, >= 0: directions with less are not blown up. One without variance
        is left out if eps is 0.

    Attributes
    ----------
    mean_ : ndarray of float64
        Mean of each feature, of the shape of one sample.
    components_ : ndarray of shape (features, features)
        The principal directions: orthonormal rows by falling variance.
    explained_variance_ : ndarray of shape (features,)
        Variance along each, over n as in `Standardizer`, so that the result's variance over n is 1.
    n_components_, n_samples_seen_, n_features_in_ : int
        Components and features, which are as many, and samples learnt from.

    Raises
    ------
    ValueError, TypeError
        A parameter that cannot be: when it is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.preprocess import Whiten
    >>> x = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> Whiten("zca", eps=0).fit_transform(x)[[0, 2]].round(6).tolist()
    [[1.414214, 0.0], [0.0, 1.414214]]
    """

    kind: str = "pca"
    eps: float = 1e-5

    def _check_parameters(self, name: str, features: int) -> None:
        check.one_of(name, "kind", self.kind, ("pca", "zca"))
        check.number(name, "eps", self.eps, low=0)

    def _decomposed(self, moments: Products) -> Basis:
        variances, directions = _directions(moments.products / moments.count)
        deviations = np.sqrt(variances + self.eps)[:, None]
        # a direction without any variance is left out: to nothing there and back
        factors = np.divide(1, deviations, out=np.zeros_like(deviations), where=deviations > 0)
        forward, backward = (factors * directions).T, deviations * directions
        if self.kind == "zca":
            forward, backward = forward @ directions, directions.T @ backward
        return Basis(variances, directions, forward, backward)

    def _projected_shape(self, components: int) -> tuple[int, ...]:
        return self._shape if self.kind == "zca" else (components,)
