"""Several layers in one call, with what lies between them computed together where that is faster."""

from typing import Any

import numpy as np

from ...activations import relu
from ._norms import NormCache, gradients
from .affine import AffineCache, affine_backward, affine_forward, relu_backward
from .batch_norm import batch_norm
from .conv import ConvCache, conv_backward, conv_forward
from .pool import PoolCache, max_pool_backward, max_pool_forward


def affine_relu_forward(x: Any, w: Any, b: Any) -> tuple[np.ndarray, tuple[AffineCache, np.ndarray]]:
    """``relu(affine(x))``.

    Parameters
    ----------
    x, w, b : array_like
        As for `affine_forward`.

    Returns
    -------
    out : ndarray of shape (N, M)
    cache : tuple
        For `affine_relu_backward`.

    Raises
    ------
    ValueError
        As `affine_forward`.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> layers.affine_relu_forward([[1.0, 2.0]], [[1.0, -1.0], [3.0, 0.0]], [0.5, 0.5])[0]
    array([[7.5, 0. ]])
    """
    a, cache = affine_forward(x, w, b)
    return relu(a), (cache, a)


def affine_relu_backward(dout: Any, cache: tuple[AffineCache, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `affine_relu_forward`.

    Parameters
    ----------
    dout : array_like of shape (N, M)
        Gradient of the loss with respect to out.
    cache : tuple
        From `affine_relu_forward`.

    Returns
    -------
    dx, dw, db : ndarray
        Of the shapes of x, w and b.

    Raises
    ------
    ValueError
        dout of another shape than out.

    Examples
    --------
    >>> from fastnn.compat.cs231n import layers
    >>> out, cache = layers.affine_relu_forward([[1.0, 2.0]], [[1.0, -1.0], [3.0, 0.0]], [0.5, 0.5])
    >>> layers.affine_relu_backward([[1.0, 1.0]], cache)[0]
    array([[1., 3.]])
    """
    affine_cache, a = cache
    return affine_backward(relu_backward(dout, a), affine_cache)


def affine_bn_relu_forward(
    x: Any, w: Any, b: Any, gamma: Any, beta: Any, bn_param: dict[str, Any]
) -> tuple[np.ndarray, tuple[AffineCache, NormCache | None]]:
    """``relu(batchnorm(affine(x)))``; the norm and the ReLU are one pass.

    Parameters
    ----------
    x, w, b : array_like
        As for `affine_forward`.
    gamma, beta, bn_param
        As for `batchnorm_forward`.

    Returns
    -------
    out : ndarray of shape (N, M)
    cache : tuple
        For `affine_bn_relu_backward`.

    Raises
    ------
    ValueError
        As `affine_forward` and `batchnorm_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w, one = np.array([[1.0], [3.0]]), np.array([[2.0]]), np.ones(1)
    >>> layers.affine_bn_relu_forward(x, w, one, one, 0 * one, {"mode": "train"})[0].round(3)
    array([[0.],
           [1.]])
    """
    a, affine_cache = affine_forward(x, w, b)
    out, norm_cache = batch_norm("affine_bn_relu_forward", a, gamma, beta, bn_param, "relu")
    return out, (affine_cache, norm_cache)


def affine_bn_relu_backward(
    dout: Any, cache: tuple[AffineCache, NormCache]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `affine_bn_relu_forward` in training.

    Parameters
    ----------
    dout : array_like of shape (N, M)
        Gradient of the loss with respect to out.
    cache : tuple
        From `affine_bn_relu_forward`.

    Returns
    -------
    dx, dw, db, dgamma, dbeta : ndarray
        Of the shapes of x, w, b, gamma and beta.

    Raises
    ------
    ValueError
        dout of another shape than out.
    TypeError
        The cache of test mode.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w, one = np.array([[1.0], [3.0]]), np.array([[2.0]]), np.ones(1)
    >>> out, cache = layers.affine_bn_relu_forward(x, w, one, one, 0 * one, {"mode": "train"})
    >>> dx, dw, db, dgamma, dbeta = layers.affine_bn_relu_backward(np.ones((2, 1)), cache)
    >>> print(dgamma.round(3), dbeta)
    [1.] [1.]
    """
    affine_cache, norm_cache = cache
    da, dgamma, dbeta = gradients("affine_bn_relu_backward", dout, norm_cache)
    return *affine_backward(da, affine_cache), dgamma, dbeta


def conv_relu_forward(
    x: Any, w: Any, b: Any, conv_param: dict[str, Any]
) -> tuple[np.ndarray, tuple[ConvCache, np.ndarray]]:
    """``relu(conv(x))``.

    Parameters
    ----------
    x, w, b, conv_param
        As for `conv_forward`.

    Returns
    -------
    out : ndarray of shape (N, F, H', W')
    cache : tuple
        For `conv_relu_backward`.

    Raises
    ------
    ValueError
        As `conv_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.array([-1.0, 3.0]).reshape(1, 1, 1, 2), np.ones((1, 1, 1, 1))
    >>> layers.conv_relu_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0})[0]
    array([[[[0., 3.]]]])
    """
    a, cache = conv_forward(x, w, b, conv_param)
    return relu(a), (cache, a)


def conv_relu_backward(dout: Any, cache: tuple[ConvCache, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `conv_relu_forward`.

    Parameters
    ----------
    dout : array_like of shape (N, F, H', W')
        Gradient of the loss with respect to out.
    cache : tuple
        From `conv_relu_forward`.

    Returns
    -------
    dx, dw, db : ndarray
        Of the shapes of x, w and b.

    Raises
    ------
    ValueError
        dout of another shape than out.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.array([-1.0, 3.0]).reshape(1, 1, 1, 2), np.ones((1, 1, 1, 1))
    >>> out, cache = layers.conv_relu_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> layers.conv_relu_backward(np.ones_like(out), cache)[0]
    array([[[[0., 1.]]]])
    """
    conv_cache, a = cache
    return conv_backward(relu_backward(dout, a), conv_cache)


