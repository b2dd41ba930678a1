"""What all optimisers share: hyperparameters, the step, the state.

A step is the same for all: find every gradient, scale by their common norm, launch the rule's kernel for each cohort of
parameters. A subclass states its hyperparameters, its kernels, and the numbers that its formula gets.
"""

import inspect
import threading
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from .._engine import check
from .._engine.fused import launch
from .._engine.shield import shielded
from ..typing import ArrayTree
from . import structure
from ._cohorts import Cohort
from ._hyperparameters import STEP_KEYWORDS, Settings, resolved, scheduled, settings
from ._kernels import AVERAGED, CLEARED, COPIED, SCALED
from ._norm import norm_of
from ._parameters import Group, Parameters
from ._rule import Rule


class Optimizer(Rule):
    """Base of all rules; see `SGD` or `Adam` for the use.

    Any number among the hyperparameters may be a schedule ``f(step) -> float``, called with 0 at the first step.
    The order within a step: clip_norm, clip_param_norm, clip_value, maximize, decay and l1, the rule, the average.
    All parameters of one dtype, group and step count are one launch of a kernel; a Ctrl-C during a step leaves every
    parameter and its state either both updated or both not. Subnormal numbers in the state become 0.

    A rule of one's own derives from it, names its hyperparameters in `own` and gives `update` and `numbers`.

    Parameters
    ----------
    params : ndarray, list, tuple or (nested) dict of ndarray
        float32 or float64 of any strides, updated in place.
    *arguments, **hyper
        The rule's own hyperparameters, the first few by position too; and those that every rule has.

    Attributes
    ----------
    step_count, skipped : int
        Steps that were taken, and those that skip_nonfinite left out.

    Other Parameters
    ----------------
    weight_decay, l1, decoupled
        ``g += weight_decay * param + l1 * sign(param)``; decoupled: ``param -= lr * (the same)`` instead, before the
        rule, or with ``decoupled="after"`` after it.
    maximize : bool
        Ascend.
    clip_value : float, optional
        Limit each gradient entry to +-clip_value.
    clip_param_norm : float, optional
        Scale each parameter's gradient by ``min(1, clip_param_norm / norm)``, norm being its own.
    clip_norm : float, optional
        Scale all gradients by ``min(1, clip_norm / (norm + 1e-6))``, norm being that of all of them together.
    ema_decay : float, optional
        Keep averaged weights in `ema`: the weights themselves after the first step, from then on
        ``ema += (1 - ema_decay) * (param - ema)``.
    skip_nonfinite : bool
        A NaN or infinite gradient anywhere: leave parameters and state alone and count in `skipped`.
    zero_grads : bool
        Set the gradient arrays to 0 once used.

    Raises
    ------
    TypeError
        If it is made without a rule.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn as fnn
    >>> params = {"W": np.ones((2, 2), np.float32), "b": np.zeros(2, np.float32)}
    >>> opt = fnn.optim.AdamW(params, lr=fnn.schedules.cosine_decay(0.1, 100), clip_norm=1.0, ema_decay=0.99)
    >>> opt.step({"W": np.full((2, 2), 0.5, np.float32), "b": None})
    >>> opt.step_count, sorted(opt.ema)
    (1, ['W', 'b'])
    """

    def __init__(self, params: Any, *arguments: Any, **hyper: Any):
        if type(self) is Optimizer:
            raise TypeError("Optimizer is a base class, not a rule")
        self._name = type(self).__name__
        hyper = self._named(arguments, hyper)
        self._options = {key: hyper.pop(key) for key in STEP_KEYWORDS}
        self._options_now = resolved(self._name, STEP_KEYWORDS, self._options, 0)
        self._scheduled = bool(scheduled(self._options))
        self._plain = not self._scheduled and all(value in (None, False) for value in self._options_now.values())
        self._hyper, self._kinds = hyper, self.kinds()
        self._lock = threading.RLock()
        averaged, clears = self._options["ema_decay"] is not None, self._options_now["zero_grads"]
        self._parameters = Parameters(self._name, averaged, clears)
        #: Steps that were taken, and those that skip_nonfinite left out.
        self.step_count = 0
        self.skipped = 0
        self._add(params, hyper)

    def _named(self, arguments: tuple, hyper: dict[str, Any]) -> dict[str, Any]:
        """All hyperparameters by name."""
        known, names = self._defaults(), list(self.own)[: self.positional]
        if len(arguments) > len(names):
            raise TypeError(
                f"{self._name}: {len(arguments) + 1} arguments by position, expected {len(names) + 1} at most"
            )
        given = dict(zip(names, arguments, strict=False))
        for keyword in hyper:
            if keyword not in known:
                raise TypeError(f"{self._name}: unknown keyword {keyword!r}, expected one of {', '.join(known)}")
            if keyword in given:
                raise TypeError(f"{self._name}: {keyword} is given by position and by name")
        return known | given | hyper

    def __init_subclass__(cls, **arguments: Any):
        """The signature that `help` shows."""
        super().__init_subclass__(**arguments)
        kind, names = inspect.Parameter, list(cls.own)[: cls.positional]
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [kind("params", kind.POSITIONAL_OR_KEYWORD)]
            + [
                kind(key, kind.POSITIONAL_OR_KEYWORD if key in names else kind.KEYWORD_ONLY, default=value)
                for key, value in cls._defaults().items()
            ]
        )

    # --- parameters ---

    def add_param_group(self, params: ArrayTree, **overrides: Any) -> None:
        """Add parameters with hyperparameters of their own; from then on `step` takes one structure per group.

        Parameters
        ----------
        params : ndarray, list, tuple or (nested) dict of ndarray
            As at the start.
        **overrides
            Hyperparameters of this group; the others are the optimiser's.

        Raises
        ------
        ValueError, TypeError
            A keyword that concerns the step as a whole or is unknown, a value that cannot be, parameters that cannot be
            updated.
        """
        for keyword in overrides:
            if keyword not in self._hyper:
                raise TypeError(f"{self._name}: cannot override {keyword!r}, expected one of {', '.join(self._hyper)}")
        self._add(params, self._hyper | overrides)

    def _add(self, params: Any, hyper: dict[str, Any]) -> None:
        now, update = self._resolved(hyper, self.step_count, {}), self.update(hyper)
        group = Group(params, hyper, now, update)
        self._parameters.add(group, lambda array: self.initial(now.hyper, update.states, array))
        self._scheduled |= bool(group.scheduled)

    def _resolved(self, values: dict[str, Any], step: int, fixed: dict[str, Any]) -> Settings:
        """Settings of a group at a step from `values`, which may be schedules, and those that are `fixed`."""
        now = fixed | resolved(self._name, self._kinds, values, step)
        self.check(self._name, now | scheduled(values))
        return settings(now, self.own_decay)

    # --- the step ---

    def step(self, grads: ArrayTree) -> None:
        """Update every parameter in place.

        Parameters
        ----------
        grads : ndarray, list, tuple or (nested) dict of ndarray
            Gradients, structured like the parameters and of their dtypes; None for a parameter without one this step,
            which then keeps its value, its state and its own step count.

        Raises
        ------
        ValueError, TypeError
            Another structure, shape or dtype than the parameters have, or a schedule's value out of range; nothing has
            been updated then.
        """
        with self._lock:
            parameters = self._parameters
            gradients = parameters.gradients(grads)
            cohorts, taken = parameters.locate(gradients)
            step = self.step_count
            if self._scheduled:
                self._reschedule(step)
            if self._plain:  # nothing of what `_take` does: 0.4 us that small models feel
                for cohort in cohorts:
                    self._advance(cohort, 0, 1.0, 0.0)
                self.step_count = step + 1
            else:
                self._take(cohorts, gradients, taken)

    def _take(self, cohorts: list[Cohort], gradients: list[Any], taken: list[Any]) -> None:
        """The step, with the options that concern it as a whole; `taken` are the gradients that the kernels use."""
        options, parameters, step = self._options_now, self._parameters, self.step_count
        clears, decay, clip_norm = options["zero_grads"], options["ema_decay"], options["clip_norm"]
        bits, scale = CLEARED if clears and cohorts and parameters.clears_in_place(cohorts) else 0, 1.0
        if clip_norm is not None or options["skip_nonfinite"]:
            norm = norm_of(cohorts)
            if options["skip_nonfinite"] and not norm.finite():
                self.skipped += 1
                if clears:
                    _clear(gradients)
                return
            if clip_norm is not None:
                scale = norm.clip_factor(clip_norm)
                bits |= SCALED
        share = 0.0 if decay is None else 1.0 - decay
        if decay is not None:
            bits |= AVERAGED if step else AVERAGED | COPIED
        for cohort in cohorts:
            self._advance(cohort, bits, scale, share)
        if decay is not None and len(cohorts) < len(parameters.cohorts):
            _average([cohort for cohort in parameters.cohorts if cohort not in cohorts], share if step else 1.0)
        if clears and (taken is not gradients or not bits & CLEARED):
            _clear(gradients)
        self.step_count = step + 1

    def _reschedule(self, step: int) -> None:
        """Options and every group's settings as they are at this step."""
        self._options_now |= resolved(self._name, STEP_KEYWORDS, scheduled(self._options), step)
        for group in self._parameters.groups:
            if group.scheduled:
                group.settings = self._resolved(group.scheduled, step, group.settings.hyper)

    def _advance(self, cohort: Cohort, bits: int, scale: float, share: float) -> None:
        hyper, options, sign, common, limit = cohort.group.settings
        numbers = self.numbers(hyper, cohort.step + 1)
        bits |= options
        job, chunks = cohort.jobs(bits)
        arguments = (job, chunks, *cohort.fixed, bits, scale * sign, *common, share, limit, *numbers)
        if cohort.copies:
            if caught := shielded(partial(cohort.take_with_copies, arguments)):
                raise caught
            return
        # Python looks for a Ctrl-C when a call returns, not before it is made: what is counted has been done.
        try:
            launch(*arguments)
        finally:
            cohort.step += 1

    # --- what the step leaves behind ---

    @property
    def ema(self) -> Any:
        """The averaged weights, structured as the parameters (a list of structures for several groups), or None."""
        if self._options["ema_decay"] is None:
            return None
        averages: Iterator[Any] = (slot.ema for slot in self._parameters.slots)
        trees = [structure.rebuilt(group.tree, averages) for group in self._parameters.groups]
        return trees if len(trees) > 1 else trees[0]

    def _entries(self) -> Iterator[tuple[str, str, np.ndarray]]:
        """(key, path, array) of everything that the parameters have beside their values."""
        for k, slot in enumerate(self._parameters.slots):
            for name, state in slot.states.items():
                yield f"{k}.{name}", f"{name} of {slot.path}", state
            if slot.ema is not None:
                yield f"{k}.ema", f"ema of {slot.path}", slot.ema

    def _numbers(self) -> dict[str, int]:
        steps = {slot.place: cohort.step for cohort in self._parameters.cohorts for slot in cohort.slots}
        rule = zlib.crc32(self._family().encode())
        return {"rule": rule, "step_count": self.step_count, "skipped": self.skipped} | {
            f"{k}.step": steps[k] for k in range(len(steps))
        }

    @classmethod
    def _family(cls) -> str:
        """The name of the rule whose state this is: AdamW's is Adam's."""
        return next(base.__name__ for base in reversed(cls.__mro__) if "own" in vars(base) and vars(base)["own"])

    def state_dict(self) -> dict[str, Any]:
        """The whole state as one flat dict of arrays (copies) and numbers, fit for ``np.savez(file, **d)``.

        Returns
        -------
        dict
            Keys are "rule" (a number that stands for it), "step_count", "skipped" and, for the k-th parameter,
            "k.step", "k.ema" and "k.<state array>".
        """
        with self._lock:
            return self._numbers() | {key: np.array(array) for key, _, array in self._entries()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of an optimiser with the same parameters returned (or np.load of its file).

        Parameters
        ----------
        state : dict
            From `state_dict` of an optimiser with the same parameters, or np.load of its file.

        Raises
        ------
        ValueError, TypeError
            The state of another rule, missing or unknown keys, arrays of another shape or dtype; nothing has been
            loaded then.
        """
        with self._lock:
            name, numbers = f"{self._name}.load_state_dict", self._numbers()
            if not hasattr(state, "keys"):
                raise TypeError(f"{name}: state is a {type(state).__name__}, expected what state_dict returned")
            given = {key: state[key] for key in state}
            expected = numbers.keys() | {key for key, _, _ in self._entries()}
            if "rule" in given and check.integer(name, "rule", given["rule"]) != numbers["rule"]:
                raise ValueError(f"{name}: state is that of another rule, expected one of {self._family()}")
            if given.keys() != expected:
                raise ValueError(f"{name}: {self._differing(given.keys(), expected)}")
            for key in numbers:
                given[key] = check.integer(name, key, given[key])
                if not 0 <= given[key] < 2**53:
                    raise ValueError(f"{name}: {key} is {given[key]}, expected a count")
            for key, path, array in self._entries():
                given[key] = check.like_parameter(name, path, given[key], array.dtype, "what the parameter has")
                check.same_shape(name, path, given[key], array.shape, "to match the parameter")
            self.step_count, self.skipped = given["step_count"], given["skipped"]
            for key, _, array in self._entries():
                array[...] = given[key]
            self._parameters.set_steps([given[f"{k}.step"] for k in range(len(self._parameters.slots))])

    def __reduce__(self):
        """Copies and pickles know their own arrays, not those of the original."""
        groups = [(group.tree, group.hyper) for group in self._parameters.groups]
        return _restored, (type(self), groups, self._options, self._hyper, self.state_dict())

    def _differing(self, given: Any, expected: Any) -> str:
        """Says which keys are missing or too many, by the path of their parameter."""
        paths = {key: path for key, path, _ in self._entries()}
        missing = [paths.get(key, key) for key in expected - given]
        unknown = [str(key) for key in given - expected]
        parts = [("state lacks ", missing), ("state has unknown ", unknown)]
        return " and ".join(text + ", ".join(sorted(keys)[:5]) for text, keys in parts if keys)


def _restored(rule: type[Optimizer], groups: list[tuple], options: dict, hyper: dict, state: dict) -> Optimizer:
    (first, first_hyper), *others = groups
    optimizer = rule(first, **options, **first_hyper)
    optimizer._hyper = hyper
    for tree, own in others:
        optimizer._add(tree, own)
    optimizer.load_state_dict(state)
    return optimizer


def _clear(gradients: list[Any]) -> None:
    for grad in gradients:
        if grad is not None:
            grad[...] = 0


def _average(cohorts: list[Cohort], share: float) -> None:
    """The averages of parameters that got no gradient: these move on too."""
    for cohort in cohorts:
        for slot in cohort.slots:
            if slot.ema is not None:
                with np.errstate(all="ignore"):
                    slot.ema[...] = slot.array if share == 1 else slot.ema + share * (slot.array - slot.ema)
