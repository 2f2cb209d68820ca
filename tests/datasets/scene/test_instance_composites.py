"""Clips in which objects hide: what is planned comes true, the truth is exact, episodes are counted as defined."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from shibori.datasets.classed_stills import ClassedStill, read_classed_objects
from shibori.datasets.classes import COARSE, COARSE_OF, KIND_OF_SEQUENCE
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.cache import BoundedCache
from shibori.datasets.scene.episodes import Episode, episodes, episodes_of_areas
from shibori.datasets.scene.instance_composites import annotations_of, instance_composites, write_frames
from shibori.datasets.scene.occlusion_composites import hidden_composites
from shibori.datasets.scene.sprite import StillSprite
from shibori.datasets.youtube_vis import read_youtube_vis, write_youtube_vis
from shibori.errors import InputError
from shibori.media.box import boxes_from_masks
from shibori.media.picture import read_image
from shibori.media.rle import decode_rle

from ..made import Painted, write_still

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


def test_episodes_by_hand():
    areas = np.array([100] * 10 + [4] * 12 + [100] * 6 + [0] * 9 + [90] * 8 + [0] * 41 + [80] * 5)
    assert episodes_of_areas(7, areas) == [Episode(7, 10, 22)]
    assert episodes_of_areas(7, areas, shortest=9, longest=50) == [
        Episode(7, 10, 22),
        Episode(7, 28, 37),
        Episode(7, 45, 86),
    ]


def test_a_glimpse_belongs_to_the_hiding_and_more_of_it_spoils_it():
    areas = np.array([50] * 8 + [0] * 6 + [50] * 2 + [0] * 6 + [50] * 5)
    assert episodes_of_areas(1, areas) == [Episode(1, 8, 22)]
    areas = np.array([50] * 8 + [0] * 12 + [50] * 4 + [0] * 12 + [50] * 5)
    assert episodes_of_areas(1, areas) == []


def test_what_never_comes_back_or_never_was_there_is_no_episode():
    assert episodes_of_areas(1, np.array([50] * 8 + [0] * 20)) == []
    assert episodes_of_areas(1, np.array([0] * 20 + [50] * 8)) == []
    assert episodes_of_areas(1, np.zeros(20, int)) == []


# ---- classed instances


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A set of ten photographs, each with a whole cat and a dog that is cut off."""
    folder = tmp_path_factory.mktemp("stills") / "pets"
    kinds = {}
    for number in range(10):
        image = np.full((160, 200, 3), 90, np.uint8)
        ids = np.zeros((160, 200), np.uint8)
        ids[30:130, 20:100] = 1
        ids[60:160, 120:190] = 2
        image[ids == 1] = 230
        write_still(folder, f"photo{number}", image, ids)
        kinds[f"photo{number}"] = {"1": "cat", "2": "dog"}
    (folder / "classes.json").write_text(json.dumps(kinds))
    return read_classed_objects(folder)


NAMED = [Painted(name, level) for name, level in (("hike", 60), ("bear", 110), ("surf", 160), ("bus", 200))]


@pytest.fixture(scope="module")
def scenes(photographs):
    return instance_composites(NAMED, photographs, 1, 8, 4, SIZE, 36)


def test_classed_objects_are_listed_and_held_out(photographs):
    assert [each.kind for each in photographs[:2]] == ["cat", "dog"]
    assert len(photographs) == 20
    sprites = [StillSprite(each, BoundedCache(10**7)) for each in photographs]
    assert [sprite.is_whole() for sprite in sprites[:4]] == [True, False, True, False]
    assert sprites[0].silhouette(0).box_xyxy == (20, 30, 100, 130)
    assert sprites[0].colours(3)[10, 10].tolist() == [230, 230, 230]
    assert all(a.is_held_out == b.is_held_out for a, b in zip(photographs[::2], photographs[1::2], strict=True))
    held = [ClassedStill(Path(f"{number}.jpg"), Path("x")).is_held_out for number in range(2000)]
    assert 0.07 < np.mean(held) < 0.13


