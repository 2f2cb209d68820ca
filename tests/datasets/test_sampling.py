"""Training clips: reproducible item by item, looked at inside the frame, truth in step with the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shibori.datasets.sampling import RealFrames, SamplingPlan, TrainingClips, read_real_sequences, render_widely
from shibori.datasets.stills import Still
from shibori.errors import InputError

from .made import made_sequence, made_still, moving_disk, write_davis

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


@pytest.mark.parametrize("flipped", [False, True])
def test_real_frames_show_the_object_where_the_window_is(flipped: bool):
    sequence = made_sequence()
    base = RealFrames(sequence, (2, 7), flipped)
    image, mask = base.render(1, np.array([8.0, 16.0, 72.0, 80.0]), 64)
    whole_image, whole_mask = sequence.images[7], sequence.masks[7]
    if flipped:
        whole_image, whole_mask = whole_image[:, ::-1], whole_mask[:, ::-1]
    np.testing.assert_array_equal(image, whole_image[16:80, 8:72])
    np.testing.assert_array_equal(mask, whole_mask[16:80, 8:72])


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


def test_reads_a_davis_folder_by_name(tmp_path: Path):
    images, masks = moving_disk(4)
    write_davis(tmp_path, {"disk": (images, masks), "cat": (images[::-1], masks[::-1])}, "train")
    cat, disk = read_real_sequences(tmp_path, "train")
    assert (cat.name, disk.name) == ("cat", "disk")
    for t in range(4):
        np.testing.assert_array_equal(disk.masks[t], masks[t])
        np.testing.assert_array_equal(cat.masks[t], masks[3 - t])
        assert np.abs(disk.images[t].astype(int) - images[t]).mean() < 6  # JPEG; RGB order
    (tmp_path / "JPEGImages" / "480p" / "disk" / "00002.jpg").unlink()
    with pytest.raises(InputError, match=r"00002.jpg"):
        read_real_sequences(tmp_path, "train")


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
