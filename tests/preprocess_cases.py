"""The transformers that every test of fastnn.preprocess is for, and data for them."""

import numpy as np
import pytest

from fastnn.preprocess import PCA, ChannelMean, MeanImage, Standardizer, Whiten

#: (class, parameters to test it with)
SCALERS = [
    (Standardizer, {}),
    (Standardizer, {"center": False}),
    (Standardizer, {"scale": False}),
    (Standardizer, {"eps": 0.5}),
    (MeanImage, {}),
    (ChannelMean, {}),
    (ChannelMean, {"scale": True, "axis": -1}),
]
PROJECTIONS = [
    (PCA, {}),
    (PCA, {"n_components": 3}),
    (Whiten, {}),
    (Whiten, {"eps": 0}),
    (Whiten, {"kind": "zca", "eps": 0.1}),
]
EVERY = pytest.mark.parametrize(("kind", "parameters"), SCALERS + PROJECTIONS)


def data(shape=(50, 6), seed=0, offset=10.0, dtype="f8"):
    """Correlated features of different scales, far from 0 compared to some of them."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape) * np.linspace(0.5, 4, shape[-1])
    x[..., 0] += 2 * x[..., -1]
    return (x + offset).astype(dtype)
