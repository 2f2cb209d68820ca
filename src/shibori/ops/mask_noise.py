"""Masks that are not quite right, for training: moved, with ellipses added and taken away, or drawn coarsely.

The first two are the virtual previous masks of trackprop (Sec. 4).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

MAX_TURN = 0.2
"""Radians."""
MAX_STRETCH = 0.15
"""Of the natural logarithm of the scale along each axis."""
MAX_SHEAR = 0.1
MAX_SHIFT = 0.12
"""In sides of the mask's box."""
MAX_ELLIPSES = 3
"""Of each of the two kinds."""
MIN_AXIS, MAX_AXIS = 0.04, 0.22
"""Half axes, in roots of the mask's area."""
COARSE_CELLS = (10, 28)
"""Fewest and most cells of a coarse mask along its box; a detector of masks gives 28."""


def affine_copy(rng: Generator, mask: Mask) -> Mask:
    """(H, W) -> (H, W): the mask moved, turned, scaled and sheared a little about its centre (Fig. 2)."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    centre = np.array([left + width / 2, top + height / 2])
    turn, shear = rng.uniform(-MAX_TURN, MAX_TURN), rng.uniform(-MAX_SHEAR, MAX_SHEAR)
    cosine, sine = np.cos(turn), np.sin(turn)
    stretch = np.exp(rng.uniform(-MAX_STRETCH, MAX_STRETCH, 2))
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[1, shear], [0, 1]]) * stretch
    shift = centre - linear @ centre + rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * (width, height)
    return _warped(mask, np.column_stack([linear, shift]))


def _warped(mask: Mask, motion: NDArray[np.float64]) -> Mask:
    size_wh = (mask.shape[1], mask.shape[0])
    return np.asarray(cv2.warpAffine(mask.astype(np.uint8) * 255, motion, size_wh, flags=cv2.INTER_LINEAR)) > 127


def with_ellipses(rng: Generator, mask: Mask) -> Mask:
    """(H, W) -> (H, W): background noise takes parts of the mask away, foreground noise adds to it (Fig. 3)."""
    noisy = mask.astype(np.uint8)
    unit = float(np.sqrt(np.count_nonzero(mask)))
    if unit == 0:
        return mask
    band = cv2.dilate(noisy, np.ones((3, 3), np.uint8), iterations=max(int(0.15 * unit), 1)) > 0
    for value, places in ((0, np.argwhere(mask)), (1, np.argwhere(band & ~mask))):
        for row, column in places[rng.integers(0, len(places), rng.integers(MAX_ELLIPSES + 1))] if len(places) else ():
            axes = np.maximum(np.rint(rng.uniform(MIN_AXIS, MAX_AXIS, 2) * unit), 1).astype(int).tolist()
            cv2.ellipse(noisy, (int(column), int(row)), axes, float(rng.uniform(0, 180)), 0, 360, value, -1)
    return noisy > 0


def coarse_copy(rng: Generator, mask: Mask) -> Mask:
    """(H, W) -> (H, W): the mask as it comes back from a few cells over its box, rather wide or rather narrow."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if not width:
        return mask
    cells = int(rng.integers(COARSE_CELLS[0], COARSE_CELLS[1] + 1))
    inside = mask[top : top + height, left : left + width].astype(np.float32)
    few = cv2.resize(inside, (min(cells, width), min(cells, height)), interpolation=cv2.INTER_AREA)
    noisy = np.zeros_like(mask)
    back = np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR))
    noisy[top : top + height, left : left + width] = back > rng.uniform(0.25, 0.75)
    return noisy


def as_detected(rng: Generator, mask: Mask) -> Mask:
    """(H, W) -> (H, W): the mask of a candidate rather than a true one; as it was, where nothing is left of it."""
    noisy = coarse_copy(rng, affine_copy(rng, mask))
    noisy = with_ellipses(rng, noisy) if rng.random() < 0.5 else noisy
    return noisy if noisy.any() else mask
