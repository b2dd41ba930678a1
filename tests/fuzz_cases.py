"""For every public function a generator of valid calls, each with what to compare the result with."""

import inspect
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import fuzz_fused as fused
import norms
import numpy as np
from cases import CASES
from fuzz_arrays import FLOATS, Draw
from fuzz_calls import Call, an_axis, close, copies, like_twin, native
from optim_cases import OPTIMS
from ulps import assert_within

import fastnn as fnn
from fastnn import reference

#: Public callables that are no functions of arrays, with where they are tested.
ELSEWHERE = {
    "threads": "a context manager: test_threads",
    "preset": "makes an optimiser: test_presets",
    "BatchStats": "a tuple: test_synchronized_batch_norm",
    "BatchGradStats": "a tuple: test_synchronized_batch_norm",
    "GradientReport": "a result: test_gradient_check",
    "check_gradient": "calls a function given to it: test_gradient_check",
    "numeric_gradient": "calls a function given to it: test_gradient_check",
    "elementwise": "compiles: test_elementwise",
}


def public_functions() -> set[str]:
    """Names in fastnn and fastnn.optim of what is called on arrays."""
    names = {name for name in dir(fnn) if not name.startswith("_")} | set(fnn.optim.__all__)
    found = {name: getattr(fnn, name, None) or getattr(fnn.optim, name, None) for name in names}
    return {
        name
        for name, value in found.items()
        if callable(value) and not isinstance(value, ModuleType) and name not in ELSEWHERE and name not in _RULES
    }


#: The optimisers' classes: the stateful test of test_fuzz drives them.
_RULES = {name for name in fnn.optim.__all__ if inspect.isclass(getattr(fnn.optim, name))}
# --- elementwise ---


def _result_dtype(case: Any, arrays: list[np.ndarray]) -> np.dtype:
    dtype = np.result_type(*arrays)
    if dtype.kind == "f":
        return dtype.newbyteorder("=")
    if case.parameters:
        return np.dtype("f8")
    empty = [np.zeros(0, a.dtype) for a in arrays]  # NumPy's own choice for functions of one and of two arrays
    return (np.tanh if len(arrays) == 1 else np.arctan2)(*empty).dtype


def _elementwise(case: Any, kind: str, name: str, draw: Draw) -> Call:
    shape, wild = draw.shape(), draw.chance(0.4)
    arrays = [draw.array(shape, wild=wild)]
    if kind:
        other = tuple(1 if draw.chance(0.15) else side for side in shape[draw.below(2) if draw.chance(0.2) else 0 :])
        arrays.append(draw.array(other, None if draw.chance(0.4) else arrays[0].dtype, wild))
        if draw.chance(0.5):
            arrays.reverse()
    parameters = list(draw.one_of(case.parameter_sets))
    if kind == "y":  # an output: of the dtype that it has
        y = getattr(fnn, case.name)(arrays[1], *parameters)
        arrays[1] = draw.lay(np.asarray(y))
    dtype = _result_dtype(case, arrays)
    call = Call(name, getattr(fnn, name), [*arrays, *parameters])
    if draw.chance(0.5):
        call.keywords["out"] = draw.out(np.broadcast_shapes(*[a.shape for a in arrays]), dtype, arrays)
    if draw.chance(0.1):
        call.keywords["where"] = draw.rng.random(shape) < 0.5
        call.keywords.setdefault("out", draw.out(np.broadcast_shapes(*[a.shape for a in arrays]), dtype))
    call.check = partial(_check_elementwise, case, kind, name, copies(arrays), parameters, dtype, call.keywords)
    return call


