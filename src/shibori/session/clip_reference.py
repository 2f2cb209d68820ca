"""Which clip a project is about: where it lies, and how to know it again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from shibori.errors import InputError
from shibori.media.clip import Clip
from shibori.media.picture import IMAGE_SUFFIXES
from shibori.media.reader import read_clip

_PART = 1 << 20
_NUM_PARTS = 8
"""Of a file that are looked at: enough to tell takes apart, and quick for hours of film."""


@dataclass(frozen=True)
class ClipReference:
    """A clip by its content."""

    path: str
    """Absolute."""
    digest: str
    num_frames: int
    size_hw: tuple[int, int]
    frame_rate: float | None
    """Frames per second; None where the source has no clock."""

    @classmethod
    def of(cls, clip: Clip) -> ClipReference:
        """To an open clip."""
        rate = None if clip.frame_rate is None else float(clip.frame_rate)
        path = clip.path.absolute()
        return cls(str(path), digest_of(path), clip.num_frames, (clip.size_hw[0], clip.size_hw[1]), rate)

    @property
    def name(self) -> str:
        """File name without suffix, or the folder's name."""
        return Path(self.path).stem

    def opened(self) -> Clip:
        """The clip. InputError where it is not there any more, or has become another."""
        path = Path(self.path)
        if not path.exists():
            raise InputError(
                f"the clip is not at {path} any more: put it back, or say where it is now with --clip PATH"
            )
        if digest_of(path) != self.digest:
            raise InputError(f"{path} has changed since the project was made: say where the clip is with --clip PATH")
        return read_clip(path)

    def moved_to(self, path: Path) -> ClipReference:
        """The same clip at another place. InputError where what is there is another one."""
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
        if digest_of(path) != self.digest:
            raise InputError(f"{path} is not the clip of this project, which was called {Path(self.path).name}")
        return replace(self, path=str(path.absolute()))


def digest_of(path: Path) -> str:
    """SHA-256 of a file's length and of some parts of it; of a folder, of its pictures' names, the first and the last.

    InputError where it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for part in _folder_parts(path) if path.is_dir() else _file_parts(path):
            digest.update(part)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def _file_parts(path: Path) -> Iterator[bytes]:
    length = path.stat().st_size
    yield str(length).encode()
    with path.open("rb") as file:
        if length <= _PART * _NUM_PARTS:
            yield file.read()
        else:
            yield from _spread_parts(file, length)


def _spread_parts(file: BinaryIO, length: int) -> Iterator[bytes]:
    for number in range(_NUM_PARTS):
        file.seek((length - _PART) * number // (_NUM_PARTS - 1))
        yield file.read(_PART)


def _folder_parts(path: Path) -> Iterator[bytes]:
    pictures = sorted(entry.name for entry in os.scandir(path) if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES)
    yield "\n".join(pictures).encode()
    for name in {*pictures[:1], *pictures[-1:]} if len(pictures) < 2 else (pictures[0], pictures[-1]):
        yield from _file_parts(path / name)
