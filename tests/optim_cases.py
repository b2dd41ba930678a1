"""One row per optimiser rule: what the tests need to know about fastnn.optim.<Rule> and <name>_update.

A row draws the rule's own keywords and makes its initial state; `common_options` draws the keywords of all rules,
`gradients` makes what to feed them and `drive` gives the reference's answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fastnn import reference

Options = dict[str, Any]
State = dict[str, np.ndarray | None]


@dataclass(frozen=True)
class OptimCase:
    name: str  #: of the function, without _update
    rule: str  #: the class
    #: Of the keywords of the class and the parameter: the reference's state before the first step, named and ordered as
    #: the arguments of the function, which goes without an array that is None.
    state: Callable[[Options, np.ndarray], State]
    hyper: st.SearchStrategy[Options]  #: keyword dicts of the class, lr always among them
    #: The arguments of the function that change with the number of the step, from 1.
    per_step: Callable[[int], Options] = lambda step: {}
    object_only: tuple[str, ...] = ()  #: keywords that the function lacks: they are in the state
    defaults: Options = field(default_factory=dict)  #: of the class, where the function has others
    decoupled: tuple[bool | str, ...] = (False, True, "after")  #: what the keyword may be

    def keywords(self, hyper: Options, dtype: Any) -> Options:
        """The keyword arguments of the function; `dtype` is the parameter's, which one default goes by."""
        keywords = {**self.defaults, **hyper}
        for key in self.object_only:
            keywords.pop(key, None)
        if self.name == "adafactor" and keywords["eps"][0] is None:
            keywords["eps"] = (float(np.finfo(dtype).eps), keywords["eps"][1])
        return keywords


def gradients(seed: int, shape: tuple[int, ...], steps: int = 12) -> list[np.ndarray]:
    """Random signs; magnitudes from 1e-6 to 1e3, over 4 decades within a step and 5 from step to step; exact zeros.

    None is 0 at the first step: where a sum of squares is still 0 and eps too, the rules divide 0 by 0.
    """
    rng = np.random.default_rng(seed)
    result = []
    for step in range(steps):
        exponent = rng.uniform(-4, 1) + rng.uniform(-2, 2, shape)
        signs = (
            rng.choice([-1.0, 1.0], shape) if step == 0 else rng.choice([-1.0, 0.0, 1.0], shape, p=(0.45, 0.1, 0.45))
        )
        result.append(np.asarray(signs * 10.0**exponent))
    return result


def drive(case: OptimCase, hyper: Options, param: np.ndarray, grads: list[np.ndarray]) -> np.ndarray:
    """The parameter after the reference has taken all steps, in float64, on a copy."""
    return drive_with_state(case, hyper, param, grads)[0]


def drive_with_state(
    case: OptimCase, hyper: Options, param: np.ndarray, grads: list[np.ndarray]
) -> tuple[np.ndarray, State]:
    """The same, with the final state."""
    driven, keywords = np.array(param, np.float64), case.keywords(hyper, param.dtype)
    state = case.state(hyper, driven)
    update = getattr(reference.optim, f"{case.name}_update")
    for step, grad in enumerate(grads, start=1):
        update(driven, grad, **state, **case.per_step(step), **keywords)
    return driven, state


def common_options(case: OptimCase) -> st.SearchStrategy[Options]:
    """The keywords of every rule, each there or left to its default."""
    strength = st.just(0.0) | st.floats(0.001, 0.3)
    return st.fixed_dictionaries(
        {},
        optional={
            "weight_decay": strength,
            "decoupled": st.sampled_from(case.decoupled),
            "l1": strength,
            "maximize": st.booleans(),
            "clip_value": st.none() | st.floats(0.001, 100.0),
        },
    )


def _options(low_lr: float, high_lr: float, **optional: st.SearchStrategy) -> st.SearchStrategy[Options]:
    return st.fixed_dictionaries({"lr": st.floats(low_lr, high_lr)}, optional=optional)


def _merged(first: st.SearchStrategy[Options], second: st.SearchStrategy[Options]) -> st.SearchStrategy[Options]:
    return st.tuples(first, second).map(lambda pair: {**pair[0], **pair[1]})


def _zeros(*names: str) -> Callable[[Options, np.ndarray], State]:
    return lambda hyper, param: {name: np.zeros_like(param) for name in names}


