"""The kernels of the class losses: value and gradient of samples while they are in cache.

A sample is a line. Its label, if that is a class, is looked up by itself: the passes over the lines treat all classes
alike, and in the end the gradient of the label's own class is written over.
"""

from collections.abc import Callable
from math import inf

from .._engine import simd_math as m
from .._engine.exponentials import SUM, TOP, exponential, own, reducing
from .._engine.line_passes import SLOT, Layout, keep, strips_of
from .._engine.lines import INNER, LENGTH, LINES, PER_CHUNK, SUMS, LineKernel
from .._engine.pairs import Double
from .._engine.primitives import fma, select, to_f64
from .._engine.vectors import LANES, Lanewise, double, put_real, real, splat, stored, wide, word, working
from ._labels import (
    BASE,
    CLASS,
    GRAD,
    LIVE,
    LOGIT,
    LOSS,
    LOSSES,
    MARGIN,
    SCALE,
    SHARE,
    TARGET,
    WEIGHT,
    WEIGHTS,
    SampleKernel,
    X,
    finding,
    finish,
    label_of,
    of_class,
    putting,
)

#: Slots that passes see as their fourth and fifth parameter, and one for gradients of the labels' classes.
_FOURTH, _FIFTH, _OWN_GRADIENT = 3 * SLOT, 4 * SLOT, LOSS + SLOT


# --- formulas of a sample, in float64 ---------------------------------------------------------------------------------


def _loss(weight, distance):
    """weight * distance, and 0 for a class without weight even infinitely far away."""
    return 0.0 if weight == 0.0 and abs(distance) == inf else weight * distance


def _share(weight, scale):
    return 0.0 if weight == 0.0 else weight * scale


def _own_gradient(factor, s, e):
    """share * (p - 1) with p = e / s, factor = share / s: without cancellation where p is nearly 1."""
    return factor * (e - s)


def _smoothed_gradient(target, all_targets, s, e):
    """p * all_targets - target."""
    return (e / s) * all_targets - target


_log, _loss_of, _share_of = Lanewise(m.log), Lanewise(_loss), Lanewise(_share)
_own_gradient_of, _smoothed_gradient_of = Lanewise(_own_gradient), Lanewise(_smoothed_gradient)


def _masked(context, i, count, live, gradient):
    """Write a vector of the gradient, 0 for samples that are ignored."""
    none = splat(working.number(0.0))
    stored.store_part(word(context, GRAD), i, select(live > none, gradient, none), count)


# --- cross-entropy ----------------------------------------------------------------------------------------------------


def _settle(context, slots, first):
    """LANES samples' losses and what their gradients need."""
    top, s = working.load(slots + TOP, first), double.load(slots + SUM, first)
    weight, logit = double.load(slots + WEIGHT, first), double.load(slots + LOGIT, first)
    distance = _log(s / own(top, slots, first)) + (wide(top) - logit)
    double.store(slots + LOSS, first, _loss_of(weight, distance))
    factor = _share_of(weight, real(context, SCALE)) / s
    working.store(slots + _FOURTH, first, working.narrowed(factor))
    working.store(slots + _FIFTH, first, working.narrowed(double.load(slots + LIVE, first)))
    of_label = _own_gradient_of(factor, s, own(working.narrowed(logit), slots, first))
    double.store(slots + _OWN_GRADIENT, first, of_label)


def _cross_entropy(layout: Layout) -> Callable:
    """Of classes, without smoothing: all of the target is on the label."""
    find, put, reduce = finding(layout), putting(layout), reducing(layout, X, GRAD)

    def gradient(context, i, k, kept, count, parameters):
        _, _, _, factor, live = parameters
        _masked(context, i, count, live, exponential(word(context, X), i, kept, count, parameters) * factor)

    write = layout.map(gradient)

    def group(context, at, place, part, slots):
        _, _, _, count = at
        kept = keep(at) if word(context, GRAD) else 0
        reduce(context, at, slots, kept)
        find(context, at, place, slots)  # now that the logits are in cache
        for v in range(strips_of(count)):
            _settle(context, slots, v * LANES)
        if word(context, GRAD):
            write(context, at, slots, kept)
            put(context, at, place, slots + _OWN_GRADIENT)
        return finish(context, at, place, slots)

    return group


_term = Lanewise(_loss)


def _targets(layout: Layout) -> Callable:
    """The targets of a vector of classes, weighted and smoothed; of integer labels what smoothing gives to all."""
    classes = layout.classes

    def targets(context, i, k, count):
        q = working.narrowed(classes(word(context, BASE), k, count))
        target = word(context, TARGET)
        if target:
            q = fma(stored.load_part(target, i, count), working.narrowed(classes(word(context, WEIGHTS), k, count)), q)
        return q

    return targets


