"""Rules whose step is the gradient itself, or an average of gradients."""

from typing import Any

import numpy as np

from ._common import common_steps


@np.errstate(all="ignore")
def sgd_update(
    param: Any,
    grad: Any,
    buf: Any,
    *,
    lr: Any,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    nesterov: Any = False,
    momentum_form: Any = "torch",
    first: Any = False,
    **common: Any,
) -> Any:
    """Stochastic gradient descent with momentum (Polyak 1964; Nesterov's as in Sutskever et al. 2013).

    "torch": buf = momentum * buf + (1 - dampening) * g (undampened at the first step), param -= lr * buf,
    nesterov: param -= lr * (g + momentum * buf). "velocity": buf = momentum * buf - lr * (1 - dampening) * g,
    param += buf, nesterov: param += momentum * buf - lr * g. Without momentum: param -= lr * g.
    """
    share = 1.0 if first else 1 - dampening
    with common_steps(param, grad, lr, **common) as g:
        if momentum == 0:
            param -= lr * g
        elif momentum_form == "velocity":
            buf[...] = momentum * buf - lr * share * g
            param += momentum * buf - lr * g if nesterov else buf
        else:
            buf[...] = momentum * buf + share * g
            param -= lr * (g + momentum * buf if nesterov else buf)
