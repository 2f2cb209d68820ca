"""Masks cut out of annotated pictures, and how their edges are made soft."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.datasets.davis import DavisSequence


def object_mask(sequence: DavisSequence, index: int) -> NDArray[np.bool_]:
    """(H, W) bool: all objects of the sequence as one, void left out."""
    ids = sequence.read_ids(index)
    return (ids > 0) & (ids < 255)


def fitted(picture: NDArray[np.uint8], size_hw: tuple[int, int], interpolation: int) -> NDArray[np.uint8]:
    """A picture or map at another size; as it is where it has that size."""
    if picture.shape[:2] == tuple(size_hw):
        return picture
    return cv2.resize(picture, size_hw[::-1], interpolation=interpolation).astype(np.uint8)


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom, half-open, of a mask; all 0 for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def feathered(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Soft edges about a pixel wide, pulled inwards so that no rim of the old background comes along."""
    return ((cv2.GaussianBlur(coverage, (0, 0), 1.2) - 0.35) / 0.5).clip(0, 1)
