"""Where a mask is most wrong, and where a person would click to say so: the field's measure of interactive methods.

Axes: H W pixels. Points are x, y in pixels, corners on integers: the middle of the first pixel is at 0.5, 0.5.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class ErrorRegion(NamedTuple):
    """The largest connected part of what is wrong with a mask."""

    region: Mask
    """(H, W), not empty."""
    is_object: bool
    """Whether it is missing from the mask, rather than too much in it."""


def largest_error(pred: Mask, true: Mask) -> ErrorRegion | None:
    """The largest piece, in pixels, of what is missing or too much; None where the masks are equal."""
    best: ErrorRegion | None = None
    most = 0
    for wrong, is_object in ((true & ~pred, True), (pred & ~true, False)):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=8)
        areas = stats[1:, cv2.CC_STAT_AREA]
        if len(areas) and areas.max() > most:
            most = int(areas.max())
            best = ErrorRegion(np.asarray(labels == 1 + int(areas.argmax())), is_object)
    return best


def middle_of(region: Mask) -> tuple[float, float]:
    """x, y of the pixel that is furthest from the outside of a region, which the end of the picture is too.

    Raises:
        ValueError: the region is empty.
    """
    if not region.any():
        raise ValueError("an empty region has no middle")
    padded = np.pad(region.astype(np.uint8), 1)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return float(column) + 0.5, float(row) + 0.5
