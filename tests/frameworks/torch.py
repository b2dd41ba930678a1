"""torch 2.13: the decay enters the gradient, except where it is decoupled and shrinks the weights before the step."""

from functools import partial

import numpy as np
from numpy import abs, maximum, sign, sqrt

from .steps import rms, steps


def sgd(w, grads, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False):
    buf = None
    for _, g, lr_t in steps(grads, lr):
        g = (-g if maximize else g) + weight_decay * w
        if momentum:
            buf = g if buf is None else momentum * buf + (1 - dampening) * g
            g = g + momentum * buf if nesterov else buf
        w = w - lr_t * g
        yield w


def adagrad(w, grads, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10):
    total = initial_accumulator_value
    for t, g, lr_t in steps(grads, lr):
        g = g + weight_decay * w
        total = total + g**2
        w = w - lr_t / (1 + (t - 1) * lr_decay) * g / (sqrt(total) + eps)
        yield w


def rmsprop(w, grads, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False):
    square_avg = grad_avg = buf = 0
    for _, g, lr_t in steps(grads, lr):
        g = g + weight_decay * w
        square_avg = alpha * square_avg + (1 - alpha) * g**2
        grad_avg = grad_avg + (1 - alpha) * (g - grad_avg)
        avg = sqrt(square_avg - grad_avg**2 if centered else square_avg) + eps
        buf = momentum * buf + g / avg
        w = w - lr_t * buf
        yield w


def adadelta(w, grads, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0):
    square_avg = acc_delta = 0
    for _, g, lr_t in steps(grads, lr):
        g = g + weight_decay * w
        square_avg = rho * square_avg + (1 - rho) * g**2
        delta = sqrt(acc_delta + eps) / sqrt(square_avg + eps) * g
        acc_delta = rho * acc_delta + (1 - rho) * delta**2
        w = w - lr_t * delta
        yield w


def adam(w, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, decoupled_weight_decay=False):
    m = v = v_max = 0
    for t, g, lr_t in steps(grads, lr):
        if decoupled_weight_decay:
            w = w * (1 - lr_t * weight_decay)
        else:
            g = g + weight_decay * w
        m = m + (1 - betas[0]) * (g - m)
        v = betas[1] * v + (1 - betas[1]) * g**2
        v_max = maximum(v_max, v)
        denom = sqrt(v_max if amsgrad else v) / sqrt(1 - betas[1] ** t) + eps
        w = w - lr_t / (1 - betas[0] ** t) * m / denom
        yield w


adamw = partial(adam, weight_decay=1e-2, decoupled_weight_decay=True)


def adamax(w, grads, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
    m = u = 0
    for t, g, lr_t in steps(grads, lr):
        g = g + weight_decay * w
        m = m + (1 - betas[0]) * (g - m)
        u = maximum(betas[1] * u, abs(g) + eps)
        w = w - lr_t / (1 - betas[0] ** t) * m / u
        yield w


def nadam(
    w, grads, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3, decoupled_weight_decay=False
):
    m, v, product = 0, 0, 1
    for t, g, lr_t in steps(grads, lr):
        if decoupled_weight_decay:
            w = w * (1 - lr_t * weight_decay)
        else:
            g = g + weight_decay * w
        mu = betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = betas[0] * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product *= mu
        m = m + (1 - betas[0]) * (g - m)
        v = betas[1] * v + (1 - betas[1]) * g**2
        denom = sqrt(v / (1 - betas[1] ** t)) + eps
        w = w - lr_t * (1 - mu) / (1 - product) * g / denom
        w = w - lr_t * mu_next / (1 - product * mu_next) * m / denom
        yield w


def radam(w, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False):
    m = v = 0
    for t, g, lr_t in steps(grads, lr):
        if decoupled_weight_decay:
            w = w * (1 - lr_t * weight_decay)
        else:
            g = g + weight_decay * w
        m = m + (1 - betas[0]) * (g - m)
        v = betas[1] * v + (1 - betas[1]) * g**2
        correction = 1 - betas[1] ** t
        rho_inf = 2 / (1 - betas[1]) - 1
        rho = rho_inf - 2 * t * betas[1] ** t / correction
        update = m / (1 - betas[0] ** t)
        if rho > 5:
            rectify = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            update = update * sqrt(correction) / (sqrt(v) + eps) * rectify
        w = w - lr_t * update
        yield w


def adafactor(w, grads, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0):
    eps1 = np.finfo(np.float64).eps if eps[0] is None else eps[0]
    row = col = var = 0
    for t, g, lr_t in steps(grads, lr):
        alpha = max(eps[1], rms(w)) * min(lr_t, 1 / sqrt(t))
        w = w * (1 - lr_t * weight_decay)
        share = t**beta2_decay
        if g.ndim > 1:
            row = row + share * ((g**2).mean(-1, keepdims=True) - row)
            col = col + share * ((g**2).mean(-2, keepdims=True) - col)
            estimate = row @ col / maximum(row.mean(-2, keepdims=True), eps1)
        else:
            estimate = var = var + share * (g**2 - var)
        update = g / sqrt(maximum(estimate, eps1**2))
        w = w - alpha / max(1.0, rms(update) / d) * update
        yield w


def rprop(w, grads, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50)):
    prev, size = 0, lr
    for g in grads:
        agreement = sign(g * prev)
        factor = np.where(agreement > 0, etas[1], np.where(agreement < 0, etas[0], 1))
        size = np.clip(size * factor, *step_sizes)
        prev = np.where(agreement < 0, 0, g)
        w = w - sign(prev) * size
        yield w
