"""Lines along the middle of regions: what a person would draw in them, and what the DAVIS interactive robot draws."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shibori.ops.skeleton import bezier_curve, longest_paths, medial_axis, opening

Mask = NDArray[np.bool_]

OPENING_SHARE = 0.2
"""Diameter of the disk that opens an error region, as a share of the root of the region's area."""
MAX_RADIUS = 16.0
SHRINK = 0.9
"""Factor on the disk's radius while the opening leaves nothing."""
MIN_NODES = 4
"""A piece of the skeleton with fewer pixels is not drawn."""
NUM_POINTS = 1000
"""Points of a stroke."""
_MARGIN = 2
"""Background kept around a region that is cut out: as much as the leaning disk may move its opening, and one more."""


def region_paths(region: Mask, num_points: int = NUM_POINTS) -> list[tuple[tuple[float, float], ...]]:
    """Lines along the middle of each part of an (H, W) region, as many points (x, y) each, as ``Stroke`` has them.

    The region is opened by a disk, the medial axis of what is left falls into pieces, and the longest path of each is
    smoothed. Small or thin regions give no line.
    """
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if len(rows) == 0:
        return []
    top, left = max(int(rows[0]) - _MARGIN, 0), max(int(columns[0]) - _MARGIN, 0)
    cut = region[top : rows[-1] + _MARGIN + 1, left : columns[-1] + _MARGIN + 1]
    last = np.maximum([region.shape[1] - 1, region.shape[0] - 1], 1)
    paths = longest_paths(medial_axis(opened_region(cut)), MIN_NODES)
    curves = [(bezier_curve(path, num_points) + np.array([left, top])) / last for path in paths]
    return [tuple(map(tuple, np.clip(curve, 0, 1).tolist())) for curve in curves]


def opened_region(region: Mask) -> Mask:
    """The region after opening by a disk of radius ``0.2 * sqrt(area) / 2``, at most 16.

    The radius shrinks by a tenth until something is left; from 1 on the region stays as it is.
    """
    radius = min(OPENING_SHARE * math.sqrt(np.count_nonzero(region)) / 2, MAX_RADIUS)
    while radius > 1:
        opened = opening(region, radius)
        if opened.any():
            return opened
        radius *= SHRINK
    return region
