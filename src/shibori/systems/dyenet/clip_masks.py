"""What is known of a clip's masks: those that were given, and those of the tracklets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass
class ClipMasks:
    """The masks of one clip, as far as they are known."""

    references: References
    size_hw: tuple[int, int]
    both_ways: bool
    """Whether an object is wanted before its first mask."""
    book: TrackletBook = field(default_factory=TrackletBook)

    def __post_init__(self) -> None:
        self.first_given = first_references(self.references)

    def given(self, index: int) -> dict[int, NDArray[np.bool_]]:
        """object_id -> (H, W) bool mask that is true of a frame."""
        return dict(self.references.get(index, {}))

    def is_wanted(self, object_id: int, index: int) -> bool:
        """Whether an object may be found in a frame: before its first mask only where both ways are asked for."""
        return self.both_ways or index > self.first_given[object_id]

    def others(self, object_id: int, index: int) -> list[WindowedLogits]:
        """What is known of all other objects in a frame."""
        holders = [self.book.holder(other, index) for other in self.first_given if other != object_id]
        return [answer for each in holders if each is not None for answer in _known(self.book.answer(each, index))]

    def composed(self, index: int) -> FrameMasks:
        """All objects' linked masks of a frame, overlaps settled."""
        answers, soft, statuses = [], [], []
        given, book = self.given(index), self.book
        for object_id in sorted(self.first_given):
            holders = [t for t in book.of(object_id) if t.linked and index in t.confidences]
            if object_id in given:
                there = bool(given[object_id].any())
                statuses.append(ObjectStatus(object_id, float(there), "tracked" if there else "absent"))
            elif holders:
                answers += _known(book.answer(holders[0], index))
                soft += _known(book.soft_answer(holders[0], index))
                statuses.append(ObjectStatus(object_id, holders[0].confidences[index], "tracked"))
            else:
                statuses.append(ObjectStatus(object_id, 0.0, "lost" if self.is_wanted(object_id, index) else "absent"))
        ids = settled_ids(answers, given, self.size_hw, max([0, *self.first_given]))
        return FrameMasks(index, ids, tuple(statuses), soft_masks(self.size_hw, soft, given))


def _known(answer: WindowedLogits | None) -> list[WindowedLogits]:
    return [] if answer is None else [answer]
