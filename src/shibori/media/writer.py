"""Masks on their way to disk: streamed, whole or not there at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from shibori.media.clip import Clip, Frame
from shibori.media.mask import FrameMasks


class MaskWriter(ABC):
    """Takes the masks of a clip frame by frame. Use as a context manager: leaving it on an error keeps no half file."""

    done: set[int]
    """Indices of frames already on disk (``resume=True``); writing them again does nothing."""

    @abstractmethod
    def write(self, frame: Frame, masks: FrameMasks) -> None:
        """Write one frame. InputError where the disk refuses (full, not writable)."""

    @abstractmethod
    def close(self) -> None:
        """Finish: files that hold many frames appear now, whole."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


FORMATS: dict[str, type[MaskWriter]] = {}
"""Name -> writer: palette, ids16, binary, rle, overlay, rgba, sheet. The first docstring line of each is its help."""


def open_writer(
    format: str, out: Path, clip: Clip, object_ids: Sequence[int], *, resume: bool = False, overwrite: bool = False
) -> MaskWriter:
    """A writer of ``format`` (a key of ``FORMATS``) for the masks of ``clip`` into ``out``.

    ``out`` is a folder; the one-file formats (overlay, rle, sheet) also take a file name with suffix.

    Raises:
        InputError: unknown format, unwritable place, a place that holds other results (unless resume or overwrite),
            ids the format cannot hold.
    """
    raise NotImplementedError
