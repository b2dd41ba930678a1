"""Losses of one prediction and one target at a time, against the reference and against numeric derivatives."""

import doctest
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from cases import ROUNDED, Ulps, values
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from processes import run_python
from test_reference import assert_gradients
from ulps import assert_within, same_bits

import fastnn as fnn
from fastnn import losses, reference

INF, NAN = np.inf, np.nan


def differences(rng, shape):
    return rng.standard_normal(shape) * 3, rng.standard_normal(shape) * 3


def logits(rng, shape):
    return rng.standard_normal(shape) * 4, rng.choice([0.0, 1.0, 1.0, 0.25], shape)


def probabilities(rng, shape):
    return rng.random(shape), rng.choice([0.0, 1.0, 1.0, 0.25], shape)


def distributions(rng, shape):
    return -rng.exponential(2, shape), rng.choice([0.0, 1.0, 0.3], shape) * rng.random(shape)


def scores(rng, shape):
    return rng.standard_normal(shape) * 2, rng.choice([-1.0, 1.0], shape)


@dataclass(frozen=True)
class Row:
    """A loss with options, where it is tried and how accurate it is."""

    name: str
    options: dict = field(default_factory=dict)
    problem: Callable = differences
    loss: Ulps = field(default_factory=Ulps)
    grad: Ulps = field(default_factory=Ulps)
    #: eps that a gradient may be off besides, where targets between 0 and 1 let it cross 0
    absolute: float = 0.0
    #: the largest prediction of `test_every_exponent`
    limit: float = INF
    targets: tuple[float, ...] = (0.0,)

    def __str__(self):
        return "-".join([self.name, *(f"{name}={value}" for name, value in self.options.items())])

    def __call__(self, prediction, target, **options):
        return getattr(fnn, self.name)(prediction, target, **self.options, **options)

    def reference(self, prediction, target, **options):
        return getattr(reference, self.name)(prediction, target, **self.options, **options)


CUBED = Ulps(0.51, 12.0, 12.0)
ROWS = [
    Row("mse", loss=ROUNDED, grad=ROUNDED),
    Row("mae", loss=ROUNDED, grad=ROUNDED),
    Row("huber", loss=ROUNDED, grad=ROUNDED),
    Row("huber", {"delta": 0.3}, loss=Ulps(0.51, 0.51, 2), grad=Ulps(0.51, 0.51, 0.51)),
    Row("huber", {"delta": 5.0}, loss=ROUNDED, grad=ROUNDED),
    Row("smooth_l1", loss=Ulps(0.51, 0.51, 2), grad=ROUNDED),
    Row("smooth_l1", {"beta": 0.7}, loss=Ulps(0.51, 0.51, 3), grad=Ulps(0.51, 2.6, 2.6)),
    Row("smooth_l1", {"beta": 6.0}, loss=Ulps(0.51, 0.51, 3), grad=Ulps(0.51, 2.6, 2.6)),
    Row("smooth_l1", {"beta": 0}, loss=ROUNDED, grad=ROUNDED),
    Row("log_cosh", loss=Ulps(0.51, 4, 8), grad=Ulps(0.51, 4, 4)),
    Row("kl_div", {}, distributions, Ulps(0.51, 0.51, 4), ROUNDED, 0.0, INF, (1.0, 0.25)),
    Row("hinge", {}, scores, Ulps(0.51, 0.51, 1), ROUNDED, 0.0, INF, (1.0, -1.0)),
    Row("binary_cross_entropy", {}, probabilities, Ulps(0.51, 3, 4), Ulps(0.51, 3, 3), 0.0, 1.0, (0.0, 1.0)),
    Row("binary_cross_entropy_with_logits", {}, logits, Ulps(0.51, 2.5, 3), Ulps(0.51, 2.5, 3), 2.0, INF, (0.0, 1.0)),
    Row("focal", {}, logits, Ulps(0.51, 8, 9), Ulps(0.51, 8, 9), 4.0, INF, (0.0, 1.0)),
    Row("focal", {"alpha": 0.25}, logits, Ulps(0.51, 8, 9), Ulps(0.51, 8, 9), 4.0, INF, (0.0, 1.0)),
    Row("focal", {"gamma": 0, "alpha": 1.0}, logits, Ulps(0.51, 3, 4), Ulps(0.51, 3, 4), 2.0, INF, (0.0, 1.0)),
    Row("focal", {"gamma": 1}, logits, Ulps(0.51, 4, 5), Ulps(0.51, 5, 5), 4.0, INF, (0.0, 1.0)),
    Row("focal", {"gamma": 3, "alpha": 0.0}, logits, CUBED, CUBED, 4.0, INF, (0.0, 1.0)),
    Row("focal", {"gamma": 7}, logits, Ulps(0.51, 24, 24), Ulps(0.51, 24, 24), 8.0, INF, (0.0, 1.0)),
    Row("focal", {"gamma": 0.5}, logits, Ulps(0.51, 0.51, 16), Ulps(0.51, 0.51, 20), 4.0, 20.0, (0.0, 1.0)),
    Row("focal", {"gamma": 2.5}, logits, Ulps(0.51, 0.51, 60), Ulps(0.51, 0.51, 60), 4.0, 20.0, (0.0, 1.0)),
]
ONE_OF_EACH = [row for row in ROWS if not row.options] + [row for row in ROWS if row.options == {"gamma": 2.5}]
WEIGHTED = ["binary_cross_entropy", "binary_cross_entropy_with_logits"]

