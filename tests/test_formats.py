"""Image sets as they are published: IDX files and CIFAR-10's binary form, whole, compressed and damaged."""

import gzip
import struct

import numpy as np
import pytest
from command_line import easy_images, error_line, output

from fastnn.cli import data, formats

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx(array, code=0x08):
    """An array in IDX."""
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(TYPES[code]).tobytes()


def cifar(images, labels):
    """Images (n, 32, 32, 3) as CIFAR-10 stores them: a label, then the planes red, green and blue."""
    return b"".join(
        bytes([label]) + image.transpose(2, 0, 1).tobytes() for image, label in zip(images, labels, strict=True)
    )


@pytest.fixture
def written(tmp_path):
    """Writes IDX images and labels; gives the path of the images."""

    def write(images, labels, name="train-images-idx3-ubyte", pack=bytes, code=0x08):
        path = tmp_path / name
        path.write_bytes(pack(idx(images, code)))
        path.with_name(name.replace("images", "labels").replace("idx3", "idx1")).write_bytes(pack(idx(labels)))
        return path

    return write


@pytest.mark.parametrize("code", TYPES)
def test_idx_of_every_type(written, code):
    images, labels = easy_images(count=20)
    images = images // 2
    loaded = data.load(str(written(images, labels, code=code)))
    np.testing.assert_array_equal(loaded.images, images.reshape(20, -1))
    np.testing.assert_array_equal(loaded.labels, labels)
    assert (loaded.images.dtype, loaded.shape, loaded.classes) == (np.float32, (6, 5), 3)


@pytest.mark.parametrize("code", [code for code in TYPES if code != 0x08])
def test_idx_keeps_signs_fractions_and_byte_order(tmp_path, code):
    values = np.array([[-3, 100], [5, -128]]).astype(TYPES[code])
    if values.dtype.kind == "f":
        values /= 7
    path = tmp_path / "some.idx2"
    path.write_bytes(idx(values, code))
    np.testing.assert_array_equal(formats.read_idx(path), values, strict=True)


@pytest.mark.parametrize(
    ("name", "pack"),
    [("t10k-images-idx3-ubyte.gz", gzip.compress), ("t10k-images.idx3-ubyte", bytes), ("images.idx", bytes)],
)
def test_idx_under_other_names(written, name, pack):
    images, labels = easy_images(count=20)
    loaded = data.load(str(written(images, labels, name, pack)))
    np.testing.assert_array_equal(loaded.images, images.reshape(20, -1))


def test_training_on_idx(written, capsys):
    lines = output(capsys, "train", "--data", written(*easy_images()), "--epochs", 1)
    assert lines[0] == "120 images to train on, 30 held out, layers [30, 256, 128, 3]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: b"", "is no IDX file"),
        (lambda whole: b"\0\0\x08", "is no IDX file"),
        (lambda whole: b"\1" + whole[1:], "is no IDX file"),
        (lambda whole: b"\0\0\x0a" + whole[3:], "is no IDX file"),
        (lambda whole: whole[:10], "is cut off"),
        (lambda whole: whole[:-1], "has 615 bytes, expected 616 for an array of shape (20, 6, 5)"),
        (lambda whole: whole + b"\0", "has 617 bytes, expected 616"),
        (lambda whole: gzip.compress(whole)[:-20], "cannot be read"),
        (lambda whole: b"\x1f\x8b" + whole, "cannot be read"),
        (lambda whole: idx(np.zeros((0, 6, 5))), "labels have shape (20,), expected (0,)"),
        (lambda whole: idx(np.zeros((20, 0))), "at least one pixel"),
        (lambda whole: idx(np.zeros(())), "images have shape ()"),
        (lambda whole: idx(np.zeros((20, 6, 5)) + np.nan, 0x0D), "NaN or infinite"),
    ],
)
def test_damaged_idx(written, capsys, change, message):
    images, labels = easy_images(count=20)
    path = written(images, labels)
    path.write_bytes(change(path.read_bytes()))
    line = error_line(capsys, "train", "--data", path)
    assert line.startswith(f"fastnn train: error: --data {path}: ")
    assert message in line


def test_idx_labels_that_do_not_fit(written, capsys):
    images, labels = easy_images(count=20)
    path = written(images, labels[:-1])
    assert "labels have shape (19,), expected (20,)" in error_line(capsys, "train", "--data", path)
    beside = path.with_name("train-labels-idx1-ubyte")
    assert "expected the file of the images" in error_line(capsys, "train", "--data", beside)
    beside.write_bytes(idx(labels, 0x0D))
    assert "labels have dtype >f4, expected integers" in error_line(capsys, "train", "--data", path)
    beside.write_bytes(b"hello")
    assert f"{beside}: is no IDX file" in error_line(capsys, "train", "--data", path)
    beside.unlink()
    assert f"its labels {beside.name} are not beside it" in error_line(capsys, "train", "--data", path)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(1)
    return rng.integers(256, size=(24, 32, 32, 3), dtype=np.uint8), (np.arange(24) % 10).astype(np.uint8)


def test_cifar_file_and_folder(tmp_path, pictures):
    images, labels = pictures
    for k in range(2):
        half = slice(12 * k, 12 * k + 12)
        (tmp_path / f"data_batch_{k + 1}.bin").write_bytes(cifar(images[half], labels[half]))
    (tmp_path / "test_batch.bin").write_bytes(cifar(images, labels)[:3073])
    one, both = data.load(str(tmp_path / "data_batch_2.bin")), data.load(str(tmp_path))
    np.testing.assert_array_equal(one.images, images[12:].reshape(12, -1))
    np.testing.assert_array_equal(both.images, images.reshape(24, -1))
    np.testing.assert_array_equal(both.labels, labels)
    assert (both.shape, both.classes) == ((32, 32, 3), 10)


def test_cifar_that_is_none(tmp_path, pictures, capsys):
    assert "has no data_batch*.bin in it" in error_line(capsys, "train", "--data", tmp_path)
    path = tmp_path / "data_batch_1.bin"
    whole = cifar(*pictures)
    for content in (b"", whole[:-1], whole + b"\0"):
        path.write_bytes(content)
        for source in (path, tmp_path):
            line = error_line(capsys, "train", "--data", source)
            assert f"--data {path}: has {len(content)} bytes, expected a multiple of 3073" in line
    path.write_bytes(whole[: 3073 * 5])
    assert "at least 10 images" in error_line(capsys, "train", "--data", path)
