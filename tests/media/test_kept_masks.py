"""Kept masks: what was written comes back, in any order, after an interruption too, and damage is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.errors import InputError
from shibori.media.frame_code import decode_frame, encode_frame
from shibori.media.kept_masks import MAGIC, KeptMasks, KeptMasksWriter
from shibori.media.mask import FrameMasks, ObjectStatus
from shibori.media.mask_store import LOGIT_STEP
from shibori.media.mask_writer import Target
from shibori.media.soft_mask import SoftLayer, SoftMasks

SIZE_HW = (48, 96)


def masks_of(index: int) -> FrameMasks:
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[10:30, 10 + index : 40 + index] = 1
    ids[20:44, 60:90] = 7
    logits = np.linspace(-14, 14, 24 * 32).reshape(24, 32).astype(np.float16)
    soft = SoftMasks(SIZE_HW, (SoftLayer(1, (5, 5, 60, 40), logits),), {7: ids == 7})
    return FrameMasks(index, ids, (ObjectStatus(1, 0.75, "tracked"), ObjectStatus(7, 0.0, "lost")), soft)


def written(path, clip, count=5, **how) -> KeptMasksWriter:
    with KeptMasksWriter(Target(path, clip, (1, 7), **how)) as writer:
        for frame in clip.frames(0, count):
            writer.write(frame, masks_of(frame.index))
    return writer


def assert_equal(found: FrameMasks | None, expected: FrameMasks) -> None:
    assert found is not None
    assert (found.index, found.statuses) == (expected.index, expected.statuses)
    assert found.ids.dtype == expected.ids.dtype
    np.testing.assert_array_equal(found.ids, expected.ids)
    assert found.soft is not None
    assert expected.soft is not None
    np.testing.assert_array_equal(found.soft.given[7], expected.soft.given[7])
    for layer, other in zip(found.soft.layers, expected.soft.layers, strict=True):
        assert (layer.object_id, layer.window) == (other.object_id, other.window)
        assert np.abs(layer.logits - other.logits.astype(float).clip(-12, 12)).max() <= LOGIT_STEP


def test_a_frame_comes_back():
    assert_equal(decode_frame(encode_frame(masks_of(3))), masks_of(3))


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 9), (37, 1), (13, 17)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ids_of_any_size_come_back(size_hw, dtype):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, np.iinfo(dtype).max, size_hw).astype(dtype)
    found = decode_frame(encode_frame(FrameMasks(0, ids)))
    assert found.soft is None
    np.testing.assert_array_equal(found.ids, ids)


def test_a_fine_grid_is_thinned_out():
    row = np.linspace(-8, 8, 1000, dtype=np.float32)
    soft = SoftMasks((400, 1000), (SoftLayer(1, (0, 0, 1000, 400), np.tile(row, (400, 1))),))
    found = decode_frame(encode_frame(FrameMasks(0, np.zeros((400, 1000), np.uint8), (), soft)))
    assert found.soft is not None
    assert found.soft.layers[0].logits.shape == (102, 256)
    assert np.abs(found.soft.shares([1]) - soft.shares([1])).max() < 0.02


def test_a_file_reads_back_in_any_order(image_clip, tmp_path):
    path = written(tmp_path, image_clip).path
    assert path.name == "masks.shibori"
    kept = KeptMasks(path)
    assert (kept.clip_name, kept.size_hw, kept.object_ids, kept.num_frames) == ("source", SIZE_HW, (1, 7), 5)
    assert kept.frames == list(range(5))
    for index in (4, 0, 2):
        assert_equal(kept.masks(index), masks_of(index))
    assert kept.masks(5) is None


def test_an_interrupted_run_is_resumed(image_clip, tmp_path):
    writer = KeptMasksWriter(Target(tmp_path, image_clip, (1, 7)))
    for frame in image_clip.frames(0, 3):
        writer.write(frame, masks_of(frame.index))
    writer.discard()
    spool = tmp_path / ".masks.shibori.frames"
    spool.write_bytes(spool.read_bytes()[:-5])  # killed within the third
    with pytest.raises(InputError, match="other objects"):
        KeptMasksWriter(Target(tmp_path, image_clip, (1,), resume=True))
    assert KeptMasksWriter(Target(tmp_path, image_clip, (1, 7), resume=True)).done == {0, 1}
    resumed = written(tmp_path, image_clip, resume=True)
    assert not spool.exists()
    unbroken = written(tmp_path / "unbroken", image_clip)
    assert resumed.path.read_bytes() == unbroken.path.read_bytes()
    assert KeptMasksWriter(Target(tmp_path, image_clip, (1, 7), resume=True)).done == set(range(5))


def test_what_is_no_such_file_is_refused(image_clip, tmp_path):
    path = written(tmp_path, image_clip).path
    data = path.read_bytes()
    cases = {
        b"GIF89a": "holds no masks of shibori",
        MAGIC + b"\x09": "version 9",
        data[:-30]: "damaged",
        data[:200] + b"\xff" + data[201:]: "damaged",
        b"": "holds no masks",
    }
    for content, sentence in cases.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=sentence):
            [KeptMasks(path).masks(index) for index in range(5)]
    with pytest.raises(InputError, match="there is no file"):
        KeptMasks(tmp_path / "none.shibori")
