"""Packed masks of frames: files that only grow, each a row of records. Where a record lies is in the database."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from shibori.errors import InputError
from shibori.media.frame_code import decode_frame, encode_frame
from shibori.media.mask import FrameMasks

LARGEST_PACK = 64 << 20
"""Bytes after which a new file is begun; one that nothing is wanted of any more is removed as a whole."""


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
        for data in coded:
            records.append(Record(number, place, len(data), zlib.crc32(data)))
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

    def keep_only(self, wanted: set[int]) -> None:
        """Remove the files of which no record is wanted any more."""
        for number in set(self.numbers()) - wanted:
            self.path(number).unlink(missing_ok=True)


def append_durably(path: Path, data: bytes) -> int:
    """Write at the end of a file, down to the disk; where it begins."""
    with path.open("ab") as file:
        place = file.seek(0, os.SEEK_END)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return place
