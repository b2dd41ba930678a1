"""The reference losses and penalties against numeric derivatives, identities and values worked out by hand."""

import numpy as np
import pytest
from test_reference import assert_gradients

from fastnn import reference

INF, NAN = np.inf, np.nan
LOG2, LOG3 = np.log(2.0), np.log(3.0)
WEIGHT = (0.5, 2.0, 1.5, 1.0)

#: Options of the losses of two arrays of one shape.
ELEMENTWISE = {
    "mse": [{}],
    "mae": [{}],
    "huber": [{}, {"delta": 0.5}, {"delta": 2.0}],
    "smooth_l1": [{}, {"beta": 0.5}, {"beta": 0.0}],
    "log_cosh": [{}],
    "kl_div": [{}],
    "hinge": [{}],
    "binary_cross_entropy": [{}, {"weight": 3.0}],
    "binary_cross_entropy_with_logits": [{}, {"pos_weight": 2.5}, {"weight": 0.25, "pos_weight": 0.5}],
    "focal": [{}, {"alpha": 0.25}, {"gamma": 0.0, "alpha": 0.75}, {"gamma": 0.5}, {"gamma": 3.0, "alpha": 0.0}],
}
#: Options of the losses of integer classes.
CLASSES = {
    "softmax_cross_entropy": [
        {},
        {"weight": WEIGHT, "label_smoothing": 0.2},
        {"ignore_index": 1, "label_smoothing": 1.0},
    ],
    "nll_loss": [{}, {"weight": WEIGHT, "ignore_index": 3}, {"label_smoothing": 0.3, "ignore_index": 0}],
    "multiclass_hinge": [{}, {"margin": 0.3}],
}

shapes = pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 3, 2)])
class_shapes = pytest.mark.parametrize(("shape", "axis"), [((4,), 0), ((6, 4), -1), ((4, 5), 0), ((2, 4, 3), 1)])
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
elementwise, of_classes = (
    pytest.mark.parametrize(("name", "options"), [(name, o) for name, many in table.items() for o in many])
    for table in (ELEMENTWISE, CLASSES)
)


def moderate(shape, rng):
    """Numbers of both signs from 0.03 to 2.93, 0.02 or more away from 0, 0.5, 1 and 2, where there are kinks."""
    return np.asarray((0.03 + 0.1 * rng.integers(0, 30, shape)) * rng.choice([-1, 1], shape))


def problem(name, shape, rng):
    """(prediction, target) of an elementwise loss."""
    if name == "binary_cross_entropy":
        return np.asarray(rng.uniform(0.05, 0.95, shape)), np.asarray(rng.choice([0.0, 0.3, 1.0], shape))
    if name == "hinge":
        return moderate(shape, rng), np.asarray(rng.choice([-1.0, 1.0], shape))
    if name in ("binary_cross_entropy_with_logits", "focal", "kl_div"):
        return moderate(shape, rng), np.asarray(rng.choice([0.0, 0.3, 1.0], shape))
    target = np.asarray(rng.standard_normal(shape))
    return np.asarray(target + moderate(shape, rng)), target


def class_problem(shape, axis, rng):
    """(scores, labels): no two scores differ by a margin that is tried here, and no label is 0, 1 or 3 throughout."""
    scores = rng.permutation(np.prod(shape)).reshape(shape) * 0.17 - 1
    labels = rng.integers(0, 4, np.delete(shape, axis))
    labels[(0,) * labels.ndim] = 2
    return scores, labels


def assert_is_the_derivative(f, prediction):
    """Of the sum of the losses, so that with "none" each entry has the gradient of its own loss."""
    gradient = f()[1]
    assert np.shape(gradient) == prediction.shape
    assert_gradients(lambda: np.sum(f()[0]), [(gradient, prediction)])


