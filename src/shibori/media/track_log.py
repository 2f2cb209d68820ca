"""What a system knows of every object in every frame, as a JSON file that grows with the masks."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from shibori.errors import InputError
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.object_origin import ObjectOrigin


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
