"""Layer and group normalisation."""

from typing import Any

import numpy as np

from ...normalization.group import group_norm_backward, group_norm_forward
from ...normalization.layer import layer_norm_backward, layer_norm_forward
from ._norms import NormCache, gradients, images, matrix, parameters


def layernorm_forward(x: Any, gamma: Any, beta: Any, ln_param: dict[str, Any]) -> tuple[np.ndarray, NormCache]:
    """Layer norm: ``out = gamma * (x - mean) / sqrt(var + eps) + beta`` by each sample's own mean and variance.

    Parameters
    ----------
    x : array_like of shape (N, D)
    gamma, beta : array_like of D numbers
    ln_param : dict
        Optionally "eps" (1e-5).

    Returns
    -------
    out : ndarray of shape (N, D)
        Of x's dtype.
    cache : NormCache
        For `layernorm_backward`. It holds x, which must be the same when the gradient is taken.

    Raises
    ------
    ValueError
        Shapes that do not go together.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> layers.layernorm_forward([[1.0, 3.0]], np.ones(2), np.zeros(2), {})[0].round(3)
    array([[-1.,  1.]])
    """
    name = "layernorm_forward"
    x, (gamma, beta) = matrix(name, x), parameters(name, gamma, beta)
    out, inner = layer_norm_forward(x, gamma.ravel(), beta.ravel(), eps=ln_param.get("eps", 1e-5))
    return out, NormCache(layer_norm_backward, inner, gamma.shape, beta.shape)


def layernorm_backward(dout: Any, cache: NormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `layernorm_forward`.

    With ``h = dout * gamma`` and means over a sample's values::

        dbeta = sum(dout),   dgamma = sum(dout * x_hat)
        dx = (h - mean(h) - x_hat * mean(h * x_hat)) / sqrt(var + eps)

    Parameters
    ----------
    dout : array_like of shape (N, D)
        Gradient of the loss with respect to out.
    cache : NormCache
        From `layernorm_forward`.

    Returns
    -------
    dx, dgamma, dbeta : ndarray
        Of the shapes of x, gamma and beta.

    Raises
    ------
    ValueError
        dout of another shape than out.
    TypeError
        The cache of another layer.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> out, cache = layers.layernorm_forward([[1.0, 3.0]], np.ones(2), np.zeros(2), {})
    >>> layers.layernorm_backward([[1.0, 2.0]], cache)[2]
    array([1., 2.])
    """
    return gradients("layernorm_backward", dout, cache)


def spatial_groupnorm_forward(
    x: Any,
    gamma: Any,
    beta: Any,
    G: int,
    gn_param: dict[str, Any],
) -> tuple[np.ndarray, NormCache]:
    """Group norm: ``out = gamma * (x - mean) / sqrt(var + eps) + beta`` by the statistics of each sample's G groups.

    A group consists of C / G neighbouring channels.

    Parameters
    ----------
    x : array_like of shape (N, C, H, W)
    gamma, beta : array_like of C numbers
        Of shape (1, C, 1, 1), (C,) or any other.
    G : int
        How many groups; must divide C.
    gn_param : dict
        Optionally "eps" (1e-5).

    Returns
    -------
    out : ndarray of shape (N, C, H, W)
        Of x's dtype.
    cache : NormCache
        For `spatial_groupnorm_backward`. It holds x, which must be the same when the gradient is taken.

    Raises
    ------
    ValueError
        Shapes that do not go together, a G that does not divide C.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, one = np.array([1.0, 3.0]).reshape(1, 2, 1, 1), np.ones((1, 2, 1, 1))
    >>> layers.spatial_groupnorm_forward(x, one, 0 * one, 1, {})[0].ravel().round(3)
    array([-1.,  1.])
    """
    name = "spatial_groupnorm_forward"
    x, (gamma, beta) = images(name, x), parameters(name, gamma, beta)
    out, inner = group_norm_forward(x, gamma.ravel(), beta.ravel(), groups=G, eps=gn_param.get("eps", 1e-5))
    return out, NormCache(group_norm_backward, inner, gamma.shape, beta.shape)


def spatial_groupnorm_backward(dout: Any, cache: NormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `spatial_groupnorm_forward`; `layernorm_backward` states the formula, a group taking a row's place.

    Parameters
    ----------
    dout : array_like of shape (N, C, H, W)
        Gradient of the loss with respect to out.
    cache : NormCache
        From `spatial_groupnorm_forward`.

    Returns
    -------
    dx, dgamma, dbeta : ndarray
        Of the shapes of x, gamma and beta.

    Raises
    ------
    ValueError, TypeError
        As `layernorm_backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, one = np.array([1.0, 3.0]).reshape(1, 2, 1, 1), np.ones((1, 2, 1, 1))
    >>> out, cache = layers.spatial_groupnorm_forward(x, one, 0 * one, 1, {})
    >>> layers.spatial_groupnorm_backward(one, cache)[2].shape
    (1, 2, 1, 1)
    """
    return gradients("spatial_groupnorm_backward", dout, cache)
