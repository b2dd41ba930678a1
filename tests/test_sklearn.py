"""scikit-learn's perceptrons on fastnn's kernels against themselves without, and fastnn's activations inside them."""

import gc
import inspect

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier, MLPRegressor, _base, _multilayer_perceptron, _stochastic_optimizers
from sklearn.utils._param_validation import InvalidParameterError

from fastnn.compat import sklearn as compat

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # an older scikit-learn with a newer SciPy
    pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp` and `iprint` options:DeprecationWarning"),
]

X, Y = load_digits(return_X_y=True)
X = X / 16
Perceptron = _multilayer_perceptron.BaseMultilayerPerceptron
WEIGHTED = "sample_weight" in inspect.signature(MLPClassifier.fit).parameters


def both(make, train):
    """What train(estimator) leaves without and with fastnn."""
    plain, ours = make(), make()
    train(plain)
    with compat.accelerated():
        train(ours)
    return plain, ours


def assert_same(plain, ours, rtol=1e-9):
    """The same losses, weights and optimiser, up to rounding."""
    assert ours.n_iter_ == plain.n_iter_
    np.testing.assert_allclose(ours.loss_, plain.loss_, rtol=rtol)
    for a, b in zip(ours.coefs_ + ours.intercepts_, plain.coefs_ + plain.intercepts_, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * 100)
    if plain.solver == "lbfgs":
        return
    np.testing.assert_allclose(ours.loss_curve_, plain.loss_curve_, rtol=rtol)
    mine, other = ours._optimizer, plain._optimizer
    assert type(mine) is type(other)
    assert mine.learning_rate == pytest.approx(other.learning_rate, rel=1e-14)
    assert getattr(mine, "t", None) == getattr(other, "t", None)
    for name in {"ms", "vs"} & set(vars(other)) or ({"velocities"} if other.momentum else ()):
        for a, b in zip(getattr(mine, name), getattr(other, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=rtol * 100)


@pytest.mark.parametrize(("dtype", "epochs", "rtol"), [("f8", 200, 1e-8), ("f4", 20, 1e-5)])
def test_loss_curve_of_adam_and_relu(dtype, epochs, rtol):
    """In float32 scikit-learn's own curve is another after 50 epochs if a weight begins one unit of rounding away."""
    x = X.astype(dtype)
    plain, ours = both(lambda: MLPClassifier(random_state=0, max_iter=epochs), lambda model: model.fit(x, Y))
    assert len(plain.loss_curve_) > epochs / 2
    np.testing.assert_allclose(ours.loss_curve_, plain.loss_curve_, rtol=rtol)
    assert ours.coefs_[0].dtype == dtype
    with compat.accelerated():
        probabilities = ours.predict_proba(x)
    np.testing.assert_allclose(probabilities, plain.predict_proba(x), atol=rtol * 100)
    np.testing.assert_array_equal(ours.predict(x), plain.predict(x))


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_activations_and_solvers(activation, solver):
    options = {"activation": activation, "solver": solver, "max_iter": 15, "random_state": 1}
    assert_same(*both(lambda: MLPClassifier((30, 20), **options), lambda model: model.fit(X, Y)), rtol=1e-8)


@pytest.mark.parametrize(
    "options",
    [
        {"nesterovs_momentum": False},
        {"momentum": 0.0},
        {"momentum": 0.0, "nesterovs_momentum": False},
        {"momentum": 1.0, "learning_rate_init": 1e-4},
        {"learning_rate": "invscaling", "learning_rate_init": 0.1, "power_t": 0.3},
        {"learning_rate": "adaptive", "tol": 0.02, "n_iter_no_change": 2, "learning_rate_init": 0.1, "max_iter": 60},
        {"batch_size": 64, "shuffle": False, "alpha": 0.1},
    ],
    ids=str,
)
def test_options_of_sgd(options):
    options = {"solver": "sgd", "max_iter": 10, "random_state": 2} | options
    plain, ours = both(lambda: MLPClassifier((30,), **options), lambda model: model.fit(X, Y))
    assert_same(plain, ours)
    if options.get("learning_rate") in ("invscaling", "adaptive"):
        assert plain._optimizer.learning_rate < options["learning_rate_init"] / 4


@pytest.mark.parametrize("options", [{"beta_1": 0.0, "beta_2": 0.5}, {"epsilon": 0.1}, {"alpha": 1.0}], ids=str)
def test_options_of_adam(options):
    options = {"max_iter": 10, "random_state": 2} | options
    assert_same(*both(lambda: MLPClassifier((30,), **options), lambda model: model.fit(X, Y)))


@pytest.mark.parametrize(("dtype", "rtol"), [("f8", 1e-10), ("f4", 1e-4)])
@pytest.mark.parametrize("outputs", [1, 3])
def test_regressor(outputs, dtype, rtol):
    """float32 inputs and float64 targets make gradients of float64 for parameters of float32."""
    y = np.sin(X[:, 10 : 10 + outputs] * 3 + X[:, 20:21])
    y = y if outputs > 1 else y.ravel()
    x = X.astype(dtype)
    make = lambda: MLPRegressor(hidden_layer_sizes=(20,), max_iter=5, random_state=3)  # noqa: E731
    assert_same(*both(make, lambda model: model.fit(x, y)), rtol=rtol)


@pytest.mark.parametrize(
    ("x", "y"),
    [(X, Y > 4), (X, np.stack([Y > 4, Y % 2 == 0, Y == 3], axis=1)), (scipy.sparse.csr_matrix(X), Y)],
    ids=["two classes", "several labels", "sparse"],
)
def test_targets_and_inputs_of_other_kinds(x, y):
    assert_same(*both(lambda: MLPClassifier((20,), max_iter=15, random_state=4), lambda model: model.fit(x, y)))


@pytest.mark.skipif(not WEIGHTED, reason="this scikit-learn has perceptrons without sample weights")
@pytest.mark.parametrize(("dtype", "rtol"), [("f8", 1e-10), ("f4", 1e-4)])
@pytest.mark.parametrize("y", [Y, Y > 4], ids=["ten classes", "two classes"])
def test_weighted_samples(y, dtype, rtol):
    x, weights = X.astype(dtype), np.random.default_rng(0).uniform(0, 2, len(X))
    make = lambda: MLPClassifier((20,), max_iter=15, random_state=4)  # noqa: E731
    assert_same(*both(make, lambda model: model.fit(x, y, sample_weight=weights)), rtol=rtol)


def test_early_stopping():
    options = {"early_stopping": True, "n_iter_no_change": 3, "tol": 1e-2, "random_state": 5}
    plain, ours = both(lambda: MLPClassifier(**options), lambda model: model.fit(X, Y))
    assert_same(plain, ours)
    assert ours.validation_scores_ == plain.validation_scores_
    assert plain.n_iter_ < 100


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start(solver):
    def train(model):
        model.fit(X, Y).fit(X[::-1], Y[::-1])

    options = {"warm_start": True, "max_iter": 5, "random_state": 6, "solver": solver}
    assert_same(*both(lambda: MLPClassifier(**options), train))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_in_and_out_of_the_context(solver):
    """Every other call by scikit-learn alone: each continues from the state that the other left."""
    plain, ours = (MLPClassifier((20,), solver=solver, random_state=7) for _ in range(2))
    for k in range(8):
        plain.partial_fit(X, Y, classes=range(10))
        if k % 2:
            ours.partial_fit(X, Y, classes=range(10))
        else:
            with compat.accelerated():
                ours.partial_fit(X, Y, classes=range(10))
        assert_same(plain, ours)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_whatever_a_user_changes_between_steps_counts(solver):
    def train(model):
        for k in range(4):
            model.partial_fit(X, Y, classes=range(10))
            optimizer = model._optimizer
            if k == 0:
                model.coefs_[0] = np.asfortranarray(model.coefs_[0] * 0.5)
            if k == 1 and solver == "adam":
                optimizer.t, optimizer.beta_1, optimizer.learning_rate_init = 2, 0.5, 0.01
                optimizer.ms = [m * 0 for m in optimizer.ms]
            if k == 1 and solver == "sgd":
                optimizer.learning_rate, optimizer.momentum = 0.01, 0.5
                optimizer.velocities = [v * 2 for v in optimizer.velocities]

    assert_same(*both(lambda: MLPClassifier((20,), solver=solver, random_state=7), train))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_losses_of_certain_and_impossible_predictions(dtype):
    rng = np.random.default_rng(0)
    y, p = np.eye(4, dtype=bool)[rng.integers(0, 4, 50)], rng.dirichlet(np.ones(4), 50).astype(dtype)
    p[:8], p[8:16] = y[:8], ~y[8:16]
    several = rng.random((50, 4)) < 0.5
    for name, targets in (("log_loss", y), ("binary_log_loss", y), ("binary_log_loss", several)):
        for given in (targets, targets * 0.5):  # what is not boolean is left to scikit-learn
            expected = _base.LOSS_FUNCTIONS[name](given, p)
            with compat.accelerated():
                found = _base.LOSS_FUNCTIONS[name](given, p)
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_subclassed_optimisers_compute_as_they_say():
    class Half(_stochastic_optimizers.SGDOptimizer):
        def _get_updates(self, grads):
            return [0.5 * update for update in super()._get_updates(grads)]

    def train(optimizer):
        params = [np.ones(3)]
        optimizer(params, 0.1).update_params(params, [np.full(3, 2.0)])
        return params[0]

    with compat.accelerated():
        np.testing.assert_allclose(train(Half) - 1, 0.5 * (train(_stochastic_optimizers.SGDOptimizer) - 1), rtol=1e-14)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_one_step_is_one_launch(solver, monkeypatch):
    from fastnn.optim import base

    launches, launch = [], base.launch
    monkeypatch.setattr(base, "launch", lambda *arguments: launches.append(1) or launch(*arguments))
    with compat.accelerated():
        MLPClassifier((30, 20), solver=solver, max_iter=2, random_state=0).fit(X[:400], Y[:400])
    assert len(launches) == 4


# --- what is fastnn's alone ---


def loss_and_gradients(model, x, y):
    """Of scikit-learn's own backward pass."""
    sizes = [x.shape[1], *(len(b) for b in model.intercepts_)]
    activations, deltas = [x] + [None] * (len(sizes) - 1), [None] * (len(sizes) - 1)
    weights = [None] if "sample_weight" in inspect.signature(Perceptron._backprop).parameters else []
    coefs, intercepts = [None] * len(deltas), [None] * len(deltas)
    loss, coefs, intercepts = model._backprop(x, y, *weights, activations, deltas, coefs, intercepts)
    return loss, coefs + intercepts


@pytest.mark.parametrize("name", ["relu", "tanh", "logistic", *compat.ACTIVATIONS])
def test_gradients_are_the_derivatives_of_the_loss(name):
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((20, 5)), rng.standard_normal((20, 1))
    with compat.accelerated():
        model = MLPRegressor(hidden_layer_sizes=(7, 6), activation=name, solver="sgd", max_iter=1, random_state=9)
        model.fit(x, y.ravel())
        for parameter in model.coefs_ + model.intercepts_:
            parameter *= 3  # into the curved parts of every activation
        _, gradients = loss_and_gradients(model, x, y)
        for parameter, gradient in zip(model.coefs_ + model.intercepts_, gradients, strict=True):
            for place in list(np.ndindex(parameter.shape))[::3]:
                value, losses = parameter[place], []
                for change in (1e-6, -1e-6):
                    parameter[place] = value + change
                    losses.append(loss_and_gradients(model, x, y)[0])
                parameter[place] = value
                numeric = (losses[0] - losses[1]) / 2e-6
                assert gradient[place] == pytest.approx(numeric, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "elu", "leaky_relu", "softplus", "selu", "hard_swish"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_new_activations_learn(name, solver, dtype):
    assert name in compat.ACTIVATIONS
    with compat.accelerated():
        model = MLPClassifier((30, 30), activation=name, solver=solver, max_iter=40, random_state=0)
        model.fit(X[:1200].astype(dtype), Y[:1200])
        assert model.score(X[1200:], Y[1200:]) > 0.85
        np.testing.assert_array_equal(clone(model).fit(X[:1200].astype(dtype), Y[:1200]).coefs_[0], model.coefs_[0])


def test_gelu_predicts_as_its_formula_says():
    from fastnn import reference

    with compat.accelerated():
        model = MLPRegressor(hidden_layer_sizes=(9, 8), activation="gelu", max_iter=5, random_state=0).fit(X, Y)
        found = model.predict(X)
    layer = X
    for weights, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        layer = reference.gelu(layer @ weights + bias)
    np.testing.assert_allclose(found, (layer @ model.coefs_[-1] + model.intercepts_[-1]).ravel(), rtol=1e-10)


def test_inputs_of_activations_live_as_long_as_the_outputs():
    with compat.accelerated():
        model = MLPClassifier((30, 20), activation="gelu", max_iter=3, random_state=0).fit(X, Y)
        activations = model._forward_pass([X, None, None, None])
        assert len(compat._inputs._kept) == 2
        np.testing.assert_allclose(compat._inputs.of(activations[1]), X @ model.coefs_[0] + model.intercepts_[0])
        model.predict(X)
        assert len(compat._inputs._kept) == 2
    del activations
    gc.collect()
    assert not compat._inputs._kept
    assert set(compat._rules) <= {model._optimizer}


def test_outside_the_names_of_fastnn_are_refused():
    with compat.accelerated():
        model = MLPClassifier((5,), activation="mish", max_iter=2, random_state=0).fit(X, Y)
        expected = model.predict(X)
        with pytest.raises(InvalidParameterError, match="'gelu_tanh'"):
            MLPClassifier(activation="no such").fit(X, Y)
    for call in (lambda: model.predict(X), lambda: model.score(X, Y), lambda: model.partial_fit(X, Y)):
        with pytest.raises(RuntimeError, match=r"MLP: activation is 'mish', .* expected .*accelerated\(\)"):
            call()
    with pytest.raises(InvalidParameterError, match="'mish'"):
        model.fit(X, Y)
    with compat.accelerated():
        np.testing.assert_array_equal(model.predict(X), expected)
