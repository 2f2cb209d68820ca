"""Which frames' masks are up to date: a key for each frame that is equal where what its masks depend on is equal.

What was said of an object in a frame settles it there. Between such frames an object depends on the nearest ones before
and after, and on whatever else was said between them: so a correction leaves everything beyond its neighbours alone.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from shibori.media.rounds import (
    EVERY_OBJECT,
    Absence,
    Approval,
    Mark,
    Removal,
    Round,
    Rounds,
    known_objects,
    rounds_to_json,
)


def frame_keys(rounds: Rounds, num_frames: int, is_local: bool = True) -> list[str]:
    """For each frame of a clip.

    Args:
        rounds: all that was said.
        num_frames: of the clip.
        is_local: whether the system carries an object no further than to the next frame of which something was said
            (``InteractiveSegmenter.is_local``); else each round may change every frame.
    """
    states = _states(rounds)
    if not rounds or not is_local:
        return [_digest(states[-1:])] * num_frames
    background = [state for each, state in zip(rounds, states, strict=True) if _is_background(each)]
    objects = [(object_id, _ObjectHistory.of(rounds, states, object_id)) for object_id in known_objects(rounds)]
    return [
        _digest([*background[-1:], *(f"{object_id}:{history.at(frame)}" for object_id, history in objects)])
        for frame in range(num_frames)
    ]


def _is_background(each: Round) -> bool:
    """Which objects lie under a mark on the background is only known when it is worked out: it may be any."""
    return each.object_id == EVERY_OBJECT and isinstance(each.what, Mark)


@dataclass(frozen=True)
class _ObjectHistory:
    """What was said of one object, by frame."""

    said: dict[int, str]
    """Frame -> the state of all rounds by the last one about it."""
    settled: frozenset[int]
    """Frames in which nothing that is said elsewhere changes it."""
    shown: list[int]
    """Frames that surely show it, ascending: no further than to these is it carried."""
    places: list[int]
    """Frames of which something was said, ascending."""

    @classmethod
    def of(cls, rounds: Rounds, states: list[str], object_id: int) -> _ObjectHistory:
        said: dict[int, str] = {}
        settled: set[int] = set()
        shown: set[int] = set()
        for each, state in zip(rounds, states, strict=True):
            if isinstance(each.what, Removal) and each.object_id == object_id:
                said, settled, shown = {}, set(), set()
            if isinstance(each.what, Removal) or each.object_id not in (object_id, EVERY_OBJECT):
                continue
            said |= dict.fromkeys(each.frames, state)
            if each.begins or (isinstance(each.what, Absence | Approval) and shown):
                settled.update(each.frames)
            if each.begins:
                shown.add(each.frame)
            elif isinstance(each.what, Absence):
                shown.difference_update(each.frames)
        return cls(said, frozenset(settled), sorted(shown), sorted(said))

    def at(self, frame: int) -> str:
        """All that what is shown of the object in a frame depends on."""
        if frame in self.settled:
            return self.said[frame]
        place = bisect_right(self.shown, frame)
        first = bisect_left(self.places, self.shown[place - 1]) if place else 0
        last = bisect_right(self.places, self.shown[place]) if place < len(self.shown) else None
        return ",".join(f"{index}={self.said[index]}" for index in self.places[first:last])


def _states(rounds: Rounds) -> list[str]:
    """For each round a digest of it and of all before it."""
    digest, states = hashlib.sha256(), []
    for content in rounds_to_json(rounds):
        digest.update(json.dumps(content, sort_keys=True).encode())
        states.append(digest.copy().hexdigest()[:24])
    return states


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:24]
