"""Made clips: the truth is exact, the same seed gives the same clip, objects do what they should."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.blending import feathered
from shibori.datasets.scene.composites import composites_from_davis
from shibori.datasets.scene.demo_clip import make_demo_clip
from shibori.datasets.scene.motion import there_and_back

from ..made import Painted

SMALL = (72, 128)


@pytest.fixture(scope="module")
def demo():
    return make_demo_clip(0, SMALL, 60)


def test_demo_clip_is_the_same_every_time(demo):
    image, ids = make_demo_clip(0, SMALL, 60).compose(17)
    np.testing.assert_array_equal(image, demo.read_image(17))
    np.testing.assert_array_equal(ids, demo.read_ids(17))
    assert not np.array_equal(make_demo_clip(1, SMALL, 60).read_image(17), image)


def test_demo_objects_show_first_and_last_and_one_leaves_between(demo):
    shown = [set(np.unique(demo.read_ids(index)).tolist()) - {0} for index in (0, 38, 59)]
    assert shown == [{1, 2, 3}, {1, 2}, {1, 2, 3}]
    assert demo.object_ids == (1, 2, 3)
    assert demo.read_image(0).shape == (*SMALL, 3)
    assert demo.read_image(0).dtype == demo.read_ids(0).dtype == np.uint8


def test_demo_objects_hide_each_other(demo):
    """The van's area drops while the dog walks past in front of it."""
    areas = [(demo.read_ids(index) == 2).sum() for index in range(0, 60, 3)]
    assert min(areas) < 0.92 * max(areas)


def test_frames_outside_are_refused(demo):
    with pytest.raises(IndexError, match="60 frames"):
        demo.read_image(60)


def test_there_and_back_never_jumps():
    assert [there_and_back(index, 3) for index in range(7)] == [0, 1, 2, 1, 0, 1, 2]
    assert [there_and_back(index, 1) for index in range(3)] == [0, 0, 0]


def test_feathered_edges_are_soft_and_the_inside_is_whole():
    coverage = np.zeros((20, 20), np.float32)
    coverage[5:15, 5:15] = 1
    soft = feathered(coverage)
    assert soft[10, 10] == 1
    assert soft[0, 0] == 0
    assert ((soft > 0) & (soft < 1)).any()


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