def conv_bn_relu_forward(
    x: Any, w: Any, b: Any, gamma: Any, beta: Any, conv_param: dict[str, Any], bn_param: dict[str, Any]
) -> tuple[np.ndarray, tuple[ConvCache, NormCache | None]]:
    """``relu(spatial_batchnorm(conv(x)))``; the norm and the ReLU are one pass.

    Parameters
    ----------
    x, w, b, conv_param
        As for `conv_forward`.
    gamma, beta, bn_param
        As for `spatial_batchnorm_forward`.

    Returns
    -------
    out : ndarray of shape (N, F, H', W')
    cache : tuple
        For `conv_bn_relu_backward`.

    Raises
    ------
    ValueError
        As `conv_forward` and `spatial_batchnorm_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.array([-1.0, 3.0]).reshape(1, 1, 1, 2), np.ones((1, 1, 1, 1))
    >>> given = np.zeros(1), np.ones(1), np.zeros(1), {"stride": 1, "pad": 0}, {"mode": "train"}
    >>> layers.conv_bn_relu_forward(x, w, *given)[0].round(3)
    array([[[[0., 1.]]]])
    """
    a, conv_cache = conv_forward(x, w, b, conv_param)
    out, norm_cache = batch_norm("conv_bn_relu_forward", a, gamma, beta, bn_param, "relu")
    return out, (conv_cache, norm_cache)


def conv_bn_relu_backward(
    dout: Any, cache: tuple[ConvCache, NormCache]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `conv_bn_relu_forward` in training.

    Parameters
    ----------
    dout : array_like of shape (N, F, H', W')
        Gradient of the loss with respect to out.
    cache : tuple
        From `conv_bn_relu_forward`.

    Returns
    -------
    dx, dw, db, dgamma, dbeta : ndarray
        Of the shapes of x, w, b, gamma and beta.

    Raises
    ------
    ValueError
        dout of another shape than out.
    TypeError
        The cache of test mode.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.array([-1.0, 3.0]).reshape(1, 1, 1, 2), np.ones((1, 1, 1, 1))
    >>> given = np.zeros(1), np.ones(1), np.zeros(1), {"stride": 1, "pad": 0}, {"mode": "train"}
    >>> out, cache = layers.conv_bn_relu_forward(x, w, *given)
    >>> dx, dw, db, dgamma, dbeta = layers.conv_bn_relu_backward(np.ones_like(out), cache)
    >>> print(dgamma.round(3), dbeta)
    [1.] [1.]
    """
    conv_cache, norm_cache = cache
    da, dgamma, dbeta = gradients("conv_bn_relu_backward", dout, norm_cache)
    return *conv_backward(da, conv_cache), dgamma, dbeta


def conv_relu_pool_forward(
    x: Any, w: Any, b: Any, conv_param: dict[str, Any], pool_param: dict[str, Any]
) -> tuple[np.ndarray, tuple[ConvCache, PoolCache, np.ndarray]]:
    """``max_pool(relu(conv(x)))``, computed as ``relu(max_pool(conv(x)))``: the same, on fewer values.

    Parameters
    ----------
    x, w, b, conv_param
        As for `conv_forward`.
    pool_param
        As for `max_pool_forward`.

    Returns
    -------
    out : ndarray of shape (N, F, H'', W'')
    cache : tuple
        For `conv_relu_pool_backward`.

    Raises
    ------
    ValueError
        As `conv_forward` and `max_pool_forward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.arange(-3.0, 6.0).reshape(1, 1, 3, 3), np.ones((1, 1, 2, 2))
    >>> pool_param = {"pool_height": 2, "pool_width": 2, "stride": 2}
    >>> layers.conv_relu_pool_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0}, pool_param)[0]
    array([[[[12.]]]])
    """
    a, conv_cache = conv_forward(x, w, b, conv_param)
    pooled, pool_cache = max_pool_forward(a, pool_param)
    return relu(pooled), (conv_cache, pool_cache, pooled)


def conv_relu_pool_backward(
    dout: Any, cache: tuple[ConvCache, PoolCache, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `conv_relu_pool_forward`.

    Parameters
    ----------
    dout : array_like of shape (N, F, H'', W'')
        Gradient of the loss with respect to out.
    cache : tuple
        From `conv_relu_pool_forward`.

    Returns
    -------
    dx, dw, db : ndarray
        Of the shapes of x, w and b.

    Raises
    ------
    ValueError
        dout of another shape than out.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.compat.cs231n import layers
    >>> x, w = np.array([-1.0, 3.0]).reshape(1, 1, 1, 2), np.ones((1, 1, 1, 1))
    >>> pool_param = {"pool_height": 1, "pool_width": 2, "stride": 1}
    >>> out, cache = layers.conv_relu_pool_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0}, pool_param)
    >>> layers.conv_relu_pool_backward(np.ones_like(out), cache)[0]
    array([[[[0., 1.]]]])
    """
    conv_cache, pool_cache, pooled = cache
    return conv_backward(max_pool_backward(relu_backward(dout, pooled), pool_cache), conv_cache)
