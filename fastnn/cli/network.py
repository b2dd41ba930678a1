"""The network of `fastnn train`: fully connected layers, each with a norm, an activation and dropout.

A hidden layer is ``h = dropout(activation(norm(h @ W)))``, the last one ``h @ W + b``.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastnn as fnn

from .stages import Affine, BatchNorm, Dropout, Elementwise, LayerNorm, Maxout, PRelu, RRelu, Stage

NORMS = ("batch", "layer", "none")
#: Activations that are not a fused function of x: they learn, draw or choose.
_STAGES: dict[str, Callable[[int], Stage]] = {
    "prelu": PRelu,
    "rrelu": lambda units: RRelu(),
    "maxout": lambda units: Maxout(_PIECES),
}
_PIECES = 2


def activations() -> list[str]:
    """What `Settings.activation` may be."""
    return [*fnn.activations.NAMES, "swish", "hard_silu", "maxout"]


@dataclass(frozen=True)
class Settings:
    """Everything that makes a network but its weights."""

    sizes: tuple[int, ...]
    activation: str = "relu"
    norm: str = "batch"
    dropout: float = 0.0
    init: str = "he_normal"
    l2: float = 0.0
    l1: float = 0.0


class Network:
    """Stages one after the other; `params` and gradients are lists of dicts, one a stage that learns.

    The loss is softmax cross-entropy plus ``l2 / 2 * sum(W**2) + l1 * sum(|W|)``, the latter's gradient being left to
    the optimiser (its weight_decay and l1).
    """

    def __init__(self, settings: Settings, rng: np.random.Generator):
        self.settings = settings
        self.stages: list[Stage] = []
        pieces = _PIECES if settings.activation == "maxout" else 1
        for k, (fan_in, units) in enumerate(itertools.pairwise(settings.sizes[:-1])):
            weights = getattr(fnn.init, settings.init)((fan_in, units * pieces), rng=rng)
            self.stages.append(Affine(weights, bias=settings.norm == "none", first=k == 0))
            self.stages += self._hidden(units * pieces)
        *_, fan_in, classes = settings.sizes
        last = fnn.init.lecun_normal((fan_in, classes), rng=rng)
        self.stages.append(Affine(last, bias=True, first=len(self.stages) == 0))

    def _hidden(self, units: int) -> Iterator[Stage]:
        """Norm, activation and dropout of a layer."""
        name, norm = self.settings.activation, {"batch": BatchNorm, "layer": LayerNorm}.get(self.settings.norm)
        apart = name in _STAGES or name == "threshold"
        if norm is not None:
            yield norm(units, None if apart else name)
        if name in _STAGES:
            yield _STAGES[name](units)
        elif name == "threshold":
            yield Elementwise(name, 1.0, 0.0)
        elif norm is None:
            yield Elementwise(name)
        if self.settings.dropout:
            yield Dropout(self.settings.dropout)

    def widen(self) -> None:
        """Compute in float64 from now on: for checks of gradients."""
        for stage in self.stages:
            stage.params |= {name: array.astype(np.float64) for name, array in stage.params.items()}
            if isinstance(stage, BatchNorm):
                stage.running = stage.running[0].astype(np.float64), stage.running[1].astype(np.float64)

    @property
    def params(self) -> list[dict[str, np.ndarray]]:
        return [stage.params for stage in self.stages if stage.params]

    @property
    def running(self) -> list[np.ndarray]:
        """What is kept beside the parameters: running statistics."""
        return [array for stage in self.stages if isinstance(stage, BatchNorm) for array in stage.running]

    def forward(self, images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Any]]:
        """(logits, caches for `backward`) in training."""
        h, caches = images, []
        for stage in self.stages:
            h, cache = stage.forward(h, rng)
            caches.append(cache)
        return h, caches

    def backward(self, dlogits: np.ndarray, caches: list[Any]) -> list[dict[str, np.ndarray]]:
        """Gradients of the parameters, from that of the loss with respect to the logits."""
        dh, found = dlogits, []
        for stage, cache in zip(reversed(self.stages), reversed(caches), strict=True):
            dh, grads = stage.backward(dh, cache)
            if grads:
                found.append(grads)
        return found[::-1]

    def loss_and_gradients(
        self, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, list[dict[str, np.ndarray]], np.ndarray]:
        """(data loss, its gradients, logits) in training."""
        logits, caches = self.forward(images, rng)
        loss, dlogits = fnn.softmax_cross_entropy(logits, labels)
        return float(loss), self.backward(dlogits, caches), logits

    def penalty(self) -> float:
        """The part of the loss that the weights alone make."""
        if not (self.settings.l2 or self.settings.l1):
            return 0.0
        weights = [layer["W"].astype(np.float64) for layer in self.params if "W" in layer]
        squares, sizes = sum(float((w * w).sum()) for w in weights), sum(float(abs(w).sum()) for w in weights)
        return 0.5 * self.settings.l2 * squares + self.settings.l1 * sizes

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Logits in use."""
        h = images
        for stage in self.stages:
            h = stage.predict(h)
        return h

    def activations(self, images: np.ndarray) -> list[np.ndarray]:
        """What every hidden layer gives, in use."""
        h, found = images, []
        for stage, following in itertools.pairwise(self.stages):
            h = stage.predict(h)
            if isinstance(following, Affine):
                found.append(h)
        return found

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of images whose largest logit is the label's."""
        return float(np.mean(self.predict(images).argmax(axis=1) == labels))
