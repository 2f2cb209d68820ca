"""What a person draws on frames to say which object is where: strokes, clicks and boxes, good and bad alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shibori.errors import InputError
from shibori.media.scribble import Scribbles, Stroke, rasterise


@dataclass(frozen=True)
class BoxMark:
    """A rectangle drawn around one object on one frame: the object lies inside, what lies outside is not it."""

    object_id: int
    """1 or more."""
    corners: tuple[float, float, float, float]
    """x0, y0, x1, y1 in [0, 1]: pixel columns x0 * W to x1 * W, rows y0 * H to y1 * H, half-open."""

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.corners
        if self.object_id < 1:
            raise ValueError(f"a box is drawn around an object, whose id is 1 or more, got {self.object_id}")
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise ValueError(f"a box lies in 0..1 of the frame and has an area, got {self.corners}")

    def pixels(self, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 in whole pixels of a frame, half-open, at least one pixel wide and high."""
        height, width = size_hw
        x0, y0, x1, y1 = self.corners
        left, top = min(round(x0 * width), width - 1), min(round(y0 * height), height - 1)
        return left, top, max(round(x1 * width), left + 1), max(round(y1 * height), top + 1)


def click(object_id: int, x: float, y: float) -> Stroke:
    """A click is a stroke of one point. Object 0 is a click on the background. ValueError outside 0..1."""
    return Stroke(object_id, ((x, y),))


@dataclass(frozen=True)
class Marks:
    """Marks on one or several frames of a clip, as they were drawn: where two cover one pixel the later one counts."""

    strokes: Mapping[int, tuple[Stroke, ...]] = field(default_factory=dict)
    """Frame index -> strokes and clicks in the order they were drawn. Object 0 is background: none of the objects."""
    boxes: Mapping[int, tuple[BoxMark, ...]] = field(default_factory=dict)
    """Frame index -> boxes."""

    @property
    def frames(self) -> tuple[int, ...]:
        """Indices of the frames with marks, ascending."""
        return tuple(sorted({index for marks in (self.strokes, self.boxes) for index, drawn in marks.items() if drawn}))

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects that are marked, ascending; background is none."""
        drawn = (mark.object_id for marks in (self.strokes, self.boxes) for frame in marks.values() for mark in frame)
        return tuple(sorted(set(drawn) - {0}))

    def rasterise(self, frame_index: int, size_hw: tuple[int, int]) -> NDArray[np.int32]:
        """(H, W) int32: the object id of the last stroke over a pixel, -1 where there is none. Boxes draw nothing."""
        return rasterise(self.strokes.get(frame_index, ()), size_hw)

    def check(self, num_frames: int) -> None:
        """InputError for a mark on a frame that a clip of ``num_frames`` does not have."""
        beyond = [index for index in self.frames if not 0 <= index < num_frames]
        if beyond:
            raise InputError(
                f"there is a mark on frame {beyond[0]}, but the clip has {num_frames} frames, numbered from 0 to "
                f"{num_frames - 1}: draw on one of these"
            )


@dataclass(frozen=True)
class FrameMarks:
    """What is drawn on one frame, in the order it was drawn."""

    strokes: tuple[Stroke, ...] = ()
    boxes: tuple[BoxMark, ...] = ()

    @classmethod
    def of(cls, marks: Marks, index: int) -> FrameMarks:
        """Those of one frame."""
        return cls(tuple(marks.strokes.get(index, ())), tuple(marks.boxes.get(index, ())))

    def __add__(self, later: FrameMarks) -> FrameMarks:
        """Both; a later box around an object takes the place of an earlier one."""
        again = {box.object_id for box in later.boxes}
        kept = tuple(box for box in self.boxes if box.object_id not in again)
        return FrameMarks(self.strokes + later.strokes, kept + later.boxes)

    @property
    def object_ids(self) -> set[int]:
        """The objects that are marked; background is none."""
        return ({stroke.object_id for stroke in self.strokes} | {box.object_id for box in self.boxes}) - {0}


def join_marks(first: Marks, later: Marks) -> Marks:
    """The marks of both, the later ones drawn over the others."""
    strokes, boxes = dict(first.strokes), dict(first.boxes)
    for index, drawn in later.strokes.items():
        strokes[index] = (*strokes.get(index, ()), *drawn)
    for index, drawn_boxes in later.boxes.items():
        boxes[index] = (*boxes.get(index, ()), *drawn_boxes)
    return Marks(strokes, boxes)


def marks_from_scribbles(scribbles: Scribbles) -> Marks:
    """The strokes of a scribble file as marks."""
    return Marks({index: scribbles.strokes[index] for index in scribbles.frames})


def require_known_objects(marks: Marks, known: tuple[int, ...]) -> None:
    """InputError where nothing is known of any object, before these marks and after them.

    Args:
        marks: the new ones.
        known: the objects marked before.
    """
    if not known and not marks.object_ids:
        where = "on the background alone" if marks.frames else "nowhere"
        raise InputError(f"expected a mark on each object to segment, found marks {where}: draw on the object first")
