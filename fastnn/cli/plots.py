"""Pictures of a training run for `fastnn train --plot`, drawn with matplotlib."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CommandError, needs
from .models import write_whole
from .network import Network
from .training import Epoch


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, np.ndarray]:
    figure = needs("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def folder(path: Path) -> Path:
    """The folder to write to, made if need be."""
    needs("matplotlib.figure")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--plot {path}: cannot be written ({error.strerror})") from None
    return path


def _save(path: Path, figure: Any) -> None:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=120)
    write_whole(path, memory.getvalue())


def loss_curves(path: Path, history: list[Epoch]) -> None:
    """Loss and accuracy by epoch, of training and validation."""
    figure, axes = _figure(1, 2, 9, 3.5)
    epochs = [epoch.number for epoch in history]
    for axis, name in zip(axes[0], ("loss", "accuracy"), strict=True):
        axis.plot(epochs, [getattr(epoch, name) for epoch in history], label="training")
        values = [getattr(epoch, f"val_{name}") for epoch in history]
        if not all(map(math.isnan, values)):
            axis.plot(epochs, values, label="validation")
        axis.set(xlabel="epoch", title=name)
        axis.legend()
    axes[0, 0].set_yscale("log")
    _save(path, figure)


def search_scatter(path: Path, searched: list[tuple[dict[str, float], float]]) -> None:
    """Validation accuracy over learning rate and L2 strength, both in log space."""
    figure, ((axis,),) = _figure(1, 1, 5.5, 4)
    rates, strengths = ([params[name] for params, _ in searched] for name in ("lr", "l2"))
    points = axis.scatter(rates, strengths, c=[score for _, score in searched], cmap="viridis")
    axis.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="l2", title="validation accuracy")
    figure.colorbar(points, ax=axis)
    _save(path, figure)


def activation_histograms(path: Path, network: Network, images: np.ndarray) -> None:
    """What every hidden layer gives."""
    layers = network.activations(images)
    figure, axes = _figure(1, len(layers), 4 * len(layers), 3)
    for k, (axis, values) in enumerate(zip(axes[0], layers, strict=True)):
        axis.hist(values.ravel(), bins=60)
        axis.set(title=f"hidden layer {k + 1}", yscale="log")
    _save(path, figure)


def first_weights(path: Path, network: Network, shape: tuple[int, ...]) -> None:
    """The weights of the first layer as images, of the units with the largest ones."""
    weights = network.params[0]["W"]
    chosen = np.argsort(-np.abs(weights).sum(axis=0), kind="stable")[:64]
    figure, axes = _figure(8, 8, 8, 8)
    for axis in axes.ravel():
        axis.axis("off")
    for axis, unit in zip(axes.ravel(), chosen, strict=False):
        picture = weights[:, unit].reshape(shape)
        if picture.ndim == 3:
            span = float(np.ptp(picture)) or 1.0
            axis.imshow((picture - picture.min()) / span)
        else:
            limit = float(np.abs(picture).max()) or 1.0
            axis.imshow(picture, cmap="RdBu", vmin=-limit, vmax=limit)
    _save(path, figure)
