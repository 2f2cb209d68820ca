"""Handing freed memory back to the system on the way, so that a long clip takes no more of it than a short one."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from typing import TypeVar

Item = TypeVar("Item")

TRIM_EVERY = 16
"""Items between two returns. One takes some milliseconds; what was handed back has to be asked for again."""


def trimmed(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; now and then what earlier ones took and gave up is handed back.

    The C library's allocator keeps pages that hold a single living block. Tensors and pictures of ever new sizes
    leave more and more of them: over 5,000 frames some 10 % of the peak.
    """
    for count, item in enumerate(items, 1):
        yield item
        if count % TRIM_EVERY == 0:
            trim_heap()


def trim_heap() -> bool:
    """Hand all free pages back. False where the C library knows no such request, or had nothing to give."""
    library = _c_library()
    return library is not None and bool(library.malloc_trim(0))


@cache
def _c_library() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