def _zeros_if(condition: Any, param: np.ndarray) -> np.ndarray | None:
    return np.zeros_like(param) if condition else None


def _step(step: int) -> Options:
    return {"step": step}


_EPS = st.sampled_from([0.0, 1e-8, 1e-3, 0.1])
_EPS_MODES = st.sampled_from(["outside", "inside", "hat"])
_OUTSIDE_INSIDE = st.sampled_from(["outside", "inside"])
_MOMENTUM = st.sampled_from([0.0, 0.5, 0.9])
_FORMS = st.sampled_from(["torch", "velocity"])
_BETA1 = st.just(0.0) | st.floats(0.1, 0.95)

#: betas and eps of the rules like Adam. With a beta2 of 0 squares are forgotten: eps alone keeps 0 / 0 away then, and a
#: beta1 above 0 would divide a large average by a small root.
_MOMENTS = st.one_of(
    st.fixed_dictionaries({}, optional={"betas": st.tuples(_BETA1, st.floats(0.5, 0.9999)), "eps": _EPS}),
    st.just({"betas": (0.0, 0.0), "eps": 1e-3}),
)
#: Those of AdaBelief: with a beta1 of 0 the variance is rounding errors, which eps has to hide.
_MOMENTS_OF_BELIEF = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "betas": st.tuples(st.floats(0.1, 0.95), st.floats(0.5, 0.9999)),
            "eps": st.sampled_from([0.0, 1e-16, 1e-8, 1e-3]),
        },
    ),
    st.sampled_from([{"betas": (0.0, 0.9), "eps": 1e-3}, {"betas": (0.0, 0.0), "eps": 1e-3}]),
)


def _sgd_state(hyper: Options, param: np.ndarray) -> State:
    return {"buf": _zeros_if(hyper.get("momentum"), param)}


def _adagrad_state(hyper: Options, param: np.ndarray) -> State:
    return {"sum_sq": np.full_like(param, hyper.get("initial_accumulator", 0.0))}


def _rmsprop_state(hyper: Options, param: np.ndarray) -> State:
    return {
        "square_avg": np.zeros_like(param),
        "grad_avg": _zeros_if(hyper.get("centered"), param),
        "buf": _zeros_if(hyper.get("momentum"), param),
    }


def _adam_state(hyper: Options, param: np.ndarray) -> State:
    largest = _zeros_if(hyper.get("amsgrad"), param)
    return {"exp_avg": np.zeros_like(param), "exp_avg_sq": np.zeros_like(param), "max_exp_avg_sq": largest}


def _adafactor_state(hyper: Options, param: np.ndarray) -> State:
    if param.ndim < 2:
        return {"row_var": None, "col_var": None, "variance": np.zeros_like(param)}
    rows, columns = (*param.shape[:-1], 1), (*param.shape[:-2], 1, param.shape[-1])
    return {"row_var": np.zeros(rows, param.dtype), "col_var": np.zeros(columns, param.dtype), "variance": None}


def _rprop_state(hyper: Options, param: np.ndarray) -> State:
    return {"prev": np.zeros_like(param), "step_size": np.full_like(param, hyper["lr"])}


_SGD = st.one_of(
    _options(0.001, 0.3, momentum=_MOMENTUM, dampening=st.sampled_from([0.0, 0.3]), momentum_form=_FORMS),
    _merged(
        _options(0.001, 0.3, momentum_form=_FORMS),
        st.fixed_dictionaries({"nesterov": st.just(True), "momentum": st.floats(0.1, 0.95)}),
    ),
)
_RMSPROP = st.one_of(
    _options(
        0.001,
        0.3,
        alpha=st.floats(0.3, 0.999),
        eps=_EPS,
        momentum=_MOMENTUM,
        eps_mode=_OUTSIDE_INSIDE,
        momentum_form=_FORMS,
        centered=st.booleans(),
    ),
    _merged(_options(0.001, 0.3, eps_mode=_OUTSIDE_INSIDE), st.just({"alpha": 0.0, "eps": 1e-3})),
)
_ADADELTA = st.one_of(
    _options(0.01, 1.0, rho=st.floats(0.3, 0.99), eps=st.sampled_from([0.0, 1e-6, 1e-2])),
    _merged(_options(0.01, 1.0), st.just({"rho": 0.0, "eps": 1e-3})),
)
_ADAM = _merged(
    _options(
        0.001,
        0.1,
        eps_mode=_EPS_MODES,
        amsgrad=st.booleans(),
        amsgrad_max=st.sampled_from(["uncorrected", "corrected"]),
    ),
    _MOMENTS,
)
_FIRST_MOMENTS = ("exp_avg", "exp_avg_sq")

