"""Centring and scaling: each feature, or each channel, by its own mean and standard deviation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import check
from ..normalization.synchronized import BatchStats, batch_norm_stats, merge_batch_stats
from ..typing import Out
from ._affine import affine
from ._base import Transformer, delivered, flag, matrix


class Scaler(Transformer):
    """Base: ``(x - mean_) / scale_``, as far as `center` and `scale` say, which a subclass may make its parameters."""

    center: bool = True
    scale: bool = False
    eps: float = 0.0

    mean_: np.ndarray
    var_: np.ndarray
    scale_: np.ndarray | None
    _moments: BatchStats

    def transform(self, x: ArrayLike, out: Out = None) -> np.ndarray:
        """Centre and scale x by the statistics of the training data.

        Parameters
        ----------
        x : array_like
            Any number of samples with the features of the training data.
        out : ndarray, optional
            Receives the result; may be x itself.

        Returns
        -------
        ndarray
            Of x's shape and dtype (float64 for integers).

        Raises
        ------
        NotFittedError, ValueError, TypeError
            Nothing learnt yet; other features than those of the training data; an unsuitable x or out.
        """
        name, x = self._known("transform", x)
        with np.errstate(all="ignore"):
            factor = None if self.scale_ is None else 1 / self.scale_.ravel()
        return self._applied(name, x, out, mean=self.mean_.ravel() if self.center else None, factor=factor)

    def inverse_transform(self, x: ArrayLike, out: Out = None) -> np.ndarray:
        """Find what `transform` made x of.

        Parameters
        ----------
        x : array_like
            Any number of transformed samples.
        out : ndarray, optional
            Receives the result; may be x itself.

        Returns
        -------
        ndarray
            Of x's shape and dtype (float64 for integers).

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As `transform`.
        """
        name, x = self._known("inverse_transform", x)
        factor = None if self.scale_ is None else self.scale_.ravel()
        return self._applied(name, x, out, factor=factor, shift=self.mean_.ravel() if self.center else None)

    def _applied(self, name: str, x: np.ndarray, out: Any, **numbers: np.ndarray | None) -> np.ndarray:
        target = None if out is None else check.output(name, out, x.shape, x.dtype)
        view, axis = self._arranged(x)
        direct = target is not None and target.flags.c_contiguous
        y = affine(view, self._arranged(np.asarray(target))[0] if direct else None, axis, **numbers)
        return delivered(y.reshape(x.shape), target)

    def _arranged(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        """x as an array with an axis along which each index has statistics of its own."""
        return matrix(x), 1

    def _check_parameters(self, name: str, features: int) -> None:
        flag(name, "center", self.center)
        flag(name, "scale", self.scale)
        check.number(name, "eps", self.eps, low=0)

    def _moments_of(self, name: str, x: np.ndarray) -> BatchStats:
        return batch_norm_stats(*self._arranged(x))

    def _merged(self, a: BatchStats, b: BatchStats) -> BatchStats:
        return merge_batch_stats(a, b)

    def _conclude(self) -> None:
        count, mean, m2 = self._moments
        self.mean_, self.var_, self.scale_ = mean.reshape(self._shape), (m2 / count).reshape(self._shape), None
        if self.scale:
            self.scale_ = np.where(self.var_ == 0, 1.0, np.sqrt(self.var_ + self.eps))


@dataclass(eq=False)
class Standardizer(Scaler):
    """Zero mean and unit variance for each feature: ``(x - mean_) / scale_``.

    Parameters
    ----------
    center : bool
        Whether to subtract the mean.
    scale : bool
        Whether to divide by the standard deviation, ``sqrt(var + eps)``.
    eps : float
        Added to the variance, >= 0. A constant feature is divided by 1, whatever eps is.

    Attributes
    ----------
    mean_, var_ : ndarray of float64
        Mean and (biased, over n) variance of each feature, of the shape of one sample.
    scale_ : ndarray of float64 or None
        What `transform` divides by; None without `scale`.
    n_samples_seen_, n_features_in_ : int
        Samples learnt from, and features of each.

    Raises
    ------
    ValueError, TypeError
        A parameter that cannot be: when it is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.preprocess import Standardizer
    >>> standardizer = Standardizer().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> standardizer.transform(np.array([[4.0, 6.0]])).tolist()
    [[2.0, 1.0]]
    """

    center: bool = True
    scale: bool = True
    eps: float = 0.0


@dataclass(eq=False)
class MeanImage(Scaler):
    """Subtract the mean image: the mean over all training samples of every pixel and channel.

    Attributes
    ----------
    mean_, var_ : ndarray of float64
        Mean and variance of each pixel and channel, of the shape of one sample.
    n_samples_seen_, n_features_in_ : int
        Samples learnt from, and numbers in each.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.preprocess import MeanImage
    >>> images = np.arange(8.0).reshape(2, 2, 2)
    >>> MeanImage().fit_transform(images)[0].tolist()
    [[-2.0, -2.0], [-2.0, -2.0]]
    """


@dataclass(eq=False)
class ChannelMean(Scaler):
    """Subtract each channel's mean over all samples and pixels; with `scale` divide by its standard deviation too.

    Parameters
    ----------
    scale : bool
        Whether to divide by the standard deviation.
    axis : int
        The channels' axis: 1 for channels first, -1 for channels last. The other axes may differ between calls.

    Attributes
    ----------
    mean_, var_ : ndarray of float64, of shape (C,)
        Mean and (biased) variance of each channel.
    scale_ : ndarray of float64 or None
        What `transform` divides by, 1 for a constant channel; None without `scale`.
    n_samples_seen_, n_features_in_ : int
        Samples learnt from, and channels.

    Raises
    ------
    ValueError, TypeError
        A parameter that cannot be: when it is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.preprocess import ChannelMean
    >>> ChannelMean(axis=-1).fit(np.array([[[1.0, 10.0], [3.0, 30.0]]])).mean_.tolist()
    [2.0, 20.0]
    """

    scale: bool = False
    axis: int = 1

    def _arranged(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        return x, self.axis % x.ndim

    def _feature_shape(self, name: str, x: np.ndarray) -> tuple[int, ...]:
        axis = check.axis_of(name, self.axis, x)
        if axis == 0:
            raise ValueError(f"{name}: axis is {self.axis}, which the samples lie along, expected the channels' axis")
        return (x.shape[axis],)
