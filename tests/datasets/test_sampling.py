"""Training clips: reproducible item by item, looked at inside the frame, truth in step with the pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.datasets import views
from shibori.datasets.real_frames import RealSequence
from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.stills import Still
from shibori.datasets.synthesis import CutBase, Layer, Scene, cut_out
from shibori.datasets.views import render_widely
from shibori.errors import InputError

from .made import made_sequence, made_still, moving_disk

PLAN = SamplingPlan(num_frames=3, size=48, real_share=0.4)
PARTS = ("images", "masks", "others", "windows")


def made_clips(seed: int = 0, plan: SamplingPlan = PLAN, length: int = 100) -> TrainingClips:
    return TrainingClips([made_still(0), made_still(1)], [made_sequence(), made_sequence(30)], plan, seed, length)


def test_shapes_and_types():
    clip = made_clips()[0]
    assert clip.images.shape == (3, 3, 48, 48)
    assert clip.masks.shape == clip.others.shape == (3, 48, 48)
    assert [getattr(clip, part).dtype for part in PARTS] == [torch.uint8] * 3 + [torch.float32]
    assert clip.windows.shape == (3, 4)
    assert len(made_clips()) == 100


def test_an_item_depends_on_the_seed_and_its_index_alone():
    clips, again = made_clips(), made_clips(length=5)
    clips[1], clips[2]
    for index in (3, 0):
        for part in PARTS:
            assert getattr(clips[index], part).equal(getattr(again[index], part))
    assert not clips[0].images.equal(clips[1].images)
    assert not clips[0].images.equal(made_clips(seed=1)[0].images)


@pytest.mark.parametrize("real_share", [0.0, 1.0])
def test_every_clip_keeps_its_promises(real_share: float):
    clips = made_clips(plan=replace(PLAN, real_share=real_share))
    limits = {(96.0, 128.0)} if real_share else None
    for index in range(25):
        clip = clips[index]
        assert clip.masks[0].float().mean() >= 0.015
        assert clip.masks.max() <= 1
        assert clip.others.max() <= 1
        assert not (clip.masks & clip.others).any()
        sides = clip.windows[:, 2:] - clip.windows[:, :2]
        torch.testing.assert_close(sides[:, 0], sides[:, 1])
        assert (sides > 0).all()
        assert (clip.windows >= 0).all()
        height, width = next(iter(limits)) if limits else (240, 240 * np.exp(0.58) + 1)
        assert (clip.windows[:, 2] <= width + 1e-3).all()
        assert (clip.windows[:, 3] <= height + 1e-3).all()


def test_some_references_are_such_as_a_detector_gives():
    clean, noisy, some = (made_clips(plan=replace(PLAN, noisy_share=share)) for share in (0.0, 1.0, 0.4))
    changed = 0
    for index in range(25):
        true, found = clean[index], noisy[index]
        assert found.images.equal(true.images)
        assert found.masks[1:].equal(true.masks[1:])
        assert found.others[1:].equal(true.others[1:])
        assert found.masks[0].any()
        assert not (found.masks & found.others).any()
        assert not found.masks[0].equal(true.masks[0])
        changed += not some[index].masks.equal(true.masks)
    assert 3 <= changed <= 17


def test_some_clips_hide_the_object_and_some_tell_of_others():
    clips = [made_clips()[index] for index in range(60)]
    assert any(not mask.any() for clip in clips for mask in clip.masks[1:])
    assert 0.1 < np.mean([bool(clip.others.any()) for clip in clips]) < 0.9


def test_real_frames_come_forward_or_backward_and_never_from_outside():
    clips = made_clips(plan=replace(PLAN, real_share=1.0, num_frames=4, max_gap=9, jump_share=0.5))
    directions = set()
    for index in range(40):
        frames = clips._scene(np.random.default_rng((7, index)))[0].base.frames
        steps = np.diff(frames)
        assert min(frames) >= 0
        assert (steps >= 0).all() or (steps <= 0).all()
        directions |= set(np.sign(steps).tolist())
    assert directions >= {-1, 1}


def test_the_gap_between_real_frames_grows_over_the_run():
    clips = made_clips(plan=replace(PLAN, real_share=1.0, num_frames=4, max_gap=5, gap_growth=40, jump_share=0.0))
    assert [clips.max_gap(index) for index in (0, 10, 39, 40, 400)] == [1, 2, 4, 5, 5]
    for index in (0, 400):
        gaps = [
            np.abs(np.diff(clips._scene(np.random.default_rng(seed), index)[0].base.frames)).max() for seed in range(30)
        ]
        assert max(gaps) == clips.max_gap(index)


def test_stills_that_cannot_be_cut_out_are_only_warped():
    still = made_still()
    regions = Still(still.image, np.where(still.ids == 0, 3, still.ids).astype(np.uint8), (1, 2), regions=True)
    clips = TrainingClips([regions, still], [], replace(PLAN, real_share=0.0), 0, 30)
    assert {pair[0] for pair in clips.cuttable} == {1}
    assert all(clips[index].masks[0].any() for index in range(10))


def test_nothing_that_can_be_cut_out_is_said_at_once():
    still = made_still()
    regions = Still(still.image, np.where(still.ids == 0, 3, still.ids).astype(np.uint8), (1, 2), regions=True)
    with pytest.raises(InputError, match="cut out"):
        TrainingClips([regions], [], PLAN, 0, 10)


@pytest.mark.parametrize("real_share", [0.0, 1.0])
def test_a_wide_look_keeps_still(real_share: float):
    plan = replace(PLAN, real_share=real_share)
    clips = TrainingClips([made_still(0), made_still(1)], [made_sequence()], plan, 0, 9, render_widely)
    sizes = set()
    for index in range(8):
        clip = clips[index]
        assert clip.images.shape == (3, 3, 48, 48)
        assert (clip.windows == clip.windows[0]).all()
        assert clip.masks[0].float().mean() >= 0.01
        sizes.add(float(clip.windows[0, 2] - clip.windows[0, 0]))
    short_side = 96 if real_share else 240
    assert 0.6 * short_side <= min(sizes) < max(sizes) <= short_side


# ---- what a share of the plan asks for


def drawn_scenes(number: int = 40, **options: float) -> list[Scene]:
    clips = made_clips(plan=replace(PLAN, **options))
    return [clips._scene(np.random.default_rng((3, index)))[0] for index in range(number)]


def targets(scenes: list[Scene]) -> list[Layer]:
    """The objects that were cut out of a photograph; in the other scenes they are in the base."""
    return [layer for scene in scenes for layer in scene.layers if layer.is_target]


def extent(layer: Layer) -> float:
    """The root of the area that a cut-out's canvas has in the first frame, in pixels of the scene."""
    height, width = layer.rgba.shape[:2]
    return float(np.sqrt(height * width / abs(np.linalg.det(layer.motions[0, :, :2]))))


