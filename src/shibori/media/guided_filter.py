"""The guided filter (He, Sun, Tang: Guided Image Filtering, PAMI 2013) with a colour guide."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def guided_filter(
    guide: NDArray[np.uint8], values: NDArray[np.float32], radius: int, epsilon: float = 1e-4
) -> NDArray[np.float32]:
    """Values that are, in every small window, a linear function of the guide's colours: their edges are its edges.

    Args:
        guide: (H, W, 3) uint8 RGB.
        values: (H, W) float32 to be filtered.
        radius: windows are 2 * radius + 1 pixels wide.
        epsilon: variance of colours in [0, 1] (squared) below which a window counts as flat.

    Returns:
        (H, W) float32; may leave the range of ``values`` a little.
    """
    colours = guide.astype(np.float32) / 255

    def mean(image: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(image, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT))

    colour_mean, value_mean = mean(colours), mean(values)
    products = np.stack([colours[..., i] * colours[..., j] for i, j in _PAIRS[:4]], axis=-1)
    more = np.stack([colours[..., i] * colours[..., j] for i, j in _PAIRS[4:]], axis=-1)
    products = np.concatenate([mean(products), mean(more)], axis=-1)
    covariance = np.empty((*values.shape, 3, 3), np.float32)
    for place, (i, j) in enumerate(_PAIRS):
        entry = products[..., place] - colour_mean[..., i] * colour_mean[..., j]
        covariance[..., i, j] = covariance[..., j, i] = entry
    covariance += epsilon * np.eye(3, dtype=np.float32)
    cross = mean(colours * values[..., None]) - colour_mean * value_mean[..., None]
    slope = _solved(covariance, cross)  # Eq. 19
    offset = value_mean - (slope * colour_mean).sum(-1)  # Eq. 20
    return np.asarray((mean(slope) * colours).sum(-1) + mean(offset), np.float32)  # Eq. 21


def _solved(matrix: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) solutions of symmetric (H, W, 3, 3) systems, by their adjugates: faster than a solver for each."""
    a, b, c = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2]
    d, e, f = matrix[..., 1, 1], matrix[..., 1, 2], matrix[..., 2, 2]
    inverse = np.stack(
        [d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b], axis=-1
    )
    determinant = a * inverse[..., 0] + b * inverse[..., 1] + c * inverse[..., 2]
    rows = ((0, 1, 2), (1, 3, 4), (2, 4, 5))
    solved = [sum(inverse[..., place] * right[..., j] for j, place in enumerate(row)) for row in rows]
    return np.asarray(np.stack(solved, axis=-1) / np.maximum(determinant, 1e-20)[..., None], np.float32)