every_row = pytest.mark.parametrize("row", ROWS, ids=str)
every_loss = pytest.mark.parametrize("row", ONE_OF_EACH, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def drawn(row, shape, dtype, seed=0):
    return tuple(np.asarray(a, dtype) for a in row.problem(np.random.default_rng(seed), shape))


def laid_out(a, layout):
    """The same numbers elsewhere in memory."""
    if a.ndim == 0:
        return a.copy()
    if layout == "F":
        return np.asfortranarray(a)
    if layout == "reversed":
        return np.flip(np.flip(a).copy())
    if layout == "strided":
        wider = np.full((*a.shape[:-1], 2 * a.shape[-1]), NAN, a.dtype)
        wider[..., ::2] = a
        return wider[..., ::2]
    if layout == "swapped":
        return a.astype(a.dtype.newbyteorder())
    if layout == "unaligned":
        b = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
        b[...] = a
        return b
    a = a.copy()
    a.flags.writeable = layout != "read-only"
    return a


LAYOUTS = ["C", "F", "reversed", "strided", "swapped", "unaligned", "read-only"]


def assert_as_reference(row, actual, expected, terms, reduction, prediction):
    """A sum's error is that of its terms: of each one's last places, and of the additions in float64."""
    (loss, grad), (exact_loss, exact_grad) = actual, expected
    dtype = prediction.dtype
    assert loss.dtype == grad.dtype == dtype
    bound, grad_bound, eps = row.loss.of(dtype), row.grad.of(dtype), float(np.finfo(dtype).eps)
    divisor = (len(prediction) if row.name == "kl_div" else prediction.size) if reduction == "mean" else 1
    if reduction == "none":
        # log t - log_probs cancels: its error in float64 is that of the larger one
        absolute = 4 * np.finfo(float).eps * np.abs(prediction.astype(float)) if row.name == "kl_div" else 0.0
        assert_within(loss, exact_loss, bound, absolute, (prediction,))
    else:
        size = np.abs(terms).sum() / divisor
        slack = (bound * eps + 64 * np.finfo(float).eps) * size
        assert_within(loss, exact_loss, 1.0, slack)
    # The scale is rounded, by up to one last place of the result, and so is the product with it.
    more = 0.0 if reduction == "none" or divisor == 1 or dtype == np.float16 else 2.0
    assert_within(grad, exact_grad, grad_bound + more, row.absolute * eps / divisor, (prediction,))


@every_row
@given(
    array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=20),
    st.integers(0, 10**6),
    st.sampled_from(["f2", "f4", "f8"]),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.sampled_from(["mean", "sum", "none"]),
)
def test_as_reference(row, shape, seed, dtype, layout, target_layout, reduction):
    prediction, target = drawn(row, shape, dtype, seed)
    actual = row(laid_out(prediction, layout), laid_out(target, target_layout), reduction=reduction)
    terms = row.reference(prediction, target, reduction="none")[0]
    expected = row.reference(prediction, target, reduction=reduction)
    assert_as_reference(row, actual, expected, terms, reduction, prediction)
    alone = row(prediction, target, reduction=reduction, return_grad=False)
    assert same_bits(alone, actual[0])