#: Slots of the smoothed losses: the sum of a sample's targets, and the logarithm of the sum of its exponentials.
_TARGETS, _LOG_SUM = CLASS, SLOT * 7


def _settle_loss(slots, first):
    """What the losses of LANES samples need."""
    top = working.load(slots + TOP, first)
    log_sum = _log(double.load(slots + SUM, first) / own(top, slots, first))
    double.store(slots + _LOG_SUM, first, log_sum)
    working.store(slots + _FOURTH, first, top)
    working.store(slots + _FIFTH, first, working.narrowed(log_sum))


def _settle_gradient(context, slots, first):
    """The labels' part of the losses, and what gradients need."""
    weight, logit = double.load(slots + WEIGHT, first), double.load(slots + LOGIT, first)
    s, q = double.load(slots + SUM, first), double.load(slots + _TARGETS, first) + weight
    distance = double.load(slots + _LOG_SUM, first) + (wide(working.load(slots + TOP, first)) - logit)
    double.store(slots + LOSS, first, double.load(slots + LOSS, first) + _loss_of(weight, distance))
    scale, e = real(context, SCALE), own(working.narrowed(logit), slots, first)
    working.store(slots + _FOURTH, first, working.narrowed(_share_of(q, scale) / s))
    working.store(slots + _FIFTH, first, working.narrowed(double.load(slots + LIVE, first)))
    of_label = _smoothed_gradient_of(double.load(slots + SHARE, first) + weight, q, s, e)
    double.store(slots + _OWN_GRADIENT, first, _share_of(of_label, scale))


def _smoothed_cross_entropy(layout: Layout) -> Callable:
    """Of probabilities, or of classes with smoothing: every class has its target."""
    find, put, targets, reduce = (
        finding(layout),
        putting(layout),
        _targets(layout),
        reducing(layout, X, GRAD),
    )

    def target(context, i, k, kept, count, parameters):
        return wide(targets(context, i, k, count))

    def loss(context, i, k, kept, count, parameters):
        _, _, _, top, log_sum = parameters
        x = stored.load_part(word(context, X), i, count)
        return wide(_term(targets(context, i, k, count), (top - x) + log_sum))

    def gradient(context, i, k, kept, count, parameters):
        _, _, _, factor, live = parameters
        q = targets(context, i, k, count) * splat(working.number(real(context, SCALE)))
        e = exponential(word(context, X), i, kept, count, parameters)
        _masked(context, i, count, live, fma(e, factor, -q))

    sum_targets, sum_losses, write = layout.sum(target), layout.sum(loss), layout.map(gradient)

    def group(context, at, place, part, slots):
        _, _, _, count = at
        kept = keep(at) if word(context, GRAD) else 0
        reduce(context, at, slots, kept)
        find(context, at, place, slots)
        sum_targets(context, at, slots, 0, slots + _TARGETS)
        for v in range(strips_of(count)):
            _settle_loss(slots, v * LANES)
        sum_losses(context, at, slots, 0, slots + LOSS)
        for v in range(strips_of(count)):
            _settle_gradient(context, slots, v * LANES)
        if word(context, GRAD):
            write(context, at, slots, kept)
            put(context, at, place, slots + _OWN_GRADIENT)
        return finish(context, at, place, slots)

    return group


# --- negative log-likelihood ------------------------------------------------------------------------------------------


def _clear(base, begin, end):
    """Zeros for the elements begin to end - 1."""
    zero, whole = splat(working.number(0.0)), end - (end - begin) % LANES
    for i in range(begin, whole, LANES):
        stored.store(base, i, zero)
    stored.store_part(base, whole, zero, end - whole)


_loss_double, _share_double = Double(_loss), Double(_share)


def _nll_of_labels(context, index):
    """Of classes, without smoothing: sample by sample, as the gradient of all other classes is 0.

    The zeros of rows are written here, those of columns are in the array before.
    """
    x, grad, losses = word(context, X), word(context, GRAD), word(context, LOSSES)
    classes, inner, begin = word(context, LENGTH), word(context, INNER), index * word(context, PER_CHUNK)
    end = min(begin + word(context, PER_CHUNK), word(context, LINES))
    outer, column, s = begin // inner, begin % inner, to_f64(0.0)
    if grad and inner == 1:
        _clear(grad, begin * classes, end * classes)
    for place in range(begin, end):
        label, loss = label_of(context, place), to_f64(0.0)
        if label >= 0:
            weight, i = of_class(word(context, WEIGHTS), label, to_f64(1.0)), (outer * classes + label) * inner + column
            loss = _loss_double(weight, -to_f64(stored.get(x, i)))
            if grad:
                stored.put(grad, i, working.number(-_share_double(weight, real(context, SCALE))))
        if losses:
            stored.put(losses, place, working.number(loss))
        s += loss
        column += 1
        if column == inner:
            column, outer = 0, outer + 1
    put_real(word(context, SUMS), index, s)
    return 0


