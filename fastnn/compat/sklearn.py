"""scikit-learn's MLPClassifier and MLPRegressor on fastnn's kernels, with all of fastnn's activations.

    with fastnn.compat.sklearn.accelerated():
        MLPClassifier(activation="gelu").fit(x, y)

The estimators stay scikit-learn's own. What changes, while it is active, is what they look up when they train and
predict: the tables of activations, derivatives and losses, and the update of the optimisers. These are scikit-learn's
private parts; tests/test_sklearn_private.py names the one that a new release has moved.

An optimiser stays scikit-learn's too, with `t`, `ms`, `vs` and `velocities` up to date: a fitted estimator pickles,
and trains on, without fastnn. Its state arrays are those of a fastnn rule, which `_Rule` keeps beside it.
"""

import functools
import operator
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from .. import activations, optim
from ._peers import require

_base = require("sklearn.neural_network._base", "sklearn")
_optimizers = require("sklearn.neural_network._stochastic_optimizers", "sklearn")
_perceptron = require("sklearn.neural_network._multilayer_perceptron", "sklearn")
_validation = require("sklearn.utils._param_validation", "sklearn")

_Perceptron = _perceptron.BaseMultilayerPerceptron

__all__ = ["ACTIVATIONS", "accelerated", "install", "uninstall"]

#: scikit-learn's names and fastnn's.
_OWN = {"logistic": "sigmoid", "relu": "relu", "tanh": "tanh"}

#: What `activation=` of the estimators takes in addition: fastnn's functions, with their default parameters.
ACTIVATIONS = tuple(n for n in activations.NAMES if n not in ("relu", "tanh", "prelu", "rrelu", "threshold"))


# --- activations: in place, the derivative from the output ---


class _Inputs:
    """What outputs were computed from, where the derivative needs it: each kept for as long as its output lives.

    The estimators keep outputs alone, as they compute in place. Only a forward pass that a backward pass follows keeps
    its inputs, not a prediction.
    """

    def __init__(self):
        self._kept: dict[int, tuple[weakref.ref, np.ndarray]] = {}
        self._training = threading.local()

    def keep(self, output: np.ndarray) -> np.ndarray:
        """A copy of what is about to become an output; itself while nothing is kept."""
        if not getattr(self._training, "active", False):
            return output
        key, x = id(output), output.copy()
        self._kept[key] = weakref.ref(output, lambda _: self._kept.pop(key, None)), x
        return x

    def of(self, output: np.ndarray) -> np.ndarray:
        reference, x = self._kept[id(output)]
        assert reference() is output
        return x

    def kept_by(self, forward_pass: Callable) -> Callable:
        """A method that keeps the inputs of the activations which it computes."""

        def keeping(*arguments: Any) -> Any:
            self._training.active = True
            try:
                return forward_pass(*arguments)
            finally:
                self._training.active = False

        return keeping


_inputs = _Inputs()


def _in_place(name: str) -> tuple[Callable, Callable]:
    """An activation as scikit-learn calls it: f(Z) and derivative(Z, delta), both in place, Z being the output."""
    forward, backward = activations.activation(name)
    from_output = getattr(activations, f"{name}_backward_from_output", None)
    if from_output is not None:

        def activate(Z: np.ndarray) -> None:
            forward(Z, out=Z)

        def derive(Z: np.ndarray, delta: np.ndarray) -> None:
            from_output(delta, Z, out=delta)

        return activate, derive

    def activate_keeping(Z: np.ndarray) -> None:
        forward(_inputs.keep(Z), out=Z)

    def derive_from_input(Z: np.ndarray, delta: np.ndarray) -> None:
        backward(delta, _inputs.of(Z), out=delta)

    return activate_keeping, derive_from_input


def _softmax(X: np.ndarray) -> None:
    activations.softmax(X, axis=1, out=X)


def _unavailable(name: str) -> Callable:
    """In place of an activation that scikit-learn lacks, while nothing is active."""

    def refuse(*arrays: np.ndarray) -> None:
        raise RuntimeError(
            f"MLP: activation is {name!r}, which scikit-learn does not have, expected this call"
            " inside fastnn.compat.sklearn.accelerated(), or after install()"
        )

    return refuse


# --- losses: of boolean targets, a logarithm for each that is asked for ---


def _log_loss(y_true: np.ndarray, y_prob: np.ndarray, *sample_weight: Any) -> Any:
    if not _plain(y_true, y_prob, sample_weight) or y_prob.shape[1] == 1:
        return _base.log_loss(y_true, y_prob, *sample_weight)
    return _mean_of_logs(y_prob[y_true], len(y_prob))


def _binary_log_loss(y_true: np.ndarray, y_prob: np.ndarray, *sample_weight: Any) -> Any:
    if not _plain(y_true, y_prob, sample_weight):
        return _base.binary_log_loss(y_true, y_prob, *sample_weight)
    return _mean_of_logs(np.where(y_true, y_prob, 1 - y_prob), len(y_prob))


