"""Neural-network kernels for NumPy that run at the speed of memory.

Every name is imported when it is first used, so that `import fastnn` costs little more than NumPy's own import;
functions are compiled when first called and kept in a disk cache.
"""

import importlib

from ._version import __version__

#: module -> the public names it gives; activations, which list themselves, aside
_MODULES = {
    "fastnn._engine.runtime": ("get_num_threads", "set_num_threads", "threads"),
    "fastnn._engine.ufuncs": ("elementwise",),
    "fastnn.activations": ("activation",),
    "fastnn.normalization.batch": (
        "batch_norm_forward",
        "batch_norm_backward",
        "batch_norm_inference",
        "batch_norm_inference_backward",
    ),
    "fastnn.normalization.synchronized": (
        "BatchStats",
        "BatchGradStats",
        "batch_norm_stats",
        "merge_batch_stats",
        "batch_norm_apply",
        "batch_norm_backward_stats",
        "batch_norm_backward_apply",
    ),
    "fastnn.normalization.layer": (
        "layer_norm_forward",
        "layer_norm_backward",
        "rms_norm_forward",
        "rms_norm_backward",
    ),
    "fastnn.normalization.group": (
        "group_norm_forward",
        "group_norm_backward",
        "instance_norm_forward",
        "instance_norm_backward",
    ),
    "fastnn.dropout": (
        "dropout_forward",
        "dropout_backward",
        "dropout_mask",
        "spatial_dropout_forward",
        "spatial_dropout_backward",
        "alpha_dropout_forward",
        "alpha_dropout_backward",
        "drop_path_forward",
        "drop_path_backward",
        "gaussian_dropout_forward",
        "gaussian_dropout_backward",
    ),
    "fastnn.gradient_check": ("numeric_gradient", "check_gradient", "GradientReport"),
    "fastnn.losses.classes": ("multiclass_hinge", "nll_loss", "softmax_cross_entropy"),
    "fastnn.losses.binary": ("binary_cross_entropy", "binary_cross_entropy_with_logits", "focal", "hinge"),
    "fastnn.losses.penalties": ("elastic_net_penalty", "l1_penalty", "l2_penalty"),
    "fastnn.optim.clip": ("clip_by_global_norm", "clip_by_value", "global_norm"),
    "fastnn.losses.regression": ("huber", "kl_div", "log_cosh", "mae", "mse", "smooth_l1"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
_SUBMODULES = (
    "activations",
    "compat",
    "dropout",
    "ensemble",
    "init",
    "losses",
    "monitor",
    "normalization",
    "optim",
    "preprocess",
    "recipe",
    "reference",
    "schedules",
    "search",
    "vmath",
)

__all__ = ["__version__", *_HOME, *_SUBMODULES]


#: What numba asks of a module that a function names while it compiles that: not to be looked for among the activations,
#: whose import compiles, too, and would wait for a thread that waits for numba.
_ASKED_BY_NUMBA = frozenset({"name"})


def __getattr__(name: str):
    if name in _SUBMODULES:
        return importlib.import_module(f"fastnn.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        activations = None
        if not name.startswith("_") and name not in _ASKED_BY_NUMBA:
            activations = importlib.import_module("fastnn.activations")
        if activations is None or name not in activations.__all__:
            raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
        value = getattr(activations, name)
    globals()[name] = value
    return value


def __dir__():
    from .activations import __all__ as activations

    return sorted({*globals(), *__all__, *activations})