def assert_results(actual, loss, gradient):
    np.testing.assert_allclose(actual[0], loss, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(actual[1], gradient, rtol=1e-14, atol=1e-300)


@shapes
@reductions
@elementwise
def test_elementwise_gradients(name, options, reduction, shape, rng):
    prediction, target = problem(name, shape, rng)
    f = getattr(reference, name)
    assert_is_the_derivative(lambda: f(prediction, target, reduction=reduction, **options), prediction)


@reductions
@pytest.mark.parametrize("shape", [(4,), (3, 1), (3, 4)])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
def test_gradients_with_weights_that_broadcast(name, shape, reduction, rng):
    prediction, targets = problem(name, (3, 4), rng)
    options = {"weight": rng.uniform(0, 2, shape), "reduction": reduction}
    if name.endswith("logits"):
        options["pos_weight"] = rng.uniform(0, 3, shape)
    f = getattr(reference, name)
    assert_is_the_derivative(lambda: f(prediction, targets, **options), prediction)


@class_shapes
@reductions
@of_classes
def test_class_gradients(name, options, reduction, shape, axis, rng):
    scores, labels = class_problem(shape, axis, rng)
    options = {**options, "axis": axis, "reduction": reduction}
    assert_is_the_derivative(lambda: getattr(reference, name)(scores, labels, **options), scores)


@class_shapes
@reductions
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "nll_loss"])
@pytest.mark.parametrize("options", [{}, {"weight": WEIGHT, "label_smoothing": 0.2}])
def test_gradients_with_probabilities_as_labels(name, options, reduction, shape, axis, rng):
    scores, _ = class_problem(shape, axis, rng)
    labels = rng.random(shape)
    options = {**options, "axis": axis, "reduction": reduction}
    assert_is_the_derivative(lambda: getattr(reference, name)(scores, labels, **options), scores)


@elementwise
def test_elementwise_reductions(name, options, rng):
    """The mean is over elements, of kl_div over the first axis."""
    prediction, target = problem(name, (4, 5), rng)
    f = getattr(reference, name)
    losses, grad = f(prediction, target, reduction="none", **options)
    count = 4 if name == "kl_div" else 20
    assert losses.shape == (4, 5)
    assert_results(f(prediction, target, reduction="sum", **options), losses.sum(), grad)
    assert_results(f(prediction, target, **options), losses.sum() / count, grad / count)
    assert f(prediction, target, **options, return_grad=False) == f(prediction, target, **options)[0]


@class_shapes
@of_classes
def test_class_reductions(name, options, shape, axis, rng):
    """The mean is over the samples that count, each with the weight of its class."""
    scores, labels = class_problem(shape, axis, rng)
    f = getattr(reference, name)
    losses, grad = f(scores, labels, axis=axis, reduction="none", **options)
    count = (np.array(options.get("weight", np.ones(4)))[labels] * (labels != options.get("ignore_index"))).sum()
    assert losses.shape == labels.shape
    assert_results(f(scores, labels, axis=axis, reduction="sum", **options), losses.sum(), grad)
    assert_results(f(scores, labels, axis=axis, **options), losses.sum() / count, grad / count)
    alone = f(scores, labels, axis=axis, **options, return_grad=False)
    assert alone == f(scores, labels, axis=axis, **options)[0]


@elementwise
def test_inputs_of_any_kind(name, options, rng):
    prediction, target = (a.astype(">f4").T for a in problem(name, (3, 2), rng))
    before = prediction.copy(), target.copy()
    f = getattr(reference, name)
    loss, grad = f(prediction, target, **options)
    assert type(loss) is np.float64
    assert grad.dtype == np.float64
    assert_results(f(prediction.tolist(), target.tolist(), **options), loss, grad)
    np.testing.assert_array_equal([prediction, target], before)
    scalars = f(prediction[0, 0], target[0, 0], reduction="none", **options)
    assert [type(a) for a in scalars] == [np.float64] * 2


