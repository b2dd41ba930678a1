"""Generators of calls of norms, dropouts, losses and optimiser rules."""

from functools import partial
from typing import Any

import norms
import numpy as np
from fuzz_arrays import FLOATS, Draw
from fuzz_calls import Call, an_axis, close, copies, like_twin, native, twin

import fastnn as fnn
from fastnn import reference

_ACTIVATIONS = (None, "relu", "tanh", ("elu", 0.75))


# --- normalisation ---


def _problem(norm: str, draw: Draw) -> norms.Problem:
    low = 1 if norm in ("layer_norm", "rms_norm") else 2
    shape = draw.shape(low, 4, least=1)
    options: dict[str, Any] = {}
    if norm in ("layer_norm", "rms_norm"):
        options["axis"] = draw.one_of((-1, len(shape) - 1, tuple(range(draw.below(len(shape)), len(shape)))))
    elif norm == "group_norm":
        options["groups"] = draw.one_of([g for g in range(1, shape[1] + 1) if shape[1] % g == 0])
    given = norms.problem(norm, shape, draw.one_of(FLOATS), draw.below(1000), (draw.chance(0.7), draw.chance(0.7)))
    affine = {}
    of_parameters = norms.parameter_shape(norm, shape, options)
    for key in ("gamma", "beta"):
        wanted = getattr(given, key) is not None
        affine[key] = draw.array(of_parameters, given.x.dtype) if wanted else None
    return given.with_(x=draw.lay(given.x), dy=draw.lay(given.dy), **affine, **options)


def _wider(given: norms.Problem) -> float:
    """Times the bounds of the tests, whose problems are smaller: sums of n numbers in n / 16 steps."""
    return 2 + given.x.size / 20_000


def norm_forward(norm: str, draw: Draw) -> Call:
    given = _problem(norm, draw)
    keywords = dict(given.options)
    if draw.chance(0.4):
        keywords["out"] = draw.out(given.x.shape, given.x.dtype.newbyteorder("="))
    call = Call(f"{norm}_forward", getattr(fnn, f"{norm}_forward"), [given.x, *given.parameters], keywords)
    backward = getattr(fnn, f"{norm}_backward")
    call.check = lambda result: norms.check(given, (result[0], *backward(given.dy, result[1])), _wider(given))
    call.may_refuse = norm == "batch_norm" and given.x.size == given.x.shape[1]
    return call


def norm_backward(norm: str, draw: Draw) -> Call:
    given = _problem(norm, draw)
    if norm == "batch_norm" and given.x.size == given.x.shape[1]:
        given = norms.problem(norm, (3, 2))
    y, cache = given.forward()
    call = Call(f"{norm}_backward", getattr(fnn, f"{norm}_backward"), [given.dy, cache])
    call.check = lambda result: norms.check(given, (y, *result), _wider(given))
    return call


def _channels(draw: Draw) -> tuple[np.ndarray, list[np.ndarray], dict[str, Any]]:
    """x with at least two values a channel; mean-like and variance-like arrays; the axis."""
    shape = draw.shape(2, 4, least=2)
    x = draw.array(shape, draw.one_of(FLOATS))
    axis = an_axis(draw, len(shape))
    per_channel = [draw.array((shape[axis],), x.dtype) for _ in range(3)]
    return x, [*per_channel, np.abs(per_channel[0]) + x.dtype.type(0.5)], {"axis": axis}


def inference(name: str, draw: Draw) -> Call:
    x, (gamma, beta, mean, var), keywords = _channels(draw)
    arguments = [x, gamma, beta, mean, var]
    if "backward" in name:
        arguments.insert(0, draw.array(x.shape, x.dtype))
    keywords["activation"] = draw.one_of(_ACTIVATIONS)
    check = like_twin(name, arguments, keywords, 256.0)
    return Call(name, getattr(fnn, name), arguments, keywords, check)


