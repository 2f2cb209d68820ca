"""Masks drawn over pictures, for people to look at."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_FIRST_COLOURS = (
    (255, 77, 94),
    (32, 176, 255),
    (255, 196, 28),
    (52, 211, 122),
    (176, 108, 255),
    (255, 138, 32),
    (20, 208, 196),
    (255, 104, 196),
    (160, 224, 32),
    (112, 140, 255),
)
_FILL = 0.42
"""Opacity of an object's area."""
_INK = (16, 18, 24)


def object_colour(slot: int) -> tuple[int, int, int]:
    """RGB of the ``slot``-th object of a clip, readable on footage; ten by hand, then hues a golden angle apart."""
    if slot < len(_FIRST_COLOURS):
        return _FIRST_COLOURS[slot]
    red, green, blue = colorsys.hsv_to_rgb(slot * 0.618034 % 1, 0.75 if slot % 2 else 0.9, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def overlay_image(image: NDArray[np.uint8], ids: NDArray[Any], object_ids: Sequence[int]) -> NDArray[np.uint8]:
    """The picture with each object filled in its colour and outlined.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        ids: (H, W) integer map.
        object_ids: the clip's objects; an object's place in it gives its colour, so it keeps it in every frame.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    table = np.zeros((65536 if ids.dtype != np.uint8 else 256, 3), np.uint8)
    for slot, object_id in enumerate(object_ids):
        table[object_id] = object_colour(slot)
    marked = (
        np.isin(ids, object_ids).astype(np.uint8) if len(object_ids) != 1 else (ids == object_ids[0]).view(np.uint8)
    )
    drawn = image.copy()
    cv2.copyTo(cv2.addWeighted(image, 1 - _FILL, table[ids], _FILL, 0), marked, drawn)
    for slot, object_id in enumerate(object_ids):
        _draw_contour(drawn, (ids == object_id).view(np.uint8), object_colour(slot))
    return drawn


def outline_image(image: NDArray[np.uint8], ids: NDArray[Any], object_ids: Sequence[int]) -> NDArray[np.uint8]:
    """The picture with a line around each object in its colour; see ``overlay_image``."""
    drawn = image.copy()
    for slot, object_id in enumerate(object_ids):
        _draw_contour(drawn, (ids == object_id).view(np.uint8), object_colour(slot))
    return drawn


def _draw_contour(drawn: NDArray[np.uint8], mask: NDArray[np.uint8], colour: tuple[int, int, int]) -> None:
    """A line in the object's colour, lightened, on a thin dark one that separates it from bright footage."""
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return
    width = max(1, round(min(mask.shape) / 300))
    light = tuple(round(0.78 * channel + 0.22 * 255) for channel in colour)
    cv2.drawContours(drawn, contours, -1, _INK, width + 2, cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, light, width, cv2.LINE_AA)
