"""Masks as one JSON file of COCO run-length codes with each object's state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from shibori.errors import InputError
from shibori.media.atomic import disk_errors, whole_file
from shibori.media.clip import Frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_writer import ONE_FILE_NAMES, MaskWriter, Target, one_file, one_folder
from shibori.media.rle import encode_rle, rle_area


class RleWriter(MaskWriter):
    """One JSON with a COCO run-length code, area, state and confidence of each object in each frame.

    ``{"clip", "size": [H, W], "num_frames", "frame_rate": "30000/1001" | null, "object_ids",
    "frames": [{"index", "time": seconds | null, "objects": [{"id", "rle", "area", "state", "confidence"}]}]}``

    Frames are spooled to a hidden file of JSON lines, so memory does not grow; an interrupted run resumes from it.
    """

    def __init__(self, target: Target, name: str = ONE_FILE_NAMES["rle"]) -> None:
        self.target = target
        self.path, self._finished = one_file(target, name) if Path(name).suffix else one_folder(target)
        self._head = {
            "clip": target.clip.name,
            "size": list(target.clip.size_hw),
            "num_frames": target.clip.num_frames,
            "frame_rate": None if target.clip.frame_rate is None else str(target.clip.frame_rate),
            "object_ids": list(target.object_ids),
        }
        is_folder = not Path(name).suffix
        self._spool_path = self.path / ".lines" if is_folder else self.path.with_name(f".{self.path.name}.lines")
        self._finished = self._finished and not self._spool_path.exists()
        self._spool: BinaryIO | None = None
        self._offsets: dict[int, int] = {}
        self._end = self._read_spool() if target.resume and self._spool_path.exists() else 0
        self.done = set(range(target.clip.num_frames)) if self._finished else set(self._offsets)

    def _read_spool(self) -> int:
        """Find the frames an interrupted run spooled; returns where its last whole line ends."""
        end = 0
        with disk_errors(self._spool_path), self._spool_path.open("rb") as spool:
            head = spool.readline()
            if head.endswith(b"\n"):
                if json.loads(head) != self._head:
                    raise InputError(f"{self.path} cannot be resumed: it was begun with other objects or another clip")
                end = spool.tell()
                while (line := spool.readline()).endswith(b"\n"):
                    self._offsets[json.loads(line)["index"]] = end
                    end = spool.tell()
        return end

    def _opened_spool(self) -> BinaryIO:
        if self._spool is None:
            self._spool = self._spool_path.open("r+b" if self._end else "w+b")
            self._spool.truncate(self._end)  # a line that was left half
            self._spool.seek(self._end)
            if not self._end:
                self._spool.write(_line(self._head))
        return self._spool

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        with disk_errors(self.path):
            spool = self._opened_spool()
            self._offsets[frame.index] = spool.tell()
            spool.write(_line(_frame_record(frame, masks, self.target.object_ids)))
            spool.flush()

    def close(self) -> None:
        if not self._finished:
            self._finish(self._lines())
        self.discard()
        self._spool_path.unlink(missing_ok=True)

    def _lines(self) -> Iterator[bytes]:
        """The spooled frames in order, each a JSON object."""
        spool = self._opened_spool()
        for index in sorted(self._offsets):
            spool.seek(self._offsets[index])
            yield spool.readline().rstrip(b"\n")

    def _finish(self, lines: Iterator[bytes]) -> None:
        """Write what the spooled frames come to."""
        with whole_file(self.path) as partial, partial.open("wb") as final:
            final.write(json.dumps(self._head)[:-1].encode() + b', "frames": [')
            for position, line in enumerate(lines):
                final.write((b",\n" if position else b"\n") + line)
            final.write(b"\n]}\n")

    def discard(self) -> None:
        if self._spool is not None:
            self._spool.close()


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


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
