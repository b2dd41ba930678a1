"""What is done to images before a network sees them, learned from the training images alone."""

from typing import Any

import numpy as np

import fastnn as fnn

WHITENINGS = ("none", "pca", "zca")


class Preparation:
    """Mean 0, pixel by pixel, and variance 1, of all pixels together; or whitened.

    A variance for each pixel would blow up the rim, where an image in a hundred has a stroke.
    """

    def __init__(self, mean: np.ndarray, scale: float, matrix: np.ndarray | None):
        self.mean, self.scale, self.matrix = mean, scale, matrix

    @classmethod
    def fit(cls, images: np.ndarray, whiten: str = "none") -> "Preparation":
        """Learn it from rows of pixels."""
        mean = images.mean(axis=0, dtype=np.float64)
        scale = float(1 / (np.sqrt(np.mean(np.square(images - mean))) or 1.0))
        if whiten == "none":
            return cls(mean, scale, None)
        # eps in the units of the scaled pixels: directions that the images hardly have are left small
        whitening = fnn.preprocess.Whiten(whiten, eps=0.1).fit((images - mean) * scale)
        directions = np.eye(images.shape[1]) + whitening.mean_
        return cls(mean, scale, whitening.transform(directions))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Rows of pixels as the network takes them, in float32."""
        ready = (images - self.mean) * self.scale
        return (ready if self.matrix is None else ready @ self.matrix).astype(np.float32)

    def arrays(self) -> dict[str, Any]:
        """For a file."""
        found = {"mean": self.mean, "scale": np.float64(self.scale)}
        return found if self.matrix is None else found | {"matrix": self.matrix}

    @classmethod
    def of_arrays(cls, arrays: dict[str, Any]) -> "Preparation":
        """What `arrays` of another gave."""
        return cls(arrays["mean"], float(arrays["scale"]), arrays.get("matrix"))
