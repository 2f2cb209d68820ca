"""The DAVIS interactive robot: it looks where a mask is wrong and draws there what a person would draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.evaluation.skeleton import bezier_curve, longest_paths, medial_axis, opening
from shibori.media.scribble import Stroke

Mask = NDArray[np.bool_]
Ids = NDArray[Any]

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


def correct(pred_ids: Ids, true_ids: Ids, object_ids: Sequence[int]) -> tuple[Stroke, ...]:
    """The strokes that correct a frame: for background, then for each object, where it is and was not said to be.

    Args:
        pred_ids: (H, W) what was said.
        true_ids: (H, W) what is so.
        object_ids: the objects of the clip, without background.

    Raises:
        ValueError: the maps differ in shape.
    """
    if pred_ids.shape != true_ids.shape:
        raise ValueError(f"the maps differ in shape: {pred_ids.shape} and {true_ids.shape}")
    strokes: list[Stroke] = []
    for object_id in (0, *object_ids):
        error = (true_ids == object_id) & (pred_ids != object_id)
        strokes += [Stroke(object_id, path) for path in region_paths(error)]
    return tuple(strokes)


def region_paths(region: Mask) -> list[tuple[tuple[float, float], ...]]:
    """Lines along the middle of each part of an (H, W) region: 1,000 points (x, y) each, as ``Stroke`` has them.

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
    curves = [(bezier_curve(path, NUM_POINTS) + np.array([left, top])) / last for path in paths]
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


def frame_to_correct(j_and_f: NDArray[np.floating[Any]], used: Sequence[int], candidates: Sequence[int] = ()) -> int:
    """The frame that is worst: lowest value, the first among equals, of those not used unless all are.

    Args:
        j_and_f: (T,) mean of J and F of the objects.
        used: frames the robot has drawn on before.
        candidates: the only frames to choose from; empty for all.
    """
    allowed = sorted(set(candidates)) or list(range(len(j_and_f)))
    fresh = [index for index in allowed if index not in set(used)] or allowed
    return fresh[int(np.argmin(j_and_f[fresh]))]


def start(true_ids: Sequence[Ids], object_ids: Sequence[int], rng: Generator) -> dict[int, tuple[Stroke, ...]]:
    """The first strokes where nobody has drawn any: each object once, on one frame if one shows them all well.

    Args:
        true_ids: T maps of ids (H, W).
        object_ids: the objects of the clip; each is in some frame.
        rng: chooses among the frames that show the most objects at half their usual size or more.

    Returns:
        Frame index -> strokes. An object too small for a line is clicked on.
    """
    areas = np.array([[np.count_nonzero(ids == object_id) for object_id in object_ids] for ids in true_ids])
    usual = np.array([np.median(column[column > 0]) for column in areas.T])
    shown = areas >= usual / 2
    strokes: dict[int, tuple[Stroke, ...]] = {}
    missing = np.ones(len(object_ids), np.bool_)
    while missing.any():
        counts = (shown & missing).sum(axis=1)
        index = int(rng.choice(np.flatnonzero(counts == counts.max())))
        drawn = [i for i, there in zip(object_ids, shown[index] & missing, strict=True) if there]
        strokes[index] = tuple(stroke for i in drawn for stroke in _object_strokes(true_ids[index], i))
        missing &= ~shown[index]
    return strokes


def _object_strokes(true_ids: Ids, object_id: int) -> list[Stroke]:
    region = true_ids == object_id
    paths = region_paths(region)
    if not paths:
        rows, columns = np.nonzero(region)
        middle = len(rows) // 2
        last = np.maximum([region.shape[1] - 1, region.shape[0] - 1], 1)
        paths = [((columns[middle] / last[0], rows[middle] / last[1]),)]
    return [Stroke(object_id, path) for path in paths]
