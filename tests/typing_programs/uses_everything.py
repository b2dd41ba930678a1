"""A user's program that goes through every public name; `mypy --strict` must find nothing in it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastnn as fnn
from fastnn import vmath
from fastnn.typing import ActivationLike, ArrayTree, Elementwise, Gradient, Out, Reduction, Rng

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value: Any, kind: Any) -> Any:
        """The value; what matters is said to the type checker."""
        return value


Single = NDArray[np.float32]
Array = NDArray[Any]

rng = np.random.default_rng(0)
x: Single = rng.standard_normal((8, 6)).astype(np.float32)
dy: Single = np.ones_like(x)
images: Single = rng.standard_normal((4, 6, 5, 5)).astype(np.float32)


def activations() -> None:
    """y, and the gradient from x; float32 stays float32."""
    for f, backward in (
        (fnn.relu, fnn.relu_backward),
        (fnn.relu6, fnn.relu6_backward),
        (fnn.selu, fnn.selu_backward),
        (fnn.sigmoid, fnn.sigmoid_backward),
        (fnn.log_sigmoid, fnn.log_sigmoid_backward),
        (fnn.hard_sigmoid, fnn.hard_sigmoid_backward),
        (fnn.tanh, fnn.tanh_backward),
        (fnn.tanhshrink, fnn.tanhshrink_backward),
        (fnn.softsign, fnn.softsign_backward),
        (fnn.silu, fnn.silu_backward),
        (fnn.swish, fnn.swish_backward),
        (fnn.hard_swish, fnn.hard_swish_backward),
        (fnn.hard_silu, fnn.hard_silu_backward),
        (fnn.gelu, fnn.gelu_backward),
        (fnn.gelu_tanh, fnn.gelu_tanh_backward),
        (fnn.quick_gelu, fnn.quick_gelu_backward),
        (fnn.mish, fnn.mish_backward),
    ):
        assert_type(f, Elementwise[[]])
        assert_type(backward, Gradient[[]])
        assert_type(f(x), Single)
        assert_type(backward(dy, x), Single)
    ufunc: np.ufunc = fnn.relu
    assert ufunc.nin == 1


def activations_in_place() -> None:
    """The gradient from the output, where the forward pass may write over its input."""
    for f, from_y in (
        (fnn.relu, fnn.relu_backward_from_output),
        (fnn.selu, fnn.selu_backward_from_output),
        (fnn.sigmoid, fnn.sigmoid_backward_from_output),
        (fnn.tanh, fnn.tanh_backward_from_output),
        (fnn.softsign, fnn.softsign_backward_from_output),
    ):
        y = x.copy()
        assert_type(f(y, out=y), Single)
        assert_type(from_y(dy, y, out=y), Single)


def activations_with_parameters() -> None:
    """Parameters by position or by name, and what else a ufunc takes."""
    assert_type(fnn.leaky_relu(x, negative_slope=0.1), Single)
    assert_type(fnn.leaky_relu_backward(dy, x, negative_slope=0.1), Single)
    assert_type(fnn.leaky_relu_backward_from_output(dy, x, 0.1), Single)
    assert_type(fnn.threshold(x, 0.5, 20.0), Single)
    assert_type(fnn.threshold_backward(dy, x, 0.5, 20.0), Single)
    assert_type(fnn.elu(x, alpha=1.5), Single)
    assert_type(fnn.elu_backward(dy, x), Single)
    assert_type(fnn.elu_backward_from_output(dy, x, alpha=2.0), Single)
    assert_type(fnn.celu(x, 0.5, out=np.empty_like(x)), Single)
    assert_type(fnn.celu_backward(dy, x), Single)
    assert_type(fnn.celu_backward_from_output(dy, x), Single)
    assert_type(fnn.hard_tanh(x, min_val=-2.0, max_val=2.0), Single)
    assert_type(fnn.hard_tanh_backward(dy, x), Single)
    assert_type(fnn.hard_tanh_backward_from_output(dy, x), Single)
    assert_type(fnn.hardshrink(x, lambd=0.1), Single)
    assert_type(fnn.hardshrink_backward(dy, x), Single)
    assert_type(fnn.softshrink(x), Single)
    assert_type(fnn.softshrink_backward(dy, x), Single)
    assert_type(fnn.softplus(x, beta=2.0), Single)
    assert_type(fnn.softplus_backward(dy, x), Single)
    assert_type(fnn.softplus_backward_from_output(dy, x), Single)
    assert_type(fnn.squareplus(x, b=1.0), Single)
    assert_type(fnn.squareplus_backward(dy, x), Single)


def other_arguments() -> None:
    """Numbers, lists and integers, masks."""
    assert_type(fnn.gelu(0.5), np.float64)
    assert_type(fnn.gelu(np.arange(3)), NDArray[np.floating[Any]])
    assert_type(fnn.gelu([1, 2, 3]), NDArray[np.floating[Any]])
    assert_type(fnn.gelu_backward(1.0, x), Single)
    assert_type(fnn.gelu(x, out=(np.empty_like(x),), where=x > 0), Single)
    fnn.gelu(x, out=None, where=x > -9, casting="same_kind")
    fnn.gelu(x, dtype=np.float64)


def layers() -> None:
    """Functions of several elements at a time."""
    y, winner = fnn.maxout(x, 2)
    assert_type(fnn.maxout_backward(y, winner, 2), Array)
    halves: Array = fnn.glu(x, gate="silu")
    assert_type(fnn.glu_backward(halves, x, gate="silu"), Array)
    bias = np.zeros(6, np.float32)
    assert_type(fnn.bias_activation(x, bias, ("elu", 0.5)), Array)
    dx, dbias = fnn.bias_activation_backward(dy, x, bias, fnn.gelu)
    assert_type(dx, Array)
    assert_type(dbias, Array)
    assert_type(fnn.softmax_backward(dy, fnn.softmax(x)), Array)
    assert_type(fnn.log_softmax_backward(dy, fnn.log_softmax(x, axis=0), axis=0), Array)
    fnn.logsumexp(x, axis=(0, 1), keepdims=True)
    assert_type(fnn.prelu(x, np.full(6, 0.25)), Array)
    assert_type(fnn.prelu_backward(dy, x, 0.25), tuple[Array, Array])
    assert_type(fnn.rrelu(x), Array)
    y, cache = fnn.rrelu_forward(x, rng=0)
    assert_type(fnn.rrelu_backward(dy, cache), Array)
    function = Callable[..., Any]
    assert_type(fnn.activation("gelu"), tuple[function, function])
    assert_type(fnn.activation(fnn.relu, from_output=True), tuple[function, function])
    assert "relu" in fnn.activations.NAMES
    assert_type(fnn.activations.relu(x), Single)


def norms() -> None:
    """(y, cache), and gradients that are None where gamma and beta are."""
    gamma, beta = np.ones(6, np.float32), np.zeros(6, np.float32)
    mean, var = np.zeros(6, np.float32), np.ones(6, np.float32)
    y, batch_cache = fnn.batch_norm_forward(images, gamma, beta, mean, var, activation="relu", momentum=0.2)
    assert_type(y, Array)
    assert_type(fnn.batch_norm_backward(y, batch_cache), tuple[Array, Array | None, Array | None])
    assert_type(fnn.batch_norm_inference(images, gamma, beta, mean, var), Array)
    fnn.batch_norm_inference_backward(images, images, gamma, beta, mean, var)
    stats: fnn.BatchStats = fnn.merge_batch_stats(fnn.batch_norm_stats(images[:2]), fnn.batch_norm_stats(images[2:]))
    assert_type(fnn.batch_norm_apply(images, stats, gamma, None), Array)
    sums: fnn.BatchGradStats = fnn.batch_norm_backward_stats(images, images, stats, gamma, beta)
    fnn.batch_norm_backward_apply(images, images, stats, fnn.merge_batch_stats(sums), gamma, beta)
    y, row_cache = fnn.layer_norm_forward(x, gamma, beta, axis=(-1,), eps=1e-6)
    assert_type(fnn.layer_norm_backward(dy, row_cache), tuple[Array, Array | None, Array | None])
    y, row_cache = fnn.rms_norm_forward(x, gamma, out=np.empty_like(x))
    assert_type(fnn.rms_norm_backward(dy, row_cache), tuple[Array, Array | None])
    y, group_cache = fnn.group_norm_forward(images, gamma, beta, groups=2)
    fnn.group_norm_backward(y, group_cache)
    y, group_cache = fnn.instance_norm_forward(images)
    fnn.instance_norm_backward(y, group_cache)
    assert_type(fnn.normalization.synchronized.batch_norm_stats(x).mean, Array)


def dropouts(seed: Rng = 0) -> None:
    """One cache for all."""
    y, cache = fnn.dropout_forward(x, 0.5, rng=seed)
    assert_type(y, Array)
    assert_type(fnn.dropout_backward(dy, cache), Array)
    assert_type(fnn.dropout_mask(cache), Array)
    fnn.spatial_dropout_backward(images, fnn.spatial_dropout_forward(images, rng=rng)[1])
    fnn.alpha_dropout_backward(dy, fnn.alpha_dropout_forward(x)[1])
    fnn.drop_path_backward(dy, fnn.drop_path_forward(x)[1])
    fnn.gaussian_dropout_backward(dy, fnn.gaussian_dropout_forward(x, out=x.copy())[1])
    assert fnn.dropout.dropout_mask is fnn.dropout_mask


def losses(reduction: Reduction = "mean") -> None:
    """What comes back depends on the keywords."""
    labels, targets, sign = np.arange(8) % 6, np.zeros_like(x), np.ones_like(x)
    Pair = tuple[np.floating[Any], Array]
    assert_type(fnn.softmax_cross_entropy(x, labels, label_smoothing=0.1), Pair)
    assert_type(fnn.nll_loss(fnn.log_softmax(x), labels, ignore_index=0), Pair)
    assert_type(fnn.multiclass_hinge(x, labels, margin=2.0, reduction="none"), tuple[Array, Array])
    assert_type(fnn.binary_cross_entropy(fnn.sigmoid(x), targets), Pair)
    assert_type(fnn.binary_cross_entropy_with_logits(x, targets, pos_weight=2.0), Pair)
    assert_type(fnn.focal(x, targets, alpha=0.25, reduction="sum"), Pair)
    assert_type(fnn.hinge(x, sign), Pair)
    assert_type(fnn.mse(x, targets, reduction="none"), tuple[Array, Array])
    assert_type(fnn.mae(x, targets), Pair)
    assert_type(fnn.huber(x, targets, delta=0.5), Pair)
    assert_type(fnn.smooth_l1(x, targets, beta=0.5), Pair)
    assert_type(fnn.log_cosh(x, targets), Pair)
    assert_type(fnn.kl_div(fnn.log_softmax(x), fnn.softmax(x)), Pair)
    assert_type(fnn.l1_penalty(x, 0.1), Pair)
    assert_type(fnn.l2_penalty(x, 0.1, accumulate_into=np.zeros_like(x)), Pair)
    assert_type(fnn.elastic_net_penalty(x, 0.1, 0.1), Pair)
    alone: float = fnn.losses.mse(x, targets, return_grad=False)
    loss, grad = fnn.mse(x, targets, reduction=reduction)
    assert_type(grad, Array)
    assert np.all(loss >= alone)


def optimisers(params: ArrayTree, grads: ArrayTree) -> None:
    """Every rule; hyperparameters may be schedules."""
    schedule = fnn.schedules.warmup_cosine(1e-3, 100, warmup=10)
    rules: list[fnn.optim.Optimizer] = [
        fnn.optim.SGD(params, 0.1, momentum=0.9, nesterov=True, momentum_form="velocity"),
        fnn.optim.Adam(params, lr=schedule, betas=(0.8, 0.99), eps_mode="inside", clip_norm=1.0),
        fnn.optim.AdamW(params, weight_decay=0.1, ema_decay=0.99),
        fnn.optim.Adafactor(params, eps=(None, 1e-3)),
        fnn.optim.LAMB(params, maximize=True),
        fnn.optim.preset("keras", "rmsprop", params, lr=1e-2),
    ]
    for rule in rules:
        rule.step(grads)
        state: dict[str, Any] = rule.state_dict()
        rule.load_state_dict(state)
    assert_type(fnn.global_norm(grads), float)
    assert_type(fnn.clip_by_global_norm(grads, 1.0), float)
    fnn.clip_by_value(grads, 0.5)
    w, m, v = (np.zeros(3, np.float32) for _ in range(3))
    fnn.optim.adam_update(w, w, m, v, 1, lr=schedule(0), weight_decay=0.1)


def around_training(out: Out = None) -> None:
    """Initial weights, data, checks, watching, searching, averaging."""
    w = fnn.init.he_normal((6, 3), rng=0, dtype=np.float64, layout="out_in")
    assert_type(fnn.preprocess.Standardizer().fit(x).transform(x, out), Array)
    report: fnn.GradientReport = fnn.check_gradient(fnn.gelu, x, fnn.gelu_backward(dy, x), dy)
    assert_type(report.ok, bool)
    fnn.numeric_gradient(fnn.tanh, x, dy, order=4)
    assert_type(fnn.monitor.tensor_stats(w).mean, float)
    assert_type(fnn.monitor.LossMonitor().update(1.0), bool)
    for parameters in fnn.search.random({"lr": fnn.search.loguniform(1e-4, 1e-1)}, 3, rng=0):
        assert_type(parameters, dict[str, Any])
    assert_type(fnn.ensemble.average_probabilities([fnn.softmax(x), fnn.softmax(x)]), Array)
    assert_type(fnn.recipe.check_initial_loss(2.3, 10).ok, bool)
    assert_type(vmath.exp(np.float32(1)), np.float32)
    assert_type(fnn.vmath.sin(1.0), np.float64)
    fnn.reference.gelu(x)
    assert fnn.compat.__name__ == "fastnn.compat"


def snake_derivative(x: float, a: float = 1.0) -> float:
    """1 + sin(2 a x)"""
    return 1 + vmath.sin(2 * a * x)


@fnn.elementwise(derivative=snake_derivative)
def snake(x: float, a: float = 1.0) -> float:
    """x + sin(a x)^2 / a"""
    s = vmath.sin(a * x)
    return x + s * s / a


@fnn.elementwise
def cube(x: float) -> float:
    """x^3"""
    return x * x * x


def own_functions(f: ActivationLike = snake) -> None:
    """A user's formulas have the types of fastnn's own functions."""
    assert_type(cube(x), Single)
    assert_type(snake(x, a=0.5), Single)
    double = fnn.elementwise(lambda x: 2 * x, name="double")
    assert_type(double(x, out=x.copy()), Single)
    fnn.batch_norm_forward(x, None, None, activation=f)


def threads() -> None:
    """How many cores."""
    with fnn.threads(1):
        assert_type(fnn.get_num_threads(), int)
    fnn.set_num_threads(2)
    assert_type(fnn.__version__, str)


if __name__ == "__main__":
    activations()
    activations_in_place()
    activations_with_parameters()
    other_arguments()
    layers()
    norms()
    dropouts()
    losses()
    optimisers({"w": x.copy()}, {"w": dy.copy()})
    around_training()
    own_functions()
    threads()
