"""What a system knows of every object in every frame, as a JSON file that grows with the masks."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks, ObjectStatus

WAYS = ("marked", "forward", "backward", "both_ways")
"""How an object comes to a frame."""


class TrackLog:
    """``tracks.json``: for each frame, every object's confidence and state, and the marked frames that it comes from.

    Streamed, and whole whenever it is there. At its end is for each object, where it comes from.

    It appears under its name when it is closed, after an interruption too: then it tells of the finished frames.

    Args:
        path: of the file.
        clip: whose frames they are.
        system: that found the masks.
        object_ids: of all objects.
        may_replace: whether the file may be there already.

    Raises:
        InputError: it is, and may not be.
    """

    def __init__(self, path: Path, clip: Clip, system: str, object_ids: Sequence[int], may_replace: bool) -> None:
        if path.exists() and not may_replace:
            raise InputError(f"{path} is there already: choose another --out, or use --resume or --overwrite")
        self.path = path
        self.num_frames = 0
        self.object_ids = tuple(object_ids)
        self.lost: Counter[int] = Counter()
        self.first_lost: dict[int, int] = {}
        self._origins = {object_id: ObjectOrigin() for object_id in self.object_ids}
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._head = {"clip": clip.name, "size_hw": clip.size_hw, "system": system, "objects": list(object_ids)}
        self._file: TextIO | None = None

    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Note one frame."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w", encoding="utf-8")
            self._file.write(json.dumps(self._head)[:-1] + ', "frames": [\n')
        objects = {str(status.object_id): _entry(status) for status in masks.statuses}
        line = {"frame": frame.index, "time": None if frame.time is None else float(frame.time), "objects": objects}
        self._file.write((",\n" if self.num_frames else "") + json.dumps(line))
        for status in masks.statuses:
            if status.sources and status.object_id in self._origins:
                self._origins[status.object_id].add(frame.index, self.num_frames, status)
            if status.state == "lost":
                self.lost[status.object_id] += 1
                self.first_lost.setdefault(status.object_id, frame.index)
        self.num_frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            origins = {str(i): origin.content() for i, origin in self._origins.items() if origin.sources}
            self._file.write("\n]" + (f', "origins": {json.dumps(origins)}' if origins else "") + "}\n")
            self._file.close()
            self._partial.replace(self.path)
        except OSError:
            # A full disk: the error that is already on its way says so.
            self._partial.unlink(missing_ok=True)
            if error is None:
                raise


def _entry(status: ObjectStatus) -> dict[str, Any]:
    entry: dict[str, Any] = {"state": status.state, "confidence": round(float(status.confidence), 4)}
    return entry | ({"from": list(status.sources)} if status.sources else {})


def way_of(frame_index: int, sources: tuple[int, ...]) -> str:
    """How it comes to a frame, one of ``WAYS``, from the marked frames that it is carried from."""
    if frame_index in sources:
        return "marked"
    if len(sources) > 1:
        return "both_ways"
    return "forward" if sources[0] < frame_index else "backward"


class ObjectOrigin:
    """Collects where an object comes from, frame by frame in ascending order."""

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