@elementwise
def test_nan_and_nothing(name, options):
    f = getattr(reference, name)
    with np.errstate(all="raise"):
        assert np.isnan(f([NAN, 1.0], [1.0, 1.0], **options, return_grad=False))
        gradient = f([NAN], [1.0], reduction="none", **options)[1]
        loss, grad = f(np.ones((0, 2)), np.ones((0, 2)), **options)
    assert np.isnan(gradient) or name == "kl_div"  # whose gradient is the target alone
    assert np.isnan(loss)
    assert grad.shape == (0, 2)


@elementwise
def test_elementwise_errors(name, options):
    f = getattr(reference, name)
    with pytest.raises(ValueError, match=r"targets have shape \(2,\), expected \(1, 2\)"):
        f(np.ones((1, 2)), np.ones(2), **options)
    with pytest.raises(ValueError, match="reduction is 'batch', expected one of mean, sum, none"):
        f(np.ones(2), np.ones(2), reduction="batch", **options)


#: name, options, prediction, target, loss, gradient of one element.
VALUES = [
    ("mse", {}, 1.0, 3.0, 4.0, -4.0),
    ("mae", {}, 1.0, 3.0, 2.0, -1.0),
    ("mae", {}, 3.0, 3.0, 0.0, 0.0),
    ("mae", {}, INF, 3.0, INF, 1.0),
    ("huber", {}, 0.5, 0.0, 0.125, 0.5),
    ("huber", {}, -1.0, 0.0, 0.5, -1.0),
    ("huber", {"delta": 2.0}, 0.0, 3.0, 4.0, -2.0),
    ("huber", {"delta": 2.0}, -INF, 3.0, INF, -2.0),
    ("smooth_l1", {"beta": 2.0}, 1.0, 0.0, 0.25, 0.5),
    ("smooth_l1", {"beta": 2.0}, -2.0, 0.0, 1.0, -1.0),
    ("smooth_l1", {"beta": 0.0}, 3.0, 3.0, 0.0, 0.0),
    ("log_cosh", {}, LOG2, 0.0, np.log(1.25), 0.6),
    ("log_cosh", {}, 0.0, 1e-9, 5e-19, -1e-9),
    ("log_cosh", {}, 0.0, 1e4, 1e4 - LOG2, -1.0),
    ("log_cosh", {}, -INF, 0.0, INF, -1.0),
    ("kl_div", {}, -LOG2, 0.25, -0.25 * LOG2, -0.25),
    ("kl_div", {}, -INF, 0.25, INF, -0.25),
    ("kl_div", {}, -INF, 0.0, 0.0, 0.0),
    ("hinge", {}, 0.5, 1.0, 0.5, -1.0),
    ("hinge", {}, 0.5, -1.0, 1.5, 1.0),
    ("hinge", {}, 1.0, 1.0, 0.0, 0.0),
    ("hinge", {}, -1.0, -1.0, 0.0, 0.0),
    ("hinge", {}, INF, 1.0, 0.0, 0.0),
    ("hinge", {}, INF, -1.0, INF, 1.0),
    ("binary_cross_entropy", {}, 0.25, 1.0, 2 * LOG2, -4.0),
    ("binary_cross_entropy", {"weight": 3.0}, 0.25, 0.0, 3 * np.log(4 / 3), 4.0),
    ("binary_cross_entropy", {}, 0.25, 0.25, 0.5 * LOG2 + 0.75 * np.log(4 / 3), 0.0),
    ("binary_cross_entropy", {}, 0.0, 0.0, 0.0, 0.0),
    ("binary_cross_entropy", {}, 1.0, 1.0, 0.0, 0.0),
    ("binary_cross_entropy", {}, 0.0, 1.0, 100.0, -1e12),
    ("binary_cross_entropy", {}, 1.0, 0.0, 100.0, 1e12),
    ("binary_cross_entropy", {}, 1e-50, 1.0, 100.0, -1e12),
    ("binary_cross_entropy", {}, 1e-20, 1.0, 20 * np.log(10), -1e12),
    ("binary_cross_entropy", {}, 1e-20, 0.0, 1e-20, 1e-8),
    ("binary_cross_entropy_with_logits", {}, LOG3, 1.0, np.log(4 / 3), -0.25),
    ("binary_cross_entropy_with_logits", {}, LOG3, 0.0, 2 * LOG2, 0.75),
    ("binary_cross_entropy_with_logits", {}, LOG3, 0.5, LOG2 + 0.5 * np.log(4 / 3), 0.25),
    ("binary_cross_entropy_with_logits", {"pos_weight": 2.0}, LOG3, 1.0, 2 * np.log(4 / 3), -0.5),
    ("binary_cross_entropy_with_logits", {"pos_weight": 2.0}, LOG3, 0.0, 2 * LOG2, 0.75),
    ("binary_cross_entropy_with_logits", {"weight": 2.0}, LOG3, 0.0, 4 * LOG2, 1.5),
    ("binary_cross_entropy_with_logits", {}, -40.0, 0.0, np.exp(-40), np.exp(-40)),
    ("binary_cross_entropy_with_logits", {}, 40.0, 1.0, np.exp(-40), -np.exp(-40)),
    ("focal", {"alpha": 0.0}, -INF, 1.0, 0.0, 0.0),
    ("focal", {}, LOG3, 1.0, np.log(4 / 3) / 16, (-0.25 - 1.5 * np.log(4 / 3)) / 16),
    ("focal", {"alpha": 0.25}, LOG3, 0.0, 27 / 64 * 2 * LOG2, 27 / 64 * (0.75 + LOG2)),
    ("focal", {"alpha": 0.25, "gamma": 1.0}, LOG3, 0.5, 0.25 * (LOG2 + 0.5 * np.log(4 / 3)), 0.0625),
    ("focal", {"gamma": 0.01}, 600.0, 1.0, np.exp(-606), -1.01 * np.exp(-606)),
    ("focal", {}, -200.0, 0.0, np.exp(-600), 3 * np.exp(-600)),
]


