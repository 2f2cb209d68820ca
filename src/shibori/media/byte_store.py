"""Bytes by key: in memory up to a bound, beyond it in a file without a name that goes away with the store."""

from __future__ import annotations

import tempfile
import weakref
from bisect import bisect_left, insort
from collections.abc import Hashable
from typing import IO, Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class _Span(NamedTuple):
    """A part of the file. Ordered by its length first."""

    length: int
    offset: int


class ByteStore(Generic[Key]):
    """Bytes that may be more than memory should hold.

    Args:
        memory_bytes: what may be kept in memory. What is put when that is full is in the file, whose free parts are
            used again.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._left = memory_bytes
        self._held: dict[Key, bytes] = {}
        self._spans: dict[Key, _Span] = {}
        self._free: list[_Span] = []
        self._file: IO[bytes] | None = None

    def __contains__(self, key: Key) -> bool:
        return key in self._held or key in self._spans

    def __getitem__(self, key: Key) -> bytes:
        """What was put. KeyError for what is not here."""
        if key in self._held:
            return self._held[key]
        length, offset = self._spans[key]
        assert self._file is not None
        self._file.seek(offset)
        return self._file.read(length)

    def __setitem__(self, key: Key, data: bytes) -> None:
        self.discard(key)
        if len(data) <= self._left:
            self._left -= len(data)
            self._held[key] = data
        else:
            self._spans[key] = self._write(data)

    def discard(self, key: Key) -> None:
        """Forget a key, if it is here."""
        if key in self._held:
            self._left += len(self._held.pop(key))
        elif key in self._spans:
            insort(self._free, self._spans.pop(key))

    @property
    def held_bytes(self) -> int:
        """What is in memory."""
        return sum(map(len, self._held.values()))

    @property
    def file_bytes(self) -> int:
        """Length of the file, its free parts included."""
        return 0 if self._file is None else self._file.seek(0, 2)

    def _write(self, data: bytes) -> _Span:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="shibori-")  # noqa: SIM115 (open as long as we are)
            weakref.finalize(self, self._file.close)
        place = bisect_left(self._free, _Span(len(data), 0))
        if place < len(self._free):
            length, offset = self._free.pop(place)
            if length > len(data):
                insort(self._free, _Span(length - len(data), offset + len(data)))
        else:
            offset = self._file.seek(0, 2)
        self._file.seek(offset)
        self._file.write(data)
        return _Span(len(data), offset)
