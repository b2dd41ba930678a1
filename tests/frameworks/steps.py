"""What the rules of all systems need."""

from numpy import sqrt


def steps(grads, lr):
    """(t from 1, gradient, learning rate) of every step; lr may be a function of the step from 0."""
    for t, g in enumerate(grads, start=1):
        yield t, g, lr(t - 1) if callable(lr) else lr


def norm(x):
    return sqrt((x**2).sum())


def rms(x):
    return sqrt((x**2).mean())
