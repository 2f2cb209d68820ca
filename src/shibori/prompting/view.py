"""What the network is shown of a frame: a window of whole pixels, resized. Windows are xyxy float64, half-open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GRID = 32
"""Pictures are resized to multiples of this, so that few shapes occur; their shape is nearly kept."""
MAX_ZOOM = 4.0
"""A small window is not enlarged by more than this."""


def whole_window(size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """(4,) the whole frame."""
    return np.array([0, 0, size_hw[1], size_hw[0]], np.float64)


def window_around(box: NDArray[np.float64], reach: float, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """(4,) the window around a box: a margin on all sides of ``reach - 1`` halves of its longer side, in the frame.

    Args:
        box: (4,) xyxy in the frame.
        reach: longer side of the window to that of the box.
        size_hw: of the frame.
    """
    frame_wh = np.array([size_hw[1], size_hw[0]], np.float64)
    extent = box[2:] - box[:2]
    sides = np.minimum(np.maximum(extent + (reach - 1) * extent.max(), GRID), frame_wh)
    corner = np.clip((box[:2] + box[2:] - sides) / 2, 0, frame_wh - sides)
    return np.concatenate([np.floor(corner), np.minimum(np.ceil(corner + sides), frame_wh)])


def view_size(window: NDArray[np.float64], side: int) -> tuple[int, int]:
    """Height and width to which a window is resized: multiples of ``GRID``, the longer one ``side`` if zoom allows."""
    width, height = window[2:] - window[:2]
    zoom = min(side / max(width, height), MAX_ZOOM)
    rounded = [max(round(float(extent) * zoom / GRID), 1) * GRID for extent in (height, width)]
    return rounded[0], rounded[1]


LEVEL = 2**0.25
"""Sides of settled windows go down by this factor from those of the frame."""
PLACES = 8
"""Settled windows lie at multiples of this part of their sides."""


def settled_window(box: NDArray[np.float64], reach: float, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """(4,) the window around a box out of a fixed set: a box that is a little different mostly gets the same one.

    So a picture that was embedded for one mark is there for the next one, and no answer depends on which came first.

    Args:
        box: (4,) xyxy in the frame.
        reach: longer side of the window to that of the box, at least; above 1.15, so that the box is inside.
        size_hw: of the frame.
    """
    frame_wh = np.array([size_hw[1], size_hw[0]], np.float64)
    extent = box[2:] - box[:2]
    least = np.maximum(extent + (reach - 1) * extent.max(), GRID)
    levels = np.maximum(np.floor(np.log(frame_wh / least) / np.log(LEVEL) + 1e-9), 0)
    sides = np.ceil(frame_wh / LEVEL**levels)
    step = sides / PLACES
    corner = np.round(((box[:2] + box[2:] - sides) / 2) / step) * step
    corner = np.floor(corner).clip(0, frame_wh - sides)
    return np.concatenate([corner, corner + sides])
