"""The reference transformers and `to_float`: plain NumPy float64.

`partial_fit` keeps all batches and learns from them together; principal directions are singular vectors of the data,
where the transformers take eigenvectors of the covariance.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np


class _Transformer(ABC):
    """Base: learning from all samples together."""

    _seen = None

    @abstractmethod
    def _learn(self, x):
        """Set the attributes from all samples."""

    def fit(self, x, y=None):
        self._seen = None
        return self.partial_fit(x)

    def partial_fit(self, x, y=None):
        x = np.asarray(x, np.float64)
        self._seen = x if self._seen is None else np.concatenate([self._seen, x])
        self.n_samples_seen_ = len(self._seen)
        self._learn(self._seen)
        return self

    def fit_transform(self, x, y=None):
        return self.fit(x).transform(x)


class Standardizer(_Transformer):
    """(x - mean) / sqrt(var + eps) for each feature; constant features are divided by 1."""

    axes: Any = 0

    def __init__(self, center=True, scale=True, eps=0.0):
        self.center, self.scale, self.eps = center, scale, eps

    def _learn(self, x):
        self.mean_ = x.mean(self.axes, keepdims=True)
        self.var_ = ((x - self.mean_) ** 2).mean(self.axes, keepdims=True)
        constant = x.max(self.axes, keepdims=True) == x.min(self.axes, keepdims=True)
        self.scale_ = np.where(constant, 1, np.sqrt(self.var_ + self.eps))

    def transform(self, x):
        x = np.asarray(x, np.float64)
        return (x - self.mean_ * self.center) / (self.scale_ if self.scale else 1)

    def inverse_transform(self, x):
        x = np.asarray(x, np.float64)
        return x * (self.scale_ if self.scale else 1) + self.mean_ * self.center


class MeanImage(Standardizer):
    """x minus the mean of all samples."""

    def __init__(self):
        super().__init__(scale=False)


class ChannelMean(Standardizer):
    """x minus the mean of all samples and pixels of each channel, and divided by their deviation with `scale`."""

    def __init__(self, scale=False, axis=1):
        super().__init__(scale=scale)
        self.axis = axis

    def _learn(self, x):
        self.axes = tuple(k for k in range(x.ndim) if k != self.axis % x.ndim)
        super()._learn(x)


class PCA(_Transformer):
    """(x - mean) in the directions of the largest variance, each with its largest entry positive."""

    def __init__(self, n_components=None):
        self.n_components = n_components

    def _learn(self, x):
        self.shape = x.shape[1:]
        rows = x.reshape(len(x), -1)
        self.mean_ = rows.mean(0)
        _, singular, directions = np.linalg.svd(rows - self.mean_, full_matrices=False)
        signs = np.sign(np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], 1))
        self.components_ = (directions * signs)[: self.n_components]
        self.singular_values_ = singular[: self.n_components]
        self.explained_variance_ = self.singular_values_**2 / max(len(x) - 1, 1)
        self.explained_variance_ratio_ = self.singular_values_**2 / (singular**2).sum()

    def transform(self, x):
        return (np.asarray(x, np.float64).reshape(len(x), -1) - self.mean_) @ self.components_.T

    def inverse_transform(self, x):
        return (np.asarray(x, np.float64) @ self.components_ + self.mean_).reshape(-1, *self.shape)


class Whiten(PCA):
    """The principal components divided by sqrt(variance + eps), for "zca" turned back; more samples than features."""

    def __init__(self, kind="pca", eps=1e-5):
        super().__init__()
        self.kind, self.eps = kind, eps

    def _learn(self, x):
        super()._learn(x)
        self.explained_variance_ = self.singular_values_**2 / len(x)
        self.deviations = np.sqrt(self.explained_variance_ + self.eps)

    def transform(self, x):
        z = super().transform(x) / self.deviations
        return z if self.kind == "pca" else (z @ self.components_).reshape(np.shape(x))

    def inverse_transform(self, x):
        z = np.asarray(x, np.float64).reshape(len(x), -1)
        return super().inverse_transform((z if self.kind == "pca" else z @ self.components_.T) * self.deviations)


def to_float(images: Any, mean: Any = 0.0, std: Any = 1.0, *, layout: Any = "nhwc->nchw") -> Any:
    """(images / 255 - mean) / std per channel."""
    images, channels_first = np.asarray(images), layout == "nchw->nchw"
    column = (-1, 1, 1) if channels_first else (-1,)
    y = (images / 255 - np.reshape(mean, column)) / np.reshape(std, column)
    return np.moveaxis(y, -1, -3) if layout == "nhwc->nchw" else y
