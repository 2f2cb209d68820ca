"""Where an object comes from: the frames in which it is marked, and those to which it is carried from them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from shibori.media.mask import ObjectStatus

WAYS = ("marked", "forward", "backward", "both_ways")


def way_of(frame_index: int, sources: tuple[int, ...]) -> str:
    """How it comes to a frame, one of ``WAYS``, from the marked frames that it is carried from."""
    if frame_index in sources:
        return "marked"
    if len(sources) > 1:
        return "both_ways"
    return "forward" if sources[0] < frame_index else "backward"


class ObjectOrigin:
    """Collects it for one object, frame by frame in ascending order."""

    def __init__(self) -> None:
        self.sources: set[int] = set()
        self._stretches: defaultdict[str, list[list[int]]] = defaultdict(list)
        """Way -> stretches, each as its first and last frame and the place of the last one among all frames."""

    def add(self, frame_index: int, place: int, status: ObjectStatus) -> None:
        """One frame, the ``place``-th that is written."""
        self.sources |= {*status.sources}
        way = way_of(frame_index, status.sources)
        self._extend(way, frame_index, place)
        if way == "backward" and status.state == "tracked":
            self._extend("seen_before", frame_index, place)

    def content(self) -> dict[str, Any]:
        """As plain JSON values; stretches are the first and the last of frames that are written one after the other."""
        ways = {way: [stretch[:2] for stretch in self._stretches[way]] for way in WAYS}
        before = [stretch[:2] for stretch in self._stretches["seen_before"]]
        return {"first_marked": min(self.sources), **ways, "seen_before": before}

    def _extend(self, way: str, frame_index: int, place: int) -> None:
        stretches = self._stretches[way]
        if stretches and stretches[-1][2] == place - 1:
            stretches[-1][1:] = [frame_index, place]
        else:
            stretches.append([frame_index, frame_index, place])