def stats(name: str, draw: Draw) -> Call:
    x, (gamma, beta, _, _), keywords = _channels(draw)
    dy, stats = draw.array(x.shape, x.dtype), reference.batch_norm_stats(x, **keywords)
    stats = fnn.BatchStats(*stats)
    if name == "batch_norm_stats":
        return Call(name, fnn.batch_norm_stats, [x], keywords, lambda r: close(tuple(r)[1:], tuple(stats)[1:], 512.0))
    if name == "merge_batch_stats":
        merged = reference.merge_batch_stats(stats, stats)
        return Call(
            name, fnn.merge_batch_stats, [stats, stats], {}, lambda r: close(tuple(r)[1:], tuple(merged)[1:], 64.0)
        )
    gradients = fnn.batch_norm_backward_stats(dy, x, stats, gamma, beta, **keywords)
    arguments = {
        "batch_norm_apply": [x, stats, gamma, beta],
        "batch_norm_backward_stats": [dy, x, stats, gamma, beta],
        "batch_norm_backward_apply": [dy, x, stats, gradients, gamma, beta],
    }[name]
    expected = twin(name)(*arguments, **keywords)
    # two values a channel may lie close together: what is divided by their deviation is as large as its inverse
    check = (lambda r: close(r, expected, 1024.0)) if name == "batch_norm_apply" else None
    return Call(name, getattr(fnn, name), arguments, keywords, check)


# --- dropout ---


def dropout(family: str, direction: str, draw: Draw) -> Call:
    name = f"{family}_{direction}"
    x = draw.array(draw.shape(2, 4))
    p = draw.one_of((0.0, 0.25, 0.5, 1.0)) if family != "gaussian_dropout" else draw.one_of((0.0, 0.25, 0.5))
    forward = partial(getattr(fnn, f"{family}_forward"), x, p, rng=5)
    y, cache = forward()
    if direction == "backward":
        dy = draw.array(x.shape)
        expected = getattr(fnn, name)(dy.copy(), cache)
        return Call(name, getattr(fnn, name), [dy, cache], {}, lambda result: close(result, expected, 0.0))
    call = Call(name, getattr(fnn, name), [x, p], {"rng": 5})
    if draw.chance(0.4) and family != "spatial_dropout":
        call.keywords["out"] = draw.out(x.shape, native(x.dtype), [x])
    kept = None if family == "gaussian_dropout" else fnn.dropout_mask(cache)
    given = x.astype(native(x.dtype))

    def check(result: Any) -> None:
        close(result[0], y, 0.0)
        if family in ("dropout", "spatial_dropout", "drop_path"):
            scaled = given.astype("f8") / (1 - p) if p < 1 else np.zeros(given.shape)
            close(result[0], np.where(kept, scaled, 0.0), 2.0)

    call.check = check
    return call


def mask(name: str, draw: Draw) -> Call:
    cache = fnn.dropout_forward(draw.array(draw.shape()), 0.5, rng=5)[1]
    return Call(name, fnn.dropout_mask, [cache])


# --- losses ---


def _loss_options(draw: Draw) -> dict[str, Any]:
    return {"reduction": draw.one_of(("mean", "sum", "none")), "return_grad": draw.chance(0.8)}


def regression(name: str, draw: Draw) -> Call:
    shape = draw.shape()
    x = draw.array(shape, draw.one_of(FLOATS))
    keywords = _loss_options(draw)
    if name == "binary_cross_entropy":
        pair = [draw.lay(draw.rng.uniform(0.05, 0.95, shape).astype(x.dtype)) for _ in range(2)]
    elif name == "kl_div":
        pair = [draw.lay((-np.abs(x)).astype(x.dtype)), draw.lay(draw.rng.uniform(0, 1, shape).astype(x.dtype))]
    elif name in ("binary_cross_entropy_with_logits", "focal"):
        pair = [x, draw.lay((draw.rng.random(shape) < 0.5).astype(x.dtype))]
    elif name == "hinge":
        pair = [x, draw.lay(np.where(draw.rng.random(shape) < 0.5, -1, 1).astype(x.dtype))]
    else:
        pair = [x, draw.array(shape, x.dtype)]
    call = Call(name, getattr(fnn, name), pair, keywords, like_twin(name, pair, keywords, 64 + x.size / 200))
    call.may_refuse = name == "kl_div" and not shape
    return call


