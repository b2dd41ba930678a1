"""The reference against what does not share a line with it: mpmath, numeric derivatives, known values."""

import numpy as np
import pytest
from cases import CASES, exact_derivatives, exact_values, moderate_sample
from ulps import same_bits, spacing, ulp_error

from fastnn import reference

INF, NAN = np.inf, np.nan


def test_forward_is_the_formula(variant):
    case, parameters = variant
    x = moderate_sample(case, parameters)
    error = ulp_error(getattr(reference, case.name)(x, *parameters), exact_values(case, x, parameters))
    assert error.max() <= case.reference_ulps, x[error.argmax()]


def test_backward_is_the_derivative(variant):
    case, parameters = variant
    x = moderate_sample(case, parameters, count=40)
    exact = exact_derivatives(case, x, parameters)
    actual = getattr(reference, f"{case.name}_backward")(np.ones_like(x), x, *parameters)
    error = np.abs(actual - exact)
    allowed = case.reference_ulps * spacing(exact, np.float64)
    for crossing, width in case.crossings:
        allowed = np.where(np.abs(x - crossing) < width, 2.0**-50, allowed)
    assert np.all(error <= allowed), x[(error / allowed).argmax()]


def test_backward_multiplies_by_dy(case, rng):
    x = moderate_sample(case, case.default)
    dy = rng.standard_normal(x.size)
    f_backward = getattr(reference, f"{case.name}_backward")
    slope = f_backward(np.ones_like(x), x, *case.default)
    assert ulp_error(f_backward(dy, x, *case.default), dy * slope).max() <= 2


def test_backward_from_output_agrees_with_backward(invertible_variant):
    """Where y has not lost x to rounding the two must agree."""
    case, parameters = invertible_variant
    x = moderate_sample(case, parameters)
    dy = np.linspace(-2, 3, x.size)
    y = getattr(reference, case.name)(x, *parameters)
    expected = getattr(reference, f"{case.name}_backward")(dy, x, *parameters)
    actual = getattr(reference, f"{case.name}_backward_from_output")(dy, y, *parameters)
    np.testing.assert_allclose(actual, expected, rtol=1e-14, atol=2e-15)


