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
