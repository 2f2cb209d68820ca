"""Freed memory goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from shibori.media import heap


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_items_pass_through_in_order() -> None:
    assert list(heap.trimmed(iter(range(40)))) == list(range(40))


def test_the_heap_is_trimmed_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(heap, "trim_heap", lambda: calls.append(1) is None)
    list(heap.trimmed(iter(range(3 * heap.TRIM_EVERY + 1))))
    assert len(calls) == 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much memory is resident")
def test_pages_between_living_blocks_are_handed_back() -> None:
    heap.trim_heap()
    blocks = [np.full(60_000, 1, np.uint8) for _ in range(2_000)]  # small enough to lie in the heap, 120 MB in all
    full = resident_pages()
    kept = blocks[::50]
    del blocks
    if not heap.trim_heap():
        pytest.skip("this C library hands nothing back on request")
    assert resident_pages() < full - 15_000  # of 4 KiB: half of the blocks' pages at least
    assert all(block[0] == 1 for block in kept)
