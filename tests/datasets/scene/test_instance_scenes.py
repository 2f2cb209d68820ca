"""Scenes seen twice: reproducible, boxes tight, nothing too small, and an identity is the same thing in both views."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from shibori.datasets.real_frames import RealSequence
from shibori.datasets.scene.instance_scenes import MIN_AREA, UNKNOWN, InstancePlan, InstanceScenes, InstanceView
from shibori.datasets.stills import Still
from shibori.media.box import boxes_from_masks

from ..made import disk, made_sequence, made_still

PLAN = InstancePlan(size=64, real_share=0.4, pool=10, max_gap=5)
PARTS = ("image", "masks", "boxes", "identities")


def made_scenes(seed: int = 0, plan: InstancePlan = PLAN, length: int = 50) -> InstanceScenes:
    return InstanceScenes([made_still(0), made_still(1)], [made_sequence(8)], plan, seed, length)


def same(one: InstanceView, other: InstanceView) -> bool:
    return all(getattr(one, part).equal(getattr(other, part)) for part in PARTS)


def test_shapes_and_types():
    scenes = made_scenes()
    for view in scenes[0]:
        count = len(view.identities)
        assert view.image.shape == (3, 64, 64)
        assert view.masks.shape == (count, 64, 64)
        assert view.boxes.shape == (count, 4)
        assert [getattr(view, part).dtype for part in PARTS] == [
            torch.uint8, torch.bool, torch.float32, torch.int64,
        ]  # fmt: skip
    assert len(scenes) == 50


def test_an_item_depends_on_the_seed_and_its_index_alone():
    scenes, again = made_scenes(), made_scenes(length=5)
    scenes[1], scenes[2]
    for index in (3, 0):
        assert all(same(one, other) for one, other in zip(scenes[index], again[index], strict=True))
    assert not same(scenes[0][0], scenes[1][0])
    assert not same(scenes[0][0], made_scenes(seed=1)[0][0])


@pytest.mark.parametrize("real_share", [0.0, 1.0])
def test_every_view_keeps_its_promises(real_share: float):
    scenes = made_scenes(plan=replace(PLAN, real_share=real_share))
    for index in range(25):
        for view in scenes[index]:
            assert len(view.identities) > 0
            assert (view.masks.float().mean((1, 2)) >= MIN_AREA).all()
            assert (view.masks.sum(0) <= 1).all()  # only what is visible, so no pixel is two objects'
            np.testing.assert_array_equal(view.boxes.numpy(), boxes_from_masks(view.masks.numpy()))
            assert (view.identities >= UNKNOWN).all()
            assert (view.identities < scenes.num_identities).all()


def test_what_is_too_small_does_not_count():
    """A clip whose object is a dot: its pixels are there, but no instance."""
    size_hw = (96, 96)
    image, dot = np.full((*size_hw, 3), 90, np.uint8), disk(size_hw, (48, 48), 1.5).astype(np.uint8)
    sequence = RealSequence("dot", (image,) * 3, (dot,) * 3)
    scenes = InstanceScenes([made_still()], [sequence], replace(PLAN, real_share=1.0), 0, 20)
    identities = torch.cat([view.identities for index in range(12) for view in scenes[index]])
    assert len(identities) > 0
    assert scenes.num_identities - 1 not in identities


FLAT = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 10)]


def flat_stills() -> list[Still]:
    """Photographs with one disk each in a colour of its own."""
    stills = []
    for colour in FLAT:
        inside = disk((90, 120), (60, 45), 22)
        image = np.full((90, 120, 3), 128, np.uint8)
        image[inside] = colour
        stills.append(Still(image, inside.astype(np.uint8), (1,), regions=False))
    return stills


def hue_of(view: InstanceView, row: int) -> float:
    """Of the middle of an object, in OpenCV's 180 degrees."""
    inside = cv2.erode(view.masks[row].numpy().astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    colour = np.median(view.image.numpy()[:, inside], axis=1).astype(np.uint8)
    return float(cv2.cvtColor(colour.reshape(1, 1, 3), cv2.COLOR_RGB2HSV)[0, 0, 0])


def is_vivid(view: InstanceView, row: int) -> bool:
    """Whether it has an inside that shows its colour: some clips are grey, and slivers all edge."""
    inside = cv2.erode(view.masks[row].numpy().astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    if inside.sum() < 20:
        return False
    colour = np.median(view.image.numpy()[:, inside], axis=1)
    return bool(colour.max() - colour.min() > 80)


def test_an_identity_is_one_cut_out_in_all_views_of_all_scenes():
    """The colour of what is known by a number is that of its photograph, in either view and in any scene."""
    plan = replace(PLAN, size=96, real_share=0.0, pool=4)
    scenes = InstanceScenes(flat_stills(), [], plan, 0, 100)
    hues = [cv2.cvtColor(np.uint8([[colour]]), cv2.COLOR_RGB2HSV)[0, 0, 0] for colour in FLAT]
    expected = [float(hues[still]) for still, _ in scenes.pool]
    seen: dict[int, int] = {}
    for index in range(40):
        for view in scenes[index]:
            for row, identity in enumerate(view.identities.tolist()):
                if identity == UNKNOWN or not is_vivid(view, row):
                    continue
                difference = abs(hue_of(view, row) - expected[identity])
                assert min(difference, 180 - difference) < 15
                seen[identity] = seen.get(identity, 0) + 1
    assert sorted(seen) == [0, 1, 2, 3]
    assert min(seen.values()) > 5


def test_what_is_seen_in_one_view_is_mostly_seen_in_the_other():
    """Both views show the same layers, so the known ones differ only by what is hidden, or moved out of the picture."""
    scenes = made_scenes(plan=replace(PLAN, real_share=0.0))
    known = [[set(view.identities.tolist()) - {UNKNOWN} for view in scenes[index]] for index in range(30)]
    shared = sum(len(one & other) for one, other in known)
    assert shared > 0.6 * sum(len(one | other) for one, other in known)


def test_the_object_of_a_real_clip_has_an_identity_after_those_of_the_pool():
    scenes = InstanceScenes(
        [made_still()], [made_sequence(8), made_sequence(8)], replace(PLAN, real_share=1.0, max_layers=1), 0, 40
    )
    assert (len(scenes.pool), scenes.num_identities) == (2, 4)
    pairs = [scenes[index] for index in range(30)]
    real = [[{i for i in view.identities.tolist() if i >= 2} for view in pair] for pair in pairs]
    assert set.union(*(one | other for one, other in real)) == {2, 3}
    assert all(len(one) <= 1 and len(other) <= 1 for one, other in real)  # a scene's ground is one clip
    assert all(one == other for one, other in real if one and other)


def test_the_objects_of_a_photograph_that_is_the_ground_are_nobody_one_knows():
    still = made_still()
    pool_of_other = InstanceScenes([still, *flat_stills()], [], replace(PLAN, real_share=0.0, pool=3), 0, 40)
    identities = torch.cat([view.identities for index in range(20) for view in pool_of_other[index]])
    assert (identities == UNKNOWN).any()
    assert (identities != UNKNOWN).any()


@pytest.mark.parametrize("pool", [1, 3, 100])
def test_the_pool_has_as_many_identities_as_asked_for_or_as_there_are(pool: int):
    scenes = made_scenes(plan=replace(PLAN, pool=pool))
    assert len(scenes.pool) == min(pool, 4)
    assert len(set(scenes.pool)) == len(scenes.pool)
    assert scenes.num_identities == len(scenes.pool) + 1


def test_regions_are_neither_cut_out_nor_ground():
    covered = made_still()
    regions = Still(covered.image, covered.ids + 1, (1, 2, 3), regions=True)
    scenes = InstanceScenes([regions, made_still(1)], [], replace(PLAN, real_share=0.0), 0, 10)
    assert {still for still, _ in scenes.pool} == {1}
    assert scenes.grounds == [1]


def test_a_scene_in_which_nothing_shows_is_drawn_again(monkeypatch: pytest.MonkeyPatch):
    scenes, drawn = made_scenes(), []
    views = scenes._views
    empty = InstanceView(*(torch.zeros(size) for size in ((3, 64, 64), (0, 64, 64), (0, 4), (0,))))

    def first_empty(rng: np.random.Generator) -> tuple[InstanceView, InstanceView]:
        drawn.append(views(rng))
        return (drawn[-1][0], empty) if len(drawn) < 3 else drawn[-1]

    monkeypatch.setattr(scenes, "_views", first_empty)
    found = scenes[0]
    assert len(drawn) == 3
    assert found is drawn[-1]