def place(layer: Layer) -> np.ndarray:
    """(2,) where the centre of a cut-out's canvas is in the first frame, in pixels of the scene."""
    height, width = layer.rgba.shape[:2]
    linear, offset = layer.motions[0, :, :2], layer.motions[0, :, 2]
    return np.linalg.solve(linear, np.array([width / 2, height / 2]) - offset)


def is_copy(layer: Layer, rgba: np.ndarray) -> bool:
    return not layer.is_target and np.array_equal(layer.rgba[..., 3], rgba[..., 3])


def test_a_plan_that_asks_for_none_of_it_draws_what_was_drawn_before_it_could():
    """Literal numbers of the revision before these shares."""
    expected = {
        0.0: [(85.60, 48.69, 212.86, 175.95), (139.00, 0.00, 379.00, 240.00), (50.92, 20.33, 254.58, 223.99)],
        1.0: [(0.00, 18.13, 65.67, 83.80), (85.50, 33.67, 112.68, 60.84), (16.22, 22.96, 70.65, 77.40)],
    }
    areas = {0.0: [1264, 1624, 1678], 1.0: [1029, 5202, 2107]}
    for real_share, windows in expected.items():
        clips = made_clips(plan=replace(PLAN, real_share=real_share, jump_share=1.0))
        for index, window in enumerate(windows):
            np.testing.assert_allclose(clips[index].windows[0], window, atol=0.01)
            assert int(clips[index].masks.sum()) == pytest.approx(areas[real_share][index], abs=3)


def test_twins_of_a_real_object_move_beside_it():
    scenes = drawn_scenes(real_share=1.0, twin_share=1.0)
    for scene in scenes:
        still = scene.base.as_still()
        assert 1 <= len(scene.layers) <= 4
        assert all(is_copy(layer, still) for layer in scene.layers)
        centre, size = scene.base.start()
        assert all(np.linalg.norm(place(layer) - centre) < 5 * size for layer in scene.layers)
        assert all(0.75 < extent(layer) / size < 1.35 for layer in scene.layers)
    assert {len(scene.layers) for scene in scenes} == {1, 2, 3, 4}
    without = drawn_scenes(real_share=1.0)
    assert not any(is_copy(layer, scene.base.as_still()) for scene in without for layer in scene.layers)


def test_twins_of_a_cut_out_move_beside_it_and_some_look_just_like_it():
    scenes = [scene for scene in drawn_scenes(real_share=0.0, twin_share=1.0) if targets([scene])]
    assert len(scenes) > 15
    same = []
    for scene in scenes:
        (target,) = targets([scene])
        twins = [layer for layer in scene.layers if not layer.is_target]
        assert 1 <= len(twins) <= 4
        assert all(is_copy(twin, target.rgba) for twin in twins)
        same += [np.array_equal(twin.rgba, target.rgba) for twin in twins]
    assert 0.2 < np.mean(same) < 0.6


def test_tiny_objects_are_a_few_pixels_across():
    tiny, usual, both = (
        [extent(target) / 240 for target in targets(drawn_scenes(real_share=0.0, tiny_share=share))]
        for share in (1.0, 0.0, 0.5)
    )
    assert 0.025 <= min(tiny) < max(tiny) <= 0.12
    assert 0.15 <= min(usual) < max(usual) <= 0.7
    assert min(both) < 0.12 < 0.15 < max(both)
    clips = made_clips(plan=replace(PLAN, real_share=0.0, tiny_share=1.0))
    assert all(clips[index].masks[0].any() for index in range(10))


