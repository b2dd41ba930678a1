"""What the cs231n assignments ask students to write: layers and update rules in vectorised NumPy, from the formulas.

The names and signatures are those of `fastnn.compat.cs231n.layers` and `.optim`; float64 unless the arrays say
otherwise. Convolution and pooling go over the positions of their windows.
"""

import numpy as np


def affine_forward(x, w, b):
    return x.reshape(len(x), -1).dot(w) + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    return dout.dot(w.T).reshape(x.shape), x.reshape(len(x), -1).T.dot(dout), dout.sum(axis=0)


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    return dout * (cache > 0)


def softmax_loss(x, y):
    samples = np.arange(len(x))
    shifted = x - x.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dx = np.exp(log_probs)
    dx[samples, y] -= 1
    return -log_probs[samples, y].sum() / len(x), dx / len(x)


def svm_loss(x, y):
    samples = np.arange(len(x))
    margins = np.maximum(0, x - x[samples, y][:, None] + 1.0)
    margins[samples, y] = 0
    dx = (margins > 0).astype(x.dtype)
    dx[samples, y] -= dx.sum(axis=1)
    return margins.sum() / len(x), dx / len(x)


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    running_mean = bn_param.get("running_mean", np.zeros(x.shape[1], x.dtype))
    running_var = bn_param.get("running_var", np.zeros(x.shape[1], x.dtype))
    cache = None
    if bn_param["mode"] == "train":
        mean, var = x.mean(axis=0), x.var(axis=0)
        std = np.sqrt(var + eps)
        x_hat = (x - mean) / std
        out, cache = gamma * x_hat + beta, (x_hat, gamma, std)
        running_mean = momentum * running_mean + (1 - momentum) * mean
        running_var = momentum * running_var + (1 - momentum) * var
    else:
        out = gamma * (x - running_mean) / np.sqrt(running_var + eps) + beta
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return out, cache


def batchnorm_backward(dout, cache):
    x_hat, gamma, std = cache
    dgamma, dbeta = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
    dx = gamma / (len(dout) * std) * (len(dout) * dout - x_hat * dgamma - dbeta)
    return dx, dgamma, dbeta


batchnorm_backward_alt = batchnorm_backward


def layernorm_forward(x, gamma, beta, ln_param):
    mean, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    std = np.sqrt(var + ln_param.get("eps", 1e-5))
    x_hat = (x - mean) / std
    return gamma * x_hat + beta, (x_hat, gamma, std)


def layernorm_backward(dout, cache):
    x_hat, gamma, std = cache
    h = dout * gamma
    dx = (h - h.mean(axis=1, keepdims=True) - x_hat * (h * x_hat).mean(axis=1, keepdims=True)) / std
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


def dropout_forward(x, dropout_param):
    p, mask = dropout_param["p"], None
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])  # noqa: NPY002 (as the course does)
    if dropout_param["mode"] == "test":
        return x, (dropout_param, mask)
    mask = ((np.random.rand(*x.shape) < p) / p).astype(x.dtype)  # noqa: NPY002
    return x * mask, (dropout_param, mask)


def dropout_backward(dout, cache):
    dropout_param, mask = cache
    return dout * mask if dropout_param["mode"] == "train" else dout


def _windows(x, height, width, stride):
    """((row, column) of the result, that window of x) for each."""
    for i in range(1 + (x.shape[2] - height) // stride):
        for j in range(1 + (x.shape[3] - width) // stride):
            yield (i, j), x[:, :, i * stride : i * stride + height, j * stride : j * stride + width]


def _padded(x, pad):
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))