@every_row
@every_dtype
@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000, 5000, 70_000])
def test_lengths(row, dtype, length):
    """Around the vectors, the chunks and what is shared out to threads."""
    prediction, target = drawn(row, length, dtype)
    terms = row.reference(prediction, target, reduction="none")[0]
    for reduction in ("mean", "none"):
        expected = row.reference(prediction, target, reduction=reduction)
        actual = row(prediction, target, reduction=reduction)
        assert_as_reference(row, actual, expected, terms, reduction, prediction)


@every_row
@every_dtype
def test_every_exponent(row, dtype):
    x = values(dtype, 32, near=(1.0, 0.5, -20.0))
    x = x[~(np.abs(x) > row.limit)]
    if row.problem is probabilities:
        x = x[~(x < 0)]
    if row.problem is distributions:
        x = -np.abs(x)
    for target in row.targets:
        t = np.full_like(x, target)
        loss, grad = row(x, t, reduction="none")
        exact_loss, exact_grad = row.reference(x, t, reduction="none")
        assert_within(loss, exact_loss, row.loss.of(dtype), inputs=(x,))
        assert_within(grad, exact_grad, row.grad.of(dtype), inputs=(x,))


@every_row
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_nan_and_strange_targets(row, dtype):
    """The limits of the formulas, whatever the other argument is, and no warning on the way."""
    x = [0.0, -0.0, 1.0, -1.0, 0.5, 20.5, 90.0, -90.0, 800.0, -800.0, INF, -INF, NAN, 1e-30, -1e-30, 1e37]
    t = x if row.problem is differences else [0.0, 1.0, 0.5, -1.0, 2.0, NAN]
    x, t = np.array(list(itertools.product(x, t)), dtype).T.copy()
    with np.errstate(all="raise", under="ignore"):
        loss, grad = row(x, t, reduction="none")
        row(x, t)
    exact_loss, exact_grad = row.reference(x, t, reduction="none")
    assert_within(loss, exact_loss, 4 * row.loss.of(dtype) + 4, inputs=(x, t))
    assert_within(grad, exact_grad, 4 * row.grad.of(dtype) + 4, row.absolute * np.finfo(dtype).eps, (x, t))


@every_row
@reductions
def test_gradients_are_the_derivatives(row, reduction):
    prediction, target = drawn(row, (3, 7), np.float64, 5)
    if row.problem is probabilities:
        prediction = 0.1 + 0.8 * prediction
    grad = row(prediction, target, reduction=reduction)[1]
    assert_gradients(lambda: np.sum(row(prediction, target, reduction=reduction)[0]), [(grad, prediction)])


@every_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@reductions
def test_same_bits_for_any_number_of_threads_and_alignment(row, dtype, reduction):
    prediction, target = drawn(row, 200_003, dtype)
    with fnn.threads(1):
        expected = row(prediction, target, reduction=reduction)
    again = row(laid_out(prediction, "unaligned"), target, reduction=reduction)
    for actual in (row(prediction, target, reduction=reduction), again):
        assert same_bits(actual[0], expected[0])
        assert same_bits(actual[1], expected[1])