def _nll_of_targets(layout: Layout) -> Callable:
    """Of probabilities, or of classes with smoothing."""
    find, put, targets = finding(layout), putting(layout), _targets(layout)

    def term(context, i, k, kept, count, parameters):
        """Write a vector's gradient; its part of the losses."""
        _, _, _, _, live = parameters
        q = targets(context, i, k, count)
        if word(context, GRAD):
            _masked(context, i, count, live, -(q * splat(working.number(real(context, SCALE)))))
        return wide(_term(q, -stored.load_part(word(context, X), i, count)))

    sum_losses = layout.sum(term)

    def group(context, at, place, part, slots):
        _, _, _, count = at
        find(context, at, place, slots)
        for v in range(strips_of(count)):
            working.store(slots + _FIFTH, v * LANES, working.narrowed(double.load(slots + LIVE, v * LANES)))
        sum_losses(context, at, slots, 0, slots + LOSS)
        for v in range(strips_of(count)):
            first = v * LANES
            weight, logit = double.load(slots + WEIGHT, first), double.load(slots + LOGIT, first)
            double.store(slots + LOSS, first, double.load(slots + LOSS, first) + _loss_of(weight, -logit))
            share = _share_of(double.load(slots + SHARE, first) + weight, real(context, SCALE))
            double.store(slots + _OWN_GRADIENT, first, -share)
        if word(context, GRAD):
            put(context, at, place, slots + _OWN_GRADIENT)
        return finish(context, at, place, slots)

    return group


# --- hinge ------------------------------------------------------------------------------------------------------------


def _excess(x, own, margin):
    return (x - own) + margin


def _violation(t):
    """The slope of max(0, t)."""
    return 1.0 if t > 0.0 else (0.0 if t <= 0.0 else t)


def _positive(t):
    return 0.0 if t <= 0.0 else t


def _opposite(count, scale):
    return -count * scale


_excess_of, _violation_of, _positive_of = Lanewise(_excess), Lanewise(_violation), Lanewise(_positive)
_opposite_of = Lanewise(_opposite)


def _hinge(layout: Layout) -> Callable:
    find, put, position = finding(layout), putting(layout), layout.position

    def excess(context, i, k, count, parameters):
        """s_j - s_y + margin, 0 for the label itself."""
        _, _, _, label, logit = parameters
        t = _excess_of(wide(stored.load_part(word(context, X), i, count)), wide(logit), real(context, MARGIN))
        return select(position(k) != wide(label), t, splat(to_f64(0.0)))

    def loss(context, i, k, kept, count, parameters):
        return _positive_of(excess(context, i, k, count, parameters))

    def violations(context, i, k, kept, count, parameters):
        """Write a vector's gradient, not of the labels; the terms above 0."""
        slope = _violation_of(excess(context, i, k, count, parameters))
        gradient = working.narrowed(slope) * splat(working.number(real(context, SCALE)))
        stored.store_part(word(context, GRAD), i, gradient, count)
        return slope

    sum_losses, count_violations = layout.sum(loss), layout.sum(violations)

    def group(context, at, place, part, slots):
        _, _, _, count = at
        find(context, at, place, slots)
        for v in range(strips_of(count)):
            first = v * LANES
            working.store(slots + _FOURTH, first, working.narrowed(double.load(slots + CLASS, first)))
            working.store(slots + _FIFTH, first, working.narrowed(double.load(slots + LOGIT, first)))
        sum_losses(context, at, slots, 0, slots + LOSS)
        if word(context, GRAD):
            count_violations(context, at, slots, 0, slots + _OWN_GRADIENT)
            for v in range(strips_of(count)):
                of_label = _opposite_of(double.load(slots + _OWN_GRADIENT, v * LANES), real(context, SCALE))
                double.store(slots + _OWN_GRADIENT, v * LANES, of_label)
            put(context, at, place, slots + _OWN_GRADIENT)
        return finish(context, at, place, slots)

    return group


cross_entropy = LineKernel("cross_entropy", _cross_entropy, element=0.45, line=20)
smoothed_cross_entropy = LineKernel("smoothed_cross_entropy", _smoothed_cross_entropy, element=0.8, line=25)
nll_of_targets = LineKernel("nll_of_targets", _nll_of_targets, element=0.3, line=10)
nll_of_labels = SampleKernel("nll_of_labels", _nll_of_labels, sample=5.0, element=0.05)
hinge = LineKernel("multiclass_hinge", _hinge, element=0.4, line=10)