def _plain(y_true: np.ndarray, y_prob: np.ndarray, sample_weight: tuple) -> bool:
    weighted = any(each is not None for each in sample_weight)
    return y_true.dtype == bool and y_true.shape == y_prob.shape and not weighted


def _mean_of_logs(likelihood: np.ndarray, samples: int) -> Any:
    """In float64, as scikit-learn's, whatever the dtype of the probabilities."""
    eps = np.finfo(likelihood.dtype).eps
    return -np.log(np.clip(likelihood, eps, 1 - eps), dtype=np.float64).sum() / samples


def _rows(X: Any, indices: np.ndarray, **keywords: Any) -> Any:
    """The rows of a batch; scikit-learn asks first which kind of data frame it has."""
    if type(X) is np.ndarray and not keywords:
        return X.take(indices, axis=0)
    return _original_rows(X, indices, **keywords)


_original_rows = _perceptron._safe_indexing


# --- optimisers: one launch for all coefficients and intercepts ---


class _Rule:
    """fastnn's rule in place of an optimiser's own arithmetic, for as long as nobody changes what it was made for.

    The arrays of the rule's state become the optimiser's: whoever reads or pickles them finds them up to date.
    """

    #: The optimiser's lists of arrays and the rule's names for them.
    states: ClassVar[dict[str, str]]
    #: The optimiser's numbers that the rule was made with.
    numbers: ClassVar[tuple[str, ...]]

    def __init__(self, optimizer: Any, params: list[np.ndarray]):
        self.params = list(params)
        self.rule = self.made(optimizer)
        for attribute, name in self.states.items():
            arrays = []
            for slot, value in zip(self.rule._parameters.slots, getattr(optimizer, attribute), strict=True):
                state = slot.states.get(name, value)  # without momentum there is none
                state[...] = value
                arrays.append(state)
            setattr(optimizer, attribute, arrays)
        #: What the optimiser was after the last step.
        self.found = self.look(optimizer)

    def look(self, optimizer: Any) -> tuple[list, list]:
        """(numbers, arrays) of the optimiser."""
        arrays = [array for attribute in self.states for array in getattr(optimizer, attribute)]
        return [getattr(optimizer, name) for name in self.numbers], arrays

    def fits(self, optimizer: Any, params: list[np.ndarray]) -> bool:
        """Whether the parameters and the optimiser are as this rule left them."""
        numbers, arrays = self.look(optimizer)
        return numbers == self.found[0] and _same(arrays, self.found[1]) and _same(params, self.params)

    def made(self, optimizer: Any) -> optim.Optimizer:
        raise NotImplementedError

    def step(self, optimizer: Any, grads: list[np.ndarray]) -> None:
        # of float32 parameters some gradients are float64: those of weighted samples
        self.rule.step([grad.astype(p.dtype, copy=False) for grad, p in zip(grads, self.params, strict=True)])


class _AdamRule(_Rule):
    states: ClassVar = {"ms": "exp_avg", "vs": "exp_avg_sq"}
    numbers: ClassVar = ("t", "learning_rate_init", "beta_1", "beta_2", "epsilon")

    def made(self, optimizer: Any) -> optim.Optimizer:
        betas = optimizer.beta_1, optimizer.beta_2
        rule = optim.Adam(self.params, optimizer.learning_rate_init, betas, optimizer.epsilon, eps_mode="hat")
        rule._parameters.set_steps([optimizer.t] * len(self.params))
        return rule

    def step(self, optimizer: Any, grads: list[np.ndarray]) -> None:
        super().step(optimizer, grads)
        t = optimizer.t + 1
        correction = np.sqrt(1 - optimizer.beta_2**t) / (1 - optimizer.beta_1**t)
        optimizer.t, optimizer.learning_rate = t, optimizer.learning_rate_init * correction


class _SGDRule(_Rule):
    states: ClassVar = {"velocities": "buf"}
    numbers: ClassVar = ("momentum", "nesterov")

    def made(self, optimizer: Any) -> optim.Optimizer:
        self.learning_rate, momentum = optimizer.learning_rate, optimizer.momentum
        nesterov = bool(optimizer.nesterov and momentum)
        return optim.SGD(
            self.params, lambda step: self.learning_rate, momentum, nesterov=nesterov, momentum_form="velocity"
        )

    def step(self, optimizer: Any, grads: list[np.ndarray]) -> None:
        self.learning_rate = optimizer.learning_rate
        super().step(optimizer, grads)


_RULES = {_optimizers.AdamOptimizer: _AdamRule, _optimizers.SGDOptimizer: _SGDRule}
_rules: weakref.WeakKeyDictionary[Any, _Rule] = weakref.WeakKeyDictionary()
_original_update = _optimizers.BaseOptimizer.update_params