def _check_elementwise(case, kind, name, arrays, parameters, dtype, keywords, result) -> None:
    if "out" in keywords:
        assert result is keywords["out"], "the result is not `out`"
    result = np.asarray(result)
    assert result.dtype == dtype, f"dtype {result.dtype}, expected {dtype}"
    # what the kernel sees: numbers of the result's dtype
    exact = [a.astype(dtype) for a in arrays]
    expected = np.asarray(getattr(reference, name)(*exact, *parameters))
    bound = {"": case.forward, "x": case.backward, "y": case.from_output}[kind]
    # below the smallest normal float64 the reference loses some hundred of the last place
    absolute = np.asarray(2e-321 if dtype == np.float64 else 0.0)
    if kind:  # a derivative is off by eps where it crosses zero, and by the smallest normal number where it underflows
        info = np.finfo(np.float32 if dtype == np.float16 else dtype)
        share = case.from_output_absolute if kind == "y" else case.crossing_bound if case.crossings else 0.0
        absolute = np.abs(np.broadcast_arrays(*exact)[0].astype("f8")) * (np.finfo(dtype).eps * share + info.tiny)
    where = np.broadcast_to(keywords.get("where", True), result.shape)
    slack = case.reference_ulps if dtype == np.float64 else 0.5 if case.parameters else 0.0
    absolute = np.broadcast_to(absolute, result.shape)[where]
    assert result.shape == expected.shape, f"shape {result.shape}, expected {expected.shape}"
    allowed = bound.of(dtype) + slack
    if kind:
        allowed = 2 * allowed + 0.5  # a product with dy is rounded, and its last place may count twice as much
        # infinity times a derivative that is 0 in one dtype and just above in the other
        undefined = np.isinf(exact[0]) & (np.isnan(result) | np.isnan(expected))
        result, expected = (np.where(undefined, 0, side).astype(side.dtype) for side in (result, expected))
    assert_within(result[where], expected[where], allowed, np.nan_to_num(absolute, nan=0))


# --- activations of other shapes ---


def _softmax(name: str, draw: Draw) -> Call:
    shape = draw.shape(1)
    x = draw.array(shape)
    call, terms = Call(name, getattr(fnn, name), [x], {"axis": an_axis(draw, len(shape))}), 1.0
    if "backward" in name:
        terms = float(np.abs(x[np.isfinite(x)], dtype="f8").max(initial=0))  # dy - sum(dy * y), which may cancel
        y = getattr(reference, name.removesuffix("_backward"))(x, axis=call.keywords["axis"]).astype(native(x.dtype))
        call.arguments = [x, draw.lay(y)]
    if name == "logsumexp":
        call.keywords["keepdims"] = draw.chance(0.5)
    elif draw.chance(0.4):
        call.keywords["out"] = draw.out(
            shape, np.result_type(*map(native, [a.dtype for a in call.arguments])), call.arguments
        )
    call.may_refuse = name == "logsumexp" and 0 in shape
    call.check = like_twin(name, call.arguments, call.keywords, 32 + max(shape) / 20, terms)
    return call


def _glu(name: str, draw: Draw) -> Call:
    shape = draw.shape(1)
    axis = an_axis(draw, len(shape))
    doubled = tuple(2 * side if k == axis % len(shape) else side for k, side in enumerate(shape))
    x = draw.array(doubled)
    arguments = [draw.array(shape, native(x.dtype)), x] if "backward" in name else [x]
    keywords = {"axis": axis, "gate": draw.one_of(("sigmoid", "relu", "gelu", "silu", "bilinear"))}
    return Call(name, getattr(fnn, name), arguments, keywords, like_twin(name, arguments, keywords))


def _maxout(name: str, draw: Draw) -> Call:
    shape, pieces = draw.shape(1), 1 + draw.below(3)
    axis = an_axis(draw, len(shape))
    x = draw.array(tuple(pieces * side if k == axis % len(shape) else side for k, side in enumerate(shape)))
    if name == "maxout":
        return Call(name, fnn.maxout, [x, pieces, axis], {}, like_twin(name, [x, pieces, axis], {}))
    winner = reference.maxout(x, pieces, axis)[1]
    arguments = [draw.array(shape), draw.lay(winner), pieces, axis]
    return Call(name, fnn.maxout_backward, arguments, {}, like_twin(name, arguments, {}))


def _prelu(name: str, draw: Draw) -> Call:
    shape = draw.shape(1)
    axis = an_axis(draw, len(shape))
    x = draw.array(shape)
    alpha = draw.one_of((0.25, draw.array((shape[axis],), native(x.dtype))))
    arguments = [draw.array(shape, native(x.dtype)), x, alpha] if "backward" in name else [x, alpha]
    # a sum of some thousand products
    return Call(name, getattr(fnn, name), arguments, {"axis": axis}, like_twin(name, arguments, {"axis": axis}, 64.0))


