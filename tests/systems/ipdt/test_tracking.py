"""Tubelets in both directions: laws that hold whatever the networks say."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shibori.media.rle import decode_rle, encode_rle
from shibori.systems.ipdt import tracking
from shibori.systems.ipdt.candidate import Candidate
from shibori.systems.ipdt.dual import DualTracker
from shibori.systems.ipdt.rule import DualRule
from shibori.systems.ipdt.tracking import SharedFrames, track
from shibori.tracking.window_tracker import WindowTracker

from .made import Frames, tiny_segmenter

SIZE, FRAMES = (64, 96), 7


@pytest.fixture(scope="module")
def segmenter():
    return tiny_segmenter()


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 160, (*SIZE, 3), np.uint8), (0, 0), 2)
    pictures = []
    for index in range(FRAMES):
        picture = ground.copy()
        picture[20:44, 20 + 3 * index : 44 + 3 * index] = (240, 40, 30)
        pictures.append(picture)
    return pictures


def square(index: int, shift: int = 0) -> Candidate:
    mask = np.zeros(SIZE, bool)
    mask[20:44, 20 + 3 * index + shift : 44 + 3 * index + shift] = True
    box = np.array([20 + 3 * index + shift, 20, 44 + 3 * index + shift, 44], float)
    return Candidate(index, np.array([0.9]), box, encode_rle(mask))


def believing(tracker: WindowTracker, threshold: float) -> WindowTracker:
    config = replace(tracker.config, lost_threshold=threshold, redetect_threshold=threshold)
    return WindowTracker(tracker.network, config, tracker.device)


@pytest.fixture(scope="module")
def tracker(segmenter) -> DualTracker:
    """Believes what random networks say, so that there is something to compare."""
    parts = segmenter.parts
    return DualTracker(believing(parts.tracker.pixel, -1), parts.tracker.instance, DualRule(), "dual")


def shared(segmenter, images, missing=()) -> SharedFrames:
    parts = segmenter.parts
    return SharedFrames(Frames(images, missing), parts.trunk, parts.views, parts.device)


def test_a_clip_against_time_gives_the_masks_against_time(segmenter, tracker, images):
    (there,) = track(tracker, shared(segmenter, images), [square(2)])
    turned = replace(square(2), frame_index=FRAMES - 1 - 2)
    (back,) = track(tracker, shared(segmenter, images[::-1]), [turned])
    assert there == back[::-1]
    assert sum(code is not None for code in there) > 2


def test_forward_only_leaves_the_past_empty_and_the_rest_as_it_is(segmenter, tracker, images):
    (both,) = track(tracker, shared(segmenter, images), [square(3)])
    (forward,) = track(tracker, shared(segmenter, images), [square(3)], backward=False)
    assert forward[:3] == (None, None, None)
    assert forward[3:] == both[3:]


def test_in_its_own_frame_a_candidate_is_its_own_mask(segmenter, tracker, images):
    for index in (0, 3, FRAMES - 1):
        (codes,) = track(tracker, shared(segmenter, images), [square(index)])
        assert codes[index] == square(index).mask
        assert len(codes) == FRAMES


def test_candidates_side_by_side_are_followed_as_if_alone(segmenter, tracker, images):
    one, other = square(2), square(2, shift=15)
    together = track(tracker, shared(segmenter, images), [one, other])
    alone = [track(tracker, shared(segmenter, images), [each])[0] for each in (one, other)]
    assert together == alone


def test_frames_that_cannot_be_decoded_have_no_mask(segmenter, tracker, images):
    (codes,) = track(tracker, shared(segmenter, images, missing=(4,)), [square(2)])
    assert codes[4] is None
    assert codes[2] is not None


def test_masks_stay_inside_the_frame(segmenter, tracker, images):
    for code in track(tracker, shared(segmenter, images), [square(2)])[0]:
        assert code is None or decode_rle(code).shape == SIZE


def test_features_are_computed_once_for_all_and_kept_within_a_bound(segmenter, tracker, images, monkeypatch):
    computed = []
    see = type(segmenter.parts.trunk).forward
    monkeypatch.setattr(
        type(segmenter.parts.trunk), "forward", lambda self, batch: computed.append(1) or see(self, batch)
    )
    frames = shared(segmenter, images)
    track(tracker, frames, [square(2), square(2, shift=15)])
    first = len(computed)
    track(tracker, frames, [square(2)])
    assert len(computed) == first
    few = SharedFrames(frames.source, frames.trunk, frames.rule, frames.device, most=3)
    list(few.forward(0, FRAMES))
    assert len(few._kept) == 3


def test_what_stays_lost_is_looked_for_less_often(segmenter, images, monkeypatch):
    parts = segmenter.parts
    hopeless = DualTracker(believing(parts.tracker.pixel, 2), None, DualRule(), "pixel")
    steps = []
    step = DualTracker.step
    monkeypatch.setattr(DualTracker, "step", lambda self, target, frame: steps.append(1) or step(self, target, frame))
    monkeypatch.setattr(tracking, "RESTS", ((4, 7), (2, 3)))
    track(hopeless, shared(segmenter, images * 6), [square(0)], backward=False)
    # Three at once, two more in every third frame, then one in seven.
    expected = 3 + 2 + (6 * FRAMES - 10) // 7
    assert expected - 1 <= len(steps) <= expected + 1
