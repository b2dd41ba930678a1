"""The assignments' networks and the loop that trains them, over any module with the course's layers."""

from itertools import pairwise

import numpy as np


class FullyConnectedNet:
    """{affine - [batch or layer norm] - relu - [dropout]} x L - affine - softmax.

    Parameters
    ----------
    layers : module
        With the course's layers: `fastnn.compat.cs231n.layers`, or what it is compared with.
    shape : tuple of int
        Of one sample.
    norm : {None, "batchnorm", "layernorm"}
    keep : float
        The probability that dropout keeps a value.
    reg : float
        Strength of the penalty ``1/2 reg w^2``.
    """

    def __init__(self, layers, shape, hidden=(20, 15), norm="batchnorm", keep=1.0, reg=0.0, classes=10, dtype="f8"):
        rng = np.random.default_rng(1)
        self.layers, self.norm, self.reg, self.depth = layers, norm, reg, len(hidden)
        self.dropout_param = {"mode": "train", "p": keep} if keep < 1 else None
        self.norm_params = [{"mode": "train"} for _ in hidden]
        self.params = {}
        sizes = [int(np.prod(shape)), *hidden, classes]
        for k, (inputs, outputs) in enumerate(pairwise(sizes), 1):
            self.params[f"W{k}"] = (rng.standard_normal((inputs, outputs)) * np.sqrt(2 / inputs)).astype(dtype)
            self.params[f"b{k}"] = np.zeros(outputs, dtype)
            if norm and k <= self.depth:
                self.params[f"gamma{k}"], self.params[f"beta{k}"] = np.ones(outputs, dtype), np.zeros(outputs, dtype)

    def _block_forward(self, x, k):
        layers, params = self.layers, self.params
        w, b = params[f"W{k}"], params[f"b{k}"]
        if self.norm is None:
            out, cache = layers.affine_relu_forward(x, w, b)
        elif self.norm == "batchnorm":
            given = params[f"gamma{k}"], params[f"beta{k}"], self.norm_params[k - 1]
            out, cache = layers.affine_bn_relu_forward(x, w, b, *given)
        else:
            out, affine_cache = layers.affine_forward(x, w, b)
            out, norm_cache = layers.layernorm_forward(out, params[f"gamma{k}"], params[f"beta{k}"], {})
            out, relu_cache = layers.relu_forward(out)
            cache = affine_cache, norm_cache, relu_cache
        dropout_cache = None
        if self.dropout_param:
            out, dropout_cache = layers.dropout_forward(out, self.dropout_param)
        return out, (cache, dropout_cache)

    def _block_backward(self, dout, k, caches):
        layers, (cache, dropout_cache) = self.layers, caches
        if dropout_cache:
            dout = layers.dropout_backward(dout, dropout_cache)
        names = ["W", "b"] if self.norm is None else ["W", "b", "gamma", "beta"]
        if self.norm is None:
            dx, *gradients = layers.affine_relu_backward(dout, cache)
        elif self.norm == "batchnorm":
            dx, *gradients = layers.affine_bn_relu_backward(dout, cache)
        else:
            affine_cache, norm_cache, relu_cache = cache
            dout, dgamma, dbeta = layers.layernorm_backward(layers.relu_backward(dout, relu_cache), norm_cache)
            dx, *gradients = *layers.affine_backward(dout, affine_cache), dgamma, dbeta
        return dx, {f"{name}{k}": gradient for name, gradient in zip(names, gradients, strict=True)}

    def loss(self, x, y=None):
        """(loss, gradients), or the scores without labels."""
        for param in (*self.norm_params, *([self.dropout_param] if self.dropout_param else [])):
            param["mode"] = "test" if y is None else "train"
        layers, last, caches = self.layers, self.depth + 1, []
        for k in range(1, last):
            x, cache = self._block_forward(x, k)
            caches.append(cache)
        scores, cache = layers.affine_forward(x, self.params[f"W{last}"], self.params[f"b{last}"])
        if y is None:
            return scores
        loss, dout = layers.softmax_loss(scores, y)
        grads = {}
        dout, grads[f"W{last}"], grads[f"b{last}"] = layers.affine_backward(dout, cache)
        for k in range(self.depth, 0, -1):
            dout, gradients = self._block_backward(dout, k, caches[k - 1])
            grads.update(gradients)
        for k in range(1, last + 1 if self.reg else 0):
            w = self.params[f"W{k}"]
            loss += 0.5 * self.reg * np.sum(w * w)
            grads[f"W{k}"] += self.reg * w
        return loss, grads


class ConvNet:
    """conv - batch norm - relu - conv - relu - 2 x 2 max pool - affine - softmax."""

    conv_param, pool_param = {"stride": 1, "pad": 1}, {"pool_height": 2, "pool_width": 2, "stride": 2}

    def __init__(self, layers, shape, filters=4, classes=10, dtype="f8"):
        rng = np.random.default_rng(1)
        channels, height, width = shape
        self.layers, self.bn_param = layers, {"mode": "train"}
        inputs = filters * (height // 2) * (width // 2)
        self.params = {
            "W1": rng.standard_normal((filters, channels, 3, 3)) * np.sqrt(2 / (channels * 9)),
            "b1": np.zeros(filters),
            "gamma": np.ones(filters),
            "beta": np.zeros(filters),
            "W2": rng.standard_normal((filters, filters, 3, 3)) * np.sqrt(2 / (filters * 9)),
            "b2": np.zeros(filters),
            "W3": rng.standard_normal((inputs, classes)) * np.sqrt(1 / inputs),
            "b3": np.zeros(classes),
        }
        self.params = {name: value.astype(dtype) for name, value in self.params.items()}

    def loss(self, x, y=None):
        """(loss, gradients), or the scores without labels."""
        p, layers = self.params, self.layers
        self.bn_param["mode"] = "test" if y is None else "train"
        first = p["W1"], p["b1"], p["gamma"], p["beta"], self.conv_param, self.bn_param
        out, cache1 = layers.conv_bn_relu_forward(x, *first)
        out, cache2 = layers.conv_relu_pool_forward(out, p["W2"], p["b2"], self.conv_param, self.pool_param)
        scores, cache3 = layers.affine_forward(out, p["W3"], p["b3"])
        if y is None:
            return scores
        loss, dout = layers.softmax_loss(scores, y)
        grads = {}
        dout, grads["W3"], grads["b3"] = layers.affine_backward(dout, cache3)
        dout, grads["W2"], grads["b2"] = layers.conv_relu_pool_backward(dout, cache2)
        _, *gradients = layers.conv_bn_relu_backward(dout, cache1)
        grads.update(zip(("W1", "b1", "gamma", "beta"), gradients, strict=True))
        return loss, grads


def steps(model, rule, config, x, y, batch, rng):
    """The losses of an endless training, batch after batch drawn from the samples, as the course's Solver does it."""
    configs = {name: dict(config) for name in model.params}
    while True:
        chosen = rng.choice(len(x), batch)
        loss, grads = model.loss(x[chosen], y[chosen])
        for name, w in model.params.items():
            model.params[name], configs[name] = rule(w, grads[name], configs[name])
        yield loss


def train(model, rule, config, x, y, batch, epochs):
    """The losses of some epochs."""
    training = steps(model, rule, config, x, y, batch, np.random.default_rng(2))
    return [next(training) for _ in range(epochs * (len(x) // batch))]
