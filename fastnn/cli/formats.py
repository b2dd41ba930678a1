"""Image sets in the files that they are published in: IDX (MNIST and its relatives) and CIFAR-10's binary form."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from .errors import CommandError

#: IDX's code of the element type -> dtype; all are big-endian.
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_CIFAR_SHAPE = (3, 32, 32)
_CIFAR_RECORD = 1 + math.prod(_CIFAR_SHAPE)


def _wrong(path: Path, what: str) -> CommandError:
    return CommandError(f"--data {path}: {what}")


def _bytes(path: Path) -> bytes:
    """A file's contents, unpacked where it is gzipped."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise _wrong(path, f"cannot be read ({' '.join(str(error).split())})") from None


def is_idx(path: Path) -> bool:
    """Whether a file's name is that of IDX images or labels."""
    return "-idx" in path.name or ".idx" in path.name


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file: two zero bytes, the type, the number of dimensions, the sizes as big-endian int32."""
    content = _bytes(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise _wrong(path, "is no IDX file")
    dtype, dims = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * dims
    if len(content) < start:
        raise _wrong(path, "is cut off")
    shape = struct.unpack(f">{dims}I", content[4:start])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise _wrong(path, f"has {len(content)} bytes, expected {expected} for an array of shape {shape}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def idx_images_and_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images of a file, and the labels of the file that is named after it (images-idx3 -> labels-idx1)."""
    if "images" not in path.name:
        raise _wrong(path, "expected the file of the images, ...images-idx3-ubyte, the labels being beside it")
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if not labels.is_file():
        raise _wrong(path, f"its labels {labels.name} are not beside it")
    return read_idx(path), read_idx(labels)


def cifar_images_and_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) and labels of one .bin file, or of all data_batch files of a folder."""
    files = sorted(path.glob("data_batch*.bin")) if path.is_dir() else [path]
    if not files:
        raise _wrong(path, "has no data_batch*.bin in it")
    records = []
    for file in files:
        content = _bytes(file)
        if not content or len(content) % _CIFAR_RECORD:
            raise _wrong(file, f"has {len(content)} bytes, expected a multiple of {_CIFAR_RECORD}")
        records.append(np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_RECORD))
    table = np.concatenate(records)
    return table[:, 1:].reshape(-1, *_CIFAR_SHAPE).transpose(0, 2, 3, 1), table[:, 0]
