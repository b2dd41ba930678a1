"""thinc's layer norm as one pass forward and one backward, and what puts it into models that exist."""

from typing import Any

import fastnn as fnn

from .._peers import require
from .ops import FastnnOps

_api: Any = require("thinc.api", "thinc")
_layernorm: Any = require("thinc.layers.layernorm", "thinc")

#: What thinc adds to the variance.
_EPS = 1e-8


@_api.registry.layers("fastnn.LayerNorm.v1")
def LayerNorm(nI: int | None = None) -> Any:
    """Layer norm in place of thinc's: ``Y = G * (X - mean) / sqrt(var + 1e-8) + b``, row by row.

    Name, dimensions, parameters, initialisation and so the bytes of ``to_bytes`` are those of thinc's `LayerNorm`:
    a model saved with one is loaded with the other. thinc's takes its operations from NumPy, not from the model's
    ops, so that `FastnnOps` makes no difference to it.

    Parameters
    ----------
    nI : int, optional
        Width of the rows; None: from the first batch.

    Returns
    -------
    thinc.api.Model
        Of Floats2d to Floats2d.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.thinc import LayerNorm
    >>> X = np.array([[1.0, 3.0], [5.0, 7.0]], np.float32)
    >>> LayerNorm().initialize(X=X).predict(X)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    return _api.Model(
        "layernorm", _forward, init=_layernorm.init, dims={"nI": nI, "nO": nI}, params={"G": None, "b": None}
    )


def _forward(model, X, is_train):
    Y, cache = fnn.layer_norm_forward(X, model.get_param("G"), model.get_param("b"), eps=_EPS)

    def backprop(dY):
        dX, dG, db = fnn.layer_norm_backward(dY, cache)
        model.inc_grad("b", db)
        model.inc_grad("G", dG)
        return dX

    return Y, backprop


def accelerate(model: Any, ops: Any = None) -> Any:
    """Put a model that exists already on `FastnnOps`, and this layer norm in the place of thinc's.

    In place, before or after initialisation: parameters, node ids, optimiser state and saved bytes stay what they are.
    It reaches what the ops of the moment do not: the layer norms in ``Maxout(normalize=True)``, which all of spaCy's
    encoders have, parts that spaCy puts on NumpyOps itself, and pipelines that were loaded.

    Parameters
    ----------
    model : thinc.api.Model
        Nodes on a GPU stay there.
    ops : FastnnOps, optional
        For all nodes; None: new ones.

    Returns
    -------
    thinc.api.Model
        The same object.

    Examples
    --------
    >>> from thinc.api import Maxout
    >>> from fastnn.compat.thinc import accelerate
    >>> model = accelerate(Maxout(nO=4, nI=4, normalize=True))
    >>> {node.ops.name for node in model.walk()}
    {'fastnn'}
    """
    ops = FastnnOps() if ops is None else ops
    for node in model.walk():
        if isinstance(node.ops, _api.NumpyOps):
            node.ops = ops
        if node._func is _layernorm.forward:
            node._func = _forward
    return model
