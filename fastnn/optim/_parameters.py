"""All parameters of an optimiser: how they and their gradients are found, and which of them step together."""

from typing import Any

import numpy as np

from .._engine import check
from .._engine.launch_layout import GRADIENT
from . import structure
from ._cohorts import Cohort, Slot, apart, like
from ._hyperparameters import Settings, scheduled
from ._kernels import Update


class Group:
    """Parameters with hyperparameters, kernels and a structure in common."""

    def __init__(self, tree: Any, hyper: dict[str, Any], settings: Settings, update: Update):
        self.tree, self.hyper, self.settings, self.update = structure.copied(tree), hyper, settings, update
        self.scheduled = scheduled(hyper)
        self.slots: list[Slot] = []

    def takes(self, array: np.ndarray) -> bool:
        """Whether the kernels can update an array as it lies in memory."""
        dense = array.flags.c_contiguous if self.update.rows else array.flags.forc
        return dense and array.flags.aligned and type(array) is np.ndarray


class Parameters:
    """Groups of parameters, and their cohorts.

    A cohort is split when some of it get a gradient and others None: their step counts part then.
    """

    def __init__(self, name: str, averaged: bool, writes_grad: bool):
        self.name, self.averaged, self.writes_grad = name, averaged, writes_grad
        self.groups: list[Group] = []
        self.slots: list[Slot] = []
        self.cohorts: list[Cohort] = []
        self.form: Any = None
        self._places, self._apart = b"", True

    def add(self, group: Group, initial: Any) -> None:
        """Add a group; initial(array) makes the state of one parameter."""
        name, paths, arrays = self.name, [], []
        root = f"params[{len(self.groups)}]" if self.groups else "params"
        for path, array in structure.leaves(name, group.tree, root):
            if array.dtype.type not in (np.float32, np.float64):
                raise TypeError(f"{name}: {path} has dtype {array.dtype}, expected float32 or float64")
            arrays.append(check.updated_array(name, path, array, array.shape, ""))
            paths.append(path)
        self._check_apart(paths, arrays)
        for place, (path, array) in enumerate(zip(paths, arrays, strict=True), len(self.slots)):
            dense = array if group.takes(array) else like(array, rows=group.update.rows)
            average = like(dense) if self.averaged else None
            group.slots.append(Slot(path, array, dense, initial(dense), average, place))
        self.groups.append(group)
        self.slots += group.slots
        forms = [structure.outline(each.tree) for each in self.groups]
        self.form = forms[0] if len(forms) == 1 else (None, len(forms), forms)
        self.cohorts += self._cohorts([(slot, group, 0, True) for slot in group.slots])

    def _check_apart(self, paths: list[str], arrays: list[np.ndarray]) -> None:
        found = structure.overlapping([slot.array for slot in self.slots] + arrays)
        if found is not None:
            one, other = (([slot.path for slot in self.slots] + paths)[k] for k in found)
            what = "has elements that share memory" if one == other else f"shares memory with {other}"
            raise ValueError(f"{self.name}: {one} {what}, expected every element to have its own")

    def _cohorts(self, members: list[tuple[Slot, Group, int, bool]]) -> list[Cohort]:
        """Cohorts of (slot, group, steps taken, active): one for all that agree in these and the dtype."""
        together: dict[tuple, list[Slot]] = {}
        groups = {id(group): group for _, group, _, _ in members}
        for slot, group, step, active in members:
            own = slot.place if group.update.alone else None
            together.setdefault((id(group), step, active, slot.dense.dtype.char, own), []).append(slot)
        return [Cohort(slots, groups[key[0]], key[1], self.writes_grad) for key, slots in together.items()]

    def set_steps(self, steps: list[int]) -> None:
        """How many steps each parameter has taken."""
        groups = {slot.place: cohort.group for cohort in self.cohorts for slot in cohort.slots}
        self.cohorts = self._cohorts([(slot, groups[slot.place], steps[slot.place], True) for slot in self.slots])

    def gradients(self, grads: Any) -> list[Any]:
        """One gradient (or None) a parameter, not looked at yet."""
        if self.form is None:
            return [grads]
        found: list[Any] = []
        if structure.flattened(self.form, grads, found):
            return found
        trees = [group.tree for group in self.groups]
        several = len(trees) > 1
        if several and not (isinstance(grads, (list, tuple)) and len(grads) == len(trees)):
            raise ValueError(f"{self.name}: grads must be a list of {len(trees)}, one structure per group")
        return [grad for _, grad in structure.matched(self.name, trees if several else trees[0], grads)]

    def locate(self, gradients: list[Any]) -> tuple[list[Cohort], list[Any]]:
        """The cohorts that have gradients, which their tables know now, and what must be kept for that."""
        one = len(self.cohorts) == 1
        for cohort in self.cohorts:
            if cohort.copies:
                self._check_copies(cohort)
            if cohort.locate(gradients if one else [gradients[k] for k in cohort.places]) >= 0:
                break
        else:
            return self.cohorts, gradients
        taken = [self._taken(slot, grad) for slot, grad in zip(self.slots, gradients, strict=True)]
        return self._active(taken), taken

    def _taken(self, slot: Slot, grad: Any) -> np.ndarray | None:
        """A gradient as its parameter's kernel takes it."""
        if grad is None:
            return None
        name, path, array = self.name, "grads" + slot.path.removeprefix("params"), slot.dense
        if self.writes_grad and not (isinstance(grad, np.ndarray) and grad.flags.writeable):
            raise TypeError(f"{name}: {path} is not a writable array, which zero_grads needs")
        grad = check.like_parameter(name, path, grad, array.dtype, slot.path)
        check.same_shape(name, path, grad, array.shape, f"to match {slot.path}")
        if self.writes_grad and not grad.flags.writeable:
            grad = grad.copy()
        return np.require(grad, None, [slot.order, "A"]).view(array.dtype, np.ndarray)  # this very dtype object

    def _active(self, taken: list[np.ndarray | None]) -> list[Cohort]:
        """The cohorts with gradients, split anew where a cohort has some and lacks others."""
        present = [grad is not None for grad in taken]
        if any(len({present[k] for k in cohort.places}) > 1 for cohort in self.cohorts):
            members = sorted(
                ((slot, cohort.group, cohort.step) for cohort in self.cohorts for slot in cohort.slots),
                key=lambda member: member[0].place,
            )
            self.cohorts = self._cohorts([(*member, present[member[0].place]) for member in members])
        active = [cohort for cohort in self.cohorts if present[cohort.places[0]]]
        for cohort in active:
            moved = cohort.locate([taken[k] for k in cohort.places])
            if moved >= 0:
                raise self._changed(cohort.slots[moved])
            self._check_copies(cohort)
        return active

    def _check_copies(self, cohort: Cohort) -> None:
        slot = cohort.moved()
        if slot is not None:
            raise self._changed(slot)

    def _changed(self, slot: Slot) -> ValueError:
        return ValueError(f"{self.name}: {slot.path} is not what it was: it has been resized, moved or made read-only")

    def clears_in_place(self, cohorts: list[Cohort]) -> bool:
        """Whether kernels may clear gradients as they go: not where one array is the gradient of two parameters."""
        places = b"".join(cohort.table[:, GRADIENT].tobytes() for cohort in cohorts)
        if places != self._places:
            self._apart, self._places = apart(cohorts), places
        return self._apart