def _bias(name: str, draw: Draw) -> Call:
    shape = draw.shape(1)
    x = draw.array(shape, draw.one_of(FLOATS))
    axis = an_axis(draw, len(shape))
    bias = draw.array((shape[axis],), x.dtype)
    keywords = {"activation": draw.one_of(("relu", "tanh", "gelu", ("elu", 0.75))), "axis": axis}
    arguments = [draw.array(shape, x.dtype), x, bias] if "backward" in name else [x, bias]
    check = like_twin(name, arguments, keywords, 64.0)
    if name == "bias_activation" and draw.chance(0.4):
        keywords["out"] = draw.out(shape, x.dtype, [x])
    return Call(name, getattr(fnn, name), arguments, keywords, check)


def _rrelu(name: str, draw: Draw) -> Call:
    x = draw.array(draw.shape(), wild=draw.chance(0.2))
    if name == "rrelu":
        return Call(name, fnn.rrelu, [x, 0.125, 0.25], {}, like_twin(name, [x, 0.125, 0.25], {}))
    y, cache = fnn.rrelu_forward(x, 0.125, 0.25, rng=3)
    if name == "rrelu_forward":
        return Call(name, fnn.rrelu_forward, [x, 0.125, 0.25], {"rng": 3}, lambda result: close(result[0], y, 0.0))
    return Call(name, fnn.rrelu_backward, [draw.array(x.shape), cache])


# --- the rest ---


def _set_threads(name: str, draw: Draw) -> Call:
    return Call(name, fnn.set_num_threads, [draw.one_of((1, 2, 10**9))])


def _nothing(name: str, draw: Draw) -> Call:
    return Call(name, getattr(fnn, name), [])


def _activation(name: str, draw: Draw) -> Call:
    chosen = draw.one_of(sorted(CASES))
    return Call(name, fnn.activation, [draw.one_of((chosen, getattr(fnn, chosen)))])


def _table() -> dict[str, Callable[[Draw], Call]]:
    table: dict[str, Callable[[Draw], Call]] = {}
    for case in CASES.values():
        for name in (case.name, *case.aliases):
            table[name] = partial(_elementwise, case, "", name)
            table[f"{name}_backward"] = partial(_elementwise, case, "x", f"{name}_backward")
            if case.from_output:
                table[f"{name}_backward_from_output"] = partial(_elementwise, case, "y", f"{name}_backward_from_output")
    for norm in norms.BOUNDS:
        table[f"{norm}_forward"] = partial(fused.norm_forward, norm)
        table[f"{norm}_backward"] = partial(fused.norm_backward, norm)
    for family in ("dropout", "spatial_dropout", "alpha_dropout", "drop_path", "gaussian_dropout"):
        for direction in ("forward", "backward"):
            table[f"{family}_{direction}"] = partial(fused.dropout, family, direction)
    for case in OPTIMS.values():
        table[f"{case.name}_update"] = partial(fused.update, case, f"{case.name}_update")
    for generator, names in {
        _softmax: "softmax log_softmax logsumexp softmax_backward log_softmax_backward",
        _glu: "glu glu_backward",
        _maxout: "maxout maxout_backward",
        _prelu: "prelu prelu_backward",
        _bias: "bias_activation bias_activation_backward",
        _rrelu: "rrelu rrelu_forward rrelu_backward",
        fused.inference: "batch_norm_inference batch_norm_inference_backward",
        fused.stats: "batch_norm_stats merge_batch_stats batch_norm_apply batch_norm_backward_stats"
        " batch_norm_backward_apply",
        fused.mask: "dropout_mask",
        fused.regression: "mse mae huber smooth_l1 log_cosh hinge focal binary_cross_entropy kl_div"
        " binary_cross_entropy_with_logits",
        fused.classes: "softmax_cross_entropy nll_loss multiclass_hinge",
        fused.penalty: "l1_penalty l2_penalty elastic_net_penalty",
        fused.clip: "clip_by_global_norm clip_by_value global_norm",
        _set_threads: "set_num_threads",
        _nothing: "get_num_threads",
        _activation: "activation",
    }.items():
        table |= {name: partial(generator, name) for name in names.split()}
    return table


#: name -> generator of a valid call
GENERATORS = _table()
