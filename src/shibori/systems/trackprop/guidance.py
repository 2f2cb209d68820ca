"""From marks to the guidance map that the interactive networks take beside the picture (Sec. 3).

The map is 1 on what is marked as the object and -1 on what is marked as anything else, falling off from strokes and
clicks as a Gaussian. A box is -1 outside and 1 in its middle. All of it is drawn in the region's own pixels, so that a
stroke is as wide for a large object as for a small one.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shibori.media.marks import BoxMark
from shibori.media.scribble import Stroke

Mask = NDArray[np.bool_]

FALLOFF = 5.0
"""Standard deviation of the Gaussian around a mark, in pixels of the region."""
MIDDLE = 0.25
"""The middle of a box: an ellipse with this share of its sides as half axes."""
SUBPIXEL_BITS = 4


def guidance_map(positive: Mask, negative: Mask) -> NDArray[np.float32]:
    """Signed Gaussian fall-off.

    Args:
        positive: (H, W) what is marked as the object.
        negative: (H, W) what is marked as anything else.

    Returns:
        (H, W) float32 in [-1, 1].
    """
    return np.clip(_closeness(positive) - _closeness(negative), -1, 1)


def _closeness(marked: Mask) -> NDArray[np.float32]:
    if not marked.any():
        return np.zeros(marked.shape, np.float32)
    distance = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.exp(-0.5 * np.square(np.asarray(distance, np.float32) / np.float32(FALLOFF)))


def marks_in_region(
    strokes: Sequence[Stroke],
    boxes: Sequence[BoxMark],
    object_id: int,
    window: NDArray[np.float64],
    size_hw: tuple[int, int],
    frame_hw: tuple[int, int],
) -> tuple[Mask, Mask]:
    """What is marked as an object and as anything else in a region.

    Args:
        strokes: of the frame, in the order they were drawn: where two cover one pixel the later one counts.
        boxes: of the frame. One around the object says that it is inside; one around another object says nothing.
        object_id: of the object.
        window: (4,) xyxy of the region in pixels of the frame.
        size_hw: the pixels it is resized to.
        frame_hw: of the frame.

    Returns:
        Two (H, W) masks that do not overlap.
    """
    labels = np.zeros(size_hw, np.int8)
    scale = np.array(size_hw[::-1]) / (window[2:] - window[:2])
    for box in boxes:
        if box.object_id == object_id:
            draw_box(labels, (np.array(box.pixels(frame_hw)).reshape(2, 2) - window[:2]) * scale)
    last = np.array([frame_hw[1] - 1, frame_hw[0] - 1])
    for stroke in strokes:
        centres = np.rint(np.array(stroke.path) * last) + 0.5  # of pixels
        draw_line(labels, (centres - window[:2]) * scale, 1 if stroke.object_id == object_id else -1)
    return labels > 0, labels < 0


def draw_box(labels: NDArray[np.int8], corners: NDArray[np.float64]) -> None:
    """-1 outside of (2, 2) corners x, y in pixels of the (H, W) ``labels``, and 1 in the middle, in place."""
    height, width = labels.shape
    left, top, right, bottom = np.rint(np.clip(corners, 0, [width, height])).astype(int).ravel().tolist()
    outside = np.ones(labels.shape, np.bool_)
    outside[top:bottom, left:right] = False
    labels[outside] = -1
    centre, halves = corners.mean(0), np.maximum((corners[1] - corners[0]) * MIDDLE, 0.5)
    xs, ys = (np.arange(side) + 0.5 for side in (width, height))
    spread = ((xs[None] - centre[0]) / halves[0]) ** 2 + ((ys[:, None] - centre[1]) / halves[1]) ** 2
    labels[spread <= 1] = 1


def draw_line(labels: NDArray[np.int8], points: NDArray[np.float64], label: int) -> None:
    """A line one pixel wide through (L, 2) points x, y in pixels of the (H, W) ``labels``, in place."""
    places = np.rint((points - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32)
    if len(places) == 1:
        places = np.repeat(places, 2, 0)
    drawn = labels.view(np.uint8)
    cv2.polylines(drawn, [places[:, None]], False, label % 256, 1, cv2.LINE_8, SUBPIXEL_BITS)
