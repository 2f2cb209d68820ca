"""Composites of annotated sequences: pixels are where the truth says, objects cross, leave and come back."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.composites import composites_from_davis

from ..made import Painted

SMALL = (72, 128)


def test_pasted_pixels_are_where_the_truth_says():
    sources = [Painted("ground", 60), Painted("one", 150), Painted("two", 240)]
    clips = composites_from_davis(sources, seed=3, num_clips=2, size_hw=SMALL, num_frames=20)
    assert [clip.name for clip in clips] == sorted(clip.name for clip in clips)
    assert clips[0].name.startswith("00-ground+")
    levels = dict(
        zip((1, 2, 3), [{"ground": 60, "one": 150, "two": 240}[n] for n in clips[0].name[3:].split("+")], strict=True)
    )
    for index in range(0, 20, 4):
        image, ids = clips[0].compose(index)
        for object_id, level in levels.items():
            inside = np.abs(image[ids == object_id, 0].astype(int) - level)
            assert inside.size == 0 or np.median(inside) <= 1


def test_every_object_shows_in_the_first_frame_and_one_leaves_and_returns():
    sources = [Painted("ground", 60), Painted("one", 150), Painted("two", 240)]
    for clip in composites_from_davis(sources, seed=5, num_clips=3, size_hw=SMALL, num_frames=40):
        areas = np.array([np.bincount(clip.read_ids(index).ravel(), minlength=4)[1:] for index in range(0, 40, 3)])
        assert (areas[0] > 0).all()
        gone = areas[:, 1:] == 0
        assert gone.any()
        assert (areas[-1] > 0)[1:].any()


def test_same_seed_same_clips():
    sources = [Painted("ground", 60), Painted("one", 150)]
    first, again = (composites_from_davis(sources, 7, 1, 2, SMALL, 10)[0] for _ in range(2))
    for index in (0, 6):
        np.testing.assert_array_equal(first.read_image(index), again.read_image(index))


def test_too_few_sequences():
    with pytest.raises(ValueError, match="3 objects"):
        composites_from_davis([Painted("ground", 60)], 0, 1)
