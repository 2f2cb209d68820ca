"""An interactive system that needs no network: squares around the latest marks of every object, in every frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shibori.interfaces import Interaction, InteractiveSegmenter
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.rounds import Rounds, check_rounds, known_objects, marks_of

REACH = 3


class Squares(InteractiveSegmenter):
    """``told`` are the rounds it was given."""

    def __init__(self) -> None:
        self.told: list[Rounds] = []

    def begin(self, clip: Clip) -> SquareInteraction:
        return SquareInteraction(clip, self.told)


class SquareInteraction(Interaction):
    def __init__(self, clip: Clip, told: list[Rounds]) -> None:
        self.clip, self.told = clip, told

    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        ids = np.zeros(self.clip.size_hw, np.uint8)
        for each in rounds:
            marks = marks_of((each,))
            for row, column in np.argwhere((drawn := marks.rasterise(each.frame, self.clip.size_hw)) >= 0):
                rows, columns = (slice(max(place - REACH, 0), place + REACH + 1) for place in (row, column))
                ids[rows, columns] = drawn[row, column]
            for box in marks.boxes.get(each.frame, ()):
                x0, y0, x1, y1 = box.pixels(self.clip.size_hw)
                ids[y0:y1, x0:x1] = box.object_id
        statuses = tuple(ObjectStatus(object_id, 0.5, "tracked") for object_id in known_objects(rounds))
        return FrameMasks(frame, ids, statuses)

    def propagate(self, rounds, span=None, report=None, cancelled=None, in_order=False) -> Iterator[FrameMasks]:
        self.told.append(rounds)
        self.preview(rounds, 0)
        wanted = range(self.clip.num_frames) if span is None else span
        return (self.preview(rounds, frame.index) for frame in self.clip.frames() if frame.index in wanted)

    def suggestion(self, rounds: Rounds) -> None:
        return None
