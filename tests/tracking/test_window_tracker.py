"""One step of the tracker, with random parameters: what is remembered, what an answer is, what is carried on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.ops.aggregate import LOGIT_LIMIT
from shibori.ops.window import WindowRule, box_window, window_size
from shibori.tracking.config import MATCHER_CONFIG
from shibori.tracking.presets import build_pixel_tracker
from shibori.tracking.window_tracker import (
    Aim,
    Crop,
    Evidence,
    ObjectPrediction,
    TrackState,
    WindowTracker,
    crop_around,
    examined,
    images_of_crops,
    mask_in_crop,
)

SIZE = (120, 160)
CPU = torch.device("cpu")
CONFIG = replace(MATCHER_CONFIG, window=WindowRule(area_side=64))


@pytest.fixture(scope="module")
def tracker() -> WindowTracker:
    torch.manual_seed(0)
    return WindowTracker(build_pixel_tracker("tiny").eval(), CONFIG, CPU)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)


def mask(left: int = 50) -> np.ndarray:
    shown = np.zeros(SIZE, bool)
    shown[40:60, left : left + 30] = True
    return shown


@torch.inference_mode()
def test_the_reference_is_the_mask_and_what_is_around_it(tracker, image):
    state = tracker.begin(image, 1, mask())
    window = box_window(CONFIG.window, np.array([50.0, 40, 80, 60]), SIZE)
    assert state.crop.window.tolist() == window.tolist()
    height, width = window_size(CONFIG.window, window)
    own = (height // 16) * (width // 16)
    (reference,) = state.references
    assert state.memory().key.shape[2] == own
    assert reference.key.shape[2] > own
    assert not reference.label[:, own:].any() or float(reference.label[:, own:].max()) < 0.02
    share = float(state.masks[:, 0].mean()) * np.prod(window[2:] - window[:2])
    assert share == pytest.approx(600, rel=0.05)


@torch.inference_mode()
def test_an_empty_mask_starts_nothing(tracker, image):
    assert tracker.begin(image, 1, np.zeros(SIZE, bool)) is None


@torch.inference_mode()
def test_an_answer_covers_its_crop_and_what_is_settled_goes_on(tracker, image):
    state = tracker.begin(image, 1, mask())
    (prediction,) = tracker.step(image, [Aim(state, state.crop)])
    assert prediction.logits.shape == state.crop.size_hw
    assert 0 <= prediction.confidence <= 1
    height = len(prediction.logits)
    kept = np.zeros_like(prediction.logits)
    kept[: height // 2] = 0.9
    box = tracker.settle(state, prediction, kept, np.zeros_like(kept))
    assert state.masks[0, 0, height // 2 :].max() == 0
    assert state.masks[0, 0, : height // 2].min() > 0.8
    left, top, right, bottom = state.crop.window
    assert box.tolist() == [left, top, right, (top + bottom) / 2]
    assert tracker.settle(state, prediction, np.zeros_like(kept), np.zeros_like(kept)) is None
    assert state.masks.max() == 0


@torch.inference_mode()
def test_objects_together_are_what_they_are_alone(tracker, image):
    states = [tracker.begin(image, i, mask(left)) for i, left in enumerate((10, 50, 100), 1)]
    wide = [state.crop if state.object_id != 2 else tracker.crop(state.box, SIZE, 3.0) for state in states]
    aims = [Aim(*pair) for pair in zip(states, wide, strict=True)]
    for together, aim in zip(tracker.step(image, aims), aims, strict=True):
        (alone,) = tracker.step(image, [aim])
        assert together.object_id == alone.object_id
        np.testing.assert_allclose(together.logits, alone.logits, atol=1e-4)
        assert together.confidence == pytest.approx(alone.confidence, abs=1e-5)


@torch.inference_mode()
def test_what_a_system_refines_is_what_counts(tracker, image):
    state = tracker.begin(image, 1, mask())

    def refine(images, encoded, match):
        assert len(images) == len(encoded.key) == len(match.prior) == len(match.confidences) == 1
        return torch.full_like(match.logits, 2.0)

    (prediction,) = tracker.step(image, [Aim(state, state.crop)], refine)
    np.testing.assert_allclose(prediction.logits, 2.0 + CONFIG.logit_bias)


@torch.inference_mode()
def test_only_confident_frames_are_remembered_and_no_more_than_asked_for(tracker, image):
    state = tracker.begin(image, 1, mask())
    for confidence, expected in ((0.1, 0), (0.1, 0), (0.95, 1), (0.95, 1), (0.95, 1), (0.95, 1)):
        state.confidence = confidence
        state.remember(CONFIG)
        assert len(state.remembered) == expected


def test_the_box_of_an_answer_is_in_the_frame():
    logits = np.full((32, 64), -1.0, np.float32)
    logits[8:16, 16:32] = 1.0
    prediction = ObjectPrediction(1, Crop(np.array([10.0, 20, 138, 84]), (32, 64)), None, logits, 1.0)
    assert prediction.box.tolist() == [42, 36, 74, 52]
    assert prediction.refused().box is None
    assert prediction.refused().logits.max() == -LOGIT_LIMIT


def state_at(box) -> TrackState:
    return TrackState(1, Crop(np.zeros(4), (8, 8)), torch.zeros(1, 2, 8, 8), None, np.array(box, float))


def test_an_object_goes_on_where_it_was_going_until_it_is_lost():
    state = state_at([10, 10, 30, 30])
    state.follow(np.array([14.0, 10, 34, 30]), CONFIG)
    assert state.velocity.tolist() == [4, 0]
    assert state.expected_box(CONFIG).tolist() == [16, 10, 36, 30]
    state.lose()
    assert state.lost_for == 1
    assert state.expected_box(CONFIG).tolist() == [14, 10, 34, 30]
    state.follow(np.array([50.0, 50, 70, 70]), CONFIG)
    assert not state.is_lost
    assert state.velocity.tolist() == [0, 0]


def test_one_frame_does_not_ruin_the_box():
    state = state_at([10, 10, 30, 30])
    state.follow(np.array([15.0, 0, 25, 60]), CONFIG)
    extent = state.box[2:] - state.box[:2]
    np.testing.assert_allclose(extent, [20 * CONFIG.min_shrink, 20 * CONFIG.max_growth])


@pytest.mark.parametrize(
    ("share", "expected"), [(0.15, 0.0), (0.3, 0.4), (0.45, 0.8), (1.0, 0.8)], ids=["strange", "half", "like", "same"]
)
def test_an_answer_is_no_surer_than_the_references_let_it_be(share: float, expected: float):
    logits = np.full((16, 16), -4.0, np.float32)
    logits[4:12, 4:12] = 4.0
    raw = ObjectPrediction(1, Crop(np.array([0.0, 0, 16, 16]), (16, 16)), None, logits, 0.8)
    evidence = Evidence(np.full((2, 2), share, np.float32), np.full((2, 2), 0.9, np.float32))
    found = examined(raw, np.zeros((16, 16), np.float32), evidence, CONFIG)
    assert found.confidence == pytest.approx(expected, abs=1e-6)
    assert found.similarity_margin == pytest.approx(0.9, abs=1e-6)
    np.testing.assert_allclose(found.logits, logits + 0.5)
    assert np.isnan(raw.similarity_margin)


def test_crops_of_a_fixed_side_have_it_whatever_their_shape():
    wide, high = np.array([20.0, 40, 100, 60]), np.array([40.0, 20, 60, 100])
    fixed = replace(CONFIG.window, fixed_side=65)
    assert crop_around(fixed, wide, SIZE).size_hw == crop_around(fixed, high, SIZE).size_hw == (65, 65)
    height, width = crop_around(CONFIG.window, wide, SIZE).size_hw
    assert height < width


def test_pictures_and_masks_are_cut_where_the_crop_is(image):
    crops = [Crop(np.array([0.0, 0, 64, 64]), (64, 64)), Crop(np.array([32.0, 16, 96, 80]), (64, 64))]
    seen = images_of_crops(image, crops, CPU)
    assert seen.shape == (2, 3, 64, 64)
    torch.testing.assert_close(seen[0, :, 16:, 32:], seen[1, :, :-16, :-32])
    assert float(mask_in_crop(mask(), crops[1], CPU).sum()) == 20 * 30


@torch.inference_mode()
def test_objects_of_one_size_are_segmented_as_one_batch(tracker, image, monkeypatch):
    """The head runs once for crops of one size, whatever each object remembers; the answers are those of each alone."""
    states = [tracker.begin(image, i, mask(left)) for i, left in ((1, 40), (2, 60), (3, 80))]
    states[1].remembered = [states[1].memory()]
    aims = [Aim(state, state.crop) for state in states]
    alone = [tracker.step(image, [aim])[0] for aim in aims]
    batches = []
    segment = tracker.network.segment

    def counted(encoded, *parts):
        batches.append(len(encoded.key))
        return segment(encoded, *parts)

    monkeypatch.setattr(tracker.network, "segment", counted)
    together = tracker.step(image, aims)
    assert batches == [3]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.logits, other.logits, atol=1e-3)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


@torch.inference_mode()
def test_a_frame_is_encoded_for_the_memory_only_where_it_is_remembered(tracker, image, monkeypatch):
    state = tracker.begin(image, 1, mask())
    made = []
    remember = tracker.network.remember
    monkeypatch.setattr(tracker.network, "remember", lambda *parts: made.append(1) or remember(*parts))
    config = replace(CONFIG, remember_every=3, remember_threshold=0.5, max_remembered=2)
    for _ in range(6):
        (prediction,) = tracker.step(image, [Aim(state, state.crop)])
        shown = np.ones(state.crop.size_hw, np.float32)
        tracker.settle(state, replace(prediction, confidence=0.9), shown, 0 * shown)
        state.remember(config)
    assert len(made) == 2