# x, f(x), f'(x): the zeros, the infinities and the kinks of every function.
SPECIAL = {
    "relu": [(-0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (INF, INF, 1.0), (-INF, 0.0, 0.0), (-2.0, 0.0, 0.0)],
    "relu6": [(-0.0, 0.0, 0.0), (6.0, 6.0, 0.0), (INF, 6.0, 0.0), (-INF, 0.0, 0.0), (3.5, 3.5, 1.0)],
    "leaky_relu": [(-0.0, -0.0, 0.01), (0.0, 0.0, 0.01), (INF, INF, 1.0), (-INF, -INF, 0.01), (-2.0, -0.02, 0.01)],
    "threshold": [(0.5, 20.0, 0.0), (0.75, 0.75, 1.0), (-INF, 20.0, 0.0), (INF, INF, 1.0)],
    "elu": [(-0.0, -0.0, 1.0), (0.0, 0.0, 1.0), (INF, INF, 1.0), (-INF, -1.0, 0.0)],
    "selu": [
        (-0.0, -0.0, 1.7580993408473766),
        (0.0, 0.0, 1.7580993408473766),
        (INF, INF, 1.0507009873554805),
        (-INF, -1.7580993408473766, 0.0),
    ],
    "celu": [(-0.0, -0.0, 1.0), (0.0, 0.0, 1.0), (INF, INF, 1.0), (-INF, -1.0, 0.0)],
    "sigmoid": [(-0.0, 0.5, 0.25), (0.0, 0.5, 0.25), (INF, 1.0, 0.0), (-INF, 0.0, 0.0)],
    "log_sigmoid": [(INF, -0.0, 0.0), (-INF, -INF, 1.0), (0.0, -0.6931471805599453, 0.5)],
    "hard_sigmoid": [(-3.0, 0.0, 0.0), (3.0, 1.0, 0.0), (-INF, 0.0, 0.0), (INF, 1.0, 0.0), (0.0, 0.5, 1 / 6)],
    "tanh": [(-0.0, -0.0, 1.0), (0.0, 0.0, 1.0), (INF, 1.0, 0.0), (-INF, -1.0, 0.0)],
    "hard_tanh": [(-0.0, -0.0, 1.0), (1.0, 1.0, 0.0), (-1.0, -1.0, 0.0), (INF, 1.0, 0.0), (-INF, -1.0, 0.0)],
    "tanhshrink": [(-0.0, -0.0, 0.0), (0.0, 0.0, 0.0), (INF, INF, 1.0), (-INF, -INF, 1.0)],
    "softsign": [(-0.0, -0.0, 1.0), (0.0, 0.0, 1.0), (INF, 1.0, 0.0), (-INF, -1.0, 0.0)],
    "softplus": [(0.0, 0.6931471805599453, 0.5), (INF, INF, 1.0), (-INF, 0.0, 0.0)],
    "silu": [(-0.0, -0.0, 0.5), (0.0, 0.0, 0.5), (INF, INF, 1.0), (-INF, -0.0, 0.0)],
    "hard_swish": [
        (-0.0, -0.0, 0.5),
        (0.0, 0.0, 0.5),
        (-3.0, -0.0, 0.0),
        (3.0, 3.0, 1.0),
        (INF, INF, 1.0),
        (-INF, -0.0, 0.0),
    ],
    "gelu": [(-0.0, -0.0, 0.5), (0.0, 0.0, 0.5), (INF, INF, 1.0), (-INF, -0.0, 0.0)],
    "gelu_tanh": [(-0.0, -0.0, 0.5), (0.0, 0.0, 0.5), (INF, INF, 1.0), (-INF, -0.0, 0.0)],
    "quick_gelu": [(-0.0, -0.0, 0.5), (0.0, 0.0, 0.5), (INF, INF, 1.0), (-INF, -0.0, 0.0)],
    "mish": [(-0.0, -0.0, 0.6), (0.0, 0.0, 0.6), (INF, INF, 1.0), (-INF, -0.0, 0.0)],
    "squareplus": [(0.0, 1.0, 0.5), (-0.0, 1.0, 0.5), (INF, INF, 1.0), (-INF, 0.0, 0.0)],
    "hardshrink": [(-0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (-0.5, 0.0, 0.0), (INF, INF, 1.0), (-INF, -INF, 1.0)],
    "softshrink": [(-0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (-0.5, 0.0, 0.0), (INF, INF, 1.0), (-INF, -INF, 1.0)],
}

#: Functions whose derivative is 0 on a whole interval: x in it, for which the gradient is +0 whatever dy is.
FLAT = {
    "relu": (0.0, -0.0, -1.0, -INF),
    "relu6": (0.0, -1.0, 6.0, 7.0, INF, -INF),
    "threshold": (0.5, -1.0, -INF),
    "hard_sigmoid": (-3.0, 3.0, -5.0, 5.0, INF, -INF),
    "hard_tanh": (-1.0, 1.0, -5.0, 5.0, INF, -INF),
    "hard_swish": (-3.0, -5.0, -INF),
    "hardshrink": (0.5, -0.5, 0.0),
    "softshrink": (0.5, -0.5, 0.0),
}


def test_special_values(case):
    x, y, slope = np.array(SPECIAL[case.name]).T
    with np.errstate(all="raise", under="ignore"):
        forward = getattr(reference, case.name)(x, *case.default)
        backward = getattr(reference, f"{case.name}_backward")(np.ones_like(x), x, *case.default)
    np.testing.assert_array_max_ulp(forward, y, 1)
    assert same_bits(np.signbit(forward) * 1.0, np.signbit(y) * 1.0)
    np.testing.assert_array_max_ulp(backward, slope, 1)


def test_nan_stays(case):
    assert np.isnan(getattr(reference, case.name)(NAN, *case.default))
    assert np.isnan(getattr(reference, f"{case.name}_backward")(NAN, 0.625, *case.default))


@pytest.mark.parametrize("name", FLAT)
def test_flat_parts_have_gradient_plus_zero_whatever_dy(name):
    for dy in (INF, -INF, NAN, -1.0):
        gradient = getattr(reference, f"{name}_backward")(dy, np.array(FLAT[name]), *CASES[name].default)
        assert same_bits(gradient, np.zeros(len(FLAT[name])))


def test_results_are_float64_scalars_or_arrays(case):
    f = getattr(reference, case.name)
    assert type(f(np.float32(1), *case.default)) is np.float64
    assert f([1, 2], *case.default).dtype == np.float64
    assert f(np.ones((0, 3), ">f4"), *case.default).shape == (0, 3)


def numeric_gradient(f, x, h=1e-4):
    """Of the scalar f by x, in place in x: five points, error h**4."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle, sides = x[index], []
        for step in (2, 1, -1, -2):
            x[index] = middle + step * h
            sides.append(f())
        x[index] = middle
        gradient[index] = (-sides[0] + 8 * sides[1] - 8 * sides[2] + sides[3]) / (12 * h)
    return gradient


def assert_gradients(loss, pairs):
    for analytic, argument in pairs:
        np.testing.assert_allclose(analytic, numeric_gradient(loss, argument), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "axis", "alpha_shape"), [((4, 3, 5), 1, (3,)), ((4, 3), -2, (4,)), ((6,), 0, (1, 1))]
)
def test_prelu_gradients(shape, axis, alpha_shape, rng):
    x, dy, alpha = rng.standard_normal(shape), rng.standard_normal(shape), rng.uniform(0.1, 0.9, alpha_shape)
    dx, dalpha = reference.prelu_backward(dy, x, alpha, axis)
    assert dalpha.shape == alpha_shape
    assert_gradients(lambda: (dy * reference.prelu(x, alpha, axis)).sum(), [(dx, x), (dalpha, alpha)])


def test_rrelu(rng):
    x = rng.standard_normal(1000)
    assert same_bits(reference.rrelu(x, 0.1, 0.4), reference.leaky_relu(x, 0.25))
    y, cache = reference.rrelu_forward(x, 0.1, 0.4, rng=3)
    slopes = (y / x)[x < 0]
    assert 0.1 <= slopes.min() < 0.11
    assert 0.39 < slopes.max() < 0.4
    assert np.all((y == x)[x > 0])
    dx = reference.rrelu_backward(np.ones(1000), cache)
    np.testing.assert_allclose(dx * x, y, rtol=1e-15)


def test_maxout():
    x = np.array([[1.0, 5.0, 2.0, 7.0, 7.0, 3.0]])
    y, winner = reference.maxout(x, 3)
    assert y.tolist() == [[5.0, 7.0]]
    assert winner.tolist() == [[1, 0]]
    assert reference.maxout_backward([[2.0, 3.0]], winner, 3).tolist() == [[0.0, 2.0, 0.0, 3.0, 0.0, 0.0]]
    y, winner = reference.maxout(x.T, 3, axis=0)
    assert y.tolist() == [[5.0], [7.0]]
    assert reference.maxout_backward([[2.0], [3.0]], winner, 3, axis=0).ravel().tolist() == [0, 2, 0, 3, 0, 0]


@pytest.mark.parametrize("activation", ["gelu", "tanh", ("elu", 0.5), reference.silu])
def test_bias_activation_gradients(activation, rng):
    x, dy, bias = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3, 2)), rng.standard_normal(3)
    dx, dbias = reference.bias_activation_backward(dy, x, bias, activation, axis=1)
    assert_gradients(
        lambda: (dy * reference.bias_activation(x, bias, activation, axis=1)).sum(), [(dx, x), (dbias, bias)]
    )


@pytest.mark.parametrize("activation", [None, "tanh", ("softplus", 2.0)])
@pytest.mark.parametrize(("shape", "axis"), [((6, 3), 1), ((4, 3, 2, 2), 1), ((5, 2, 3), -1)])
def test_batch_norm_gradients(shape, axis, activation, rng):
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    gamma, beta, var = rng.uniform(0.5, 2, 3), rng.standard_normal(3), rng.uniform(0.5, 2, 3)

    def training():
        return reference.batch_norm_forward(x, gamma, beta, axis=axis, activation=activation)

    gradients = reference.batch_norm_backward(dy, training()[1])
    assert_gradients(lambda: (dy * training()[0]).sum(), zip(gradients, (x, gamma, beta), strict=True))

    def inference():
        return reference.batch_norm_inference(x, gamma, beta, beta, var, axis=axis, activation=activation)

    dx, dgamma, _ = reference.batch_norm_inference_backward(
        dy, x, gamma, beta, beta, var, axis=axis, activation=activation
    )
    assert_gradients(lambda: (dy * inference()).sum(), [(dx, x), (dgamma, gamma)])


def test_batch_norm_values():
    x = np.array([[1.0], [2.0], [6.0]])
    running_mean, running_var = np.array([1.0]), np.array([2.0])
    y, _ = reference.batch_norm_forward(x, None, None, running_mean, running_var, momentum=0.25, eps=4 / 3)
    np.testing.assert_allclose(y.ravel(), np.array([-2.0, -1.0, 3.0]) / np.sqrt(6))
    np.testing.assert_allclose([running_mean[0], running_var[0]], [1.5, 0.75 * 2 + 0.25 * 7])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("soft", [False, True])
def test_softmax_cross_entropy_gradients(reduction, soft, rng):
    logits = rng.standard_normal((4, 5, 3))
    labels = rng.dirichlet(np.ones(5), (4, 3)).transpose(0, 2, 1) if soft else rng.integers(0, 5, (4, 3))
    options = {"axis": 1, "weight": rng.uniform(0.5, 2, 5), "label_smoothing": 0.1, "reduction": reduction}
    if not soft:
        options["ignore_index"] = int(labels[0, 0])

    def loss():
        return reference.softmax_cross_entropy(logits, labels, **options, return_grad=False)

    assert_gradients(loss, [(reference.softmax_cross_entropy(logits, labels, **options)[1], logits)])


def test_softmax_cross_entropy_values():
    loss, grad = reference.softmax_cross_entropy([[0.0, np.log(3.0)], [800.0, 0.0]], [0, 1], reduction="none")
    np.testing.assert_allclose(loss, [np.log(4.0), 800.0])
    np.testing.assert_allclose(grad, [[-0.75, 0.75], [1.0, -1.0]])
    weighted = reference.softmax_cross_entropy([[0.0, 0.0]] * 2, [0, 1], weight=[1.0, 3.0], ignore_index=0)
    np.testing.assert_allclose(weighted[0], np.log(2.0))
    assert np.isnan(reference.softmax_cross_entropy([[0.0, 0.0]], [7], ignore_index=7)[0])
    with pytest.raises(ValueError, match="labels must be in"):
        reference.softmax_cross_entropy([[0.0, 0.0]], [2])


def test_sgd_values():
    param, buf = np.array([1.0, -2.0]), np.zeros(2)
    for _ in range(2):
        reference.optim.sgd_update(param, [1.0, -1.0], buf, lr=0.5, momentum=0.5)
    np.testing.assert_allclose(param, [1 - 0.5 - 0.75, -2 + 0.5 + 0.75])
    param, buf = np.array([1.0]), np.zeros(1)
    reference.optim.sgd_update(param, [1.0], buf, lr=0.5, momentum=0.5, nesterov=True, momentum_form="velocity")
    np.testing.assert_allclose([param[0], buf[0]], [0.25, -0.5])


def test_adam_values():
    param, m, v = np.array([1.0, 1.0]), np.zeros(2), np.zeros(2)
    reference.optim.adam_update(param, [4.0, -1e-3], m, v, 1, lr=0.1)
    np.testing.assert_allclose(param, [1 - 0.1 / (1 + 0.25e-8), 1 + 0.1 / (1 + 1e-5)], rtol=1e-12)
    np.testing.assert_allclose([m, v], [[0.4, -1e-4], [0.016, 1e-9]], rtol=1e-12)


OPTIMISERS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.5, "nesterov": True}, {"momentum": 0.9, "dampening": 0.25}],
    "Adam": [{}, {"betas": (0.8, 0.95), "eps": 1e-3}, {"amsgrad": True, "weight_decay": 0.1}],
    "AdamW": [{"weight_decay": 0.1}],
}


@pytest.mark.parametrize(("rule", "options"), [(rule, o) for rule, many in OPTIMISERS.items() for o in many])
def test_optimisers_as_torch(rule, options, rng):
    torch = pytest.importorskip("torch")
    start, grads = rng.standard_normal(7), rng.standard_normal((10, 7))
    peer = torch.tensor(start, requires_grad=True)
    optimiser = getattr(torch.optim, rule)([peer], lr=0.05, **options)
    ours, m, v = start.copy(), np.zeros(7), np.zeros(7)
    options = dict(options)
    if options.pop("amsgrad", False):
        options["max_exp_avg_sq"] = np.zeros(7)
    for step, grad in enumerate(grads, 1):
        peer.grad = torch.tensor(grad)
        optimiser.step()
        if rule == "SGD":
            reference.optim.sgd_update(ours, grad, m, lr=0.05, first=step == 1, **options)
        else:
            reference.optim.adam_update(ours, grad, m, v, step, lr=0.05, decoupled=rule == "AdamW", **options)
    np.testing.assert_allclose(ours, peer.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_softmax_cross_entropy_as_torch(smoothing, rng):
    torch = pytest.importorskip("torch")
    logits, labels, weight = rng.standard_normal((6, 4)), rng.integers(0, 4, 6), rng.uniform(0.5, 2, 4)
    for targets, ignore_index in ((labels, 1), (rng.dirichlet(np.ones(4), 6), -100)):
        peer = torch.tensor(logits, requires_grad=True)
        expected = torch.nn.functional.cross_entropy(
            peer,
            torch.tensor(targets),
            torch.tensor(weight),
            ignore_index=ignore_index,
            label_smoothing=smoothing,
        )
        expected.backward()
        loss, grad = reference.softmax_cross_entropy(
            logits, targets, weight=weight, ignore_index=ignore_index, label_smoothing=smoothing
        )
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-13)
        np.testing.assert_allclose(grad, peer.grad.numpy(), rtol=1e-12, atol=1e-15)
