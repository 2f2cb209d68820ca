"""A project: all that a person made of one clip, as one frozen value. What the frames show follows from its rounds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shibori.errors import InputError
from shibori.media.edges import EdgeControls
from shibori.media.rounds import EVERY_OBJECT, Approval, Removal, Rounds
from shibori.session.clip_reference import ClipReference

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#ffe119", "#469990", "#9a6324")
"""Of objects for which nobody chose one, in this order; well apart for most eyes."""
LARGEST_OBJECT_ID = 65535
_LONGEST_NAME = 80


@dataclass(frozen=True)
class ProjectObject:
    """One object of a project."""

    object_id: int
    name: str
    colour: str
    """#rrggbb, lower case."""
    locked: bool = False
    """Whether nothing more may be said of it."""
    hidden: bool = False
    """Whether it is not drawn."""

    def __post_init__(self) -> None:
        if not 1 <= self.object_id <= LARGEST_OBJECT_ID:
            raise InputError(f"expected an object from 1 to {LARGEST_OBJECT_ID}, found {self.object_id}")
        if not self.name.strip() or len(self.name) > _LONGEST_NAME:
            raise InputError(f"expected a name of 1 to {_LONGEST_NAME} characters, found {len(self.name)}")
        if not re.fullmatch("#[0-9a-f]{6}", self.colour):
            raise InputError(f"expected a colour such as #e6194b, found {self.colour!r}")


@dataclass(frozen=True)
class ExportSettings:
    """What is written when somebody says export."""

    formats: tuple[str, ...] = ("palette",)
    object_ids: tuple[int, ...] | None = None
    """None: all."""
    edges: EdgeControls = field(default_factory=EdgeControls)


@dataclass(frozen=True)
class Project:
    """One state of work on one clip."""

    clip: ClipReference
    objects: tuple[ProjectObject, ...] = ()
    """By rising id."""
    rounds: Rounds = ()
    start: int = 0
    """First frame of the range that is worked on."""
    stop: int = 0
    """One past its last frame."""
    export: ExportSettings = field(default_factory=ExportSettings)

    @classmethod
    def of(cls, clip: ClipReference) -> Project:
        """Nothing was said yet."""
        return cls(clip, stop=clip.num_frames)

    def object(self, object_id: int) -> ProjectObject:
        """One of the objects. InputError where there is none of that id."""
        for each in self.objects:
            if each.object_id == object_id:
                return each
        raise InputError(f"there is no object {object_id} in this project: add one first")

    @property
    def next_object_id(self) -> int:
        """One that nothing was ever said of."""
        used = {each.object_id for each in self.objects} | {each.object_id for each in self.rounds}
        return max(used, default=0) + 1

    @property
    def span(self) -> range:
        """The frames that are worked on."""
        return range(self.start, self.stop)

    @property
    def approved(self) -> dict[int, frozenset[int]]:
        """object_id -> the frames in which what is shown of it was said to be right, and not corrected since."""
        return approved_frames(self.rounds)


def approved_frames(rounds: Rounds) -> dict[int, frozenset[int]]:
    """object_id -> frames, for every object of which some are approved."""
    approved: dict[int, set[int]] = {}
    for each in rounds:
        if isinstance(each.what, Removal):
            approved.pop(each.object_id, None)
            continue
        if each.begins:
            approved.setdefault(each.object_id, set())
        for object_id in list(approved) if each.object_id == EVERY_OBJECT else [each.object_id]:
            frames = approved.setdefault(object_id, set())
            if isinstance(each.what, Approval):
                frames.update(each.frames)
            else:
                frames.difference_update(each.frames)
    return {object_id: frozenset(frames) for object_id, frames in approved.items() if frames}