@pytest.mark.parametrize(("name", "options", "prediction", "target", "loss", "gradient"), VALUES)
def test_elementwise_values(name, options, prediction, target, loss, gradient):
    with np.errstate(all="raise", under="ignore"):
        assert_results(getattr(reference, name)(prediction, target, **options), loss, gradient)


@pytest.mark.parametrize("end", [1e4, INF])
@pytest.mark.parametrize(
    ("name", "options"),
    [("binary_cross_entropy_with_logits", {}), *(("focal", {"gamma": gamma}) for gamma in (0.0, 0.5, 1.0, 2.0))],
)
def test_tails_of_logits(name, options, end):
    """Cross-entropy and every focal loss have the same."""
    with np.errstate(all="raise", under="ignore"):
        results = getattr(reference, name)([end, end, -end, -end], [1, 0, 1, 0], reduction="none", **options)
    assert_results(results, [0, end, end, 0], [0, 1, -1, 0])


def test_binary_identities(rng):
    logits, targets = problem("focal", (5, 4), rng)
    expected = reference.binary_cross_entropy_with_logits(logits, targets)
    assert_results(reference.focal(logits, targets, gamma=0.0), *expected)
    p = reference.sigmoid(logits)
    loss, by_p = reference.binary_cross_entropy(p, targets)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-14)
    np.testing.assert_allclose(by_p * p * (1 - p), expected[1], rtol=1e-13, atol=1e-16)
    both_classes = reference.focal(logits, targets, alpha=0.5)
    assert_results(reference.focal(logits, targets), 2 * both_classes[0], 2 * both_classes[1])


def test_binary_cross_entropy_is_cross_entropy_of_two_classes(rng):
    logits, labels = rng.standard_normal(9), rng.integers(0, 2, 9)
    two, two_grad = reference.softmax_cross_entropy(np.stack([np.zeros(9), logits], 1), labels)
    loss, grad = reference.binary_cross_entropy_with_logits(logits, labels)
    np.testing.assert_allclose(loss, two, rtol=1e-14)
    np.testing.assert_allclose(grad, two_grad[:, 1], rtol=1e-13)


