"""Adam and its kin: an average of gradients over the root of an average of squares, both rid of their bias to 0.

m = beta1 * m + (1 - beta1) * g, v = beta2 * v + (1 - beta2) * g**2, m_hat = m / (1 - beta1**step) and
v_hat = v / (1 - beta2**step), unless a rule says otherwise.
"""

from typing import Any

import numpy as np

from ._common import average, common_steps, corrected_moments, denominator


@np.errstate(all="ignore")
def adam_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    step: Any,
    *,
    lr: Any,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    eps_mode: Any = "outside",
    max_exp_avg_sq: Any = None,
    amsgrad_max: Any = "uncorrected",
    **common: Any,
) -> Any:
    """Adam (Kingma and Ba 2015), AdamW when decoupled, AMSGrad (Reddi et al. 2018) when max_exp_avg_sq is given.

    param -= lr * m_hat / (sqrt(v_hat) + eps). eps_mode "inside" adds eps to v_hat, "hat" to sqrt(v). AMSGrad has the
    largest v so far in v's place ("uncorrected"), or the largest v_hat in that of v_hat ("corrected").
    """
    with common_steps(param, grad, lr, **common) as g:
        m_hat, v_hat = corrected_moments(exp_avg, exp_avg_sq, g, step, betas)
        correction = 1 - betas[1] ** step
        if max_exp_avg_sq is not None and amsgrad_max == "corrected":
            v_hat = np.maximum(max_exp_avg_sq, v_hat)
            max_exp_avg_sq[...] = v_hat
        elif max_exp_avg_sq is not None:
            max_exp_avg_sq[...] = np.maximum(max_exp_avg_sq, exp_avg_sq)
            v_hat = max_exp_avg_sq / correction
        param -= lr * m_hat / denominator(v_hat, eps, eps_mode, correction)


@np.errstate(all="ignore")
def adamax_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_inf: Any,
    step: Any,
    *,
    lr: Any,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    eps_mode: Any = "inside",
    **common: Any,
) -> Any:
    """Adamax (Kingma and Ba 2015): Adam with the largest decayed gradient in place of the root mean square.

    "inside": u = max(beta2 * u, |g| + eps), param -= lr * m_hat / u. "outside": u = max(beta2 * u, |g|),
    param -= lr * m_hat / (u + eps).
    """
    beta1, beta2 = betas
    within, beyond = (eps, 0.0) if eps_mode == "inside" else (0.0, eps)
    with common_steps(param, grad, lr, **common) as g:
        average(exp_avg, g, beta1)
        exp_inf[...] = np.maximum(beta2 * exp_inf, np.abs(g) + within)
        param -= lr * exp_avg / (1 - beta1**step) / (exp_inf + beyond)


@np.errstate(all="ignore")
def nadam_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    step: Any,
    *,
    lr: Any,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    momentum_decay: Any = 4e-3,
    **common: Any,
) -> Any:
    """NAdam (Dozat 2016): Adam with Nesterov's momentum.

    mu_i = beta1 * (1 - 0.96**(i * momentum_decay) / 2), or beta1 itself for None; P_t = mu_1 * ... * mu_t; at t = step,
    param -= lr * ((1 - mu_t) * g / (1 - P_t) + mu_(t + 1) * m / (1 - P_(t + 1))) / (sqrt(v_hat) + eps).
    """
    index = np.arange(1, step + 2)
    warmth = np.ones(step + 1) if momentum_decay is None else 1 - 0.5 * 0.96 ** (index * momentum_decay)
    mu = betas[0] * warmth
    products = np.cumprod(mu)
    with common_steps(param, grad, lr, **common) as g:
        _, v_hat = corrected_moments(exp_avg, exp_avg_sq, g, step, betas)
        now = (1 - mu[-2]) / (1 - products[-2]) * g
        ahead = mu[-1] / (1 - products[-1]) * exp_avg
        param -= lr * (now + ahead) / (np.sqrt(v_hat) + eps)


@np.errstate(all="ignore")
def radam_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    step: Any,
    *,
    lr: Any,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-8,
    eps_mode: Any = "hat",
    step_offset: Any = 0,
    **common: Any,
) -> Any:
    """RAdam (Liu et al. 2020): Adam, rectified for the variance of 1 / sqrt(v_hat) at the first steps.

    Of step + step_offset, t: rho_inf = 2 / (1 - beta2) - 1, rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t).
    rho <= 5: param -= lr * m_hat. Else param -= lr * r * m_hat / (sqrt(v_hat) + eps), with
    r**2 = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho). eps_mode as in Adam.
    """
    t, beta2 = step + step_offset, betas[1]
    correction = 1 - beta2**t
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / correction
    with common_steps(param, grad, lr, **common) as g:
        m_hat, v_hat = corrected_moments(exp_avg, exp_avg_sq, g, t, betas)
        if rho <= 5:
            param -= lr * m_hat
        else:
            r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            param -= lr * r * m_hat / denominator(v_hat, eps, eps_mode, correction)


@np.errstate(all="ignore")
def adabelief_update(
    param: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_var: Any,
    step: Any,
    *,
    lr: Any,
    betas: Any = (0.9, 0.999),
    eps: Any = 1e-16,
    **common: Any,
) -> Any:
    """AdaBelief (Zhuang et al. 2020): Adam with the gradient's squared distance from its average in place of g**2.

    s = beta2 * s + (1 - beta2) * (g - m)**2 + eps of the new m, param -= lr * m_hat / (sqrt(s_hat) + eps).
    """
    beta1, beta2 = betas
    with common_steps(param, grad, lr, **common) as g:
        average(exp_avg, g, beta1)
        average(exp_avg_var, (g - exp_avg) ** 2, beta2)
        exp_avg_var += eps
        s_hat = exp_avg_var / (1 - beta2**step)
        param -= lr * exp_avg / (1 - beta1**step) / (np.sqrt(s_hat) + eps)
