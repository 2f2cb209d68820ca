"""Virtual previous masks for training (Sec. 4): affine copies of a mask, and ellipses added to and taken from it."""

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
