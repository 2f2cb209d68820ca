"""Masks as one JSON file of COCO run-length codes with each object's state."""

from __future__ import annotations

import json
from io import BufferedRandom
from pathlib import Path
from typing import Any

from shibori.errors import InputError
from shibori.media.atomic import disk_errors, whole_file
from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES, MaskWriter, Target, one_file
from shibori.media.rle import encode_rle, rle_area


class RleWriter(MaskWriter):
    """One JSON with a COCO run-length code, area, state and confidence of each object in each frame.

    ``{"clip", "size": [H, W], "num_frames", "frame_rate": "30000/1001" | null, "object_ids",
    "frames": [{"index", "time": seconds | null, "objects": [{"id", "rle", "area", "state", "confidence"}]}]}``

    Frames are spooled to a hidden file of JSON lines, so memory does not grow; an interrupted run resumes from it.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.path, finished = one_file(target, ONE_FILE_NAMES["rle"])
        self._spool_path = self.path.with_name(f".{self.path.name}.lines")
        self._offsets: dict[int, int] = {}
        with disk_errors(self.path):
            self._spool = _opened_spool(self._spool_path, keep=target.resume)
            if target.resume:
                self._read_spool()
        self._finished = finished
        self.done = set(range(target.clip.num_frames)) if finished else set(self._offsets)

    def _read_spool(self) -> None:
        """Find the frames an interrupted run spooled, and cut off a line it left half."""
        end = 0
        head = self._spool.readline()
        if head.endswith(b"\n"):
            if json.loads(head) != _header(self.target.clip, self.target.object_ids):
                raise InputError(f"{self.path.parent} cannot be resumed: it holds a run with other objects or clip")
            end = self._spool.tell()
            while (line := self._spool.readline()).endswith(b"\n"):
                self._offsets[json.loads(line)["index"]] = end
                end = self._spool.tell()
        self._spool.seek(end)
        self._spool.truncate()

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        with disk_errors(self.path):
            if self._spool.tell() == 0:
                self._spool.write(_line(_header(self.target.clip, self.target.object_ids)))
            self._offsets[frame.index] = self._spool.tell()
            self._spool.write(_line(_frame_record(frame, masks, self.target.object_ids)))
            self._spool.flush()

    def close(self) -> None:
        if not self._finished:
            with whole_file(self.path) as partial, partial.open("wb") as final:
                head = json.dumps(_header(self.target.clip, self.target.object_ids))
                final.write(head[:-1].encode() + b', "frames": [')
                for position, index in enumerate(sorted(self._offsets)):
                    self._spool.seek(self._offsets[index])
                    final.write((b",\n" if position else b"\n") + self._spool.readline().rstrip(b"\n"))
                final.write(b"\n]}\n")
        self._spool.close()
        self._spool_path.unlink(missing_ok=True)

    def discard(self) -> None:
        self._spool.close()


def _opened_spool(path: Path, *, keep: bool) -> BufferedRandom:
    return path.open("r+b" if keep and path.exists() else "w+b")


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _header(clip: Clip, object_ids: tuple[int, ...]) -> dict[str, Any]:
    return {
        "clip": clip.name,
        "size": list(clip.size_hw),
        "num_frames": clip.num_frames,
        "frame_rate": None if clip.frame_rate is None else str(clip.frame_rate),
        "object_ids": list(object_ids),
    }


def _frame_record(frame: Frame, masks: FrameMasks, object_ids: tuple[int, ...]) -> dict[str, Any]:
    statuses = {status.object_id: status for status in masks.statuses}
    records = []
    for object_id in object_ids:
        code = encode_rle(masks.ids == object_id)
        record: dict[str, Any] = {"id": object_id, "rle": code, "area": rle_area(code)}
        if (status := statuses.get(object_id)) is not None:
            record |= {"state": status.state, "confidence": round(status.confidence, 4)}
        records.append(record)
    return {"index": frame.index, "time": None if frame.time is None else float(frame.time), "objects": records}
