"""Rules that use no more of the gradient than its sign."""

from typing import Any

import numpy as np

from ._common import average, common_steps


@np.errstate(all="ignore")
def lion_update(
    param: Any, grad: Any, exp_avg: Any, *, lr: Any, betas: Any = (0.9, 0.99), decoupled: Any = True, **common: Any
) -> Any:
    """Lion (Chen et al. 2023).

    param -= lr * sign(beta1 * m + (1 - beta1) * g), then m = beta2 * m + (1 - beta2) * g.
    """
    beta1, beta2 = betas
    with common_steps(param, grad, lr, decoupled=decoupled, **common) as g:
        param -= lr * np.sign(beta1 * exp_avg + (1 - beta1) * g)
        average(exp_avg, g, beta2)


@np.errstate(all="ignore")
def rprop_update(
    param: Any,
    grad: Any,
    prev: Any,
    step_size: Any,
    *,
    lr: Any = 1e-2,
    etas: Any = (0.5, 1.2),
    step_sizes: Any = (1e-6, 50.0),
    **common: Any,
) -> Any:
    """Resilient propagation (Riedmiller and Braun 1993), iRprop- of Igel and Hüsken (2000).

    step_size, within step_sizes, grows by etas[1] where the gradient has kept its sign and shrinks by etas[0] where
    it has changed it; there g becomes 0. param -= step_size * sign(g), prev = g. lr is that of a decoupled decay.
    """
    with common_steps(param, grad, lr, **common) as g:
        agreement = np.sign(g) * np.sign(prev)
        factor = np.where(agreement > 0, etas[1], np.where(agreement < 0, etas[0], 1.0))
        step_size[...] = np.clip(step_size * factor, *step_sizes)
        g = np.where(agreement < 0, 0.0, g)
        param -= step_size * np.sign(g)
        prev[...] = g
