"""Real clips: read by name or by object, and seen through a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.real_frames import RealFrames, read_multi_sequences, read_real_sequences
from shibori.errors import InputError

from .made import made_sequence, moving_disk, write_davis, write_objects


@pytest.mark.parametrize("flipped", [False, True])
def test_real_frames_show_the_object_where_the_window_is(flipped: bool):
    sequence = made_sequence()
    base = RealFrames(sequence, (2, 7), flipped)
    image, mask = base.render(1, np.array([8.0, 16.0, 72.0, 80.0]), 64)
    whole_image, whole_mask = sequence.images[7], sequence.masks[7]
    if flipped:
        whole_image, whole_mask = whole_image[:, ::-1], whole_mask[:, ::-1]
    np.testing.assert_array_equal(image, whole_image[16:80, 8:72])
    np.testing.assert_array_equal(mask, whole_mask[16:80, 8:72])


def test_reads_a_davis_folder_by_name(tmp_path: Path):
    images, masks = moving_disk(4)
    write_davis(tmp_path, {"disk": (images, masks), "cat": (images[::-1], masks[::-1])}, "train")
    cat, disk = read_real_sequences(tmp_path, "train")
    assert (cat.name, disk.name) == ("cat", "disk")
    for t in range(4):
        np.testing.assert_array_equal(disk.masks[t], masks[t])
        np.testing.assert_array_equal(cat.masks[t], masks[3 - t])
        assert np.abs(disk.images[t].astype(int) - images[t]).mean() < 6  # JPEG; RGB order
    (tmp_path / "JPEGImages" / "480p" / "disk" / "00002.jpg").unlink()
    with pytest.raises(InputError, match=r"00002.jpg"):
        read_real_sequences(tmp_path, "train")


def test_every_object_of_a_clip_comes_once_beside_the_others(tmp_path: Path):
    ids = np.zeros((4, 20, 30), np.uint8)
    ids[:, 2:8, 3:9] = 1
    ids[:, 10:18, 12:20] = 4
    ids[2:, 4:9, 22:28] = 7  # comes later
    write_objects(tmp_path, "three", list(ids))
    write_objects(tmp_path, "one", list((ids == 4).astype(np.uint8)))
    one, *three = read_multi_sequences(tmp_path, "train")
    assert (one.name, [each.name for each in three]) == ("one", ["three"] * 3)
    for sequence, object_id in zip(three, (1, 4, 7), strict=True):
        for found, true in zip(sequence.masks, ids, strict=True):
            np.testing.assert_array_equal(found == 1, true == object_id)
            np.testing.assert_array_equal(found == 2, (true > 0) & (true != object_id))
            assert found.max() <= 2
    assert three[0].images[2] is three[2].images[2]
    assert set(np.unique(np.stack(one.masks)).tolist()) == {0, 1}


def test_frames_without_a_mask_are_left_out(tmp_path: Path):
    ids = np.zeros((5, 20, 30), np.uint8)
    for frame in range(5):
        ids[frame, 5:12, 3 * frame : 3 * frame + 6] = 3
    write_objects(tmp_path, "sparse", list(ids), annotated=(0, 2, 3))
    (sparse,) = read_multi_sequences(tmp_path, "train")
    assert len(sparse.images) == len(sparse.masks) == 3
    for found, image, frame in zip(sparse.masks, sparse.images, (0, 2, 3), strict=True):
        np.testing.assert_array_equal(found, ids[frame] == 3)
        assert abs(int(image.mean()) - 40 * (frame + 1)) <= 2
