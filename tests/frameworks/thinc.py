"""thinc 9.1: each gradient is clipped by its own norm, and the weights decay once they are updated."""

from numpy import sqrt

from .steps import norm, steps


def clipped(gradient, threshold):
    length = norm(gradient)
    return gradient * (threshold / length) if threshold and length >= threshold else gradient


def sgd(w, grads, learn_rate, L2=0.0, grad_clip=1.0):
    for _, g, lr in steps(grads, learn_rate):
        w = w - lr * clipped(g, grad_clip)
        w = w - lr * L2 * w
        yield w


def adam(w, grads, learn_rate=0.001, L2=0.0, beta1=0.9, beta2=0.999, eps=1e-8, grad_clip=1.0):
    mom1 = mom2 = 0
    for t, g, lr in steps(grads, learn_rate):
        g = clipped(g, grad_clip)
        mom1 = mom1 * beta1 + g * (1 - beta1)
        mom2 = mom2 * beta2 + g**2 * (1 - beta2)
        w = w - lr * sqrt(1 - beta2**t) / (1 - beta1**t) * (mom1 / (sqrt(mom2) + eps))
        w = w - lr * L2 * w
        yield w


def radam(w, grads, learn_rate=0.001, L2=0.0, beta1=0.9, beta2=0.999, eps=1e-8, grad_clip=1.0):
    mom1 = mom2 = 0
    for t, g, lr in steps(grads, learn_rate):
        g = clipped(g, grad_clip)
        mom1 = mom1 * beta1 + g * (1 - beta1)
        mom2 = mom2 * beta2 + g**2 * (1 - beta2)
        step = t + 1  # thinc counts the update before it reads the count, and then once more
        n_max = 2 / (1 - beta2) - 1
        n = n_max - 2 * step * beta2**step / (1 - beta2**step)
        if n >= 5:
            factor = sqrt((1 - beta2**step) * (n - 4) / (n_max - 4) * (n - 2) / n * n_max / (n_max - 2))
            w = w - lr * factor / (1 - beta1**step) * (mom1 / (sqrt(mom2) + eps))
        else:
            w = w - lr / (1 - beta1**step) * mom1
        w = w - lr * L2 * w
        yield w


def averages(weights):
    """The moving averages of the weights after each step, which begin at 0."""
    average = 0
    for t, w in enumerate(weights, start=1):
        decay = min((1 + t) / (10 + t), 0.9999)
        average = average - (1 - decay) * (average - w)
        yield average