def conv_forward_naive(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    rows, columns = (1 + (n + 2 * pad - k) // stride for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
    out = np.zeros((len(x), len(w), rows, columns), np.result_type(x, w, b))
    for (i, j), window in _windows(_padded(x, pad), *w.shape[2:], stride):
        out[:, :, i, j] = np.tensordot(window, w, ([1, 2, 3], [1, 2, 3])) + b
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, _, conv_param = cache
    stride, pad = conv_param["stride"], conv_param["pad"]
    padded, dw = _padded(x, pad), np.zeros_like(w)
    dx = np.zeros_like(padded)
    places = zip(_windows(padded, *w.shape[2:], stride), _windows(dx, *w.shape[2:], stride), strict=True)
    for ((i, j), window), (_, of_window) in places:
        dw += np.tensordot(dout[:, :, i, j], window, ([0], [0]))
        of_window += np.tensordot(dout[:, :, i, j], w, ([1], [0]))
    return dx[:, :, pad : pad + x.shape[2], pad : pad + x.shape[3]], dw, dout.sum(axis=(0, 2, 3))


def max_pool_forward_naive(x, pool_param):
    height, width, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    rows, columns = 1 + (x.shape[2] - height) // stride, 1 + (x.shape[3] - width) // stride
    out = np.zeros((*x.shape[:2], rows, columns), x.dtype)
    for (i, j), window in _windows(x, height, width, stride):
        out[:, :, i, j] = window.max(axis=(2, 3))
    return out, (x, pool_param)


def max_pool_backward_naive(dout, cache):
    """The gradient goes to the first maximum of a window."""
    x, pool_param = cache
    height, width, stride = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    n, c = np.ogrid[: x.shape[0], : x.shape[1]]
    for (i, j), window in _windows(x, height, width, stride):
        row, column = np.divmod(window.reshape(*x.shape[:2], -1).argmax(axis=2), width)
        dx[n, c, i * stride + row, j * stride + column] += dout[:, :, i, j]
    return dx


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    n, c, h, w = x.shape
    out, cache = batchnorm_forward(x.transpose(0, 2, 3, 1).reshape(-1, c), gamma, beta, bn_param)
    return out.reshape(n, h, w, c).transpose(0, 3, 1, 2), cache


def spatial_batchnorm_backward(dout, cache):
    n, c, h, w = dout.shape
    dx, dgamma, dbeta = batchnorm_backward(dout.transpose(0, 2, 3, 1).reshape(-1, c), cache)
    return dx.reshape(n, h, w, c).transpose(0, 3, 1, 2), dgamma, dbeta


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    n, c, h, w = x.shape
    groups = x.reshape(n, G, c // G * h * w)
    std = np.sqrt(groups.var(axis=2, keepdims=True) + gn_param.get("eps", 1e-5))
    x_hat = ((groups - groups.mean(axis=2, keepdims=True)) / std).reshape(x.shape)
    return gamma * x_hat + beta, (x_hat, gamma, std)


def spatial_groupnorm_backward(dout, cache):
    x_hat, gamma, std = cache
    h, v = (dout * gamma).reshape(*std.shape[:2], -1), x_hat.reshape(*std.shape[:2], -1)
    dx = (h - h.mean(axis=2, keepdims=True) - v * (h * v).mean(axis=2, keepdims=True)) / std
    sums = (dout * x_hat).sum(axis=(0, 2, 3), keepdims=True), dout.sum(axis=(0, 2, 3), keepdims=True)
    return dx.reshape(dout.shape), *sums


def _then_relu(forward):
    """A layer with a ReLU after it: (its forward, its backward) in terms of the layer's forward."""

    def composed(*arguments):
        out, cache = forward(*arguments)
        out, relu_cache = relu_forward(out)
        return out, (cache, relu_cache)

    return composed


affine_relu_forward, conv_relu_forward = _then_relu(affine_forward), _then_relu(conv_forward_naive)


def affine_relu_backward(dout, cache):
    return affine_backward(relu_backward(dout, cache[1]), cache[0])


def conv_relu_backward(dout, cache):
    return conv_backward_naive(relu_backward(dout, cache[1]), cache[0])


def affine_bn_relu_forward(x, w, b, gamma, beta, bn_param):
    a, affine_cache = affine_forward(x, w, b)
    out, norm_cache = batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(out)
    return out, (affine_cache, norm_cache, relu_cache)


def affine_bn_relu_backward(dout, cache):
    affine_cache, norm_cache, relu_cache = cache
    da, dgamma, dbeta = batchnorm_backward(relu_backward(dout, relu_cache), norm_cache)
    return *affine_backward(da, affine_cache), dgamma, dbeta


def conv_bn_relu_forward(x, w, b, gamma, beta, conv_param, bn_param):
    a, conv_cache = conv_forward_naive(x, w, b, conv_param)
    out, norm_cache = spatial_batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(out)
    return out, (conv_cache, norm_cache, relu_cache)


def conv_bn_relu_backward(dout, cache):
    conv_cache, norm_cache, relu_cache = cache
    da, dgamma, dbeta = spatial_batchnorm_backward(relu_backward(dout, relu_cache), norm_cache)
    return *conv_backward_naive(da, conv_cache), dgamma, dbeta


def conv_relu_pool_forward(x, w, b, conv_param, pool_param):
    out, cache = conv_relu_forward(x, w, b, conv_param)
    out, pool_cache = max_pool_forward_naive(out, pool_param)
    return out, (cache, pool_cache)


def conv_relu_pool_backward(dout, cache):
    return conv_relu_backward(max_pool_backward_naive(dout, cache[1]), cache[0])


def _with_defaults(config, **defaults):
    config = {} if config is None else config
    for key, value in defaults.items():
        config.setdefault(key, value)
    return config


def sgd(w, dw, config=None):
    config = _with_defaults(config, learning_rate=1e-2)
    return w - config["learning_rate"] * dw, config


def sgd_momentum(w, dw, config=None):
    config = _with_defaults(config, learning_rate=1e-2, momentum=0.9)
    velocity = config.get("velocity", np.zeros_like(w))
    config["velocity"] = config["momentum"] * velocity - config["learning_rate"] * dw
    return w + config["velocity"], config


def rmsprop(w, dw, config=None):
    config = _with_defaults(config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8, cache=np.zeros_like(w))
    config["cache"] = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2
    return w - config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"]), config


def adam(w, dw, config=None):
    config = _with_defaults(
        config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, m=np.zeros_like(w), v=np.zeros_like(w), t=0
    )
    config["t"] += 1
    config["m"] = config["beta1"] * config["m"] + (1 - config["beta1"]) * dw
    config["v"] = config["beta2"] * config["v"] + (1 - config["beta2"]) * dw**2
    m_hat = config["m"] / (1 - config["beta1"] ** config["t"])
    v_hat = config["v"] / (1 - config["beta2"] ** config["t"])
    return w - config["learning_rate"] * m_hat / (np.sqrt(v_hat) + config["epsilon"]), config
