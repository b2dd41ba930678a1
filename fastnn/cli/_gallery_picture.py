"""The picture of an activation: f above, f' below, kinks and saturated regions marked in both."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._gallery_curves import SATURATED, Curve, Shape
from .errors import needs

#: Size in CSS pixels, at 96 to the inch, and how many dots each of them gets.
WIDTH, HEIGHT = 480, 420
_DENSITY = 1.5

# Colours that can be read on white and on black alike: the background is transparent.
_LINES, _F, _DERIVATIVE, _MARK = "#808080", "#2f86eb", "#e8730c", "#d6336c"
#: Half the width of a gap, in which a vertical line would be drawn for a jump.
_GAP = 1e-9


def picture(curve: Curve, shape: Shape) -> bytes:
    """A PNG file."""
    figure = needs("matplotlib.figure").Figure(figsize=(WIDTH / 96, HEIGHT / 96), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    reach = window(shape)
    _draw(upper, curve.f, shape.breaks, shape, reach, color=_F, label=f"{curve.name}(x)")
    _draw(lower, curve.derivative, shape.kinks, shape, reach, color=_DERIVATIVE, label="derivative")
    upper.set_xlim(-reach, reach)
    lower.set_xlabel("x", color=_LINES)
    handles, labels = upper.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False, labelcolor=_LINES)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=96 * _DENSITY, transparent=True, metadata={"Software": None})
    return file.getvalue()


def window(shape: Shape) -> int:
    """x goes from minus this to this: what there is to see lies inside, with some room."""
    ends = [abs(x) for x in (*shape.kinks, *shape.saturated) if math.isfinite(x)]
    return min(max(math.ceil(1.3 * max(ends, default=0.0)), 3), 9)


def _draw(
    axes: Any, g: Callable, jumps: tuple[float, ...], shape: Shape, reach: int, *, color: str, label: str
) -> None:
    axes.axhline(0, color=_LINES, linewidth=0.8)
    axes.axvline(0, color=_LINES, linewidth=0.8)
    below, above = shape.saturated
    regions = [(-reach, below)] * (below > -reach) + [(above, reach)] * (above < reach)
    for k, (left, right) in enumerate(regions):
        shown = f"saturated: slope below {SATURATED:g}" if k == 0 else None
        axes.axvspan(left, right, color=_LINES, alpha=0.25, linewidth=0, label=shown)
    axes.plot(*_trace(g, jumps, shape.kinks, reach), color=color, linewidth=2)
    for k, kink in enumerate(shape.kinks):
        ends = [kink - _GAP, kink + _GAP]
        axes.axvline(kink, color=_MARK, linewidth=0.8, linestyle=":")
        axes.plot(ends, g(np.array(ends)), "o", color=_MARK, markersize=4, label=None if k else "kink")
    axes.set_ylabel(label, color=color)
    axes.tick_params(colors=_LINES)
    axes.spines[:].set_visible(False)


def _trace(g: Callable, jumps: tuple[float, ...], kinks: tuple[float, ...], reach: int) -> tuple[Any, Any]:
    """Points of the curve, with a point at each kink and a gap at each jump."""
    around = [place + side for place in kinks for side in (-_GAP, 0.0, _GAP)]
    x = np.union1d(np.linspace(-reach, reach, 601), around)
    return x, np.where(np.isin(x, jumps), np.nan, g(x))
