"""MLPClassifier.fit on the handwritten digits, with fastnn.compat.sklearn and by scikit-learn alone.

    pytest bench/bench_sklearn.py

Both multiply matrices with NumPy's BLAS, on all threads.
Twenty epochs of nine batches of 200; the losses must agree before anything is timed.
"""

import contextlib

import numpy as np
import pytest
from selection import work_of
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import fastnn as fnn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fit(x, y, context, **options):
    with context():
        return MLPClassifier(max_iter=20, random_state=0, **options).fit(x, y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("hidden", [(100,), (256, 256)], ids=str)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fit(measure, dtype, activation, hidden, solver):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(dtype)
    options = {"hidden_layer_sizes": hidden, "activation": activation, "solver": solver}
    calls = {
        "fastnn": lambda: fit(x, y, fnn.compat.sklearn.accelerated, **options),
        "scikit-learn": lambda: fit(x, y, contextlib.nullcontext, **options),
    }
    mine, theirs = (call().loss_curve_ for call in calls.values())
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    function = f"MLPClassifier.fit, {activation}, {'x'.join(map(str, hidden))}, {solver}"
    measure(work_of("training", function, dtype, x.shape, 1), calls)