def test_scenes_have_classes_and_instances_enter_leave_and_hide(scenes):
    assert all(set(scene.kinds) == {1, 2, 3, 4} for scene in scenes)
    assert "cat" in {kind for scene in scenes for kind in scene.kinds.values()}
    assert "dog" not in {kind for scene in scenes for kind in scene.kinds.values()}  # those are cut off
    assert all(scene.kinds[1] != "bus" for scene in scenes)  # crowded
    truth = annotations_of(scenes)
    shown = np.array([[code is not None for code in each.segmentations] for each in truth.annotations])
    assert len(shown) == 8 * 4
    assert shown.sum(axis=1).min() >= 5
    assert (~shown[:, 0]).any()
    assert (~shown[:, -1]).any()
    spans = [row[row.argmax() : len(row) - row[::-1].argmax()] for row in shown]
    assert any((~span).sum() >= 4 for span in spans)


def test_annotations_are_the_truth(scenes, tmp_path):
    truth = annotations_of(scenes)
    assert truth.categories == {1: "person", 2: "dog", 3: "cat", 4: "large animal", 5: "bird", 6: "vehicle", 7: "thing"}
    coarse = {"hike": 1, "bear": 4, "surf": 6, "bus": 6}
    for video_id, scene in enumerate(scenes, 1):
        first = scene.sequence.name[3:].split("+")[0]
        own = next(each for each in truth.annotations_of[video_id])
        assert own.category_id == coarse[first]
        for index in range(0, 36, 7):
            ids = scene.sequence.read_ids(index)
            for number, annotation in enumerate(truth.annotations_of[video_id], 1):
                code = annotation.segmentations[index]
                mask = ids == number
                if code is not None:
                    np.testing.assert_array_equal(decode_rle(code), mask)
                    assert annotation.areas[index] == mask.sum()
                    assert annotation.boxes_xyxy[index] == tuple(boxes_from_masks(mask[None])[0])
                else:
                    assert mask.sum() < 1e-4 * mask.size
    write_youtube_vis(tmp_path / "annotations.json", truth)
    again = read_youtube_vis(tmp_path / "annotations.json")
    assert again.annotations == truth.annotations
    assert again.videos == truth.videos


def test_frames_are_written_where_the_annotations_say(scenes, tmp_path):
    write_frames(scenes[:1], tmp_path)
    files = annotations_of(scenes[:1]).videos[1].file_names
    assert len(files) == 36
    image = read_image(tmp_path / files[20]).astype(int)
    assert np.abs(image - scenes[0].sequence.read_image(20)).mean() < 4


def test_scenes_are_reproducible(photographs, scenes):
    again = instance_composites(NAMED, photographs, 1, 2, 4, SIZE, 36)
    np.testing.assert_array_equal(again[1].sequence.read_image(9), scenes[1].sequence.read_image(9))
    alone = instance_composites(NAMED, [], 1, 1, 3, SIZE, 36)
    assert set(alone[0].kinds.values()) <= {"person", "bear", "sailboard", "bus"}


@pytest.mark.parametrize(
    ("sequences", "num_objects", "sentence"),
    [
        ([*NAMED, Painted("mystery", 9)], 3, "mystery has no class"),
        (NAMED, 5, "5 objects need more than 4 sequences"),
        ([Painted("bus", 9), Painted("train", 9)], 2, "0 of them grounds"),
    ],
)
def test_what_cannot_be_a_scene(sequences, num_objects, sentence):
    with pytest.raises(ValueError, match=sentence):
        instance_composites(sequences, [], 0, 1, num_objects, SIZE, 36)


def test_every_sequence_we_have_has_a_class(shared):
    root = shared / "data" / "davis2016"
    names = {sequence.name for split in ("train", "dev") for sequence in read_davis(root, 2016, split)}
    assert names == set(KIND_OF_SEQUENCE)
    assert set(KIND_OF_SEQUENCE.values()) <= set(COARSE_OF)
    assert set(COARSE_OF.values()) == set(COARSE)
    kinds = {each.kind for each in read_classed_objects(shared / "data" / "stills" / "voc_seg")}
    assert kinds <= set(COARSE_OF)


def test_sets_without_classes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no classes.json"):
        read_classed_objects(tmp_path)
    (tmp_path / "classes.json").write_text('{"a": {"1": "cat"}}')
    with pytest.raises(InputError, match="names a, of which"):
        read_classed_objects(tmp_path)
