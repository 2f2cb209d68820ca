"""The DAVIS interactive robot: it looks where a mask is wrong and draws there what a person would draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shibori.media.scribble import Stroke
from shibori.ops.midline import region_paths

Ids = NDArray[Any]


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
        strokes[index] = tuple(stroke for i in drawn for stroke in object_strokes(true_ids[index], i))
        missing &= ~shown[index]
    return strokes


def object_strokes(true_ids: Ids, object_id: int) -> list[Stroke]:
    """The first strokes on an object of a frame; one too small for a line is clicked on."""
    region = true_ids == object_id
    paths = region_paths(region)
    if not paths:
        rows, columns = np.nonzero(region)
        middle = len(rows) // 2
        last = np.maximum([region.shape[1] - 1, region.shape[0] - 1], 1)
        paths = [((columns[middle] / last[0], rows[middle] / last[1]),)]
    return [Stroke(object_id, path) for path in paths]
