"""thinc's operations on fastnn's kernels."""

from typing import Any

import numpy as np

import fastnn as fnn

from .._peers import require
from . import _formulas as f
from ._steps import ADAM, adam_numbers, cohort_of, step, steppable

_api: Any = require("thinc.api", "thinc")
_NumpyOps: Any = _api.NumpyOps

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _ours(*arrays: Any) -> bool:
    """Whether all are NumPy arrays of one shape and one dtype, float32 or float64; all else is left to thinc."""
    first = arrays[0]
    return all(
        type(a) is np.ndarray and a.dtype in _DTYPES and a.dtype == first.dtype and a.shape == first.shape
        for a in arrays
    )


@_api.registry.ops("FastnnOps")
class FastnnOps(_NumpyOps):
    """A `thinc.api.NumpyOps` whose activations, softmax, dropout mask, maxout and Adam are fastnn's.

    Every method has the signature and, up to rounding, the results of thinc's, its clipping and its values at kinks
    included; ``inplace=True`` returns the array that it wrote to. Arrays that are neither float32 nor float64, or
    not of the same dtype and shape, are left to `NumpyOps`, and so is everything that is not overridden here (matrix
    products, reductions, sequences, LSTM). docs/howto/thinc.md says where results are not thinc's bit by bit.

    Parameters
    ----------
    *arguments, **keywords
        device_type, device_id and use_blis, as for `NumpyOps`.
    philox_dropout : bool
        Whether dropout masks come from fastnn's counter-based generator, which is several times as fast but draws
        other masks than `NumpyOps`. Both follow `thinc.api.fix_random_seed`.

    Examples
    --------
    >>> import numpy as np
    >>> from thinc.api import Mish, use_ops
    >>> from fastnn.compat.thinc import FastnnOps
    >>> with use_ops("fastnn"):
    ...     model = Mish(nO=2, nI=3)
    >>> model.ops.name
    'fastnn'
    >>> FastnnOps().relu(np.array([-1.0, 2.0], np.float32))
    array([0., 2.], dtype=float32)
    """

    name = "fastnn"

    def __init__(self, *arguments: Any, philox_dropout: bool = False, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self.philox_dropout = philox_dropout

    # --- rectifiers and other piecewise functions ---

    def relu(self, X, inplace=False):
        """max(x, 0)."""
        return fnn.relu(X, out=X if inplace else None) if _ours(X) else super().relu(X, inplace=inplace)

    def backprop_relu(self, dY, Y, inplace=False):
        """dy where y > 0, else 0."""
        if not _ours(dY, Y):
            return super().backprop_relu(dY, Y, inplace=inplace)
        return f.backprop_relu(dY, Y, out=dY if inplace else None)

    def clipped_linear(self, X, slope=1.0, offset=0.0, min_val=0.0, max_val=1.0, inplace=False):
        """clip(slope x + offset, min_val, max_val)."""
        if not _ours(X):
            return super().clipped_linear(X, slope, offset, min_val, max_val, inplace=inplace)
        return f.clipped_linear(X, slope, offset, min_val, max_val, out=X if inplace else None)

    def backprop_clipped_linear(self, dY, X, slope=1.0, offset=0.0, min_val=0.0, max_val=1.0, inplace=False):
        """slope dy strictly between the bounds."""
        if not _ours(dY, X):
            return super().backprop_clipped_linear(dY, X, slope, offset, min_val, max_val, inplace=inplace)
        low, high = (min_val - offset) / slope, (max_val - offset) / slope
        return f.backprop_clipped_linear(dY, X, slope, low, high, out=dY if inplace else None)

    def backprop_hard_sigmoid(self, dY, X, inplace=False):
        """0.2 dy for -2.5 < x < 2.5."""
        return self.backprop_clipped_linear(dY, X, slope=0.2, offset=0.5, inplace=inplace)

    def backprop_hard_tanh(self, dY, X, inplace=False):
        """dy for -1 < x < 1."""
        return self.backprop_clipped_linear(dY, X, min_val=-1.0, max_val=1.0, inplace=inplace)

    def hard_swish(self, X, inplace=False):
        """x clip(0.2 x + 0.5, 0, 1)."""
        return f.hard_swish(X, out=X if inplace else None) if _ours(X) else super().hard_swish(X, inplace=inplace)

    def backprop_hard_swish(self, dY, X, inplace=False):
        """dy (0.4 x + 0.5) from -2.5 to 2.5, dy above."""
        if not _ours(dY, X):
            return super().backprop_hard_swish(dY, X, inplace=inplace)
        return f.backprop_hard_swish(dY, X, out=dY if inplace else None)

    def hard_swish_mobilenet(self, X, inplace=False):
        """x clip(x / 6 + 1 / 2, 0, 1)."""
        if not _ours(X):
            return super().hard_swish_mobilenet(X, inplace=inplace)
        return fnn.hard_swish(X, out=X if inplace else None)

    def backprop_hard_swish_mobilenet(self, dY, X, inplace=False):
        """dy (2 x + 3) / 6 from -3 to 3, dy above."""
        if not _ours(dY, X):
            return super().backprop_hard_swish_mobilenet(dY, X, inplace=inplace)
        return f.backprop_hard_swish_mobilenet(dY, X, out=dY if inplace else None)

    # --- smooth functions ---

    def sigmoid(self, X, *, inplace=False):
        """1 / (1 + exp(-x)) of x clipped to +-20."""
        return f.sigmoid(X, out=X if inplace else None) if _ours(X) else super().sigmoid(X, inplace=inplace)

    def backprop_sigmoid(self, dY, Y, *, inplace=False):
        """dy y (1 - y); in place, it is Y that is overwritten and returned."""
        if not _ours(dY, Y):
            return super().backprop_sigmoid(dY, Y, inplace=inplace)
        return f.backprop_sigmoid(dY, Y, out=Y if inplace else None)

    def dsigmoid(self, Y, *, inplace=False):
        """y (1 - y)."""
        return f.dsigmoid(Y, out=Y if inplace else None) if _ours(Y) else super().dsigmoid(Y, inplace=inplace)

    def dtanh(self, Y, *, inplace=False):
        """1 - y^2."""
        return f.dtanh(Y, out=Y if inplace else None) if _ours(Y) else super().dtanh(Y, inplace=inplace)

    def swish(self, X, inplace=False):
        """x sigmoid(x), the sigmoid of x clipped to +-20."""
        return f.swish(X, out=X if inplace else None) if _ours(X) else super().swish(X, inplace=inplace)

    def backprop_swish(self, dY, X, Y, inplace=False):
        """dy (y + sigmoid(x) (1 - y))."""
        if not _ours(dY, X, Y):
            return super().backprop_swish(dY, X, Y, inplace=inplace)
        return f.backprop_swish(dY, X, Y, out=dY if inplace else None)

    def dish(self, X, inplace=False):
        """x / 2 (1 + x / sqrt(1 + x^2))."""
        return f.dish(X, out=X if inplace else None) if _ours(X) else super().dish(X, inplace=inplace)

    def backprop_dish(self, dY, X, inplace=False):
        """dy times dish's derivative."""
        if not _ours(dY, X):
            return super().backprop_dish(dY, X, inplace=inplace)
        return f.backprop_dish(dY, X, out=dY if inplace else None)

    def gelu(self, X, inplace=False):
        """x Phi(x), exact; thinc's erf is off by up to 1.5e-7."""
        return fnn.gelu(X, out=X if inplace else None) if _ours(X) else super().gelu(X, inplace=inplace)

    def backprop_gelu(self, dY, X, inplace=False):
        """dy (Phi(x) + x phi(x))."""
        if not _ours(dY, X):
            return super().backprop_gelu(dY, X, inplace=inplace)
        return fnn.gelu_backward(dY, X, out=dY if inplace else None)

    def gelu_approx(self, X, inplace=False):
        """The tanh approximation of gelu."""
        return fnn.gelu_tanh(X, out=X if inplace else None) if _ours(X) else super().gelu_approx(X, inplace=inplace)

    def backprop_gelu_approx(self, dY, X, inplace=False):
        """dy times gelu_approx's derivative; thinc's constants have six digits."""
        if not _ours(dY, X):
            return super().backprop_gelu_approx(dY, X, inplace=inplace)
        return fnn.gelu_tanh_backward(dY, X, out=dY if inplace else None)

    def mish(self, X, threshold=20.0, inplace=False):
        """x tanh(softplus(x)); from 20 on that is x, a lower threshold is left to thinc."""
        if not (threshold >= 20 and _ours(X)):
            return super().mish(X, threshold, inplace=inplace)
        return fnn.mish(X, out=X if inplace else None)

    def backprop_mish(self, dY, X, threshold=20.0, inplace=False):
        """dy times mish's derivative."""
        if not (threshold >= 20 and _ours(dY, X)):
            return super().backprop_mish(dY, X, threshold, inplace=inplace)
        return fnn.mish_backward(dY, X, out=dY if inplace else None)

    # --- softmax, maxout, dropout ---

    def softmax(self, x, *, inplace=False, axis=-1, temperature=1.0):
        """Softmax of x / temperature; as in thinc a new array even with inplace."""
        if not (_ours(x) and isinstance(axis, int) and x.ndim):
            return super().softmax(x, inplace=inplace, axis=axis, temperature=temperature)
        return fnn.softmax(x if temperature == 1 else x / temperature, axis)

    def backprop_softmax(self, Y, dY, *, axis=-1, temperature=1.0):
        """y (dy - sum(y dy)) / temperature."""
        if not (_ours(Y, dY) and isinstance(axis, int) and Y.ndim):
            return super().backprop_softmax(Y, dY, axis=axis, temperature=temperature)
        return fnn.softmax_backward(dY if temperature == 1 else dY / temperature, Y, axis)

    def softmax_sequences(self, Xs, lengths, *, inplace=False, axis=-1):
        """Softmax over the rows of each sequence, of Xs clipped to +-20; a new array."""
        if not (_ours(Xs) and Xs.ndim == 2):
            return super().softmax_sequences(Xs, lengths, inplace=inplace, axis=axis)
        powers = f.clipped_exp(Xs)
        powers /= self.backprop_reduce_sum(self.reduce_sum(powers, lengths), lengths)
        return powers

    def maxout(self, X):
        """(the largest of the pieces along the last axis, which one that is); two or three pieces of float32."""
        if not (type(X) is np.ndarray and X.dtype == np.float32 and X.ndim == 3 and X.shape[2] in f.MAXOUT):
            return super().maxout(X)
        pieces = [X[..., piece] for piece in range(X.shape[2])]
        largest, which_of = f.MAXOUT[len(pieces)]
        best, which = np.empty(X.shape[:2], np.float32), np.empty(X.shape[:2], np.int32)
        largest(*pieces, out=best)
        which_of(*pieces, out=which.view(np.float32))
        return best, which

    def get_dropout_mask(self, shape, drop):
        """0 with probability drop, else 1 / (1 - drop)."""
        if drop is None or drop <= 0 or drop >= 1:
            return super().get_dropout_mask(shape, drop)
        if self.philox_dropout:
            seed = int(np.random.randint(2**63 - 1, dtype=np.int64))  # noqa: NPY002 - what fix_random_seed sets
            return fnn.dropout_forward(np.ones(shape, np.float32), drop, rng=seed)[0]
        coins = np.random.uniform(0.0, 1.0, shape)  # noqa: NPY002 - thinc's own draws, so that masks are the same
        return np.multiply(coins >= drop, np.float32(1.0 / (1.0 - drop)), dtype=np.float32)

    # --- what optimisers use ---

    def adam(self, weights, gradient, mom1, mom2, beta1, beta2, eps, learn_rate, mod_rate=1.0):
        """Adam's step with bias corrections in learn_rate, in place, and the gradient set to 0."""
        arrays = [weights, gradient, mom1, mom2]
        if not all(steppable(array) and array.shape == weights.shape for array in arrays):
            return super().adam(weights, gradient, mom1, mom2, beta1, beta2, eps, learn_rate, mod_rate)
        cohort = cohort_of(ADAM, weights, [mom1, mom2], None)
        cohort.locate([gradient])
        step(cohort, adam_numbers(learn_rate, beta1, beta2, eps))
        return weights, gradient, mom1, mom2

    def update_averages(self, ema, weights, t, max_decay=0.9999):
        """ema += (1 - decay) (weights - ema) with decay = min((1 + t) / (10 + t), max_decay)."""
        if not _ours(ema, weights):
            return super().update_averages(ema, weights, t, max_decay)
        f.moved_average(ema, weights, float(1.0 - min((1.0 + t) / (10.0 + t), max_decay)), out=ema)
        return None

    def clip_gradient(self, gradient, threshold):
        """The gradient, scaled in place to a norm of at most threshold."""
        if not _ours(gradient):
            return super().clip_gradient(gradient, threshold)
        norm = fnn.global_norm(gradient)
        if norm >= threshold:
            gradient *= threshold / norm
        return gradient