@every_loss
@every_dtype
def test_types_scalars_and_nothing(row, dtype):
    prediction, target = drawn(row, (2, 3), dtype)
    before = prediction.copy(), target.copy()
    loss, grad = row(prediction, target)
    assert type(loss) is dtype
    assert (type(grad), grad.dtype, grad.shape) == (np.ndarray, dtype, (2, 3))
    assert same_bits(prediction, before[0])
    assert same_bits(target, before[1])
    for reduction in ("mean", "sum", "none"):
        loss, grad = row(prediction[0, 0], target[0, 0], reduction=reduction)
        assert type(loss) is type(grad) is dtype
        loss, grad = row(np.zeros((0, 3), dtype), np.zeros((0, 3), dtype), reduction=reduction)
        assert grad.shape == (0, 3)
        assert loss.dtype == dtype
        assert {"mean": np.isnan, "sum": np.logical_not, "none": lambda a: a.shape == (0, 3)}[reduction](loss)
    listed = row(prediction.tolist(), target.tolist(), reduction="none")
    assert [a.dtype for a in listed] == [np.float64] * 2


@every_loss
def test_targets_take_the_dtype_of_predictions(row):
    prediction, target = drawn(row, 100, np.float32)
    expected = row(prediction, target)
    for actual in (row(prediction, target.astype(np.float64)), row(prediction, target.astype(">f8"))):
        assert same_bits(actual[0], expected[0])
        assert same_bits(actual[1], expected[1])
    target = np.arange(100) % 2
    for labels in (target, target == 1, target.astype(np.int8), target.tolist()):
        assert same_bits(row(prediction, labels)[1], row(prediction, target.astype(np.float32))[1])
    integers = row(np.ones(100, int), target)
    assert [a.dtype for a in integers] == [np.float64] * 2


@every_loss
def test_a_sum_that_float16_cannot_hold_is_silent(row):
    prediction, target = drawn(row, 70_000, np.float16)
    with np.errstate(all="raise", under="ignore"):
        loss = row(prediction * 1, target, reduction="sum", return_grad=False)
    expected = row.reference(prediction, target, reduction="sum")[0]
    assert np.isinf(loss) if abs(expected) > 65520 else abs(loss - expected) < 1e-3 * abs(expected)


@pytest.mark.parametrize("name", WEIGHTED)
@every_dtype
@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 1), (4, 5), (1, 1)])
@pytest.mark.parametrize("pos_shape", [None, (), (5,), (4, 5)])
@reductions
def test_weights_that_broadcast(name, dtype, shape, pos_shape, reduction, rng):
    row = next(row for row in ROWS if row.name == name)
    prediction, target = drawn(row, (4, 5), dtype)
    options = {"weight": np.asfortranarray(rng.integers(0, 9, shape) / 4)}
    if pos_shape is not None and name.endswith("logits"):
        options["pos_weight"] = rng.integers(0, 9, pos_shape) / 4
    actual = row(prediction, target, reduction=reduction, **options)
    expected = row.reference(prediction, target, reduction=reduction, **options)
    terms = row.reference(prediction, target, reduction="none", **options)[0]
    accurate = Row(name, {}, row.problem, Ulps(1.01, 4, 5), Ulps(1.01, 4, 5), absolute=8.0)
    assert_as_reference(accurate, actual, expected, terms, reduction, prediction)


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_of_long_arrays(name, rng):
    row = next(row for row in ROWS if row.name == name)
    prediction, target = drawn(row, (7000, 10), np.float64)
    weight = rng.random(10)
    loss, grad = row(prediction, target, weight=weight, reduction="none")
    plain = row(prediction, target, reduction="none")
    np.testing.assert_allclose(loss, plain[0] * weight, rtol=4e-15)
    np.testing.assert_allclose(grad, plain[1] * weight, rtol=4e-15, atol=1e-15)


