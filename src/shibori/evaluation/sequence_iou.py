"""Overlap of instances over whole videos, from run-length codes, without doing what cannot matter.

The official tool merges the codes of every pair of tracks in every frame twice. Here a pair is left out as soon as its
areas, or the frames looked at so far, show that it stays below the lowest threshold; and only intersections are
computed: pair by pair where few are left, else all pairs of a frame in one call.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from shibori.media.segmentation_code import Rle

Codes = Sequence[Rle | None]
"""A track: a compressed run-length code for every frame that shows it."""

_AT_ONCE = 4  # frames, before it is asked whether to go on
_MOST_CODES = 255  # pycocotools 2.0.11 cannot tell the areas of more at once


def track_areas(tracks: Sequence[Codes]) -> NDArray[np.float64]:
    """(N, T) pixels of each track in each frame, 0 where there is no mask."""
    present = np.array([[code is not None for code in track] for track in tracks], bool)
    codes = [code for track in tracks for code in track if code is not None]
    areas = np.zeros(present.shape)
    if codes:
        parts = [codes[begin : begin + _MOST_CODES] for begin in range(0, len(codes), _MOST_CODES)]
        areas[present] = np.concatenate([coco.area(part) for part in parts])
    return areas


def mean_areas(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) mean over the frames with any pixel of (N, T) areas; 0 where there are none."""
    return areas.sum(axis=1) / np.maximum((areas > 0).sum(axis=1), 1)


def sequence_ious(
    found: Sequence[Codes],
    true: Sequence[Codes],
    found_areas: NDArray[np.float64],
    true_areas: NDArray[np.float64],
    at_least: float = 0.0,
) -> NDArray[np.float64]:
    """(D, G) intersection over union of D and G tracks, summed over all frames before dividing.

    In a frame where one is absent the other's area counts as union. Two tracks without any pixel have 0.

    Args:
        found: D tracks of T frames.
        true: G tracks.
        found_areas: (D, T) what ``track_areas`` gives of them.
        true_areas: (G, T).
        at_least: pairs that provably stay below this are left at 0.
    """
    total = found_areas.sum(axis=1)[:, None] + true_areas.sum(axis=1)
    most = _largest_intersections(found_areas, true_areas)
    wanted = (most > 0) & (most >= (at_least - 1e-9) * (total - most))
    intersections = np.zeros(wanted.shape)
    places, slots = np.nonzero(wanted)
    rows, columns = np.unique(places), np.unique(slots)
    if len(places) <= 2 * (len(rows) + len(columns)):
        for i, k in zip(places.tolist(), slots.tolist(), strict=True):
            least = (at_least - 1e-9) / (1 + at_least) * total[i, k]
            smaller = np.minimum(found_areas[i], true_areas[k])
            intersections[i, k] = _pair_intersection(found[i], true[k], smaller, least)
    else:
        block = _block_intersections(
            [found[i] for i in rows.tolist()],
            [true[k] for k in columns.tolist()],
            found_areas[rows],
            true_areas[columns],
        )
        intersections[np.ix_(rows, columns)] = block
    unions = total - intersections
    return np.divide(intersections, unions, out=np.zeros_like(unions), where=unions > 0)


def _largest_intersections(found_areas: NDArray[np.float64], true_areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """(D, G) sum over the frames of the smaller area, which no intersection exceeds."""
    return np.minimum(found_areas[:, None], true_areas[None]).sum(axis=2)


def _pair_intersection(found: Codes, true: Codes, smaller_areas: NDArray[np.float64], least: float) -> float:
    """Intersection of a pair summed over the frames; 0 as soon as what is left cannot bring it to ``least``.

    Frames with much to gain come first, so that a pair that does not meet is soon given up.
    """
    frames = np.argsort(-smaller_areas)[: np.count_nonzero(smaller_areas)].tolist()
    intersection, left = 0.0, float(smaller_areas.sum())
    for begin in range(0, len(frames), _AT_ONCE):
        some = frames[begin : begin + _AT_ONCE]
        intersection += float(coco.area([coco.merge([found[t], true[t]], True) for t in some]).sum())
        left -= float(smaller_areas[some].sum())
        if intersection + left < least:
            return 0.0
    return intersection


def _block_intersections(
    found: Sequence[Codes], true: Sequence[Codes], found_areas: NDArray[np.float64], true_areas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(D, G) intersections summed over the frames; those of a frame follow from its IoUs and areas."""
    intersections = np.zeros((len(found), len(true)))
    for index in range(found_areas.shape[1]):
        rows, columns = np.flatnonzero(found_areas[:, index]), np.flatnonzero(true_areas[:, index])
        if len(rows) and len(columns):
            codes = [found[i][index] for i in rows.tolist()], [true[i][index] for i in columns.tolist()]
            ious = coco.iou(*codes, [0] * len(columns))
            sums = found_areas[rows, index][:, None] + true_areas[columns, index]
            # I / (S - I) = iou, and an intersection is a whole number.
            intersections[np.ix_(rows, columns)] += np.rint(ious * sums / (1 + ious))
    return intersections
