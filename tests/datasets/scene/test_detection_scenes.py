"""Pictures for a detector: boxes fit the masks, labels are the material's, an item depends on its number alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.datasets.classed_stills import ClassedStill
from shibori.datasets.classes import COARSE, category_id
from shibori.datasets.scene.detection_scenes import (
    UNKNOWN_CLASS,
    DetectionPlan,
    DetectionScenes,
    label_of,
    on_canvas,
    paste,
    scene_of,
)
from shibori.media.box import boxes_from_masks

from ..made import Painted, made_still, write_still

SIZE = (64, 96)


@pytest.fixture
def stills(tmp_path) -> list[ClassedStill]:
    for seed in range(3):
        still = made_still(seed)
        write_still(tmp_path / "set", f"{seed}", still.image, still.ids)
    paths = [(tmp_path / "set" / "images" / f"{i}.png", tmp_path / "set" / "masks" / f"{i}.png") for i in range(3)]
    return [ClassedStill(*paths[0], None, {1: "dog"}), ClassedStill(*paths[1], "cat"), ClassedStill(*paths[2])]


def scenes(stills, sequences=(), **plan) -> DetectionScenes:
    return DetectionScenes(stills, sequences, DetectionPlan(SIZE, **plan), 0, 100)


def test_an_item_depends_on_its_number_alone(stills):
    first, again = scenes(stills), scenes(stills)
    again[3]
    for one, other in zip((first[7].image, first[7].masks), (again[7].image, again[7].masks), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first[7].image, first[8].image)


def test_boxes_fit_the_masks_and_masks_do_not_overlap(stills):
    for index in range(20):
        scene = scenes(stills)[index]
        assert scene.image.shape == (3, *SIZE)
        assert len(scene.labels) == len(scene.boxes) == len(scene.masks)
        assert np.array_equal(scene.boxes.numpy(), boxes_from_masks(scene.masks.numpy() > 0))
        assert scene.masks.sum(0).max() <= 1


def test_labels_are_what_the_material_says(stills):
    plain = scenes(stills, paste_share=0.0, real_share=0.0)
    labels = {label for index in range(40) for label in plain[index].labels.tolist()}
    assert labels == {category_id("dog"), category_id("cat"), UNKNOWN_CLASS}
    pasted = scenes(stills, paste_share=1.0, real_share=0.0, max_pasted=1)
    assert set(pasted.pasted) == {"dog", "cat"}


def test_known_sequences_are_cut_from_and_strangers_are_of_unknown_class(stills):
    sequences = [Painted("lucia", 200), Painted("bus", 100), Painted("my-own", 150)]
    made = scenes(stills, sequences, real_share=1.0, paste_share=0.0)
    assert [each.name for each in made.grounds] == ["lucia", "my-own"]  # the bus is among unmarked vehicles
    assert {label for index in range(30) for label in made[index].labels.tolist()} == {
        category_id("person"),
        UNKNOWN_CLASS,
    }
    assert {"person", "vehicle"} <= set(made.pasted)
    assert (label_of("horse"), label_of("unicorn"), label_of(None)) == (
        COARSE.index("large animal") + 1,
        UNKNOWN_CLASS,
        UNKNOWN_CLASS,
    )


def test_a_canvas_shows_picture_and_mask_in_step():
    ids = np.zeros((80, 100), np.uint8)
    ids[30:60, 20:50] = 1
    image = np.repeat(ids[..., None] * 200, 3, 2)
    for seed in range(10):
        seen, seen_ids, labels = on_canvas(np.random.default_rng(seed), (image, ids, {1: 3}), SIZE)
        assert labels == {1: 3}
        inside, bright = seen_ids == 1, seen[..., 0] > 150
        differing = inside != bright
        assert differing.sum() <= 0.2 * max(inside.sum(), 1)


def test_a_pasted_object_covers_what_it_marks():
    rng = np.random.default_rng(1)
    cut = np.zeros((40, 40, 4), np.uint8)
    cut[5:35, 5:35] = 255
    image, ids = np.zeros((*SIZE, 3), np.uint8), np.ones(SIZE, np.uint8)
    paste(rng, image, ids, cut, 200)
    covered = ids == 200
    assert covered.sum() > 50
    assert image[covered].mean() > 180
    assert image[ids == 1].mean() < 20


def test_what_hardly_shows_does_not_count():
    ids = np.zeros(SIZE, np.uint8)
    ids[5:40, 5:40] = 1
    ids[50:60, 50:52] = 2  # narrow
    ids[60, 90] = 3
    ids[0:5, 60:90] = 255  # ignored
    scene = scene_of(np.zeros((*SIZE, 3), np.uint8), ids, {1: 4, 2: 4, 3: 4, 255: 4})
    assert scene.labels.tolist() == [4]
    assert scene.boxes.tolist() == [[5, 5, 40, 40]]
    empty = scene_of(np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8), {})
    assert empty.masks.shape == (0, *SIZE)
    assert empty.boxes.shape == (0, 4)