def test_a_weight_of_zero_hides_an_infinite_loss_but_no_nan():
    loss, grad = fnn.binary_cross_entropy_with_logits(
        [INF, -INF, NAN, INF], [0, 1, 0, 0], weight=[0, 0, 0, 1], pos_weight=2.0, reduction="none"
    )
    np.testing.assert_array_equal(loss, [0, 0, NAN, INF])
    np.testing.assert_array_equal(grad, [0, 0, NAN, 1])


def test_known_values():
    """Worked out by hand."""
    x, t = [3.0, -1.0, 0.0], [1.0, -1.5, 0.0]
    known = {
        fnn.mse: ([4, 0.25, 0], [4, 1, 0]),
        fnn.mae: ([2, 0.5, 0], [1, 1, 0]),
        fnn.huber: ([1.5, 0.125, 0], [1, 0.5, 0]),
        fnn.smooth_l1: ([1.5, 0.125, 0], [1, 0.5, 0]),
        fnn.hinge: ([0, 0, 1], [0, 0, 0]),
    }
    for f, (losses_, grads) in known.items():
        loss, grad = f(x, t, reduction="none")
        np.testing.assert_array_equal(loss, losses_)
        np.testing.assert_array_equal(grad, grads)
    log2 = np.log(2)
    np.testing.assert_allclose(fnn.log_cosh([1e-8, 1e6], [0, 0], reduction="none")[0], [5e-17, 1e6 - log2], rtol=1e-15)
    np.testing.assert_allclose(fnn.kl_div(np.log([[0.25, 0.75]]), [[0.5, 0.5]])[0], np.log(4 / 3) / 2, rtol=1e-14)
    np.testing.assert_allclose(fnn.binary_cross_entropy(0.25, 1.0), [2 * log2, -4], rtol=1e-15)
    np.testing.assert_allclose(fnn.binary_cross_entropy_with_logits(np.log(3), 0), [2 * log2, 0.75], rtol=1e-15)
    np.testing.assert_allclose(fnn.focal(0.0, 1, alpha=0.25)[0], log2 / 16, rtol=1e-15)


