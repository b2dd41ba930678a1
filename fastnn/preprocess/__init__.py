"""Preparing data for a network: statistics learnt from the training set and applied to every other.

Transformers follow scikit-learn: `fit`, `partial_fit`, `transform`, `inverse_transform`, learnt attributes that end in
an underscore, `get_params` and `set_params`; they work in its pipelines, and without it. Fit them on the training
images alone and transform validation and test images by the same statistics:

    standardizer = Standardizer().fit(train)
    train, test = standardizer.transform(train), standardizer.transform(test)

Samples lie along the first axis. What is learnt is float64, whatever the dtype of the data, and batches given to
`partial_fit` one after the other come to the same as all of them given to `fit`, up to rounding.
"""

from ._base import NotFittedError, Transformer
from .images import to_float
from .projections import PCA, Whiten
from .scalers import ChannelMean, MeanImage, Standardizer

__all__ = ["PCA", "ChannelMean", "MeanImage", "NotFittedError", "Standardizer", "Transformer", "Whiten", "to_float"]