def test_smooth_l1_is_huber_over_beta(rng):
    loss, grad = reference.huber(d := moderate((50,), rng), np.zeros(50), delta=0.75)
    assert_results(reference.smooth_l1(d, np.zeros(50), beta=0.75), loss / 0.75, grad / 0.75)


def test_kl_div_of_distributions(rng):
    p = rng.dirichlet(np.ones(4), 3)
    np.testing.assert_allclose(reference.kl_div(np.log(p), p, return_grad=False), 0, atol=1e-15)
    target = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    log_probs = np.array([[np.log(0.25), np.log(0.75), -INF], [-LOG2, -INF, -LOG2]])
    assert_results(reference.kl_div(log_probs, target), (0.5 * np.log(4 / 3) + LOG2) / 2, -target / 2)
    assert_results(reference.kl_div(-LOG2, 0.5), 0.0, -0.5)


def test_weights_cannot_enlarge():
    with pytest.raises(ValueError, match="broadcast"):
        reference.binary_cross_entropy_with_logits([1.0], [1.0], weight=[1.0, 1.0])


def test_multiclass_hinge_values():
    scores = [[1.0, 2.0, 0.0], [3.2, 5.1, -1.7], [0.0, 9.0, 1.0]]
    loss, grad = reference.multiclass_hinge(scores, [0, 0, 1], reduction="none")
    np.testing.assert_allclose(loss, [2.0, 2.9, 0.0], rtol=1e-15)
    np.testing.assert_array_equal(grad, [[-1, 1, 0], [-1, 1, 0], [0, 0, 0]])
    assert_results(reference.multiclass_hinge([[0.0, 0.0, 0.0]], [1], margin=2.0), 4.0, [[1, -2, 1]])
    with np.errstate(all="raise"):
        far = reference.multiclass_hinge([[INF, 0.0], [-INF, 0.0], [NAN, 0.0]], [0, 0, 1], reduction="none")
    np.testing.assert_array_equal(far[0], [0, INF, NAN])
    np.testing.assert_array_equal(far[1], [[0, 0], [-1, 1], [NAN, NAN]])


def test_nll_loss_is_cross_entropy_of_log_softmax(rng):
    logits, labels = class_problem((2, 4, 3), 1, rng)
    for targets in (labels, rng.random((2, 4, 3))):
        options = {"axis": 1, "weight": WEIGHT, "label_smoothing": 0.25}
        log_p = reference.log_softmax(logits, 1)
        loss, by_log_p = reference.nll_loss(log_p, targets, **options)
        by_logits = reference.log_softmax_backward(by_log_p, log_p, 1)
        expected = reference.softmax_cross_entropy(logits, targets, **options)
        np.testing.assert_allclose(loss, expected[0], rtol=1e-15)
        np.testing.assert_allclose(by_logits, expected[1], rtol=1e-13, atol=1e-16)


def test_nll_loss_values():
    log_p = [[-1.0, -2.0], [0.0, -INF], [-INF, 0.0]]
    with np.errstate(all="raise"):
        loss, grad = reference.nll_loss(log_p, [1, 0, 0], reduction="none")
    np.testing.assert_array_equal(loss, [2, 0, INF])
    np.testing.assert_array_equal(grad, [[0, -1], [-1, 0], [-1, 0]])
    assert_results(reference.nll_loss(log_p[:2], [0, 1], weight=[3.0, 1.0], ignore_index=1), 1.0, [[-1, 0], [0, 0]])


def test_cross_entropy_of_extreme_logits():
    logits = [[0.0, -50.0], [1e4, -1e4], [1e4, -1e4], [0.0, -INF], [0.0, -INF], [INF, 0.0]]
    with np.errstate(all="raise", under="ignore"):
        loss, grad = reference.softmax_cross_entropy(logits, [0, 0, 1, 0, 1, 0], reduction="none")
    np.testing.assert_allclose(loss, [np.exp(-50), 0, 2e4, 0, INF, NAN], rtol=1e-14)
    np.testing.assert_allclose(
        grad, [[-np.exp(-50), np.exp(-50)], [0, 0], [1, -1], [0, 0], [1, -1], [NAN, NAN]], rtol=1e-14
    )


