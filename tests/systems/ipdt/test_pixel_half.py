"""The pixel tracker's network with a candidate's mask as its reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.ops.window import box_window, window_size
from shibori.systems.ipdt.pixel_half import PixelHalf, PixelSight

from .made import tiny_segmenter

SIZE = (120, 160)


@pytest.fixture(scope="module")
def half() -> PixelHalf:
    return tiny_segmenter().parts.tracker.pixel


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)


def mask() -> np.ndarray:
    shown = np.zeros(SIZE, bool)
    shown[40:60, 50:80] = True
    return shown


@torch.inference_mode()
def test_the_reference_is_the_mask_and_what_is_around_it(half, image):
    state = half.begin(image, mask())
    window = box_window(half.rule.window, np.array([50.0, 40, 80, 60]), SIZE)
    assert state.window.tolist() == window.tolist()
    height, width = window_size(half.rule.window, window)
    own = (height // 8) * (width // 8)
    assert state.last.key.shape[2] == own
    assert state.reference.key.shape[2] > own
    assert not state.reference.label[:, own:].any() or float(state.reference.label[:, own:].max()) < 0.02
    share = float(state.mask.mean()) * np.prod(window[2:] - window[:2])
    assert share == pytest.approx(600, rel=0.05)


@torch.inference_mode()
def test_an_answer_covers_its_window_and_what_is_settled_goes_on(half, image):
    state = half.begin(image, mask())
    sight = half.look(state, image, state.window)
    assert sight.logits.shape == window_size(half.rule.window, sight.window)
    assert 0 <= sight.confidence <= 1
    kept = np.zeros(sight.logits.shape, bool)
    kept[: len(kept) // 2] = True
    half.settle(state, sight, kept)
    assert state.mask[0, 0, len(kept) // 2 :].max() == 0
    assert state.mask[0, 0, : len(kept) // 2].max() > 0
    half.settle(state, sight, None)
    assert state.mask.max() == 0


@torch.inference_mode()
def test_only_confident_frames_are_remembered_and_no_more_than_asked_for(half, image):
    state = half.begin(image, mask())
    sight = half.look(state, image, state.window)
    everywhere = np.ones(sight.logits.shape, bool)
    for confidence, expected in ((0.1, 0), (0.1, 0), (0.95, 1), (0.95, 1), (0.95, 1), (0.95, 1)):
        half.settle(state, PixelSight(sight.window, sight.encoded, sight.logits, confidence), everywhere)
        assert len(state.remembered) == expected


def test_the_box_of_an_answer_is_in_the_frame():
    logits = np.full((32, 64), -1.0, np.float32)
    logits[8:16, 16:32] = 1.0
    sight = PixelSight(np.array([10.0, 20, 138, 84]), None, logits, 1.0)
    assert sight.box.tolist() == [42, 36, 74, 52]
    assert PixelSight(sight.window, None, -np.abs(logits), 1.0).box is None
