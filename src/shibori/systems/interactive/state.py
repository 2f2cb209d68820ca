"""What rounds come to: of each object, in which frames its mask is settled, and what it is there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from shibori.media.marks import FrameMarks
from shibori.media.rounds import EVERY_OBJECT, Absence, GivenMask, Mark, Removal, Rounds
from shibori.ops.overlap import WindowedLogits


@dataclass(frozen=True, eq=False)
class SettledMask:
    """What is settled of one object in one frame, until something else is said of that very frame."""

    mask: GivenMask | None
    """None: the object is not there."""
    number: int
    """Of the round that settled it: where two objects are settled in one frame the later one has the pixels."""
    answer: WindowedLogits | None = None
    """What the mask was decided from, for soft edges; None where it is a person's."""
    confidence: float = 1.0
    """In [0, 1]: how sure the prompter is; 1 where the mask is a person's, or a person approved of it."""
    is_marked: bool = False
    """Whether that is what a prompter made of marks."""
    is_begun: bool = False
    """Whether it did so from nothing: all that is known of the object in this frame are these marks."""


@dataclass(frozen=True, eq=False)
class ObjectState:
    """One object."""

    frames: Mapping[int, SettledMask]

    @cached_property
    def shown(self) -> list[int]:
        """Frames that show it, ascending."""
        return sorted(index for index, settled in self.frames.items() if settled.mask is not None)

    @cached_property
    def absent(self) -> tuple[tuple[int, int], ...]:
        """Frames that do not, as first and last of each stretch."""
        absent = sorted(index for index, settled in self.frames.items() if settled.mask is None)
        breaks = [place for place, (one, other) in enumerate(pairwise(absent), 1) if other > one + 1]
        starts, ends = [0, *breaks], [*breaks, len(absent)]
        return tuple((absent[i], absent[j - 1]) for i, j in zip(starts, ends, strict=True)) if absent else ()

    def before(self, frame: int) -> int | None:
        """The last frame before one that shows it."""
        place = bisect_left(self.shown, frame)
        return self.shown[place - 1] if place else None

    def after(self, frame: int) -> int | None:
        """The first frame after one that shows it."""
        place = bisect_right(self.shown, frame)
        return self.shown[place] if place < len(self.shown) else None

    def marked_answer(self, frame: int) -> WindowedLogits | None:
        """What marks on a frame were answered with; None where it is not settled by marks."""
        settled = self.frames.get(frame)
        return settled.answer if settled is not None and settled.is_marked else None

    def is_begun(self, frame: int) -> bool:
        """Whether marks on a frame are all that is known of the object there."""
        settled = self.frames.get(frame)
        return settled is not None and settled.is_begun

    def with_settled(self, masks: Mapping[int, SettledMask]) -> ObjectState:
        """The same with something else said of some frames."""
        return ObjectState({**self.frames, **masks})


NOTHING = ObjectState({})


@dataclass(frozen=True, eq=False)
class RoundState:
    """What some rounds come to."""

    rounds: Rounds = ()
    objects: Mapping[int, ObjectState] = field(default_factory=dict)
    """object_id -> what is settled of it."""

    @property
    def object_ids(self) -> list[int]:
        """The objects that are shown in some frame, ascending."""
        return sorted(object_id for object_id, known in self.objects.items() if known.shown)

    def of(self, object_id: int) -> ObjectState:
        """Of one object."""
        return self.objects.get(object_id, NOTHING)


def marks_on(rounds: Rounds, object_id: int, frame: int) -> FrameMarks:
    """All marks that count for one object in one frame, in order.

    Strokes on other objects are there with their ids, what is beside another object alone is not. What was drawn before
    the object's mask was given, or before it was said to be absent or removed, does not count any more.
    """
    marks = FrameMarks()
    for each in rounds:
        if isinstance(each.what, Removal):
            strokes = tuple(stroke for stroke in marks.strokes if stroke.object_id != each.object_id)
            marks = FrameMarks() if each.object_id == object_id else FrameMarks(strokes, marks.boxes)
        elif frame in each.frames and isinstance(each.what, GivenMask | Absence) and each.object_id == object_id:
            marks = FrameMarks()
        elif each.frame == frame and isinstance(each.what, Mark):
            is_own = each.object_id == object_id
            if is_own or each.object_id == EVERY_OBJECT or each.what.is_object:
                boxes = each.what.boxes(object_id) if is_own else ()
                marks += FrameMarks(each.what.strokes(each.object_id), boxes)
    return marks
