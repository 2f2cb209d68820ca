"""Frames and masks as a page shows them: no larger than a screen, and quick to send."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError

LONGEST_SIDE = 1280
"""Of a view, in pixels."""


def view_size(size_hw: tuple[int, int], longest: int = LONGEST_SIDE) -> tuple[int, int]:
    """Height and width of a picture that is made smaller, never larger, to a longest side."""
    scale = min(1.0, longest / max(size_hw))
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def smaller(image: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) at another size, averaged where it becomes smaller."""
    if image.shape[:2] == size_hw:
        return image
    return np.asarray(cv2.resize(image, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA), np.uint8)


def mask_view(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) at another size: set where at least half of a pixel is."""
    if mask.shape == size_hw:
        return mask
    grey = cv2.resize(mask.astype(np.uint8) * 255, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(grey >= 128)


def mask_from_view(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) at a larger size, with smooth edges."""
    if mask.shape == tuple(size_hw):
        return mask
    grey = cv2.resize(mask.astype(np.uint8) * 255, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grey >= 128)


def encode_runs(mask: NDArray[np.bool_]) -> list[int]:
    """Row by row, the lengths of runs of unset and set pixels in turn, unset first."""
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(changes, prepend=0, append=flat.size).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def decode_runs(counts: Sequence[int], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """What ``encode_runs`` was given. InputError where the lengths are not those of such a mask."""
    if sum(counts) != size_hw[0] * size_hw[1] or min(counts, default=0) < 0:
        raise InputError(f"expected runs over {size_hw[1]}x{size_hw[0]} pixels, found runs over {sum(counts)}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size_hw)
