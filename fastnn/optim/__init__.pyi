"""The optimisers with the signatures that they get from their tables of hyperparameters."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypedDict

from typing_extensions import Unpack

from ..typing import ArrayTree
from .base import Optimizer as Optimizer
from .clip import clip_by_global_norm as clip_by_global_norm
from .clip import clip_by_value as clip_by_value
from .clip import global_norm as global_norm
from .presets import preset as preset
from .rules.adam import adam_update as adam_update
from .rules.adam_variants import nadam_update as nadam_update
from .rules.adam_variants import radam_update as radam_update
from .rules.adaptive import adadelta_update as adadelta_update
from .rules.adaptive import adagrad_update as adagrad_update
from .rules.adaptive import rmsprop_update as rmsprop_update
from .rules.factored import adafactor_update as adafactor_update
from .rules.layerwise import lamb_update as lamb_update
from .rules.layerwise import lars_update as lars_update
from .rules.momentum import lion_update as lion_update
from .rules.momentum import rprop_update as rprop_update
from .rules.momentum import sgd_update as sgd_update
from .rules.scales import adabelief_update as adabelief_update
from .rules.scales import adamax_update as adamax_update

__all__ = [
    "LAMB",
    "LARS",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "adabelief_update",
    "adadelta_update",
    "adafactor_update",
    "adagrad_update",
    "adam_update",
    "adamax_update",
    "clip_by_global_norm",
    "clip_by_value",
    "global_norm",
    "lamb_update",
    "lars_update",
    "lion_update",
    "nadam_update",
    "preset",
    "radam_update",
    "rmsprop_update",
    "rprop_update",
    "sgd_update",
]

#: A hyperparameter: a number, or a schedule of it.
_Number: TypeAlias = float | Callable[[int], float]
_Numbers: TypeAlias = Sequence[float] | Callable[[int], Sequence[float]]
_EpsMode: TypeAlias = Literal["outside", "inside", "hat"]
_MomentumForm: TypeAlias = Literal["torch", "velocity"]

class _Common(TypedDict, total=False):
    """Keywords of every rule."""

    weight_decay: _Number
    decoupled: bool | Literal["after"]
    l1: _Number
    maximize: bool
    clip_value: _Number | None
    clip_param_norm: _Number | None
    clip_norm: _Number | None
    ema_decay: _Number | None
    skip_nonfinite: bool
    zero_grads: bool

class LAMB(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.001,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-06,
        **common: Unpack[_Common],
    ) -> None: ...

class LARS(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.01,
        momentum: _Number = 0.9,
        trust_coefficient: _Number = 0.001,
        eps: _Number = 0.0,
        **common: Unpack[_Common],
    ) -> None: ...

class SGD(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.001,
        momentum: _Number = 0.0,
        dampening: _Number = 0.0,
        nesterov: bool = False,
        *,
        momentum_form: _MomentumForm = "torch",
        **common: Unpack[_Common],
    ) -> None: ...

class AdaBelief(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.001,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-16,
        **common: Unpack[_Common],
    ) -> None: ...

class Adadelta(Optimizer):
    def __init__(
        self, params: ArrayTree, lr: _Number = 1.0, rho: _Number = 0.9, eps: _Number = 1e-06, **common: Unpack[_Common]
    ) -> None: ...

class Adafactor(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.01,
        beta2_decay: _Number = -0.8,
        eps: tuple[float | None, float] = (None, 0.001),
        d: _Number = 1.0,
        **common: Unpack[_Common],
    ) -> None: ...

class Adagrad(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.01,
        eps: _Number = 1e-10,
        initial_accumulator: _Number = 0.0,
        lr_decay: _Number = 0.0,
        *,
        eps_mode: _EpsMode = "outside",
        **common: Unpack[_Common],
    ) -> None: ...

class Adam(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.001,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-08,
        amsgrad: bool = False,
        *,
        eps_mode: _EpsMode = "outside",
        amsgrad_max: Literal["uncorrected", "corrected"] = "uncorrected",
        **common: Unpack[_Common],
    ) -> None: ...

class AdamW(Adam):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.001,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-08,
        amsgrad: bool = False,
        *,
        eps_mode: _EpsMode = "outside",
        amsgrad_max: Literal["uncorrected", "corrected"] = "uncorrected",
        **common: Unpack[_Common],
    ) -> None: ...

class Adamax(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.002,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-08,
        *,
        eps_mode: _EpsMode = "inside",
        **common: Unpack[_Common],
    ) -> None: ...

class Lion(Optimizer):
    def __init__(
        self, params: ArrayTree, lr: _Number = 0.0001, betas: _Numbers = (0.9, 0.99), **common: Unpack[_Common]
    ) -> None: ...

class NAdam(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.002,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-08,
        momentum_decay: _Number | None = 0.004,
        **common: Unpack[_Common],
    ) -> None: ...

class RAdam(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.001,
        betas: _Numbers = (0.9, 0.999),
        eps: _Number = 1e-08,
        *,
        eps_mode: _EpsMode = "hat",
        step_offset: _Number = 0.0,
        **common: Unpack[_Common],
    ) -> None: ...

class RMSprop(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.01,
        alpha: _Number = 0.99,
        eps: _Number = 1e-08,
        momentum: _Number = 0.0,
        centered: bool = False,
        *,
        eps_mode: _EpsMode = "outside",
        momentum_form: _MomentumForm = "torch",
        **common: Unpack[_Common],
    ) -> None: ...

class Rprop(Optimizer):
    def __init__(
        self,
        params: ArrayTree,
        lr: _Number = 0.01,
        etas: _Numbers = (0.5, 1.2),
        step_sizes: _Numbers = (1e-06, 50.0),
        **common: Unpack[_Common],
    ) -> None: ...