def test_limits_of_one_loss_are_another(rng):
    x, t = rng.standard_normal((2, 500)) * 3
    labels = rng.integers(0, 2, 500)
    pairs = [
        (fnn.smooth_l1(x, t, beta=0), fnn.mae(x, t)),
        (fnn.huber(x, t, delta=1e300), [0.5 * a for a in fnn.mse(x, t)]),
        ([2.5 * a for a in fnn.smooth_l1(x, t, beta=2.5)], fnn.huber(x, t, delta=2.5)),
        (fnn.focal(x, labels, gamma=0), fnn.binary_cross_entropy_with_logits(x, labels)),
        (fnn.focal(x, labels, gamma=2 + 1e-13), fnn.focal(x, labels)),
        (
            fnn.binary_cross_entropy_with_logits(x, labels, pos_weight=1),
            fnn.binary_cross_entropy_with_logits(x, labels),
        ),
        (fnn.hinge(1 - t, np.ones(500)), (np.maximum(t, 0).mean(), np.where(t > 0, -1 / 500, 0))),
    ]
    for actual, expected in pairs:
        np.testing.assert_allclose(actual[0], expected[0], rtol=1e-12)
        np.testing.assert_allclose(actual[1], expected[1], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("mse", {"target": [1.0]}, ValueError, r"mse: target has shape \(1,\), expected \(2,\) as prediction"),
        ("mse", {"prediction": [1j, 1]}, TypeError, "mse: prediction has dtype complex128"),
        ("mse", {"target": ["a", "b"]}, TypeError, "mse: target has dtype <U1"),
        ("mae", {"reduction": "batch"}, ValueError, "mae: reduction is 'batch', expected one of mean, sum, none"),
        ("mae", {"reduction": ["mean"]}, ValueError, "mae: reduction is"),
        ("huber", {"delta": -1}, ValueError, "huber: delta is -1, expected a finite number >= 0"),
        ("huber", {"delta": NAN}, ValueError, "delta is nan"),
        ("smooth_l1", {"beta": "one"}, TypeError, "smooth_l1: beta is 'one', expected a number"),
        ("kl_div", {"target_probs": [[1.0, 2.0]]}, ValueError, r"kl_div: target_probs has shape \(1, 2\)"),
        ("hinge", {"scores": np.zeros(2, "M8[s]")}, TypeError, "hinge: scores has dtype"),
        ("focal", {"gamma": -1}, ValueError, "focal: gamma is -1"),
        ("focal", {"alpha": 1.5}, ValueError, "focal: alpha is 1.5, expected a number from 0 to 1"),
        ("binary_cross_entropy", {"weight": np.ones(3)}, ValueError, r"weight has shape \(3,\), expected one that"),
        ("binary_cross_entropy", {"p": None}, TypeError, "binary_cross_entropy: p has dtype object"),
        ("binary_cross_entropy_with_logits", {"pos_weight": [[1.0]]}, ValueError, r"pos_weight has shape \(1, 1\)"),
        ("binary_cross_entropy_with_logits", {"weight": "x"}, TypeError, "weight has dtype <U1"),
    ],
)
def test_errors(name, change, error, message):
    f = getattr(fnn, name)
    first, second = list(inspect.signature(f).parameters)[:2]
    with pytest.raises(error, match=message):
        f(**{first: np.zeros(2), second: np.zeros(2), **change})


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_signatures_and_docstrings(name):
    f = getattr(fnn, name)
    assert getattr(losses, name) is f
    assert name in losses.__all__
    assert inspect.signature(f).parameters.keys() == inspect.signature(getattr(reference, name)).parameters.keys()
    for part in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n    {part}\n    ---" in f.__doc__
    results = doctest.DocTestRunner()
    for example in doctest.DocTestFinder(recurse=False).find(f, name):
        results.run(example)
    assert results.failures == 0
    assert results.tries > 1


_CODE = """
import numpy as np, fastnn as fnn
x, t = np.linspace(-9, 9, 37), np.arange(37) % 2
out = {}
for dtype in "efd":
    for name in ("mse", "mae", "huber", "smooth_l1", "log_cosh", "hinge", "focal", "binary_cross_entropy_with_logits"):
        for reduction in ("mean", "none"):
            f = getattr(fnn, name)
            out[f"{name} {reduction} {dtype}"], out[f"{name} {reduction} grad {dtype}"] = f(
                x.astype(dtype), t, reduction=reduction)
    p = (x.astype(dtype) + 9) / 18
    out[f"kl_div {dtype}"], out[f"kl_div grad {dtype}"] = fnn.kl_div(x.astype(dtype), p)
    out[f"bce {dtype}"], out[f"bce grad {dtype}"] = fnn.binary_cross_entropy(p, t, weight=p)
    out[f"focal {dtype}"], out[f"focal grad {dtype}"] = fnn.focal(x.astype(dtype), t, gamma=1.5)
    out[f"l2 {dtype}"], out[f"l2 grad {dtype}"] = fnn.elastic_net_penalty(x.astype(dtype), 0.5, 0.25, x.astype(dtype))
np.savez(PATH, **out)
"""


def test_same_results_without_the_jit(tmp_path):
    results = []
    for disable in ("0", "1"):
        path = str(tmp_path / f"{disable}.npz")
        run_python(_CODE.replace("PATH", repr(path)), NUMBA_DISABLE_JIT=disable)
        with np.load(path) as data:
            results.append({name: data[name] for name in data.files})
    compiled, interpreted = results
    assert compiled.keys() == interpreted.keys()
    for name, expected in compiled.items():
        eps = np.finfo(expected.dtype).eps
        assert interpreted[name].dtype == expected.dtype == np.dtype(name[-1])
        np.testing.assert_allclose(interpreted[name], expected, rtol=8 * eps, atol=eps * 1e-3, err_msg=name)
