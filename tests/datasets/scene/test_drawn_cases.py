"""Drawn clips: masks are exact, twins are twins and keep apart, the small disc is small and moves."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.datasets.scene.drawn_cases import MovingDisc, circling_discs, drawn_cases, small_disc
from shibori.datasets.scene.renderer import Scene

from ..made import disk

SIZE = (160, 200)


def centres(clip, index: int) -> np.ndarray:
    """(N, 2) mean x, y of the objects."""
    ids = clip.read_ids(index)
    return np.array([np.argwhere(ids == object_id).mean(axis=0)[::-1] + 0.5 for object_id in clip.object_ids])


def test_a_disc_is_every_pixel_whose_centre_lies_within_it():
    places = [(40.3, 30.8), (0.2, 59.7), (-6.0, 20.0), (200.0, 200.0)]  # the second is cut off, the last not there
    disc = MovingDisc(7, np.array(places), 9.4, (250, 10, 20))
    scene = Scene(lambda index: np.full((60, 90, 3), 40, np.uint8), (disc,), (60, 90))
    for index, place in enumerate(places):
        image, ids = scene(index)
        np.testing.assert_array_equal(ids == 7, disk((60, 90), place, 9.4))
        np.testing.assert_array_equal(ids, scene.ids(index))
        inside, outside = disk((60, 90), place, 8.8), ~disk((60, 90), place, 10.0)
        assert (image[inside] == (250, 10, 20)).all()
        assert (image[outside] == 40).all()


def test_six_discs_are_twins_that_go_round_each_other_once_and_never_touch():
    clip = circling_discs(0, SIZE)
    assert (clip.num_frames, clip.object_ids) == (40, (1, 2, 3, 4, 5, 6))
    places = np.array([centres(clip, index) for index in range(40)])
    between = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) + 1e9 * np.eye(6)
    assert 22 < between.min() < 1.6 * 22
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() < between.min() / 2  # who is who can be known
    np.testing.assert_allclose(places[-1], places[0], atol=0.5)  # once round
    half_way = np.linalg.norm(places[20] - places[0], axis=-1)
    assert half_way.min() > 3 * 22
    areas = [(clip.read_ids(index) == object_id).sum() for index in (0, 9, 39) for object_id in clip.object_ids]
    assert max(areas) - min(areas) < 12
    assert np.mean(areas) == pytest.approx(np.pi * 11**2, rel=0.02)


def test_all_discs_look_the_same_and_unlike_the_ground():
    clip = circling_discs(0, SIZE, num_frames=8)
    image, ids = clip.compose(3)
    middles = [image[int(y), int(x)] for x, y in centres(clip, 3)]
    assert (np.array(middles) == middles[0]).all()
    assert np.abs(image[ids == 0].astype(int) - middles[0]).sum(axis=-1).min() > 40


def test_the_small_disc_moves_over_texture_of_its_own_size():
    clip = small_disc(0, SIZE)
    assert (clip.num_frames, clip.object_ids) == (12, (1,))
    places = np.array([centres(clip, index)[0] for index in range(12)])
    np.testing.assert_allclose(np.linalg.norm(np.diff(places, axis=0), axis=-1), 6, atol=0.5)
    assert all(44 <= (clip.read_ids(index) == 1).sum() <= 57 for index in range(12))
    image, ids = clip.compose(0)
    assert image[ids == 0].std() > 15


def test_the_benchmark_has_both_at_the_usual_size_and_the_same_every_time():
    first, again = drawn_cases(), drawn_cases()
    assert [(clip.name, clip.num_frames, clip.size_hw) for clip in first] == [
        ("6-discs-of-22", 40, (480, 854)),
        ("disc-of-8", 12, (480, 854)),
    ]
    for clip, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(clip.read_image(5), other.read_image(5))
    assert not np.array_equal(drawn_cases(1)[1].read_ids(0), first[1].read_ids(0))
