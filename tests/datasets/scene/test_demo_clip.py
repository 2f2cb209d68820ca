"""The demonstration's clip: the same for the same seed, and its objects do what they should."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.demo_clip import make_demo_clip

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
