"""Clips of classed instances: they enter, leave and hide; annotations and pictures are the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from shibori.datasets.classed_stills import ClassedStill, read_classed_objects
from shibori.datasets.classes import COARSE, COARSE_OF, KIND_OF_SEQUENCE
from shibori.datasets.davis import read_davis
from shibori.datasets.scene.cache import BoundedCache
from shibori.datasets.scene.instance_composites import annotations_of, instance_composites, write_frames
from shibori.datasets.scene.sprite import StillSprite
from shibori.datasets.youtube_vis import read_youtube_vis, write_youtube_vis
from shibori.errors import InputError
from shibori.media.box import boxes_from_masks
from shibori.media.picture import read_image
from shibori.media.rle import decode_rle

from ..made import Painted, write_still

SIZE = (72, 128)


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
