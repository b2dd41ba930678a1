"""The optimiser rules without state: each step as a sum over all gradients so far, in Python's floats.

`<rule>(g, lr, ...)` of the gradients `g` of one entry is what the rule subtracts from it at the last of them; the
keywords are those of the rule's class. Rprop has to keep a state, and Adafactor takes the whole array.
"""

import math

import numpy as np


def decayed_sum(values, decay):
    """The newest value plus the others, times decay for every step since."""
    return math.fsum(decay**age * value for age, value in enumerate(reversed(values)))


def averaged(values, decay):
    """The same, divided by the sum of the weights: an average without bias."""
    return decayed_sum(values, decay) / decayed_sum([1.0] * len(values), decay)


def squares(values):
    return [value**2 for value in values]


def prefixes(values):
    return [values[:count] for count in range(1, len(values) + 1)]


def sign(value):
    return (value > 0) - (value < 0)


def root(square, eps, eps_mode="outside"):
    return math.sqrt(square + eps) if eps_mode == "inside" else math.sqrt(square) + eps


def sgd(g, lr, momentum=0.0, dampening=0.0, nesterov=False, momentum_form="torch"):
    share = 1 - dampening if momentum else 1.0
    buf = decayed_sum([g[0], *(share * later for later in g[1:])], momentum)
    return lr * (g[-1] + momentum * buf if nesterov else buf)


def adagrad(g, lr, eps=1e-10, lr_decay=0.0, eps_mode="outside", initial_accumulator=0.0):
    total = initial_accumulator + math.fsum(squares(g))
    return lr / (1 + (len(g) - 1) * lr_decay) * g[-1] / root(total, eps, eps_mode)


def rmsprop(g, lr, alpha=0.99, eps=1e-8, momentum=0.0, eps_mode="outside", momentum_form="torch", centered=False):
    def direction(g):
        mean = (1 - alpha) * decayed_sum(g, alpha) if centered else 0.0
        return g[-1] / root((1 - alpha) * decayed_sum(squares(g), alpha) - mean**2, eps, eps_mode)

    return lr * decayed_sum([direction(part) for part in prefixes(g)], momentum)


def adadelta(g, lr=1.0, rho=0.9, eps=1e-6):
    deltas = []
    for part in prefixes(g):
        u, v = ((1 - rho) * decayed_sum(squares(values), rho) for values in (deltas, part))
        deltas.append(math.sqrt((u + eps) / (v + eps)) * part[-1])
    return lr * deltas[-1]


def adam(
    g,
    lr,
    betas=(0.9, 0.999),
    eps=1e-8,
    eps_mode="outside",
    amsgrad=False,
    amsgrad_max="uncorrected",
    t=None,
    rectify=1.0,
):
    """With `t` the number of the step is not that of the gradients, for RAdam, as is its factor `rectify`."""
    c1, c2 = (1 - beta ** (t or len(g)) for beta in betas)
    v = [(1 - betas[1]) * decayed_sum(squares(part), betas[1]) for part in prefixes(g)]
    second = (max(v) if amsgrad else v[-1]) / c2
    if amsgrad and amsgrad_max == "corrected":
        second = max(averaged(squares(part), betas[1]) for part in prefixes(g))
    if eps_mode == "hat":
        eps, eps_mode = eps / math.sqrt(c2), "outside"
    return lr * rectify * (1 - betas[0]) * decayed_sum(g, betas[0]) / c1 / root(second, eps, eps_mode)


def adamax(g, lr, betas=(0.9, 0.999), eps=1e-8, eps_mode="inside"):
    within, beyond = (eps, 0) if eps_mode == "inside" else (0, eps)
    largest = max(betas[1] ** age * (abs(value) + within) for age, value in enumerate(reversed(g)))
    return lr * averaged(g, betas[0]) / (largest + beyond)


def nadam(g, lr, betas=(0.9, 0.999), eps=1e-8, momentum_decay=4e-3):
    count = len(g)
    warmth = [1.0 if momentum_decay is None else 1 - 0.96 ** (i * momentum_decay) / 2 for i in range(1, count + 2)]
    mu = [betas[0] * factor for factor in warmth]
    now = (1 - mu[count - 1]) / (1 - math.prod(mu[:count])) * g[-1]
    ahead = mu[count] / (1 - math.prod(mu)) * (1 - betas[0]) * decayed_sum(g, betas[0])
    return lr * (now + ahead) / root(averaged(squares(g), betas[1]), eps)


def radam(g, lr, betas=(0.9, 0.999), eps=1e-8, eps_mode="hat", step_offset=0):
    t, beta2 = len(g) + step_offset, betas[1]
    longest = (1 + beta2) / (1 - beta2)
    length = longest - 2 * t / (beta2**-t - 1) if beta2 else longest
    if length <= 5:
        return lr * (1 - betas[0]) * decayed_sum(g, betas[0]) / (1 - betas[0] ** t)
    variances = [(rho - 4) * (rho - 2) / rho for rho in (length, longest)]
    return adam(g, lr, betas, eps, eps_mode, t=t, rectify=math.sqrt(variances[0] / variances[1]))


def lion(g, lr, betas=(0.9, 0.99)):
    average = (1 - betas[1]) * decayed_sum(g[:-1], betas[1])
    return lr * sign(betas[0] * average + (1 - betas[0]) * g[-1])


def adabelief(g, lr, betas=(0.9, 0.999), eps=1e-16):
    surprises = [(p[-1] - (1 - betas[0]) * decayed_sum(p, betas[0])) ** 2 * (1 - betas[1]) + eps for p in prefixes(g)]
    variance = decayed_sum(surprises, betas[1]) / (1 - betas[1] ** len(g))
    return lr * averaged(g, betas[0]) / root(variance, eps)


def rprop(g, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0)):
    size, previous, now = lr, 0, 0
    for value in g:
        now = sign(value)
        if now and now == previous:
            size *= etas[1]
        if now and now == -previous:
            size, now = size * etas[0], 0
        size, previous = min(max(size, step_sizes[0]), step_sizes[1]), now
    return now * size


def adafactor(param, grads, lr, beta2_decay=-0.8, eps=(2.0**-52, 1e-3), d=1.0):
    """The parameter, a stack of matrices, after all `grads`, entry by entry."""
    stack, n, m = np.shape(param)
    entries = [(k, i, j) for k in range(stack) for i in range(n) for j in range(m)]
    p = {entry: float(param[entry]) for entry in entries}
    rows, columns = {(k, i): 0.0 for k, i, _ in entries}, {(k, j): 0.0 for k, _, j in entries}
    for t, grad in enumerate(grads, start=1):
        share = t**beta2_decay
        for k, i in rows:
            rows[k, i] += share * (sum(grad[k, i, j] ** 2 for j in range(m)) / m - rows[k, i])
        for k, j in columns:
            columns[k, j] += share * (sum(grad[k, i, j] ** 2 for i in range(n)) / n - columns[k, j])
        u = {}
        for k, i, j in entries:
            mean = max(sum(rows[k, other] for other in range(n)) / n, eps[0])
            u[k, i, j] = grad[k, i, j] / max(math.sqrt(rows[k, i] * columns[k, j] / mean), eps[0])
        rms_p, rms_u = (math.sqrt(math.fsum(x * x for x in values.values()) / len(p)) for values in (p, u))
        for entry in entries:
            p[entry] -= min(lr, t**-0.5) * max(eps[1], rms_p) * u[entry] / max(1.0, rms_u / d)
    return np.array([p[entry] for entry in entries]).reshape(np.shape(param))
