"""Clips in which objects hide: what is planned comes true, and the truth is exact."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from shibori.datasets.scene.episodes import episodes
from shibori.datasets.scene.occlusion_composites import hidden_composites

from ..made import Painted

SIZE = (72, 128)
LEVELS = {"one": 60, "two": 110, "three": 160, "four": 210, "five": 250}
SOURCES = [Painted(name, level) for name, level in LEVELS.items()]


@pytest.fixture(scope="module")
def clips():
    return hidden_composites(SOURCES, seed=2, num_clips=4, size_hw=SIZE, num_frames=90)


def test_every_clip_hides_an_object_and_most_two(clips):
    found = [episodes(clip) for clip in clips]
    assert all(found)
    assert sum(len(of_clip) >= 2 for of_clip in found) >= 2
    assert all(10 <= episode.num_hidden <= 40 for of_clip in found for episode in of_clip)
    for clip, of_clip in zip(clips, found, strict=True):
        for episode in of_clip:
            shown = [(clip.read_ids(i) == episode.object_id).sum() for i in range(90)]
            typical = np.median([area for area in shown if area])
            hidden = np.array(shown[episode.first_hidden : episode.first_back]) < 0.05 * typical
            assert (~hidden).sum() <= 2
            assert hidden[0]
            assert hidden[-1]
            assert min(shown[episode.first_back : episode.first_back + 5]) >= 0.05 * typical


def test_every_object_shows_well_in_the_first_frame(clips):
    for clip in clips:
        areas = np.bincount(clip.read_ids(0).ravel(), minlength=4)[1:]
        assert areas.min() >= 0.006 * SIZE[0] * SIZE[1]


def test_pixels_are_where_the_truth_says(clips):
    for clip in clips[:3]:
        names = clip.name[3:].split("+")
        for index in range(0, 90, 6):
            image, ids = clip.compose(index)
            np.testing.assert_array_equal(ids, clip.read_ids(index))
            for object_id, name in zip(clip.object_ids, names, strict=True):
                shown = np.pad((ids == object_id).astype(np.uint8), 2)
                core = cv2.erode(shown, np.ones((5, 5)))[2:-2, 2:-2] > 0
                assert core.sum() == 0 or (np.abs(image[core, 0].astype(int) - LEVELS[name]) <= 2).mean() > 0.97


def test_same_seed_same_clips_here_and_in_another_process(clips):
    again = hidden_composites(SOURCES, seed=2, num_clips=4, size_hw=SIZE, num_frames=90)
    travelled = pickle.loads(pickle.dumps(clips[1]))
    for other in (again[1], travelled):
        np.testing.assert_array_equal(other.read_image(30), clips[1].read_image(30))
    different = hidden_composites(SOURCES, seed=3, num_clips=1, size_hw=SIZE, num_frames=90)
    assert not np.array_equal(different[0].read_image(30), clips[0].read_image(30))


@pytest.mark.parametrize("num_objects", [1, 2, 4])
def test_any_number_of_objects(num_objects):
    clip = hidden_composites(SOURCES, 0, 1, num_objects, SIZE, 60)[0]
    assert clip.object_ids == tuple(range(1, num_objects + 1))
    assert episodes(clip)


def test_too_few_sequences():
    with pytest.raises(ValueError, match="got 3 sequences"):
        hidden_composites(SOURCES[:3], 0, 1)
