"""How scenes are looked at in training: frames as they are propagated, and the first one once more, wider."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shibori.datasets.sampling import TrainingClips
from shibori.datasets.sampling_plan import SamplingPlan
from shibori.datasets.synthesis import Scene
from shibori.datasets.training_clip import TrainingClip
from shibori.datasets.views import render_closely
from shibori.systems.trackprop.views import MAX_REACH, MIN_REACH, MIN_SHARE, render_for_rounds

from ...datasets.made import made_sequence, made_still

PLAN = SamplingPlan(num_frames=3, size=64)
NUM_CLIPS = 12


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Scene, TrainingClip]]:
    """Scenes, half of them real, and what was made of them."""
    scenes: list[Scene] = []

    def noted(rng, scene, plan, tell_others):
        clip = render_for_rounds(rng, scene, plan, tell_others)
        if clip is not None:
            scenes.append(scene)
        return clip

    clips = TrainingClips([made_still(seed) for seed in range(3)], [made_sequence(8)], PLAN, 0, NUM_CLIPS, noted)
    found = [clips[index] for index in range(NUM_CLIPS)]
    return list(zip(scenes, found, strict=True))


def in_scene(mask: np.ndarray, window: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """A mask of a window, where it belongs in the scene."""
    left, top, right, bottom = np.rint(window).astype(int).tolist()
    whole = np.zeros((size_hw[0] + 400, size_hw[1] + 400), np.uint8)
    whole[top + 200 : bottom + 200, left + 200 : right + 200] = cv2.resize(mask, (right - left, bottom - top))
    return whole[200:-200, 200:-200] > 0


def test_there_is_one_frame_more_than_the_plan_says(drawn):
    for _, clip in drawn:
        assert clip.images.shape == (4, 3, 64, 64)
        assert clip.masks.shape == clip.others.shape == (4, 64, 64)
        assert clip.windows.shape == (4, 4)


def test_the_last_frame_shows_the_first_one(drawn):
    """What both windows show of the object is the same part of the scene."""
    for scene, clip in drawn:
        hw = scene.base.size_hw
        masks, windows = clip.masks.numpy(), clip.windows.numpy().astype(float)
        first, last = (in_scene(masks[t], windows[t], hw) for t in (0, 3))
        both = [in_scene(np.ones((64, 64), np.uint8), windows[t], hw) for t in (0, 3)]
        seen = both[0] & both[1]
        assert (first & last & seen).sum() > 0.8 * ((first | last) & seen).sum()


def test_it_is_square_inside_the_scene_and_about_the_object(drawn):
    for scene, clip in drawn:
        height, width = scene.base.size_hw
        window, box = clip.windows[-1].double().numpy(), scene.target_box(0)
        side = window[2] - window[0]
        assert side == pytest.approx(window[3] - window[1], rel=1e-4)
        assert window.min() >= 0
        assert (window <= [width + 1e-3, height + 1e-3] * 2).all()
        longest = max(box[2:] - box[:2])
        limits = np.clip([MIN_REACH * longest, MAX_REACH * longest], 0.1 * min(height, width), min(height, width))
        assert limits[0] - 1e-3 <= side <= limits[1] + 1e-3
        assert clip.masks[-1].float().mean() >= MIN_SHARE


def test_the_other_frames_are_as_they_would_be_without_it(drawn):
    for scene, _ in drawn[:3]:
        rounds = render_for_rounds(np.random.default_rng(7), scene, PLAN, True)
        closely = render_closely(np.random.default_rng(7), scene, PLAN, True)
        assert rounds.images[:-1].equal(closely.images)
        assert rounds.windows[:-1].equal(closely.windows)


def test_others_are_told_of_in_all_frames_or_in_none(drawn):
    layered = [scene for scene, _ in drawn if len(scene.layers) > 1]
    assert layered
    for scene in layered:
        seen, unseen = (render_for_rounds(np.random.default_rng(3), scene, PLAN, tell) for tell in (True, False))
        assert not unseen.others.any()
        assert unseen.masks.equal(seen.masks)


class Empty:
    """A scene without its object."""

    def target_box(self, frame: int) -> None:
        return None


def test_a_scene_whose_object_is_hidden_is_none():
    assert render_for_rounds(np.random.default_rng(0), Empty(), PLAN, True) is None
