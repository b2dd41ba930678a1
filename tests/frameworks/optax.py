"""optax 0.2.8: no learning rate has a default, and a weight decay is added where the chain has it."""

from functools import partial

from numpy import abs, maximum, sign, sqrt

from .steps import norm, steps


def sgd(w, grads, lr, momentum=0.0, nesterov=False):
    trace = 0
    for _, g, lr_t in steps(grads, lr):
        trace = g + momentum * trace
        w = w - lr_t * (g + momentum * trace if nesterov else trace)
        yield w


def adagrad(w, grads, lr, initial_accumulator_value=0.1, eps=1e-7):
    total = initial_accumulator_value
    for _, g, lr_t in steps(grads, lr):
        total = g**2 + total
        w = w - lr_t * g / sqrt(total + eps)
        yield w


def rmsprop(w, grads, lr, decay=0.9, eps=1e-8, eps_in_sqrt=True, centered=False, momentum=0.0):
    mu = nu = trace = 0
    for _, g, lr_t in steps(grads, lr):
        mu = decay * mu + (1 - decay) * g
        nu = decay * nu + (1 - decay) * g**2
        variance = nu - mu**2 if centered else nu
        trace = -lr_t * g / (sqrt(variance + eps) if eps_in_sqrt else sqrt(variance) + eps) + momentum * trace
        w = w + trace
        yield w


def adadelta(w, grads, lr, rho=0.9, eps=1e-6, weight_decay=0.0):
    e_g = e_x = 0
    for _, g, lr_t in steps(grads, lr):
        g = g + weight_decay * w
        e_g = rho * e_g + (1 - rho) * g**2
        update = sqrt(e_x + eps) / sqrt(e_g + eps) * g
        e_x = rho * e_x + (1 - rho) * update**2
        w = w - lr_t * update
        yield w


def adam(w, grads, lr, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, nesterov=False, amsgrad=False, weight_decay=0.0):
    mu = nu = nu_max = 0
    for t, g, lr_t in steps(grads, lr):
        mu = b1 * mu + (1 - b1) * g
        nu = b2 * nu + (1 - b2) * g**2
        mu_hat, nu_hat = mu / (1 - b1**t), nu / (1 - b2**t)
        if nesterov:
            mu_hat = b1 * mu / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        nu_max = maximum(nu_max, nu_hat)
        update = mu_hat / (sqrt((nu_max if amsgrad else nu_hat) + eps_root) + eps)
        w = w - lr_t * (update + weight_decay * w)
        yield w


adamw = partial(adam, weight_decay=1e-4)
nadam = partial(adam, nesterov=True)


def adamax(w, grads, lr, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    mu = nu = 0
    for t, g, lr_t in steps(grads, lr):
        mu = b1 * mu + (1 - b1) * g
        nu = maximum(abs(g) + eps, b2 * nu)
        w = w - lr_t * (mu / (1 - b1**t) / nu + weight_decay * w)
        yield w


def radam(w, grads, lr, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, threshold=5.0):
    mu = nu = 0
    for t, g, lr_t in steps(grads, lr):
        mu = b1 * mu + (1 - b1) * g
        nu = b2 * nu + (1 - b2) * g**2
        ro_inf = 2 / (1 - b2) - 1
        ro = ro_inf - 2 * t * b2**t / (1 - b2**t)
        update = mu / (1 - b1**t)
        if ro >= threshold:
            r = sqrt((ro - 4) * (ro - 2) * ro_inf / ((ro_inf - 4) * (ro_inf - 2) * ro))
            update = r * update / (sqrt(nu / (1 - b2**t) + eps_root) + eps)
        w = w - lr_t * update
        yield w


def lion(w, grads, lr, b1=0.9, b2=0.99, weight_decay=1e-3):
    mu = 0
    for _, g, lr_t in steps(grads, lr):
        update = sign((1 - b1) * g + b1 * mu)
        mu = b2 * mu + (1 - b2) * g
        w = w - lr_t * (update + weight_decay * w)
        yield w


def trust_ratio(w, update, coefficient=1.0, eps=0.0):
    if norm(w) == 0 or norm(update) == 0:
        return 1.0
    return coefficient * norm(w) / (norm(update) + eps)


def lamb(w, grads, lr, b1=0.9, b2=0.999, eps=1e-6, weight_decay=0.0):
    mu = nu = 0
    for t, g, lr_t in steps(grads, lr):
        mu = b1 * mu + (1 - b1) * g
        nu = b2 * nu + (1 - b2) * g**2
        update = mu / (1 - b1**t) / (sqrt(nu / (1 - b2**t)) + eps) + weight_decay * w
        w = w - lr_t * trust_ratio(w, update) * update
        yield w


def lars(w, grads, lr, trust_coefficient=0.001, eps=0.0, momentum=0.9):
    trace = 0
    for _, g, lr_t in steps(grads, lr):
        trace = -lr_t * trust_ratio(w, g, trust_coefficient, eps) * g + momentum * trace
        w = w + trace
        yield w


def adabelief(w, grads, lr, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16):
    mu = nu = 0
    for t, g, lr_t in steps(grads, lr):
        mu = b1 * mu + (1 - b1) * g
        nu = b2 * nu + (1 - b2) * (g - mu) ** 2 + eps_root
        w = w - lr_t * mu / (1 - b1**t) / (sqrt(nu / (1 - b2**t)) + eps)
        yield w
