"""Whether each object keeps its own name: identity switches of a multi-object result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IDENTITY_IOU = 0.5
"""A predicted object follows a true one in a frame if their IoU is above this; so at most one does."""


def followed_by(pred_ids: NDArray[Any], true_ids: NDArray[Any], object_ids: Sequence[int]) -> list[int | None]:
    """For each object of (H, W) ``true_ids`` the predicted id whose IoU with it is above one half, or None.

    Raises:
        ValueError: the maps differ in shape.
    """
    if pred_ids.shape != true_ids.shape:
        raise ValueError(f"the maps differ in shape: {pred_ids.shape} and {true_ids.shape}")
    areas = np.bincount(pred_ids.ravel())
    return [_best_id(pred_ids, true_ids == object_id, areas) for object_id in object_ids]


def _best_id(pred_ids: NDArray[Any], true: NDArray[np.bool_], areas: NDArray[np.intp]) -> int | None:
    shared = np.bincount(pred_ids[true], minlength=len(areas))
    shared[0] = 0  # background follows nobody
    ious = shared / np.maximum(areas + np.count_nonzero(true) - shared, 1)
    best = int(np.argmax(ious))
    return best if ious[best] > IDENTITY_IOU else None


def identity_switches(object_id: int, matched_ids: Iterable[int | None]) -> int:
    """How often a true object's matched id changes to another object's id, over the frames in order.

    An object begins matched with its own id (its first mask was given). Frames in which nothing matches it change
    nothing: an object that is lost and found again under its own id has no switch, under another's id one.

    >>> identity_switches(1, [1, None, 2, 2, None, 1])
    2
    """
    switches, current = 0, object_id
    for matched_id in matched_ids:
        if matched_id is not None and matched_id != current:
            switches, current = switches + 1, matched_id
    return switches
