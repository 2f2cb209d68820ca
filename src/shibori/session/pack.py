"""Packed masks of frames: files that only grow, each a row of records. Where a record lies is in the database."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shibori.errors import InputError
from shibori.media.frame_code import decode_frame, encode_frame
from shibori.media.mask import FrameMasks

LARGEST_PACK = 64 << 20
"""Bytes after which a new file is begun; one that nothing is wanted of any more is removed as a whole."""


class ObjectSummary(NamedTuple):
    """One object in one frame, without its mask."""

    state: str
    confidence: float
    area: float
    """Share of the frame."""


@dataclass(frozen=True)
class Record:
    """Where the masks of a frame lie."""

    pack: int
    """Number of the file."""
    place: int
    """Bytes before it."""
    length: int
    checksum: int
    """CRC-32."""
    summary: str
    """JSON: object id, state, confidence and share of the frame, of each object."""

    @property
    def objects(self) -> dict[int, ObjectSummary]:
        """What the summary says, by object id."""
        return {each[0]: ObjectSummary(*each[1:]) for each in json.loads(self.summary)}


class MaskPacks:
    """The files of a project.

    Args:
        folder: they lie in; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int) -> Path:
        """Of a file."""
        return self.folder / f"{number:06d}.masks"

    def numbers(self) -> list[int]:
        """Of the files that are there, ascending."""
        return sorted(int(path.stem) for path in self.folder.glob("*.masks") if path.stem.isdecimal())

    def append(self, several: list[FrameMasks]) -> list[Record]:
        """Write masks; they are on the disk when this returns. OSError where the disk refuses."""
        self.folder.mkdir(exist_ok=True)
        number = max(self.numbers(), default=1)
        if self.path(number).exists() and self.path(number).stat().st_size > LARGEST_PACK:
            number += 1
        coded = [encode_frame(masks) for masks in several]
        place = append_durably(self.path(number), b"".join(coded))
        records = []
        for masks, data in zip(several, coded, strict=True):
            records.append(Record(number, place, len(data), zlib.crc32(data), _summary(masks)))
            place += len(data)
        return records

    def read(self, record: Record) -> FrameMasks:
        """The masks of a frame. InputError where they are damaged or gone."""
        path = self.path(record.pack)
        try:
            with path.open("rb") as file:
                file.seek(record.place)
                data = file.read(record.length)
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror or error}): run shibori project repair"
            ) from error
        if zlib.crc32(data) != record.checksum:
            raise InputError(f"{path} is damaged: run shibori project repair")
        return decode_frame(data)

    def is_sound(self, record: Record) -> bool:
        """Whether the masks of a frame can be read."""
        try:
            self.read(record)
        except InputError:
            return False
        return True

    def keep_only(self, wanted: set[int]) -> None:
        """Remove the files of which no record is wanted any more."""
        for number in set(self.numbers()) - wanted:
            self.path(number).unlink(missing_ok=True)


def _summary(masks: FrameMasks) -> str:
    counts = np.bincount(masks.ids.ravel())
    share = {object_id: count / masks.ids.size for object_id, count in enumerate(counts.tolist()) if count}
    return json.dumps(
        [
            [each.object_id, each.state, round(each.confidence, 3), round(share.get(each.object_id, 0), 6)]
            for each in masks.statuses
        ]
    )


def append_durably(path: Path, data: bytes) -> int:
    """Write at the end of a file, down to the disk; where it begins."""
    with path.open("ab") as file:
        place = file.seek(0, os.SEEK_END)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return place
