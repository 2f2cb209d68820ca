"""Packed masks: what is put comes back, as small as it should be; memory does not grow with a clip."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.mask_store import FrameStore, MaskStore
from shibori.media.soft_mask import SoftLayer, SoftMasks


def disc(size_hw: tuple[int, int] = (480, 854), radius: float = 90) -> np.ndarray:
    rows, columns = np.ogrid[: size_hw[0], : size_hw[1]]
    return (rows - size_hw[0] / 2) ** 2 + (columns - size_hw[1] / 2) ** 2 < radius**2


@pytest.mark.parametrize("bound", [0, 1 << 20])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.uint16])
@pytest.mark.parametrize("shape", [(7, 11), (3, 5, 9), (0, 4)])
def test_what_is_put_comes_back(shape: tuple[int, ...], dtype: type, bound: int):
    values = np.random.default_rng(0).integers(0, 2 if dtype is bool else 120, shape).astype(dtype)
    store: MaskStore[str] = MaskStore(bound)
    store.put(4, 2, values, "note")
    found = store.get(4, 2)
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype
    assert store.notes(4) == {2: "note"}


def test_it_says_what_it_holds():
    store: MaskStore[int] = MaskStore()
    for index, object_id in ((5, 3), (1, 9), (5, 1)):
        store.put(index, object_id, disc(), object_id * 10)
    assert store.frames == [1, 5]
    assert list(store.notes(5).items()) == [(1, 10), (3, 30)]
    assert store.notes(2) == {}
    assert store.get(2, 1) is None
    assert store.get(5, 9) is None
    store.drop(1, 9)
    store.drop(1, 9)
    store.drop(7, 1)
    assert store.frames == [5]
    assert store.get(1, 9) is None


def test_the_latest_counts():
    store: MaskStore[int] = MaskStore()
    store.put(0, 1, disc(), 1)
    store.put(0, 1, np.arange(4, dtype=np.int8), 2)
    np.testing.assert_array_equal(store.get(0, 1), np.arange(4))
    assert store.notes(0) == {1: 2}


def test_a_frame_takes_a_few_kilobytes():
    ids = disc() + 2 * np.roll(disc(radius=40), 200, 1).astype(np.uint8)
    store: MaskStore[None] = MaskStore()
    store.put(0, 0, ids, None)
    as_ids = store.held_bytes
    store.put(0, 1, disc(), None)
    assert as_ids < 6000
    assert store.held_bytes - as_ids < 2000


def test_memory_does_not_grow_with_the_pictures():
    noise = np.random.default_rng(0).integers(-128, 128, (256, 256)).astype(np.int8)
    store: MaskStore[None] = MaskStore(100_000)
    store.put(0, 0, noise, None)
    tracemalloc.start()
    for index in range(1, 201):
        store.put(index, 0, noise, None)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(store.frames) == 201
    assert store.held_bytes <= 100_000
    assert held < 300_000


def test_whole_frames_come_back():
    masks = FrameMasks(5, disc().astype(np.uint16) * 1000, (ObjectStatus(1000, 0.25, "lost"),))
    store = FrameStore()
    store.put(masks)
    store.put(FrameMasks(4, disc().astype(np.uint8)))
    back = store.get(5)
    np.testing.assert_array_equal(back.ids, masks.ids)
    assert back.ids.dtype == np.uint16
    assert (back.index, back.statuses, back.soft) == (5, masks.statuses, None)
    assert store.frames == [4, 5]
    assert store.get(6) is None
    assert (store.statuses(5), store.statuses(4), store.statuses(6)) == (masks.statuses, (), ())


def test_soft_masks_come_back_nearly_as_they_were():
    size_hw = disc().shape
    height, width = size_hw
    logits = np.random.default_rng(0).normal(0, 2, (height // 2, width // 2)).astype(np.float16)
    given = np.zeros(size_hw, bool)
    given[2:5, 3:9] = True
    soft = SoftMasks(size_hw, (SoftLayer(3, (0, 0, width, height), logits),), {7: given})
    store = FrameStore()
    store.put(FrameMasks(5, disc().astype(np.uint8), (ObjectStatus(3, 0.5, "tracked"),), soft))
    back = store.get(5)
    assert np.abs(back.soft.shares([3, 7]) - soft.shares([3, 7])).max() < 0.02
    store.put(FrameMasks(5, disc().astype(np.uint8)))
    assert store.get(5).soft is None
