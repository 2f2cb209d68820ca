"""A system that needs no network: it gives back the latest reference of every object."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shibori.interfaces import Propagation, Propagator
from shibori.media.mask import FrameMasks, ObjectStatus, masks_to_ids


class Holder(Propagator):
    """``lost_frame`` is the one in which every object counts as lost."""

    def __init__(self, lost_frame: int | None = None) -> None:
        self.lost_frame = lost_frame

    def begin(self, size_hw: tuple[int, int]) -> Holding:
        return Holding(size_hw, self.lost_frame)


class Holding(Propagation):
    def __init__(self, size_hw: tuple[int, int], lost_frame: int | None) -> None:
        self.size_hw, self.lost_frame = size_hw, lost_frame
        self.known: dict[int, np.ndarray] = {}
        self.index = -1

    def step(self, image: np.ndarray, references: Mapping[int, np.ndarray] | None = None) -> FrameMasks:
        self.index += 1
        self.known.update(references or {})
        confidence, state = (0.1, "lost") if self.index == self.lost_frame else (0.9, "tracked")
        statuses = tuple(ObjectStatus(object_id, confidence, state) for object_id in sorted(self.known))
        return FrameMasks(self.index, masks_to_ids(self.known, self.size_hw), statuses, None)
