"""The masks of one frame, from what is settled there and what is carried there of each object for itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.soft_mask import SoftMasks
from shibori.ops.overlap import WindowedLogits, settled_ids
from shibori.systems.interactive.between import Carried
from shibori.systems.interactive.state import SettledMask
from shibori.tracking.settled_frame import soft_masks


@dataclass(frozen=True, eq=False)
class FrameParts:
    """What is known of the objects of one frame; each is in one of the two, or not there."""

    settled: Mapping[int, SettledMask]
    carried: Mapping[int, Carried]
    early: frozenset[int] = frozenset()
    """Objects whose first marked frame comes later: where they are not found they have not come yet."""


def frame_masks(index: int, size_hw: tuple[int, int], parts: FrameParts) -> FrameMasks:
    """The carried objects share pixels by log-odds; what is settled goes before, the later before the earlier."""
    object_ids = sorted({*parts.settled, *parts.carried})
    found = [each.answer.logits for _, each in sorted(parts.carried.items()) if each.answer.confidence > 0]
    in_turn = sorted(parts.settled, key=lambda object_id: parts.settled[object_id].number)
    masks = {i: mask.mask() for i in in_turn if (mask := parts.settled[i].mask) is not None}
    ids = settled_ids(found, masks, size_hw, max(object_ids, default=0))
    statuses = tuple(_status(object_id, index, parts, ids) for object_id in object_ids)
    return FrameMasks(index, ids, statuses, _soft(size_hw, parts, found, masks))


def _soft(
    size_hw: tuple[int, int],
    parts: FrameParts,
    found: list[WindowedLogits],
    masks: Mapping[int, NDArray[np.bool_]],
) -> SoftMasks:
    """Marked objects are as soft as what their masks were decided from; those that a person gave are not."""
    marked = [answer for i in masks if (answer := parts.settled[i].answer) is not None]
    given = {i: mask for i, mask in masks.items() if parts.settled[i].answer is None}
    return soft_masks(size_hw, [*found, *marked], given)


def _status(object_id: int, frame: int, parts: FrameParts, ids: NDArray[Any]) -> ObjectStatus:
    is_there = bool((ids == object_id).any())
    if object_id in parts.settled:
        sources = () if parts.settled[object_id].mask is None else (frame,)
        return ObjectStatus(object_id, 1.0, "tracked" if is_there else "absent", sources)
    carried = parts.carried[object_id]
    confidence = carried.answer.confidence
    if is_there:
        return ObjectStatus(object_id, confidence, "tracked", carried.sources)
    return ObjectStatus(object_id, confidence, "absent" if object_id in parts.early else "lost", carried.sources)
