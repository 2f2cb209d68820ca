"""An interactive system that needs no network: a subclass says which pixels are an object's, all else is here."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator

import numpy as np

from shibori.interfaces import Interaction, InteractiveSegmenter, Suggestion
from shibori.media.clip import Clip
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.rounds import Rounds, check_rounds, known_objects

SUGGESTED_FRAME = 7


class Painted(InteractiveSegmenter, Interaction):
    """Masks that follow from what was said alone; where two objects want a pixel the later one has it.

    Args:
        clip: where it is an interaction already.
    """

    is_local = True
    confidence = 0.75
    slow_seconds = 0.0
    """For each frame of a propagation."""

    def __init__(self, clip: Clip | None = None) -> None:
        self.clip = clip
        self.looked_at: list[int] = []

    def begin(self, clip: Clip) -> Painted:
        return type(self)(clip)

    @abstractmethod
    def mask(self, rounds: Rounds, frame: int) -> np.ndarray:
        """(H, W) bool of one object, whose rounds these are."""

    def preview(self, rounds: Rounds, frame: int) -> FrameMasks:
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        ids, statuses = np.zeros(self.clip.size_hw, np.uint8), []
        for object_id in known_objects(rounds):
            mask = self.mask(tuple(each for each in rounds if each.object_id == object_id), frame)
            ids[mask] = object_id
            state, confidence = ("tracked", self.confidence) if mask.any() else ("absent", 0.0)
            statuses.append(ObjectStatus(object_id, confidence, state))
        return FrameMasks(frame, ids, tuple(statuses))

    def propagate(
        self,
        rounds: Rounds,
        span: range | None = None,
        report: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        in_order: bool = False,
    ) -> Iterator[FrameMasks]:
        check_rounds(rounds, self.clip.num_frames, self.clip.size_hw)
        frames = list(range(self.clip.num_frames) if span is None else span)
        if not in_order:
            frames.sort(key=lambda index: (abs(index - rounds[-1].frame), index))
        return self._frames(rounds, frames, report, cancelled)

    def _frames(self, rounds, frames, report, cancelled) -> Iterator[FrameMasks]:
        for done, frame in enumerate(frames, 1):
            if cancelled is not None and cancelled():
                return
            time.sleep(self.slow_seconds)
            self.looked_at.append(frame)
            if report is not None:
                report(done, len(frames))
            yield self.preview(rounds, frame)

    def suggestion(self, rounds: Rounds, cancelled: Callable[[], bool] | None = None) -> Suggestion | None:
        return Suggestion(SUGGESTED_FRAME, known_objects(rounds)[0], 0.25)
