"""What was made once and may be wanted again, within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Kept = TypeVar("Kept")
CLIP_BYTES = 384 << 20
"""What the clips that are made in one go may keep."""


class BoundedCache:
    """Keeps what was used last, within a number of bytes. A copy in another process starts empty."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept], size_of: Callable[[Kept], int]) -> Kept:
        """What is kept under ``key``; made, and kept, where nothing is."""
        if key in self._kept:
            self._kept.move_to_end(key)
            kept: Kept = self._kept[key][0]
            return kept
        value = make()
        self._kept[key] = (value, size_of(value))
        self.num_bytes += self._kept[key][1]
        while self.num_bytes > self.max_bytes:
            self.num_bytes -= self._kept.popitem(last=False)[1][1]
        return value

    def __reduce__(self) -> tuple[type[BoundedCache], tuple[int]]:
        return BoundedCache, (self.max_bytes,)
