"""fastnn.compat.sklearn put in and taken out: contexts, installation, threads, copies and pickles."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier, MLPRegressor, _base, _multilayer_perceptron, _stochastic_optimizers

from fastnn.compat import sklearn as compat

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_digits(return_X_y=True)
X = X / 16
Perceptron = _multilayer_perceptron.BaseMultilayerPerceptron


def tables():
    """Everything that is replaced, as it is now."""
    owners = _stochastic_optimizers.BaseOptimizer, Perceptron, _multilayer_perceptron
    own = [{k: v for k, v in vars(owner).items() if callable(v)} for owner in owners]
    dictionaries = [dict(t) for t in (_base.ACTIVATIONS, _base.DERIVATIVES, _base.LOSS_FUNCTIONS)]
    return [*own, *dictionaries, list(MLPRegressor._parameter_constraints["activation"])]


def test_everything_is_restored():
    before = tables()
    with compat.accelerated():
        inside = tables()
        assert all(a != b for a, b in zip(inside, before, strict=True))
        with compat.accelerated():
            assert tables() == inside
        assert tables() == inside
    assert tables() == before
    with pytest.raises(ZeroDivisionError), compat.accelerated():
        1 / 0  # noqa: B018
    assert tables() == before


def test_install_and_uninstall_any_number_of_times():
    before = tables()
    try:
        compat.install()
        inside = tables()
        compat.install()
        with compat.accelerated():
            assert tables() == inside
        assert tables() == inside != before
        with compat.accelerated():
            compat.uninstall()
            assert tables() == inside
        assert tables() == before
    finally:
        compat.uninstall()
    compat.uninstall()
    assert tables() == before


def test_threads_that_come_and_go():
    """Each in a context of its own, while the others enter and leave theirs."""
    make = lambda: MLPClassifier((20,), activation="silu", max_iter=10, random_state=0)  # noqa: E731
    before = tables()
    with compat.accelerated():
        expected = make().fit(X, Y).coefs_[0]
    found, start = [], threading.Barrier(4)

    def train():
        start.wait()
        for _ in range(3):
            with compat.accelerated():
                found.append(make().fit(X, Y).coefs_[0])

    threads = [threading.Thread(target=train) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    for coefs in found:
        np.testing.assert_allclose(coefs, expected, rtol=1e-9, atol=1e-12)
    assert tables() == before


_WITHOUT_FASTNN = """
import pickle, sys
sys.modules["fastnn"] = None
x, y, models = pickle.load(sys.stdin.buffer)
for model in models:
    model.partial_fit(x, y)
sys.stdout.buffer.write(pickle.dumps([model.coefs_ for model in models]))
"""


def test_fitted_estimators_pickle_and_train_on_without_fastnn():
    with compat.accelerated():
        models = [MLPClassifier((20,), solver=s, max_iter=3, random_state=0).fit(X, Y) for s in ("adam", "sgd")]
        sent = pickle.dumps((X, Y, models))
        done = subprocess.run([sys.executable, "-c", _WITHOUT_FASTNN], input=sent, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        for model, coefs in zip(models, pickle.loads(done.stdout), strict=True):
            model.partial_fit(X, Y)
            for a, b in zip(model.coefs_, coefs, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_copies_have_a_state_of_their_own():
    with compat.accelerated():
        model = MLPClassifier((20,), max_iter=3, random_state=0).fit(X, Y)
        other = copy.deepcopy(model)
        before = [array.copy() for array in (*model.coefs_, *model._optimizer.ms)]
        other.partial_fit(X, Y)
        for a, b in zip((*model.coefs_, *model._optimizer.ms), before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert np.abs(other.coefs_[0] - model.coefs_[0]).max() > 0
