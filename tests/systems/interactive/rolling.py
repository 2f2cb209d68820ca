"""A clip without pictures worth the name, and a prompter and a propagator that need no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from shibori.interfaces import Propagation, Propagator
from shibori.media.clip import Clip, Frame
from shibori.media.marks import FrameMarks
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.scribble import rasterise
from shibori.ops.overlap import WindowedLogits
from shibori.systems.interactive.engine import RoundsInteraction, RoundsSegmenter
from shibori.systems.interactive.rule import InteractiveRule
from shibori.tracking.logit_store import Answer

SIZE_HW = (12, 20)
NUM_FRAMES = 9
REACH = 2


class NumberedClip(Clip):
    """Every pixel of a frame is the frame's index."""

    name, path, size_hw, num_frames = "numbered", Path("numbered"), SIZE_HW, NUM_FRAMES
    frame_rate = time_base = None
    shortfall = None

    def __init__(self, damaged: frozenset[int] = frozenset()) -> None:
        self.damaged = damaged

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        start, stop = self.check_range(start, stop, step)
        return (self.frame(index) for index in range(start, stop, step) if index not in self.damaged)

    def frame(self, index: int) -> Frame:
        return Frame(index, None, np.full((*SIZE_HW, 3), index, np.uint8))

    def backward(self, start: int, stop: int = -1) -> Iterator[Frame]:
        return (self.frame(index) for index in range(start, stop, -1) if index not in self.damaged)


class Rolling(Propagator):
    """Moves a mask one column a frame to the right, as the objects of this clip do; ``steps`` are the frames it saw."""

    def __init__(self, loses: frozenset[int] = frozenset()) -> None:
        self.loses = loses
        self.steps: list[int] = []

    def begin(self, size_hw: tuple[int, int]) -> Propagation:
        return RollingRun(self)


class RollingRun(Propagation):
    def __init__(self, source: Rolling) -> None:
        self.source, self.count, self.at, self.last = source, -1, 0, 0
        self.masks: dict[int, np.ndarray] = {}

    def step(self, image: np.ndarray, references: Mapping[int, np.ndarray] | None = None) -> FrameMasks:
        self.count, index = self.count + 1, int(image[0, 0, 0])
        self.source.steps.append(index)
        self.masks = {i: np.roll(mask, index - self.at, 1) for i, mask in self.masks.items()}
        self.at = index
        if references:
            self.masks |= {i: mask.copy() for i, mask in references.items()}
            self.last = index
        ids = np.zeros(SIZE_HW, np.uint8)
        statuses = []
        for object_id, mask in self.masks.items():
            is_there = mask.any() and index not in self.source.loses
            sure = round(0.9 / (1 + abs(index - self.last) / 4), 3)
            statuses.append(ObjectStatus(object_id, sure if is_there else 0.0, "tracked" if is_there else "lost"))
            if is_there:
                ids[mask] = object_id
        return FrameMasks(self.count, ids, tuple(statuses))


def squares(image: np.ndarray, marks: FrameMarks, object_id: int, before: np.ndarray | None, earlier) -> Answer:
    """What was before, squares around what is on the object added, those around anything else taken away."""
    logits = np.full(SIZE_HW, -4, np.float32)
    if before is not None:
        logits[before] = 4
    for box in marks.boxes:
        left, top, right, bottom = box.pixels(SIZE_HW)
        logits[top:bottom, left:right] = 3
    for stroke in marks.strokes:
        for row, column in np.argwhere(rasterise([stroke], SIZE_HW) >= 0):
            area = slice(max(row - REACH, 0), row + REACH + 1), slice(max(column - REACH, 0), column + REACH + 1)
            logits[area] = 5 if stroke.object_id == object_id else -5
    window = np.array([0, 0, SIZE_HW[1], SIZE_HW[0]], np.float64)
    return Answer(WindowedLogits(object_id, window, logits), 1.0)


def interaction(
    propagator: Propagator | None = None, clip: Clip | None = None, rule: InteractiveRule | None = None
) -> RoundsInteraction:
    """Nothing said yet."""
    return RoundsSegmenter(squares, propagator or Rolling(), rule or InteractiveRule()).begin(clip or NumberedClip())