def classes(name: str, draw: Draw) -> Call:
    shape = draw.shape(1, 3, least=1)
    axis = an_axis(draw, len(shape))
    shape = tuple(min(side, 1000) if k == axis % len(shape) else side for k, side in enumerate(shape))  # one-hot rows
    x = draw.array(shape, draw.one_of(FLOATS))
    rest = tuple(side for k, side in enumerate(shape) if k != axis % len(shape))
    keywords = {**_loss_options(draw), "axis": axis}
    labels = draw.lay(draw.rng.integers(shape[axis], size=rest).astype(draw.one_of(("i8", "i4", "u1"))))
    if name == "nll_loss":
        x = draw.lay((-np.abs(x)).astype(x.dtype))
    if name != "multiclass_hinge":
        if draw.chance(0.3):
            keywords["weight"] = draw.rng.uniform(0.5, 2, shape[axis]).astype(x.dtype)
        if draw.chance(0.3):
            keywords["label_smoothing"] = 0.25
        if draw.chance(0.2):
            keywords["ignore_index"] = 0
    return Call(
        name, getattr(fnn, name), [x, labels], keywords, like_twin(name, [x, labels], keywords, 64 + x.size / 200)
    )


def penalty(name: str, draw: Draw) -> Call:
    w = draw.array(draw.shape(), draw.one_of(FLOATS))
    arguments = [w, 0.25, 0.5] if name == "elastic_net_penalty" else [w, 0.25]
    call = Call(name, getattr(fnn, name), arguments)
    call.check = like_twin(name, arguments, {}, 64.0)
    if draw.chance(0.4):
        grad = draw.lay(draw.values(w.shape, w.dtype), writable=True)
        call.keywords["accumulate_into"], call.check = grad, None
        call.changed = [grad]
        penalty, added = twin(name)(*copies(arguments))
        expected = grad.astype("f8") + added

        def check(result: Any) -> None:
            close(
                (np.asarray(result[0] if isinstance(result, tuple) else result), grad),
                (np.asarray(penalty), expected),
                64.0,
            )

        call.check = check
    return call


# --- optimisers ---


def clip(name: str, draw: Draw) -> Call:
    grads = [
        draw.lay(draw.values(draw.shape(), draw.one_of(("f4", "f8"))), writable=True) for _ in range(draw.below(4))
    ]
    expected = [grad.astype("f8") for grad in grads]
    arguments: list[Any] = [] if name == "global_norm" else [0.5]
    norm = twin(name)(expected, *arguments)

    def check(result: Any) -> None:
        assert norm is None or np.isclose(result, norm, rtol=1e-13), f"{result}, expected {norm}"
        close(tuple(grads), tuple(expected), 4.0)

    function = getattr(fnn, name)
    return Call(name, function, [grads, *arguments], {}, check, [] if name == "global_norm" else grads, True)


def update(case: Any, name: str, draw: Draw) -> Call:
    dtype = draw.one_of(("f4", "f8"))
    shape = draw.shape(2 if name == "adafactor_update" else 0, 3, least=1)
    param = draw.lay(draw.values(shape, dtype), writable=True)
    grad = draw.array(shape, draw.one_of((dtype, dtype, np.dtype(dtype).newbyteorder())))
    hyper = {"lr": 0.0625, "momentum": 0.5} if name in ("sgd_update", "rmsprop_update") else {"lr": 0.0625}
    keywords = case.keywords(hyper, np.dtype(dtype)) | case.per_step(1)
    exact, state = param.astype("f8"), case.state(hyper, param.astype("f8"))
    wanted = {key: value for key, value in state.items() if value is not None or name == "adafactor_update"}
    given = {key: value if value is None else draw.lay(np.asarray(value, dtype), True) for key, value in wanted.items()}
    arrays = {key: array for key, array in given.items() if array is not None}
    twin(name)(exact, grad.astype("f8"), **state, **keywords)

    def check(result: Any) -> None:
        close((param, *arrays.values()), (exact, *(state[key] for key in arrays)), 256.0)

    changed = [param, *arrays.values()]
    return Call(name, getattr(fnn.optim, name), [param, grad], {**given, **keywords}, check, changed, True)
