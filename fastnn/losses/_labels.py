"""Samples of the class losses as lines, and their labels: the words that the kernels share, classes looked up."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._engine.exponentials import FREE
from .._engine.fused import Kernel, launch
from .._engine.geometry import around
from .._engine.line_passes import SLOT, Layout, strips_of
from .._engine.lines import LENGTH, LINES, OWN, PER_CHUNK, SUMS
from .._engine.primitives import select, to_f64
from .._engine.vectors import (
    LANES,
    Lanewise,
    below,
    double,
    put_real,
    put_word,
    real,
    splat,
    stored,
    total,
    word,
    working,
)

# Words of the context. Of the arrays, those that a call has not are 0.
X = OWN  #: logits
LABELS, TARGET = OWN + 1, OWN + 2  #: classes as int64; probabilities
GRAD, LOSSES = OWN + 3, OWN + 4  #: the outputs
WEIGHTS, BASE = OWN + 5, OWN + 6  #: float64 for each class: the target's factor, and what smoothing adds to it
IGNORES, IGNORED = OWN + 7, OWN + 8  #: whether a label is ignored, and which
SCALE, MARGIN = OWN + 9, OWN + 10  #: what multiplies the gradient; the hinge's margin

#: Slots of what is found for the samples of a group, in float64: 0 for one to be ignored and 1 for others; the weight,
#: the smoothing's share, the number and the logit of the label.
LIVE, WEIGHT, SHARE, CLASS, LOGIT = range(FREE, FREE + 5 * SLOT, SLOT)
#: A loss for each sample.
LOSS = FREE + 5 * SLOT

#: The status of a launch that met a label out of range.
OUT_OF_RANGE = 1


def label_of(context, place):
    """The class of a sample; -1 if that is to be ignored, or is none, which the status then tells."""
    label = word(word(context, LABELS), place)
    if word(context, IGNORES) and label == word(context, IGNORED):
        return -1
    if label < 0 or label >= word(context, LENGTH):
        put_word(context, 0, OUT_OF_RANGE)
        return -1
    return label


def of_class(base, label, default):
    """A float64 of a class; the default if there is no such array."""
    return real(base, label) if base else default


def finding(layout: Layout) -> Callable:
    """find(context, at, place, slots): look the labels of a group up."""
    element = layout.element

    def find(context, at, place, slots):
        _, _, _, count = at
        one, zero, labels = to_f64(1.0), to_f64(0.0), word(context, LABELS)
        for v in range(strips_of(count)):
            double.store(slots + LIVE, v * LANES, splat(zero if labels else one))
            double.store(slots + WEIGHT, v * LANES, splat(zero))
            double.store(slots + SHARE, v * LANES, splat(zero))
            double.store(slots + CLASS, v * LANES, splat(-one))
            double.store(slots + LOGIT, v * LANES, splat(zero))
        for line in range(count if labels else 0):
            label = label_of(context, place + line)
            if label >= 0:
                put_real(slots + LIVE, line, one)
                put_real(slots + WEIGHT, line, of_class(word(context, WEIGHTS), label, one))
                put_real(slots + SHARE, line, of_class(word(context, BASE), label, zero))
                put_real(slots + CLASS, line, to_f64(label))
                put_real(slots + LOGIT, line, to_f64(stored.get(word(context, X), element(at, line, label))))

    return find


def putting(layout: Layout) -> Callable:
    """put(context, at, place, values): write the gradients of the labels' own classes, float64, one a line."""
    element = layout.element

    def put(context, at, place, values):
        _, _, _, count = at
        for line in range(count if word(context, LABELS) else 0):
            label = label_of(context, place + line)
            if label >= 0:
                stored.put(word(context, GRAD), element(at, line, label), working.number(real(values, line)))

    return put


def _alive(live, value):
    return value if live > 0.0 else 0.0


_alive_of = Lanewise(_alive)


def finish(context, at, place, slots):
    """Write the losses of a group where each is wanted; their sum."""
    _, _, _, count = at
    s, losses = to_f64(0.0), word(context, LOSSES)
    for v in range(strips_of(count)):
        first = v * LANES
        loss = _alive_of(double.load(slots + LIVE, first), double.load(slots + LOSS, first))
        if losses:
            stored.store_part(losses, place + first, working.narrowed(loss), min(LANES, count - first))
        s += total(select(below(count - first), loss, splat(to_f64(0.0))))
    return s


class SampleKernel:
    """A job over samples one by one, launched as a `LineKernel` is: `sample` ns for each, `element` for its classes."""

    def __init__(self, name: str, job: Callable, *, sample: float, element: float = 0.0):
        self.kernel, self.sample, self.element = Kernel(name, job), sample, element

    def summed(self, x: np.ndarray, axis: int, *arguments: Any) -> tuple[int, float]:
        """(the status, the sum of the chunks' results) over the samples of x, whose classes are along axis."""
        outer, classes, inner = around(x.shape, axis)
        count, chunk = outer * inner, max(1, min(1 << 10, (1 << 16) // classes))
        sums = np.empty(-(-count // chunk))
        words = count, chunk, classes, classes, inner, 1, sums
        work = int(count * (self.sample + classes * self.element))
        status = launch(self.kernel[x.dtype.char], sums.size, work, *words, *arguments)
        return status, sums.item() if sums.size == 1 else sum(sums.tolist())


def _sum_of_weights(context, index):
    s = to_f64(0.0)
    begin = index * word(context, PER_CHUNK)
    for place in range(begin, min(begin + word(context, PER_CHUNK), word(context, LINES))):
        label = label_of(context, place)
        if label >= 0:
            s += of_class(word(context, WEIGHTS), label, to_f64(1.0))
    put_real(word(context, SUMS), index, s)
    return 0


#: The weights of the labels that count: what a mean is over.
sum_of_weights = SampleKernel("sum_of_label_weights", _sum_of_weights, sample=2.0)