_ROWS = [
    OptimCase("sgd", "SGD", _sgd_state, _SGD, per_step=lambda step: {"first": step == 1}),
    OptimCase(
        "adagrad",
        "Adagrad",
        _adagrad_state,
        _options(
            0.001,
            0.3,
            eps=st.sampled_from([0.0, 1e-10, 1e-3]),
            lr_decay=st.sampled_from([0.0, 0.1]),
            eps_mode=_OUTSIDE_INSIDE,
            initial_accumulator=st.sampled_from([0.0, 0.1]),
        ),
        per_step=_step,
        object_only=("initial_accumulator",),
    ),
    OptimCase("rmsprop", "RMSprop", _rmsprop_state, _RMSPROP, object_only=("centered",)),
    OptimCase("adadelta", "Adadelta", _zeros("square_avg", "acc_delta"), _ADADELTA),
    OptimCase("adam", "Adam", _adam_state, _ADAM, per_step=_step, object_only=("amsgrad",)),
    OptimCase(
        "adam",
        "AdamW",
        _adam_state,
        _ADAM,
        per_step=_step,
        object_only=("amsgrad",),
        defaults={"weight_decay": 0.01, "decoupled": True},
    ),
    OptimCase(
        "adamax",
        "Adamax",
        _zeros("exp_avg", "exp_inf"),
        _merged(_options(0.001, 0.1, eps_mode=_OUTSIDE_INSIDE), _MOMENTS),
        per_step=_step,
    ),
    OptimCase(
        "nadam",
        "NAdam",
        _zeros(*_FIRST_MOMENTS),
        _merged(_options(0.001, 0.1, momentum_decay=st.sampled_from([None, 0.0, 4e-3, 1.0])), _MOMENTS),
        per_step=_step,
    ),
    OptimCase(
        "radam",
        "RAdam",
        _zeros(*_FIRST_MOMENTS),
        _merged(_options(0.001, 0.1, eps_mode=_EPS_MODES, step_offset=st.sampled_from([0, 1, 4])), _MOMENTS),
        per_step=_step,
    ),
    OptimCase(
        "lion",
        "Lion",
        _zeros("exp_avg"),
        _options(0.001, 0.1, betas=st.tuples(_BETA1, st.just(0.0) | st.floats(0.5, 0.999))),
    ),
    OptimCase(
        "lamb",
        "LAMB",
        _zeros(*_FIRST_MOMENTS),
        _merged(_options(0.001, 0.1), _MOMENTS),
        per_step=_step,
        decoupled=(False, True),
    ),
    OptimCase(
        "lars",
        "LARS",
        _zeros("buf"),
        _options(
            0.001,
            0.3,
            momentum=_MOMENTUM,
            trust_coefficient=st.sampled_from([1e-3, 0.1, 1.0]),
            eps=st.sampled_from([0.0, 1e-8, 0.1]),
        ),
    ),
    OptimCase(
        "adafactor",
        "Adafactor",
        _adafactor_state,
        _options(
            0.001,
            0.5,
            beta2_decay=st.sampled_from([-0.8, -0.5, -1.0]),
            eps=st.sampled_from([(None, 1e-3), (None, 0.0), (1e-3, 0.1), (0.0, 1e-3)]),
            d=st.sampled_from([1.0, 2.0]),
        ),
        per_step=_step,
        defaults={"eps": (None, 1e-3)},
    ),
    OptimCase(
        "adabelief",
        "AdaBelief",
        _zeros("exp_avg", "exp_avg_var"),
        _merged(_options(0.001, 0.1), _MOMENTS_OF_BELIEF),
        per_step=_step,
    ),
    OptimCase(
        "rprop",
        "Rprop",
        _rprop_state,
        _options(
            0.001,
            0.1,
            etas=st.sampled_from([(0.5, 1.2), (0.25, 3.0)]),
            step_sizes=st.sampled_from([(1e-6, 50.0), (5e-3, 0.05)]),
        ),
    ),
]

#: By the name of the class.
OPTIMS = {case.rule: case for case in _ROWS}
