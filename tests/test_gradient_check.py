"""numeric_gradient and check_gradient: digits, kinks, mistakes found, and x as it was."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastnn as fnn
from fastnn.gradient_check import check_gradient, numeric_gradient

#: (f of an array, its derivative), elementwise
SMOOTH = [(np.sin, np.cos), (np.exp, np.exp), (np.tanh, lambda x: 1 - np.tanh(x) ** 2), (np.square, lambda x: 2 * x)]
matrices = hnp.arrays("f8", hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-3, 3))


@pytest.mark.parametrize(("order", "digits"), [(2, 3e-9), (4, 3e-11)])
@pytest.mark.parametrize(("f", "derivative"), SMOOTH)
@given(x=matrices)
def test_the_gradient_of_a_sum(f, derivative, order, digits, x):
    gradient = numeric_gradient(lambda x: float(f(x).sum()), x, order=order)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(gradient, derivative(x), rtol=0, atol=digits * max(1, np.abs(f(x)).sum()))


@pytest.mark.parametrize("order", [2, 4])
def test_dy_weighs_what_f_returns(rng, order):
    a, x, dy = rng.standard_normal((3, 4)), rng.standard_normal((4, 2)), rng.standard_normal((3, 2))
    gradient = numeric_gradient(lambda x: np.sin(a @ x), x, dy, order=order)
    np.testing.assert_allclose(gradient, a.T @ (dy * np.cos(a @ x)), rtol=1e-7, atol=1e-9)


def test_the_higher_order_is_exact_for_a_quartic():
    x, eps = np.array([0.5, -1.25]), 0.25
    gradients = [numeric_gradient(lambda x: float((x**4).sum()), x, eps=eps, order=order) for order in (2, 4)]
    np.testing.assert_allclose(gradients[0], 4 * x**3 + 4 * x * eps**2, rtol=1e-13)  # its own error term
    np.testing.assert_allclose(gradients[1], 4 * x**3, rtol=1e-13)


@pytest.mark.parametrize(("order", "digits"), [(2, 1e-3), (4, 2e-4)])
def test_float32_stays_float32(rng, order, digits):
    seen, x = set(), rng.standard_normal(20).astype("f4")

    def f(x):
        seen.add(x.dtype)
        return np.sin(x).sum()

    gradient = numeric_gradient(f, x, order=order)
    assert seen == {np.dtype("f4")} == {gradient.dtype}
    np.testing.assert_allclose(gradient, np.cos(x.astype("f8")), atol=digits)


@pytest.mark.parametrize("x", [0.7, np.float64(0.7), np.array(0.7), np.float32(0.7)])
def test_a_number(x):
    gradient = numeric_gradient(math.sin, x, order=4)
    assert gradient == pytest.approx(math.cos(0.7), abs=1e-5)
    assert np.ndim(gradient) == 0
    assert check_gradient(math.sin, x, math.cos(x)).worst_index == ()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8])
def test_the_step_follows_the_size_of_x(scale):
    x = np.array([1.0, -3.0]) * scale
    gradient = numeric_gradient(lambda x: float(np.sum((x / scale) ** 2)), x, order=4)
    np.testing.assert_allclose(gradient, 2 * x / scale**2, rtol=1e-9)


def test_layouts_lists_and_read_only_arrays(rng):
    base = rng.standard_normal((6, 8))
    fixed = base.copy()
    fixed.flags.writeable = False
    f = lambda x: float((np.asarray(x) ** 3).sum())  # noqa: E731
    for x in (base[::2, ::-3], base.T, fixed, base.tolist(), base.astype(">f8"), np.asfortranarray(base)):
        before = np.array(x, copy=True)
        np.testing.assert_allclose(numeric_gradient(f, x), 3 * before**2, rtol=1e-7, atol=1e-9)
        np.testing.assert_array_equal(x, before)
    assert numeric_gradient(f, np.zeros((0, 3))).shape == (0, 3)
    assert check_gradient(f, np.zeros((0, 3)), np.zeros((0, 3)))


def test_f_may_read_the_array_from_where_it_keeps_it(rng):
    params = {"W": rng.standard_normal((3, 2))}
    x = rng.standard_normal((5, 3))
    gradient = numeric_gradient(lambda _: float(np.tanh(x @ params["W"]).sum()), params["W"])
    np.testing.assert_allclose(gradient, x.T @ (1 - np.tanh(x @ params["W"]) ** 2), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("call", [numeric_gradient, lambda f, x: check_gradient(f, x, x)])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_x_is_put_back_when_f_fails(call, error):
    x, calls = np.array([1.0, 2.0, 3.0]), []

    def f(x):
        calls.append(x.copy())
        if len(calls) == 6:
            raise error
        return float(x.sum())

    with pytest.raises(error):
        call(f, x)
    assert (calls[-1] != [1, 2, 3]).any()
    np.testing.assert_array_equal(x, [1, 2, 3])


def test_f_may_overwrite_its_argument():
    x = np.array([1.0, -2.0, 0.5])
    dy = np.array([1.0, 2.0, 3.0])
    gradient = numeric_gradient(lambda x: np.exp(x, out=x), x, dy, order=4)
    np.testing.assert_array_equal(x, [1.0, -2.0, 0.5])
    np.testing.assert_allclose(gradient, dy * np.exp(x), rtol=1e-10)


def test_a_result_kept_in_one_buffer(rng):
    x, dy, buffer = rng.standard_normal(5), rng.standard_normal(5), np.empty(5)
    assert check_gradient(lambda x: np.sin(x, out=buffer), x, dy * np.cos(x), dy)


# --- the check ---


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "name", ["relu", "gelu", "silu", "mish", "elu", "leaky_relu", "softplus", "hard_swish", "tanh"]
)
def test_activations_pass(rng, name, dtype):
    f, backward = fnn.activation(name)
    x, dy = rng.standard_normal((2, 20, 15)).astype(dtype)
    report = check_gradient(f, x, backward(dy, x), dy)
    assert report.ok, report
    assert report.checked + report.kinks == 200
    assert report.checked > 150
    assert report.size == 300


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_layer_norm_passes(rng, dtype):
    x, dy = rng.standard_normal((2, 4, 10)).astype(dtype)
    gamma, beta = rng.uniform(0.5, 1.5, (2, 10)).astype(dtype)
    _, cache = fnn.layer_norm_forward(x, gamma, beta)
    dx, dgamma, dbeta = fnn.layer_norm_backward(dy, cache)
    for report in (
        check_gradient(lambda x: fnn.layer_norm_forward(x, gamma, beta)[0], x, dx, dy),
        check_gradient(lambda gamma: fnn.layer_norm_forward(x, gamma, beta)[0], gamma, dgamma, dy),
        check_gradient(lambda beta: fnn.layer_norm_forward(x, gamma, beta)[0], beta, dbeta, dy),
    ):
        assert report.ok, report
        assert report.kinks == 0
        assert report.checked == report.size


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_loss_passes(rng, dtype, order):
    logits, labels = rng.standard_normal((8, 10)).astype(dtype), rng.integers(0, 10, 8)
    _, gradient = fnn.softmax_cross_entropy(logits, labels)
    loss = lambda z: fnn.softmax_cross_entropy(z, labels, return_grad=False)  # noqa: E731
    report = check_gradient(loss, logits, gradient, order=order)
    assert report.ok, report
    assert (report.checked, report.kinks) == (80, 0)


@pytest.mark.parametrize(("dtype", "least"), [("f4", 50), ("f8", 180)])
def test_a_relu_network_passes_and_a_forgotten_mean_does_not(rng, dtype, least):
    x, labels = rng.standard_normal((32, 20)).astype(dtype), rng.integers(0, 10, 32)
    w1, w2 = (0.3 * rng.standard_normal((20, 30))).astype(dtype), (0.3 * rng.standard_normal((30, 10))).astype(dtype)
    h = x @ w1
    _, dlogits = fnn.softmax_cross_entropy(fnn.relu(h) @ w2, labels)
    gradient = x.T @ fnn.relu_backward(dlogits @ w2.T, h)
    loss = lambda w1: fnn.softmax_cross_entropy(fnn.relu(x @ w1) @ w2, labels, return_grad=False)  # noqa: E731
    report = check_gradient(loss, w1, gradient)
    assert report.ok, report
    assert report.checked > least
    report = check_gradient(loss, w1, 32 * gradient)
    assert not report
    assert report.factor == pytest.approx(32, rel=1e-3)


def mistakes(gradient):
    """name -> the gradient with the mistake."""
    wrong, swapped, noisy = (gradient.copy() for _ in range(3))
    wrong[3, 4] += 0.02
    swapped[2] = gradient[2][::-1]
    noisy *= 1 + 1e-2
    return {
        "sign": -gradient,
        "1/N": gradient * len(gradient),
        "coordinate": wrong,
        "order": swapped,
        "zero": 0 * gradient,
        "one percent": noisy,
        "transposed": gradient - gradient.mean(axis=0),
    }


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("mistake", mistakes(np.ones((8, 10))))
def test_mistakes_are_found(rng, mistake, dtype):
    logits, labels = (2 * rng.standard_normal((8, 10))).astype(dtype), rng.integers(0, 10, 8)
    _, gradient = fnn.softmax_cross_entropy(logits, labels)
    wrong = mistakes(gradient)[mistake]
    report = check_gradient(lambda z: fnn.softmax_cross_entropy(z, labels, return_grad=False), logits, wrong)
    assert not report
    assert report.kinks == 0
    assert report.checked == 80
    assert "WRONG" in str(report)
    if mistake == "coordinate":
        assert report.worst_index == (3, 4)
        assert report.analytic == wrong[3, 4]
        assert report.numeric == pytest.approx(gradient[3, 4], abs=1e-4)
        assert report.factor is None
    expected = {"sign": -1, "1/N": 8, "zero": 0, "one percent": 1.01}
    if mistake in expected:
        assert report.factor == pytest.approx(expected[mistake], abs=1e-3)
        assert "times numeric everywhere" in repr(report)


def test_the_relative_error():
    x = np.array([1.0, 2.0, -4.0])
    report = check_gradient(lambda x: float((x**2).sum()), x, 2 * x * [1, 1.25, 1], tolerance=0.1)
    assert report.max_relative_error == pytest.approx(1 / 5)  # |4 - 5| / max(4, 5)
    assert report.worst_index == (1,)
    assert check_gradient(lambda x: float((x**2).sum()), x, 2 * x * [1, 1.25, 1], tolerance=0.21)


# --- kinks ---


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("order", [2, 4])
def test_relu_at_zero_is_left_out(rng, dtype, order):
    x = rng.uniform(0.5, 2, 40).astype(dtype) * rng.choice([-1, 1], 40).astype(dtype)
    dy = rng.uniform(0.5, 1, 40).astype(dtype)
    x[[3, 17]] = 0
    report = check_gradient(fnn.relu, x, fnn.relu_backward(dy, x), dy, order=order)
    assert report.ok, report
    assert (report.checked, report.kinks) == (38, 2)
    assert not check_gradient(fnn.relu, x, dy, dy, order=order)


@given(st.floats(-3, 3), st.sampled_from([2, 4]), st.floats(-2, 2), st.sampled_from([1.0, -0.5, 20.0]))
def test_a_kink_within_the_step(place, order, curvature, jump):
    """Wherever the kink is, the true slope passes or is left out, and a wrong one never passes."""
    eps = 1e-3
    f = lambda x: float(np.sum(jump * np.maximum(x - place * eps, 0) + curvature * np.sin(x + 1)))  # noqa: E731
    slope = jump * (place < 0) + curvature * np.cos(1.0)
    report = check_gradient(f, np.zeros(1), np.array([slope]), eps=eps, order=order)
    assert report.ok or report.kinks == 1
    assert not check_gradient(f, np.zeros(1), np.array([slope + 0.1]), eps=eps, order=order)
    if abs(place) < 0.8 and place:
        assert report.kinks == 1
    if abs(place) > 2:
        assert report.checked == 1


def test_ties_of_a_maximum_are_left_out():
    x = np.array([[1.0, 5.0, 5.0], [2.0, 0.0, 1.0]])
    gradient = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    report = check_gradient(lambda x: float(x.max(axis=1).sum()), x, gradient)
    assert report.ok, report
    assert (report.checked, report.kinks) == (4, 2)


def test_nothing_but_kinks_is_not_ok():
    report = check_gradient(lambda x: float(np.abs(x).sum()), np.zeros(4), np.zeros(4))
    assert not report.ok
    assert (report.checked, report.kinks, report.worst_index) == (0, 4, None)
    assert "not checked" in str(report)


def test_saturation_is_no_mistake():
    """Where f does not change by a bit, a derivative below what it can resolve passes, a large one does not."""
    x = np.array([30.0, -25.0, 0.3])
    dy = np.ones(3)
    assert check_gradient(np.tanh, x, 1 / np.cosh(x) ** 2, dy)
    report = check_gradient(np.tanh, x, 1 / np.cosh(x) ** 2 + [0, 1e-3, 0], dy)
    assert not report
    assert report.worst_index == (1,)


def test_nan_is_wrong():
    x = np.array([1.0, 2.0])
    report = check_gradient(lambda x: float(np.sum(x)), x, np.array([1.0, np.nan]))
    assert not report
    assert report.max_relative_error == np.inf
    assert report.worst_index == (1,)
    assert not check_gradient(lambda x: float(np.sum(x)), np.array([1.0, np.inf]), np.ones(2))


def test_samples(rng):
    x, calls = rng.standard_normal((50, 40)), []

    def f(x):
        calls.append(None)
        return np.sin(x)

    dy = np.ones((50, 40))
    reports = [check_gradient(f, x, np.cos(x), dy, samples=30, rng=3) for _ in range(2)]
    assert reports[0] == reports[1]
    assert reports[0].checked == 30
    assert len(calls) <= 2 * (2 + 8 * 30)
    assert check_gradient(f, x, np.cos(x), dy, samples=30, rng=4).worst_index != reports[0].worst_index
    wrong = np.cos(x)
    wrong[7, 7] += 1
    assert check_gradient(f, x, wrong, dy, samples=None).worst_index == (7, 7)


def test_the_report_is_a_few_lines():
    x = np.array([[1.0, 2.0]])
    text = str(check_gradient(lambda x: float((x**2).sum()), x, 2 * x))
    assert text.splitlines()[0].startswith("gradient ok: max relative error ")
    assert text.splitlines()[1] == "  2 of 2 coordinates checked, 0 left out at kinks"
    assert text.splitlines()[2].startswith("  worst at (0, ")
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"f": 3}, TypeError, "f is 3, expected a function"),
        ({"f": lambda x: x}, ValueError, r"f returns an array of shape \(2,\), expected a number"),
        ({"f": lambda x: (x, x)}, TypeError, "f returns a tuple"),
        ({"f": lambda x: "no"}, TypeError, "what f returns has dtype"),
        ({"f": lambda x: np.random.default_rng().random()}, ValueError, "f gives two values for one x"),
        ({"dy": np.ones(3), "f": lambda x: x}, ValueError, r"dy has shape \(3,\), expected \(2,\) to match what f"),
        ({"x": np.ones(2, complex)}, TypeError, "x has dtype complex128"),
        ({"order": 3}, ValueError, "order is 3, expected 2 or 4"),
        ({"eps": 1e-30}, ValueError, "eps is 1e-30, expected one that changes every entry of x"),
        ({"eps": -1.0}, ValueError, "eps is -1.0"),
    ],
)
def test_errors(keywords, error, message):
    arguments = {"f": lambda x: float(x.sum()), "x": np.ones(2), **keywords}
    with pytest.raises(error, match=f"^numeric_gradient: {message}"):
        numeric_gradient(arguments.pop("f"), arguments.pop("x"), **arguments)
    arguments = {"f": lambda x: float(x.sum()), "x": np.ones(2), **keywords}
    with pytest.raises(error, match=f"^check_gradient: {message}"):
        check_gradient(arguments.pop("f"), arguments.pop("x"), np.ones(2), **arguments)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"analytic": np.ones(3)}, ValueError, r"analytic has shape \(3,\), expected \(2,\) to match x"),
        ({"tolerance": 0}, ValueError, "tolerance is 0"),
        ({"samples": 0}, ValueError, "samples is 0"),
        ({"samples": 1.5}, TypeError, "samples is 1.5"),
        ({"rng": "a"}, TypeError, "rng is 'a'"),
    ],
)
def test_errors_of_the_check(keywords, error, message):
    arguments = {"analytic": np.ones(2), **keywords}
    with pytest.raises(error, match=f"^check_gradient: {message}"):
        check_gradient(lambda x: float(x.sum()), np.ones(2), **arguments)
