"""Marks for training, as a person or the robot would draw them: on an object, and on what is wrong with its mask.

Everything is in pixels of a region: 1 on what is marked as the object, -1 on what is marked as anything else.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.ops.midline import region_paths
from shibori.systems.trackprop.guidance import draw_box, draw_line

Mask = NDArray[np.bool_]
Labels = NDArray[np.int8]

NUM_POINTS = 60
"""Of a simulated stroke."""
BOX_SHARE, CLICK_SHARE = 0.12, 0.15
"""Of the objects are marked by a box, and by clicks; the others by strokes."""
MORE_SHARE = 0.25
"""Of the objects whose surroundings are marked too."""
PARTIAL_SHARE = 0.3
"""Of the strokes are only a part of the line along the middle."""


def draw_object(rng: Generator, mask: Mask, others: Mask) -> Labels:
    """First marks (H, W) int8 on an object.

    Args:
        rng: source of chance.
        mask: (H, W) the object.
        others: (H, W) other objects, which may be marked as what the object is not.
    """
    labels = np.zeros(mask.shape, np.int8)
    kind = rng.random()
    if kind < BOX_SHARE:
        _box(rng, labels, mask)
    elif kind < BOX_SHARE + CLICK_SHARE:
        for _ in range(int(rng.integers(1, 4))):
            _click(rng, labels, mask, 1)
    else:
        _strokes(rng, labels, mask, 1)
    if not (labels > 0).any():  # too small or too round for a line
        _click(rng, labels, mask, 1)
    if rng.random() < MORE_SHARE:
        _strokes(rng, labels, others & ~mask, -1)
        if rng.random() < 0.5:
            _click(rng, labels, ~mask, -1)
    return labels


def draw_correction(rng: Generator, predicted: Mask, true: Mask) -> Labels:
    """Marks (H, W) int8 on what a mask misses, and on what it has too much, as the robot draws them."""
    labels = np.zeros(true.shape, np.int8)
    only_largest = rng.random() < 0.25
    for label, error in ((-1, predicted & ~true), (1, true & ~predicted)):
        wrong = _largest_piece(error) if only_largest else error
        if rng.random() < CLICK_SHARE:
            _click(rng, labels, wrong, label)
        else:
            _strokes(rng, labels, wrong, label)
    return labels


def _strokes(rng: Generator, labels: Labels, region: Mask, label: int) -> None:
    last = np.array([region.shape[1] - 1, region.shape[0] - 1])
    for path in region_paths(region, NUM_POINTS):
        points = np.array(path) * last + 0.5
        if rng.random() < PARTIAL_SHARE:
            first, stop = np.sort(rng.integers(0, len(points), 2))
            points = points[first : stop + 1]
        draw_line(labels, points, label)


def _click(rng: Generator, labels: Labels, region: Mask, label: int) -> None:
    """Somewhere inside, rather in the middle than at the rim."""
    if not region.any():
        return
    depth = cv2.distanceTransform(np.pad(region.astype(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_3)[1:-1, 1:-1]
    places = np.argwhere(depth >= rng.uniform(0.2, 0.9) * depth.max())
    row, column = places[rng.integers(len(places))]
    draw_line(labels, np.array([[column + 0.5, row + 0.5]]), label)


def _box(rng: Generator, labels: Labels, mask: Mask) -> None:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    slack = rng.uniform(-0.02, 0.08, (2, 2)) * (width, height)
    draw_box(labels, np.array([[left, top], [left + width, top + height]]) + np.array([[-1], [1]]) * slack)


def _largest_piece(region: Mask) -> Mask:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=8)
    return pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else region
