"""The masks of a clip with their probabilities in one small file, from which every format can be made later."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from shibori.errors import InputError
from shibori.media.atomic import disk_errors
from shibori.media.clip import Frame
from shibori.media.frame_code import decode_frame, encode_frame
from shibori.media.mask import FrameMasks
from shibori.media.mask_source import MaskSource
from shibori.media.mask_writer import KEPT_NAME, MaskWriter, Target, one_file

MAGIC = b"SHIBORI MASKS\r\n\x1a"
VERSION = 1
_RECORD = struct.Struct("<II")
_TAIL = struct.Struct("<QI")
"""Where the list of frames begins, and its checksum: the last bytes of a file."""


class KeptMasks(MaskSource):
    """The masks of ``masks.shibori``, by frame, in any order.

    The file holds ``MAGIC`` and the version (one byte); then records, each a length and a CRC-32 (u32, little-endian)
    before its bytes: first the heading (JSON), then a frame each (see ``frame_code``), last the list of frames (JSON,
    index -> place of its record), whose own place and checksum are the last 12 bytes.

    Args:
        path: of the file.

    Raises:
        InputError: missing, not such a file, of a later version, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._opened() as file:
            heading = read_heading(file, self.path)
            file.seek(-_TAIL.size, 2)
            place, checksum = _TAIL.unpack(file.read(_TAIL.size))
            places = _record_at(file, place, self.path)
            if zlib.crc32(places) != checksum:
                raise _damaged(self.path)
        self.is_soft = True
        self.names: Mapping[int, str] = {}
        self.clip_name = str(heading["clip"])
        self.size_hw = (heading["size"][0], heading["size"][1])
        self.num_frames = int(heading["num_frames"])
        """Of the clip; not every one needs to be here."""
        self.object_ids = tuple(heading["object_ids"])
        self._places: dict[int, int] = {int(index): place for index, place in json.loads(places).items()}

    @property
    def frames(self) -> list[int]:
        return sorted(self._places)

    def masks(self, index: int) -> FrameMasks | None:
        if index not in self._places:
            return None
        with self._opened() as file:
            data = _record_at(file, self._places[index], self.path)
        try:
            return decode_frame(data)
        except (ValueError, KeyError, struct.error) as error:
            raise _damaged(self.path) from error

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except FileNotFoundError as error:
            raise InputError(f"there is no file {self.path}") from error
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror or error}") from error


class KeptMasksWriter(MaskWriter):
    """Writes ``masks.shibori``. Frames go to a hidden file first, from which an interrupted run goes on."""

    def __init__(self, target: Target) -> None:
        self.path, self._finished = one_file(target, KEPT_NAME)
        clip = target.clip
        self._heading = {
            "clip": clip.name,
            "size": list(clip.size_hw),
            "num_frames": clip.num_frames,
            "object_ids": list(target.object_ids),
        }
        self._spool_path = self.path.with_name(f".{self.path.name}.frames")
        self._places: dict[int, int] = {}
        self._end = self._read_spool() if target.resume and self._spool_path.exists() else 0
        self._spool: BinaryIO | None = None
        self.done = set(range(clip.num_frames)) if self._finished else set(self._places)

    def _read_spool(self) -> int:
        """Find the frames an interrupted run wrote; where its last whole record ends."""
        with disk_errors(self._spool_path), self._spool_path.open("rb") as file:
            if len(file.read(len(MAGIC) + 1)) <= len(MAGIC) or (head := _next_record(file)) is None:
                return 0
            if json.loads(head) != self._heading:
                raise InputError(f"{self.path} cannot be resumed: it was begun with other objects or another clip")
            end = file.tell()
            with suppress(ValueError):  # the list of frames, where a run was killed at its very end
                while (record := _next_record(file)) is not None:
                    self._places[decode_frame(record).index] = end
                    end = file.tell()
        return end

    def _opened(self) -> BinaryIO:
        if self._spool is None:
            self._spool = self._spool_path.open("r+b" if self._end else "w+b")
            self._spool.truncate(self._end)  # a record that was left half
            self._spool.seek(self._end)
            if not self._end:
                self._spool.write(MAGIC + bytes([VERSION]) + _record(json.dumps(self._heading).encode()))
        return self._spool

    def _write(self, frame: Frame, masks: FrameMasks) -> None:
        with disk_errors(self.path):
            spool = self._opened()
            self._places[frame.index] = spool.tell()
            spool.write(_record(encode_frame(masks)))
            spool.flush()

    def close(self) -> None:
        if self._finished:
            return
        with disk_errors(self.path):
            spool = self._opened()
            places = json.dumps({str(index): self._places[index] for index in sorted(self._places)}).encode()
            place = spool.seek(0, 2)
            spool.write(_record(places) + _TAIL.pack(place, zlib.crc32(places)))
            spool.close()
            self._spool_path.replace(self.path)

    def discard(self) -> None:
        if self._spool is not None:
            self._spool.close()


def read_heading(file: BinaryIO, path: Path) -> dict[str, Any]:
    """What a file says of its clip. InputError where it is none of ours, or of a version to come."""
    start = file.read(len(MAGIC) + 1)
    if start[: len(MAGIC)] != MAGIC or len(start) <= len(MAGIC):
        raise InputError(f"{path} holds no masks of shibori: expected a file that --keep-soft made")
    if start[-1] > VERSION:
        raise InputError(
            f"{path} has version {start[-1]} of its format, and this shibori knows {VERSION}: update shibori"
        )
    heading = _next_record(file)
    if heading is None:
        raise _damaged(path)
    return dict(json.loads(heading))


def _record(data: bytes) -> bytes:
    return _RECORD.pack(len(data), zlib.crc32(data)) + data


def _next_record(file: BinaryIO) -> bytes | None:
    """The record at which a file stands; None where it is not whole."""
    head = file.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    length, checksum = _RECORD.unpack(head)
    data = file.read(length)
    return data if len(data) == length and zlib.crc32(data) == checksum else None


def _record_at(file: BinaryIO, place: int, path: Path) -> bytes:
    is_inside = place < file.seek(0, 2)
    file.seek(place if is_inside else 0)
    data = _next_record(file) if is_inside else None
    if data is None:
        raise _damaged(path)
    return data


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is damaged or cut short: run shibori segment --keep-soft again")
