"""Classify images with a model that `fastnn train --save` wrote: one line an image, its class and probability."""

import argparse
from pathlib import Path

import numpy as np

import fastnn as fnn

from . import data, models
from .errors import CommandError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fastnn predict`."""
    parser.add_argument("model", type=Path, metavar="MODEL.npz", help="what train --save wrote")
    parser.add_argument("images", metavar="FILE", help="images: whatever train --data takes, or an .npy of them")


def run(options: argparse.Namespace) -> None:
    """Load, prepare, predict, print."""
    network, preparation = models.restored(options.model, models.load(options.model))
    images, labels = data.images_alone(options.images)
    pixels = len(preparation.mean)
    if images.shape[1] != pixels:
        raise CommandError(
            f"{options.images}: images of {images.shape[1]} pixels, expected {pixels} as {options.model} has"
        )
    classes = network.settings.sizes[-1]
    if labels is not None and labels.max() >= classes:
        raise CommandError(f"{options.images}: labels go up to {labels.max()}, expected at most {classes - 1}")
    probabilities = fnn.softmax(network.predict(preparation(images)))
    found = probabilities.argmax(axis=1)
    for k, chosen in enumerate(found.tolist()):
        print(f"{k} {chosen} {probabilities[k, chosen]:.4f}")
    if labels is not None:
        print(f"accuracy {np.mean(found == labels):.4f}")
