"""Keras 3.15: every optimizer shrinks the weights by learning_rate * weight_decay before its update."""

from functools import partial

from numpy import abs, maximum, sign, sqrt

from .steps import norm, rms, steps


def sgd(w, grads, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0):
    m = 0
    for _, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        m = m * momentum - g * lr
        w = w + (m * momentum - g * lr if nesterov else m)
        yield w


def adagrad(w, grads, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, weight_decay=0):
    accumulator = initial_accumulator_value
    for _, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        accumulator = accumulator + g**2
        w = w - lr * g / sqrt(accumulator + epsilon)
        yield w


def rmsprop(w, grads, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, weight_decay=0):
    velocity = average = m = 0
    for _, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        velocity = rho * velocity + (1 - rho) * g**2
        average = rho * average + (1 - rho) * g
        denominator = velocity - average**2 + epsilon if centered else velocity + epsilon
        m = momentum * m + lr * g / sqrt(denominator)
        w = w - m
        yield w


def adadelta(w, grads, learning_rate=0.001, rho=0.95, epsilon=1e-7, weight_decay=0):
    accumulated_grad = accumulated_delta = 0
    for _, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        accumulated_grad = rho * accumulated_grad + (1 - rho) * g**2
        delta = -sqrt(accumulated_delta + epsilon) * g / sqrt(accumulated_grad + epsilon)
        accumulated_delta = rho * accumulated_delta + (1 - rho) * delta**2
        w = w + lr * delta
        yield w


def adam(w, grads, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, weight_decay=0):
    m = v = v_hat = 0
    for t, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        alpha = lr * sqrt(1 - beta_2**t) / (1 - beta_1**t)
        m = m + (g - m) * (1 - beta_1)
        v = v + (g**2 - v) * (1 - beta_2)
        v_hat = maximum(v_hat, v)
        w = w - m * alpha / (sqrt(v_hat if amsgrad else v) + epsilon)
        yield w


adamw = partial(adam, weight_decay=0.004)


def adamax(w, grads, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0):
    m = u = 0
    for t, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        m = m + (g - m) * (1 - beta_1)
        u = maximum(beta_2 * u, abs(g))
        w = w - lr * m / ((1 - beta_1**t) * (u + epsilon))
        yield w


def nadam(w, grads, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0):
    m, v, u_product = 0, 0, 1
    for t, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        u_t, u_next = beta_1 * (1 - 0.5 * 0.96**t), beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
        u_product *= u_t
        m = m + (g - m) * (1 - beta_1)
        v = v + (g**2 - v) * (1 - beta_2)
        m_hat = u_next * m / (1 - u_product * u_next) + (1 - u_t) * g / (1 - u_product)
        w = w - m_hat * lr / (sqrt(v / (1 - beta_2**t)) + epsilon)
        yield w


def lion(w, grads, learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=0):
    m = 0
    for _, g, lr in steps(grads, learning_rate):
        w = w - w * weight_decay * lr
        w = w - lr * sign(m * beta_1 + g * (1 - beta_1))
        m = m * beta_2 + g * (1 - beta_2)
        yield w


def lamb(w, grads, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m = v = 0
    for t, g, lr in steps(grads, learning_rate):
        m = m + (g - m) * (1 - beta_1)
        v = v + (g**2 - v) * (1 - beta_2)
        update = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)
        w = w - (norm(w) / norm(update) if norm(w) > 0 and norm(update) > 0 else 1.0) * lr * update
        yield w


def adafactor(w, grads, learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0):
    r = c = v = 0
    for t, g, lr in steps(grads, learning_rate):
        alpha = maximum(epsilon_2, rms(w)) * min(lr, 1 / sqrt(t))
        square = g**2 + epsilon_1
        beta = 1 - t**beta_2_decay
        if w.ndim >= 2:
            r = beta * r + (1 - beta) * square.mean(-1)
            c = beta * c + (1 - beta) * square.mean(-2)
            v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
        else:
            v = beta * v + (1 - beta) * square
        u = g / sqrt(v)
        w = w - alpha * u / maximum(1.0, rms(u) / clip_threshold)
        yield w
