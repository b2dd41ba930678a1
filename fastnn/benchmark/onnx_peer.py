"""onnxruntime with a model of one node: bound to arrays made before ("onnxruntime out"), and its plain `run`."""

from typing import Any

import numpy as np

from .libraries import load
from .work import FRESH, OUT, Ways, Work

_MICROSOFT = "com.microsoft"

#: function -> operator, attributes
_NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "celu": ("Celu", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "tanh": ("Tanh", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "silu": ("QuickGelu", {"alpha": 1.0, "domain": _MICROSOFT}),
    "quick_gelu": ("QuickGelu", {"alpha": 1.702, "domain": _MICROSOFT}),
    "hard_swish": ("HardSwish", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
    "hardshrink": ("Shrink", {"lambd": 0.5, "bias": 0.0}),
    "softshrink": ("Shrink", {"lambd": 0.5, "bias": 0.5}),
    "softmax": ("Softmax", {"axis": -1}),
    "softmax_columns": ("Softmax", {"axis": 0}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "layer_norm_forward": ("LayerNormalization", {"axis": -1, "epsilon": 1e-5}),
    "rms_norm_forward": ("SimplifiedLayerNormalization", {"axis": -1, "epsilon": 1e-6}),
}
_INPUTS = {"layer_norm_forward": ("x", "gamma", "beta"), "rms_norm_forward": ("x", "gamma")}


def ways(work: Work) -> Ways:
    """Both forms, of float32: other kernels are missing or compute in float32 too, as attributes are."""
    onnxruntime, onnx = load("onnxruntime"), load("onnx")
    if onnxruntime is None or onnx is None or work.function not in _NODES or work.direction not in (OUT, FRESH, ""):
        return {}
    if work.dtype != np.float32:
        return {}
    given = {name: work.arrays[name] for name in _INPUTS.get(work.function, ("x",))}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = work.threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(_model(onnx, work, given), options, ["CPUExecutionProvider"])
    found: Ways = {"onnxruntime": lambda: session.run(None, given)[0]}
    if work.direction != FRESH:
        found["onnxruntime out"] = _bound(onnxruntime, session, given, work)
    return found


def _bound(onnxruntime, session, given, work):
    out, binding = np.empty_like(work.arrays["x"]), session.io_binding()
    for name, array in given.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    binding.bind_output("y", "cpu", 0, out.dtype, out.shape, out.ctypes.data)

    def call():
        session.run_with_iobinding(binding)
        return out

    return call


def _model(onnx, work: Work, given) -> bytes:
    helper = onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(work.dtype)
    operator, attributes = _NODES[work.function]
    graph = helper.make_graph(
        [helper.make_node(operator, list(given), ["y"], **attributes)],
        work.function,
        [helper.make_tensor_value_info(name, kind, array.shape) for name, array in given.items()],
        [helper.make_tensor_value_info("y", kind, work.shape)],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
