"""An interactive system that needs no network: squares around the latest marks of every object, in every frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.clip import Clip
from shibori.media.marks import Marks, require_known_objects
from shibori.media.mask import FrameMasks, ObjectStatus

REACH = 3


class Squares(InteractiveSegmenter):
    """``marked`` are the marks it was given."""

    def __init__(self) -> None:
        self.marked: list[Marks] = []

    def begin(self, clip: Clip) -> SquareInteraction:
        return SquareInteraction(clip, self.marked)


class SquareInteraction(Interaction):
    def __init__(self, clip: Clip, marked: list[Marks]) -> None:
        self.clip, self.marked = clip, marked
        self.ids = np.zeros(clip.size_hw, np.uint8)
        self.known: tuple[int, ...] = ()

    def mark(self, marks: Marks) -> tuple[FrameMasks, ...]:
        marks.check(self.clip.num_frames)
        require_known_objects(marks, self.known)
        self.marked.append(marks)
        self.known = tuple(sorted({*self.known, *marks.object_ids}))
        for index in marks.frames:
            for row, column in np.argwhere((drawn := marks.rasterise(index, self.clip.size_hw)) >= 0):
                rows, columns = (slice(max(place - REACH, 0), place + REACH + 1) for place in (row, column))
                self.ids[rows, columns] = drawn[row, column]
            for box in marks.boxes.get(index, ()):
                x0, y0, x1, y1 = box.pixels(self.clip.size_hw)
                self.ids[y0:y1, x0:x1] = box.object_id
        return tuple(self._answer(index) for index in marks.frames)

    def masks(self) -> Iterator[FrameMasks]:
        return (self._answer(frame.index) for frame in self.clip.frames())

    def _answer(self, index: int) -> FrameMasks:
        statuses = tuple(ObjectStatus(object_id, 0.5, "tracked") for object_id in self.known)
        return FrameMasks(index, self.ids.copy(), statuses)
