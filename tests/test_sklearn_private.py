"""The private parts of scikit-learn that fastnn.compat.sklearn relies on: a failure names what has changed."""

import inspect

import pytest
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor, _base, _multilayer_perceptron, _stochastic_optimizers
from sklearn.utils._param_validation import StrOptions

from fastnn.compat import sklearn as compat

Perceptron = _multilayer_perceptron.BaseMultilayerPerceptron
AdamOptimizer, SGDOptimizer = _stochastic_optimizers.AdamOptimizer, _stochastic_optimizers.SGDOptimizer
VERSION = f"scikit-learn {sklearn.__version__}"

#: First parameters of what is replaced, or called.
SIGNATURES = {
    "_base.inplace_relu": (_base.inplace_relu, ["X"]),
    "_base.inplace_softmax": (_base.inplace_softmax, ["X"]),
    "_base.inplace_relu_derivative": (_base.inplace_relu_derivative, ["Z", "delta"]),
    "_base.log_loss": (_base.log_loss, ["y_true", "y_prob"]),
    "_base.binary_log_loss": (_base.binary_log_loss, ["y_true", "y_prob"]),
    "_safe_indexing": (_multilayer_perceptron._safe_indexing, ["X", "indices"]),
    "_forward_pass": (Perceptron._forward_pass, ["self", "activations"]),
    "update_params": (_stochastic_optimizers.BaseOptimizer.update_params, ["self", "params", "grads"]),
}

#: Names that a method looks up in its module at each call: replacing them has an effect only while it does.
LOOKED_UP = {
    "_forward_pass": {"ACTIVATIONS"},
    "_forward_pass_fast": {"ACTIVATIONS"},
    "_backprop": {"LOSS_FUNCTIONS", "DERIVATIVES", "_forward_pass"},
    "_fit_stochastic": {"AdamOptimizer", "SGDOptimizer", "_safe_indexing", "update_params"},
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    function, expected = SIGNATURES[name]
    found = list(inspect.signature(function).parameters)
    assert found[: len(expected)] == expected, f"{VERSION}: {name} takes {found}"


@pytest.mark.parametrize("method", LOOKED_UP)
def test_names_are_looked_up_when_a_method_runs(method):
    used = set(getattr(Perceptron, method).__code__.co_names)
    assert used >= LOOKED_UP[method], f"{VERSION}: {method} no longer uses {sorted(LOOKED_UP[method] - used)}"


@pytest.mark.parametrize("table", ["ACTIVATIONS", "DERIVATIVES", "LOSS_FUNCTIONS"])
def test_tables_are_those_that_the_perceptrons_use(table):
    assert getattr(_multilayer_perceptron, table) is getattr(_base, table), f"{VERSION}: {table} is a copy"


def test_tables_have_the_names_that_are_replaced():
    for table in (_base.ACTIVATIONS, _base.DERIVATIVES):
        assert {"identity", "logistic", "relu", "tanh"} <= set(table), f"{VERSION}: {sorted(table)}"
    assert "softmax" in _base.ACTIVATIONS, f"{VERSION}: {sorted(_base.ACTIVATIONS)}"
    assert {"log_loss", "binary_log_loss"} <= set(_base.LOSS_FUNCTIONS), f"{VERSION}: {sorted(_base.LOSS_FUNCTIONS)}"


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_one_constraint_says_which_activations_are_valid(estimator):
    constraint = estimator._parameter_constraints["activation"]
    assert constraint is Perceptron._parameter_constraints["activation"], f"{VERSION}: {estimator} has its own"
    assert [type(each) for each in constraint] == [StrOptions], f"{VERSION}: {constraint}"
    assert constraint[0].options == {"identity", "logistic", "relu", "tanh"}, f"{VERSION}: {constraint[0].options}"


@pytest.mark.parametrize("kind", [AdamOptimizer, SGDOptimizer])
def test_optimisers_have_the_attributes_that_are_kept_up_to_date(kind):
    assert "update_params" not in vars(kind), f"{VERSION}: {kind.__name__} updates in a way of its own"
    rule = compat._RULES[kind]
    missing = {*rule.states, *rule.numbers, "learning_rate", "learning_rate_init"} - set(vars(kind([])))
    assert not missing, f"{VERSION}: {kind.__name__} lacks {sorted(missing)}"


def test_no_activation_of_scikit_learn_is_hidden():
    own = {name for name, f in _base.ACTIVATIONS.items() if f.__module__ == _base.__name__}
    assert not own & set(compat.ACTIVATIONS), f"{VERSION}: has {sorted(own & set(compat.ACTIVATIONS))} itself"