def test_cross_entropy_identities(rng):
    logits, labels = class_problem((6, 4), -1, rng)
    loss, grad = reference.softmax_cross_entropy(logits, labels)
    total = reference.softmax_cross_entropy(logits, labels, weight=WEIGHT, reduction="sum")[0]
    np.testing.assert_allclose(reference.softmax_cross_entropy(logits, np.eye(4)[labels], weight=WEIGHT)[0], total / 6)
    uniform = reference.softmax_cross_entropy(logits, np.full((6, 4), 0.25))
    smooth = reference.softmax_cross_entropy(logits, labels, label_smoothing=0.2)
    np.testing.assert_allclose(smooth[0], 0.8 * loss + 0.2 * uniform[0], rtol=1e-14)
    np.testing.assert_allclose(smooth[1], 0.8 * grad + 0.2 * uniform[1], rtol=1e-13, atol=1e-16)
    kept = labels != 2
    expected = reference.softmax_cross_entropy(logits[kept], labels[kept], weight=WEIGHT)
    logits[~kept] = NAN
    ignoring = reference.softmax_cross_entropy(logits, np.where(kept, labels, -100), weight=WEIGHT, ignore_index=-100)
    np.testing.assert_allclose(ignoring[0], expected[0], rtol=1e-15)
    np.testing.assert_array_equal(ignoring[1][~kept], 0)
    np.testing.assert_allclose(ignoring[1][kept], expected[1], rtol=1e-15)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "nll_loss"])
def test_mean_over_no_label(name):
    f = getattr(reference, name)
    for options in ({"ignore_index": 1}, {"weight": [1.0, 0.0]}):
        loss, grad = f([[0.0, 1.0]], [1], **options)
        assert np.isnan(loss)
        np.testing.assert_array_equal(grad, [[0, 0]])
    assert np.isnan(f([[NAN, 1.0]], [1], weight=[1.0, 0.0], reduction="sum", return_grad=False))


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "nll_loss", "multiclass_hinge"])
def test_class_errors(name):
    f = getattr(reference, name)
    for labels, message in (([0, 2], "in "), ([0, -1], "in "), ([0.0, 1.0], "float64"), ([0], "of shape"), ([[0]], "")):
        with pytest.raises(ValueError, match=f"labels .*{message}"):
            f(np.zeros((2, 2)), labels)
    with pytest.raises(ValueError, match="reduction is 'all'"):
        f(np.zeros((2, 2)), [0, 1], reduction="all")


@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
@pytest.mark.parametrize(
    ("name", "strengths"), [("l1_penalty", (0.3,)), ("l2_penalty", (0.7,)), ("elastic_net_penalty", (0.3, 0.7))]
)
def test_penalties(name, strengths, shape, rng):
    f, w = getattr(reference, name), moderate(shape, rng)
    penalty, grad = f(w, *strengths)
    assert type(penalty) is np.float64
    assert_gradients(lambda: f(w, *strengths)[0], [(grad, w)])
    total = np.full(shape, 2.0, np.float32)
    again, returned = f(w, *strengths, accumulate_into=total)
    assert again == penalty
    assert returned is total
    np.testing.assert_allclose(total, 2 + grad, rtol=1e-6)


def test_penalty_values():
    w = [3.0, -4.0, 0.0]
    assert_results(reference.l1_penalty(w, 2.0), 14.0, [2, -2, 0])
    assert_results(reference.l2_penalty(w, 2.0), 25.0, [6, -8, 0])
    assert_results(reference.elastic_net_penalty(w, 1.0, 2.0), 32.0, [7, -9, 0])
    assert_results(reference.l1_penalty([-INF], 2.0), INF, [-2])
