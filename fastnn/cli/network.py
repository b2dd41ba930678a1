"""The network of `fastnn train`: fully connected layers with batch norm, an activation and dropout between them.

Matrix products are NumPy's; everything else is fastnn's. A hidden layer is

    h = dropout(activation(batch_norm(h @ W)))

without a bias, which batch norm's beta replaces, and the last one is ``h @ W + b``.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastnn as fnn


@dataclass(frozen=True, slots=True)
class _LayerCache:
    inputs: np.ndarray
    batch_norm: Any
    dropout: Any


class Network:
    """Weights in `params`, one dict a layer; gradients have the same structure."""

    def __init__(self, sizes: list[int], *, activation: str, dropout: float, rng: np.random.Generator):
        self.activation, self.dropout = activation, dropout
        self.params: list[dict[str, np.ndarray]] = []
        self.running: list[tuple[np.ndarray, np.ndarray]] = []
        for fan_in, units in itertools.pairwise(sizes[:-1]):
            weights = fnn.init.he_normal((fan_in, units), rng=rng)
            self.params.append({"W": weights, "gamma": np.ones(units, "f4"), "beta": np.zeros(units, "f4")})
            self.running.append((np.zeros(units, "f4"), np.ones(units, "f4")))
        last = fnn.init.lecun_normal((sizes[-2], sizes[-1]), rng=rng)
        self.params.append({"W": last, "b": np.zeros(sizes[-1], "f4")})

    def forward(self, images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[_LayerCache]]:
        """(logits, caches for `backward`) in training: batch statistics and dropout."""
        h, caches = images, []
        for layer, running in zip(self.params[:-1], self.running, strict=True):
            inputs = h
            h, batch_norm = fnn.batch_norm_forward(
                h @ layer["W"], layer["gamma"], layer["beta"], *running, activation=self.activation
            )
            dropout = None
            if self.dropout:
                h, dropout = fnn.dropout_forward(h, self.dropout, rng=rng, out=h)
            caches.append(_LayerCache(inputs, batch_norm, dropout))
        caches.append(_LayerCache(h, None, None))
        return h @ self.params[-1]["W"] + self.params[-1]["b"], caches

    def backward(self, dlogits: np.ndarray, caches: list[_LayerCache]) -> list[dict[str, np.ndarray]]:
        """Gradients of the parameters, from that of the loss with respect to the logits."""
        grads = [{"W": caches[-1].inputs.T @ dlogits, "b": dlogits.sum(axis=0)}]
        dh = dlogits
        for above, layer_cache in zip(reversed(self.params[1:]), reversed(caches[:-1]), strict=True):
            dh = dh @ above["W"].T
            if layer_cache.dropout is not None:
                dh = fnn.dropout_backward(dh, layer_cache.dropout, out=dh)
            dz, dgamma, dbeta = fnn.batch_norm_backward(dh, layer_cache.batch_norm, out=dh)
            grads.append({"W": layer_cache.inputs.T @ dz, "gamma": dgamma, "beta": dbeta})
            dh = dz
        return grads[::-1]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Logits in use: running statistics, no dropout."""
        h = images
        for layer, running in zip(self.params[:-1], self.running, strict=True):
            h = fnn.batch_norm_inference(
                h @ layer["W"], layer["gamma"], layer["beta"], *running, activation=self.activation
            )
        return h @ self.params[-1]["W"] + self.params[-1]["b"]

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of images whose largest logit is the label's."""
        return float(np.mean(self.predict(images).argmax(axis=1) == labels))
