"""Windows that slide over images, for convolution and pooling."""

from collections.abc import Iterator

import numpy as np


def positions(function: str, shape: tuple[int, ...], height: int, width: int, stride: int) -> tuple[int, int]:
    """How many windows there are (down, across) in images of a shape (N, C, H, W); there must be one at least."""
    if stride < 1:
        raise ValueError(f"{function}: stride is {stride}, expected at least 1")
    if not (0 < height <= shape[2] and 0 < width <= shape[3]):
        raise ValueError(f"{function}: a window is {height} x {width}, expected at most {shape[2]} x {shape[3]}")
    return 1 + (shape[2] - height) // stride, 1 + (shape[3] - width) // stride


def places(x: np.ndarray, height: int, width: int, stride: int) -> Iterator[np.ndarray]:
    """For each place in a window, row by row, the view of x of what all windows have there."""
    rows, columns = x.shape[2] - height + 1, x.shape[3] - width + 1
    for i in range(height):
        for j in range(width):
            yield x[:, :, i : i + rows : stride, j : j + columns : stride]
