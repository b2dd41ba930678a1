"""What the network of `fastnn train` is made of. Matrix products are NumPy's, everything else is fastnn's.

A stage has `params`, a dict of the arrays that it learns, and

    forward(h, rng) -> (y, cache)      in training: batch statistics, dropout
    predict(h) -> y                    in use: running statistics, no dropout
    backward(dy, cache) -> (dh, grads of params)
"""

from typing import Any, Protocol

import numpy as np

import fastnn as fnn


class Stage(Protocol):
    """See the text above."""

    params: dict[str, np.ndarray]

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]: ...

    def predict(self, h: np.ndarray) -> np.ndarray: ...

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]: ...


class Affine:
    """``h @ W + b``, or without b where a norm's beta follows. The first of a network has no use for dh."""

    def __init__(self, weights: np.ndarray, *, bias: bool, first: bool = False):
        self.first = first
        self.params = {"W": weights}
        if bias:
            self.params["b"] = np.zeros(weights.shape[1], weights.dtype)

    def predict(self, h: np.ndarray) -> np.ndarray:
        z = h @ self.params["W"]
        if "b" in self.params:
            z += self.params["b"]
        return z

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self.predict(h), h

    def backward(self, dz: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        grads = {"W": h.T @ dz}
        if "b" in self.params:
            grads["b"] = dz.sum(axis=0)
        return dz if self.first else dz @ self.params["W"].T, grads


class _Norm:
    def __init__(self, units: int, activation: Any):
        self.activation = activation
        self.params = {"gamma": np.ones(units, np.float32), "beta": np.zeros(units, np.float32)}


class BatchNorm(_Norm):
    """Batch norm with an activation fused in."""

    def __init__(self, units: int, activation: Any = None):
        super().__init__(units, activation)
        self.running = np.zeros(units, np.float32), np.ones(units, np.float32)

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        gamma, beta = self.params["gamma"], self.params["beta"]
        return fnn.batch_norm_forward(h, gamma, beta, *self.running, activation=self.activation)

    def predict(self, h: np.ndarray) -> np.ndarray:
        gamma, beta = self.params["gamma"], self.params["beta"]
        return fnn.batch_norm_inference(h, gamma, beta, *self.running, activation=self.activation)

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, Any]]:
        dh, dgamma, dbeta = fnn.batch_norm_backward(dy, cache, out=dy)
        return dh, {"gamma": dgamma, "beta": dbeta}


class LayerNorm(_Norm):
    """Layer norm with an activation fused in."""

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        return fnn.layer_norm_forward(h, self.params["gamma"], self.params["beta"], activation=self.activation)

    def predict(self, h: np.ndarray) -> np.ndarray:
        return fnn.layer_norm_forward(h, self.params["gamma"], self.params["beta"], activation=self.activation)[0]

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, Any]]:
        dh, dgamma, dbeta = fnn.layer_norm_backward(dy, cache)
        return dh, {"gamma": dgamma, "beta": dbeta}


class Elementwise:
    """An activation of x alone, with its further parameters if it has any."""

    def __init__(self, name: str, *parameters: float):
        self.f, self.f_backward = getattr(fnn, name), getattr(fnn, f"{name}_backward")
        self.parameters = parameters
        self.params: dict[str, np.ndarray] = {}

    def predict(self, h: np.ndarray) -> np.ndarray:
        return self.f(h, *self.parameters)

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self.predict(h), h

    def backward(self, dy: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self.f_backward(dy, h, *self.parameters), {}


class PRelu:
    """A learned slope a unit."""

    def __init__(self, units: int):
        self.params = {"alpha": np.full(units, 0.25, np.float32)}

    def predict(self, h: np.ndarray) -> np.ndarray:
        return fnn.prelu(h, self.params["alpha"])

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self.predict(h), h

    def backward(self, dy: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        dh, dalpha = fnn.prelu_backward(dy, h, self.params["alpha"])
        return dh, {"alpha": dalpha}


class RRelu:
    """Slopes drawn in training, their mean in use."""

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}

    def predict(self, h: np.ndarray) -> np.ndarray:
        return fnn.rrelu(h)

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        return fnn.rrelu_forward(h, rng=rng)

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return fnn.rrelu_backward(dy, cache), {}


class Maxout:
    """The largest of every `pieces` neighbouring units."""

    def __init__(self, pieces: int):
        self.pieces = pieces
        self.params: dict[str, np.ndarray] = {}

    def predict(self, h: np.ndarray) -> np.ndarray:
        return fnn.maxout(h, self.pieces)[0]

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return fnn.maxout(h, self.pieces)

    def backward(self, dy: np.ndarray, winner: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return fnn.maxout_backward(dy, winner, self.pieces), {}


class Dropout:
    """Inverted dropout, in place: its input is nobody else's."""

    def __init__(self, p: float):
        self.p = p
        self.params: dict[str, np.ndarray] = {}

    def predict(self, h: np.ndarray) -> np.ndarray:
        return h

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        return fnn.dropout_forward(h, self.p, rng=rng, out=h)

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return fnn.dropout_backward(dy, cache, out=dy), {}