def test_thin_parts_stand_out_of_every_object_or_none():
    stills = [made_still(0), made_still(1)]
    whole = {cut_out(still, object_id).shape for still in stills for object_id in still.object_ids}
    wider = {(h + 2 * (max(h, w) // 3), w + 2 * (max(h, w) // 3), 4) for h, w, _ in whole}
    assert {target.rgba.shape for target in targets(drawn_scenes(real_share=0.0, thin_share=1.0))} <= wider
    assert {target.rgba.shape for target in targets(drawn_scenes(real_share=0.0))} <= whole


@pytest.mark.parametrize("real_share", [0.0, 1.0])
def test_a_cut_comes_after_the_first_frame_and_hides_the_object_and_all_layers(real_share: float):
    scenes = drawn_scenes(real_share=real_share, cut_share=1.0)
    lengths = set()
    for scene in scenes:
        is_cut = scene.base.is_cut
        assert not is_cut[0]
        first, last = is_cut.index(True), len(is_cut) - 1 - is_cut[::-1].index(True)
        assert all(is_cut[first : last + 1])
        lengths.add(last + 1 - first)
        assert all(scene.target_box(frame) is None for frame in np.flatnonzero(is_cut))
        assert not any(layer.visible[frame] for layer in scene.layers for frame in np.flatnonzero(is_cut))
    assert lengths == {1, 2}
    assert not any(isinstance(scene.base, CutBase) for scene in drawn_scenes(real_share=real_share))


def test_every_clip_with_a_cut_begins_with_its_object_and_has_a_frame_without():
    clips = made_clips(plan=replace(PLAN, cut_share=1.0))
    for index in range(10):
        shown = clips[index].masks.flatten(1).any(1)
        assert shown[0]
        assert not shown.all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_coarse_clips_are_enlarged_in_all_their_frames(share: float, monkeypatch: pytest.MonkeyPatch):
    zooms: list[float] = []
    enlarge = views.from_fewer_pixels
    monkeypatch.setattr(views, "from_fewer_pixels", lambda image, zoom: [zooms.append(zoom), enlarge(image, zoom)][1])
    clips = made_clips(plan=replace(PLAN, real_share=1.0, coarse_share=share))
    for index in range(6):
        zooms.clear()
        assert clips[index].images.shape[-2:] == (48, 48)
        *_, first, second, third = zooms
        assert first == second == third
        assert 1.3 <= first <= 4.5 if share else first == 1


@pytest.mark.parametrize(
    ("options", "most"), [({}, 39), ({"longest_jump": 12}, 11), ({"longest_jump": 90}, 89), ({"longest_jump": 2}, 4)]
)
def test_a_long_jump_is_at_least_the_largest_gap_and_below_its_limit(options: dict[str, int], most: int):
    image, mask = np.zeros((20, 30, 3), np.uint8), np.ones((20, 30), np.uint8)
    plan = replace(PLAN, real_share=1.0, jump_share=1.0, **options)
    clips = TrainingClips([made_still()], [RealSequence("long", (image,) * 120, (mask,) * 120)], plan, 0, 9)
    frames = [clips._scene(np.random.default_rng(seed))[0].base.frames for seed in range(80)]
    jumps = [abs(second - first) for first, second, _ in frames]
    assert 4 <= min(jumps) <= 8
    assert 0.9 * most <= max(jumps) <= most
    assert all(abs(third - second) <= 4 for _, second, third in frames)


# ---- clips of several objects


def test_a_clip_of_many_objects_is_drawn_no_more_often_than_one_of_one():
    image, mask = np.zeros((20, 30, 3), np.uint8), np.ones((20, 30), np.uint8)
    names = ["many"] * 5 + ["single"]
    sequences = [RealSequence(name, (image,) * 9, (mask,) * 9) for name in names]
    clips = TrainingClips([made_still()], sequences, replace(PLAN, real_share=1.0), 0, 9)
    drawn = [clips._scene(np.random.default_rng(seed))[0].base.sequence for seed in range(200)]
    assert 0.35 < np.mean([sequence.name == "many" for sequence in drawn]) < 0.65
    assert {id(sequence) for sequence in drawn} == {id(sequence) for sequence in sequences}


def test_objects_beside_the_target_are_told_of():
    images, masks = moving_disk(12)
    beside = [
        mask.astype(np.uint8) + np.where(np.roll(mask, 40, axis=1) & ~mask, 2, 0).astype(np.uint8) for mask in masks
    ]
    plan = replace(PLAN, real_share=1.0)
    clips = TrainingClips([made_still()], [RealSequence("two", tuple(images), tuple(beside))], plan, 0, 40)
    known = [bool(clips[index].others.any()) for index in range(25)]
    assert 0.2 < np.mean(known) < 0.8
