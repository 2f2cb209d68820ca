"""What is known of a frame: the masks of all objects, from the tracklets that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.ops.overlap import WindowedLogits, settled_ids
from shibori.systems.dyenet.tracklet import TrackletBook
from shibori.tracking.settled_frame import soft_masks

References = Mapping[int, Mapping[int, NDArray[np.bool_]]]
"""Frame -> object_id -> (H, W) bool mask that is true of it."""


def first_references(references: References) -> dict[int, int]:
    """object_id -> frame of its first mask."""
    first: dict[int, int] = {}
    for index in sorted(references):
        for object_id in references[index]:
            first.setdefault(object_id, index)
    return first


def others_in(book: TrackletBook, objects: Iterable[int], object_id: int, index: int) -> list[WindowedLogits]:
    """What is known of all other objects in a frame."""
    holders = [book.holder(other, index) for other in objects if other != object_id]
    answers = [book.answer(holder, index) for holder in holders if holder is not None]
    return [answer for answer in answers if answer is not None]


def composed(
    book: TrackletBook,
    first_given: Mapping[int, int],
    given: Mapping[int, NDArray[np.bool_]],
    size_hw: tuple[int, int],
    index: int,
    both_ways: bool,
) -> FrameMasks:
    """All objects' linked masks of a frame, overlaps settled.

    Args:
        book: all tracklets.
        first_given: of all references; see ``first_references``.
        given: object_id -> (H, W) bool, true of this frame.
        size_hw: of the frame.
        index: the frame's.
        both_ways: whether an object is wanted before its first mask.
    """
    answers, soft, statuses = [], [], []
    for object_id in sorted(first_given):
        holders = [t for t in book.of(object_id) if t.linked and index in t.confidences]
        if object_id in given:
            there = bool(given[object_id].any())
            statuses.append(ObjectStatus(object_id, float(there), "tracked" if there else "absent"))
        elif holders:
            answers += _known(book.answer(holders[0], index))
            soft += _known(book.soft_answer(holders[0], index))
            statuses.append(ObjectStatus(object_id, holders[0].confidences[index], "tracked"))
        else:
            is_wanted = index > first_given[object_id] or both_ways
            statuses.append(ObjectStatus(object_id, 0.0, "lost" if is_wanted else "absent"))
    ids = settled_ids(answers, given, size_hw, max([0, *first_given]))
    return FrameMasks(index, ids, tuple(statuses), soft_masks(size_hw, soft, given))


def _known(answer: WindowedLogits | None) -> list[WindowedLogits]:
    return [] if answer is None else [answer]
