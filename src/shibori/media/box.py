"""Boxes: xyxy, half-open, pixel corners on integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def boxes_from_masks(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N, H, W) bool -> (N, 4) int64 tight boxes x0, y0, x1, y1 (x1, y1 one past the last pixel); zeros if empty."""
    boxes = np.zeros((len(masks), 4), np.int64)
    for slot, mask in enumerate(masks):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        if len(columns):
            boxes[slot] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def mask_from_box(box_xyxy: NDArray[np.int64], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(4,) half-open box -> (H, W) bool, true inside; what lies outside the picture is cut off."""
    x0, y0, x1, y1 = (max(0, int(side)) for side in box_xyxy)
    mask = np.zeros(size_hw, bool)
    mask[y0:y1, x0:x1] = True
    return mask
