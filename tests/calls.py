"""A call of every function that computes, by name: what the tests of threads, forks and memory repeat."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from cases import CASES
from fused_cases import FUSED
from optim_objects import RULES, make

import fastnn as fnn

Calls = dict[str, Callable[[], Any]]


def calls(rows: int, columns: int, dtype: Any = np.float32) -> Calls:
    """Callables without arguments on arrays of (rows, columns); each gives the same bits at every call."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((rows, columns)).astype(dtype) for _ in range(2))
    return {
        **_elementwise(x, dy),
        **_rest_of_activations(x, dy),
        **_fused(rng, x),
        **_dropouts(x, dy),
        **_losses(rng, x),
        **_optimisers(x, dy),
    }


def result_arrays(value: Any) -> list[np.ndarray]:
    """Every array, number and text in what a call returned."""
    if isinstance(value, (np.ndarray, np.generic, float, str)):
        return [np.asarray(value)]
    return [array for part in value for array in result_arrays(part)] if type(value) is tuple else []  # a cache is none


def result_bits(value: Any) -> list[bytes]:
    """The same as bytes."""
    return [array.tobytes() for array in result_arrays(value)]


def _elementwise(x: np.ndarray, dy: np.ndarray) -> Calls:
    found: Calls = {}
    for case in CASES.values():
        found[case.name] = partial(getattr(fnn, case.name), x, *case.default)
        found[f"{case.name}_backward"] = partial(getattr(fnn, f"{case.name}_backward"), dy, x, *case.default)
    return found


def _rest_of_activations(x: np.ndarray, dy: np.ndarray) -> Calls:
    bias = x[0].copy()
    drawn = fnn.rrelu_forward(x, rng=0)[1]
    halves = np.concatenate([x, x], axis=-1)
    return {
        "prelu": partial(fnn.prelu, x, bias),
        "prelu_backward": partial(fnn.prelu_backward, dy, x, bias),
        "rrelu_forward": partial(fnn.rrelu_forward, x, rng=0),
        "rrelu_backward": partial(fnn.rrelu_backward, dy, drawn),
        "maxout": partial(fnn.maxout, x, 1),
        "glu_backward": partial(fnn.glu_backward, dy, halves),
        "log_softmax_backward": partial(fnn.log_softmax_backward, dy, x),
        "bias_activation": partial(fnn.bias_activation, x, bias),
        "bias_activation_backward": partial(fnn.bias_activation_backward, dy, x, bias),
    }


def _fused(rng: np.random.Generator, x: np.ndarray) -> Calls:
    found: Calls = {}
    for name, case in FUSED.items():
        _, given = case.prepared(fnn, rng, x.shape if len(case.shapes[0]) < 4 else (*x.shape, 1, 1), x.dtype)
        found[name] = partial(case.call, fnn, given)
    return found


def _dropouts(x: np.ndarray, dy: np.ndarray) -> Calls:
    found: Calls = {}
    for name in ("spatial_dropout", "alpha_dropout", "drop_path", "gaussian_dropout"):
        forward = partial(getattr(fnn, f"{name}_forward"), x, rng=0)
        found[f"{name}_forward"] = forward
        found[f"{name}_backward"] = partial(getattr(fnn, f"{name}_backward"), dy, forward()[1])
    return found | {"dropout_mask": partial(fnn.dropout_mask, fnn.dropout_forward(x, rng=0)[1])}


def _losses(rng: np.random.Generator, x: np.ndarray) -> Calls:
    p, labels = fnn.softmax(x), rng.integers(x.shape[1], size=len(x))
    signs = np.sign(x)
    return {
        "binary_cross_entropy": partial(fnn.binary_cross_entropy, p, p),
        "nll_loss": partial(fnn.nll_loss, np.log(p), labels, reduction="none"),
        "kl_div": partial(fnn.kl_div, np.log(p), p),
        "smooth_l1": partial(fnn.smooth_l1, x, p, reduction="none"),
        "hinge": partial(fnn.hinge, x, signs),
        "l1_penalty": partial(fnn.l1_penalty, x, 0.1),
        "l2_penalty": partial(fnn.l2_penalty, x, 0.1),
        "elastic_net_penalty": partial(fnn.elastic_net_penalty, x, 0.1, 0.2),
        "global_norm": partial(fnn.global_norm, [x, p]),
        "tensor_stats": lambda: repr(fnn.monitor.tensor_stats(x)),
    }


def _optimisers(x: np.ndarray, dy: np.ndarray) -> Calls:
    def steps(rule: str) -> np.ndarray:
        param = x.copy()
        optimizer = make(rule, param)
        optimizer.step(dy)
        optimizer.step(dy)
        return param

    return {rule: partial(steps, rule) for rule in RULES}