def _update_params(optimizer: Any, params: list[np.ndarray], grads: list[np.ndarray]) -> None:
    """`update_params` of every optimiser; a subclass of the known ones may compute otherwise."""
    make = _RULES.get(type(optimizer))
    if make is None:
        return _original_update(optimizer, params, grads)
    rule = _rules.get(optimizer)
    if rule is None or not rule.fits(optimizer, params):
        rule = _rules[optimizer] = make(optimizer, params)
    rule.step(optimizer, grads)
    rule.found = rule.look(optimizer)
    return None


def _same(arrays: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(arrays) == len(others) and all(map(operator.is_, arrays, others))


# --- putting it in and taking it out ---


@functools.cache
def _replacements() -> list[tuple[Any, Any, Any]]:
    """(owner, name, value) of all that is different while active."""
    names = {**_OWN, **{name: name for name in ACTIVATIONS}}
    functions = {name: _in_place(ours) for name, ours in names.items()}
    (options, *_) = constraint = _Perceptron._parameter_constraints["activation"]
    return [
        *((_base.ACTIVATIONS, name, activate) for name, (activate, _) in functions.items()),
        *((_base.DERIVATIVES, name, derive) for name, (_, derive) in functions.items()),
        (_base.ACTIVATIONS, "softmax", _softmax),
        (_base.LOSS_FUNCTIONS, "log_loss", _log_loss),
        (_base.LOSS_FUNCTIONS, "binary_log_loss", _binary_log_loss),
        (constraint, 0, _validation.StrOptions({*options.options, *ACTIVATIONS})),
        (_optimizers.BaseOptimizer, "update_params", _update_params),
        (_Perceptron, "_forward_pass", _inputs.kept_by(_Perceptron._forward_pass)),
        (_perceptron, "_safe_indexing", _rows),
    ]


def _swap(owner: Any, name: Any, value: Any) -> tuple[Any, Any, Any]:
    """Put a value in; what takes it out again."""
    if isinstance(owner, (dict, list)):
        before, owner[name] = owner[name], value
    else:
        before = getattr(owner, name)
        setattr(owner, name, value)
    return owner, name, before


class _Switch:
    """Active while it is installed or any context is open."""

    def __init__(self):
        self._lock = threading.Lock()
        self._contexts, self._installed = 0, False
        self._originals: list[tuple[Any, Any, Any]] = []

    def change(self, contexts: int = 0, installed: bool | None = None) -> None:
        with self._lock:
            self._contexts += contexts
            if installed is not None:
                self._installed = installed
            active = self._installed or self._contexts > 0
            if active and not self._originals:
                self._originals = [_swap(*each) for each in _replacements()]
            elif not active:
                for original in self._originals:
                    _swap(*original)
                self._originals = []


_switch = _Switch()

# these stay, so that `predict` of an estimator that was fitted within says what it needs
for _name in ACTIVATIONS:
    _base.ACTIVATIONS.setdefault(_name, _unavailable(_name))
    _base.DERIVATIVES.setdefault(_name, _unavailable(_name))


@contextmanager
def accelerated() -> Iterator[None]:
    """Within it scikit-learn's MLPClassifier and MLPRegressor compute with fastnn.

    Activations, their derivatives, softmax, the logarithmic losses, Adam and SGD with momentum are fastnn's, each the
    same formula, so that results agree up to rounding. `activation=` also takes every name in
    `fastnn.compat.sklearn.ACTIVATIONS`, such as "gelu", "silu" or "mish".

    It is active in the whole process, all threads included, until the outermost context is left, by an exception too;
    what was in place before is then back. Other processes (`n_jobs=` with joblib's default backend) are not affected:
    call `install` in each, or use ``joblib.parallel_backend("threading")``.

    Yields
    ------
    None
        The block runs with it.

    Raises
    ------
    ImportError
        Without a version of scikit-learn that works, when this module is imported.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> import fastnn as fnn
    >>> x, y = load_digits(return_X_y=True)
    >>> with fnn.compat.sklearn.accelerated():
    ...     model = MLPClassifier(activation="gelu", tol=1e-3, random_state=0).fit(x / 16, y)
    ...     accuracy = model.score(x / 16, y)
    >>> accuracy > 0.99
    True
    """
    _switch.change(contexts=1)
    try:
        yield
    finally:
        _switch.change(contexts=-1)


def install() -> None:
    """As `accelerated`, from now on in this process; once installed, nothing more.

    Examples
    --------
    >>> from sklearn.neural_network import MLPRegressor
    >>> import fastnn as fnn
    >>> fnn.compat.sklearn.install()
    >>> model = MLPRegressor(hidden_layer_sizes=(8,), activation="silu", solver="lbfgs", random_state=0)
    >>> model.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]).score([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]) > 0.9
    True
    >>> fnn.compat.sklearn.uninstall()
    """
    _switch.change(installed=True)


def uninstall() -> None:
    """Undo `install`; without it, nothing. A context that is open stays active until it is left.

    Examples
    --------
    >>> import fastnn as fnn
    >>> fnn.compat.sklearn.uninstall()
    """
    _switch.change(installed=False)
