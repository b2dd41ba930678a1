"""cs231n: sgd, rmsprop and adam of the assignments, Nesterov momentum and Adagrad of the notes.

reg is the strength of the penalty 1/2 reg w^2, whose gradient the assignments add to that of the data.
"""

from numpy import sqrt

from .steps import steps


def sgd(w, grads, learning_rate=1e-2, momentum=0.0, nesterov=False, reg=0.0):
    v = 0
    for _, dw, lr in steps(grads, learning_rate):
        v_prev, v = v, momentum * v - lr * (dw + reg * w)
        w = w + (-momentum * v_prev + (1 + momentum) * v if nesterov else v)
        yield w


def adagrad(w, grads, learning_rate=1e-2, epsilon=1e-8):
    cache = 0
    for _, dw, lr in steps(grads, learning_rate):
        cache = cache + dw**2
        w = w - lr * dw / (sqrt(cache) + epsilon)
        yield w


def rmsprop(w, grads, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8, reg=0.0):
    cache = 0
    for _, dw, lr in steps(grads, learning_rate):
        dw = dw + reg * w
        cache = decay_rate * cache + (1 - decay_rate) * dw**2
        w = w - lr * dw / (sqrt(cache) + epsilon)
        yield w


def adam(w, grads, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, reg=0.0):
    m = v = 0
    for t, dw, lr in steps(grads, learning_rate):
        dw = dw + reg * w
        m = beta1 * m + (1 - beta1) * dw
        v = beta2 * v + (1 - beta2) * dw**2
        w = w - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)
        yield w
