"""Laws of keeping box and mask in step, with halves that say what a test wants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from shibori.ops.window import WindowRule
from shibori.systems.ipdt.dual import DualTracker
from shibori.systems.ipdt.instance_half import InstanceSight
from shibori.systems.ipdt.rule import TRACKER, DualRule
from shibori.tracking.config import TrackerConfig
from shibori.tracking.window_tracker import Crop, ObjectPrediction, TrackState, crop_around

SIZE = (100, 160)
STILL = replace(TRACKER, window=WindowRule(reach=1.5), momentum=0.0)


@dataclass
class SaidPixels:
    """Sees a given mask of the frame, as far as it is in the crop, and is as sure as it is told."""

    mask: np.ndarray
    confidence: float = 0.9
    looked: list[np.ndarray] = field(default_factory=list)
    settled: list[np.ndarray] = field(default_factory=list)
    config: TrackerConfig = STILL

    def crop(self, box, frame_hw):
        return self.uncut(crop_around(self.config.window, box, frame_hw))

    @staticmethod
    def uncut(crop):
        left, top, right, bottom = crop.window.astype(int)
        return Crop(crop.window, (bottom - top, right - left))

    def begin(self, image, object_id, mask):
        crop = self.crop(HERE, SIZE)
        return TrackState(object_id, crop, torch.zeros(1, 2, *crop.size_hw), None, HERE)

    def step(self, image, aims):
        ((_, crop),) = aims
        crop = self.uncut(crop)
        self.looked.append(crop.window)
        seen = crop.cut(self.mask.astype(np.float32)) > 0.5
        logits = np.where(seen, 4.0, -4.0).astype(np.float32)
        return [ObjectPrediction(1, crop, None, logits, self.confidence * bool(seen.any()))]

    def settle(self, state, prediction, mask, others):
        self.settled.append(mask)


@dataclass
class SaidBoxes:
    """Follows and finds what it is told."""

    box: np.ndarray
    score: float = 0.9

    def begin(self, frame, box):
        return "reference"

    def follow(self, reference, frame, box):
        return InstanceSight(self.box, self.score)

    search = follow


def area(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


FRAME = SimpleNamespace(image=np.zeros((*SIZE, 3), np.uint8), size_hw=SIZE)
HERE = np.array([20.0, 20, 50, 50])


def started(pixels, boxes, way="dual", rule=None):
    tracker = DualTracker(pixels, boxes, rule or DualRule(), way)
    return tracker, tracker.begin(FRAME, area(20, 20, 50, 50), HERE)


def test_the_mask_is_multiplied_with_the_box():
    pixels = SaidPixels(area(20, 20, 50, 50) | area(51, 20, 60, 50))
    tracker, target = started(pixels, SaidBoxes(HERE), rule=DualRule(margin=0.0))
    answer = tracker.step(target, FRAME)
    assert np.array_equal(answer.mask, area(20, 20, 50, 50))
    assert (pixels.settled[0] > 0.5).sum() == 30 * 30  # what goes on is cut as well
    assert target.state.box.tolist() == HERE.tolist()


def test_what_the_box_or_the_place_it_was_expected_at_holds_is_not_cut():
    pixels = SaidPixels(area(20, 20, 50, 50) | area(51, 20, 70, 50))
    tracker, target = started(pixels, SaidBoxes(np.array([28.0, 20, 58, 50])), rule=DualRule(margin=0.0))
    assert np.array_equal(tracker.step(target, FRAME).mask, area(20, 20, 50, 50) | area(51, 20, 58, 50))


def test_a_box_that_barely_meets_the_place_does_not_move_the_window():
    pixels = SaidPixels(area(20, 20, 50, 50))
    tracker, target = started(pixels, SaidBoxes(np.array([46.0, 20, 76, 50])))
    alone, other = started(SaidPixels(area(20, 20, 50, 50)), None, "pixel")
    for each, of in ((tracker, target), (alone, other)):
        assert np.array_equal(each.step(of, FRAME).mask, area(20, 20, 50, 50))
    assert pixels.looked[0].tolist() == alone.pixel.looked[0].tolist()


def test_a_box_that_misses_the_mask_does_not_cut_it():
    pixels = SaidPixels(area(20, 20, 50, 50))
    tracker, target = started(pixels, SaidBoxes(np.array([45.0, 20, 75, 50]), 0.9))
    assert np.array_equal(tracker.step(target, FRAME).mask, area(20, 20, 50, 50))


def test_a_box_that_is_not_sure_says_nothing():
    pixels = SaidPixels(area(20, 20, 50, 50))
    tracker, target = started(pixels, SaidBoxes(np.array([100.0, 60, 130, 90]), 0.3))
    assert np.array_equal(tracker.step(target, FRAME).mask, area(20, 20, 50, 50))
    assert len(pixels.looked) == 1


def test_the_box_leads_where_the_window_of_the_mask_would_not_reach():
    pixels = SaidPixels(area(100, 60, 130, 90))
    away = np.array([100.0, 60, 130, 90])
    tracker, target = started(pixels, SaidBoxes(away))
    assert np.array_equal(tracker.step(target, FRAME).mask, area(100, 60, 130, 90))
    alone, other = started(SaidPixels(area(100, 60, 130, 90)), None, "pixel")
    assert alone.step(other, FRAME) is None


def test_a_box_on_something_else_does_not_lose_the_mask():
    pixels = SaidPixels(area(20, 20, 50, 50))
    tracker, target = started(pixels, SaidBoxes(np.array([110.0, 60, 140, 90])))
    assert np.array_equal(tracker.step(target, FRAME).mask, area(20, 20, 50, 50))
    assert len(pixels.looked) == 1


def test_what_is_not_seen_is_lost_and_comes_back_only_when_it_is_sure():
    pixels = SaidPixels(area(20, 20, 50, 50), confidence=0.2)
    tracker, target = started(pixels, SaidBoxes(HERE, 0.1))
    assert tracker.step(target, FRAME) is None
    assert target.state.lost_for == 1
    assert [mask.max() for mask in pixels.settled] == [0]
    pixels.confidence = (STILL.lost_threshold + STILL.redetect_threshold) / 2  # enough to be kept, not to be found
    assert tracker.step(target, FRAME) is None
    assert target.state.lost_for == 2
    pixels.confidence = STILL.redetect_threshold
    assert np.array_equal(tracker.step(target, FRAME).mask, area(20, 20, 50, 50))
    assert target.state.lost_for == 0


def test_a_lost_object_is_found_where_the_box_points():
    pixels = SaidPixels(area(110, 60, 140, 90), confidence=0.0)
    boxes = SaidBoxes(np.array([110.0, 60, 140, 90]), 0.1)
    tracker, target = started(pixels, boxes)
    tracker.step(target, FRAME)
    pixels.confidence, boxes.score = 0.9, 0.9
    assert np.array_equal(tracker.step(target, FRAME).mask, area(110, 60, 140, 90))
    assert np.abs(target.state.box[:2] - [110, 60]).max() < 6


def test_without_boxes_a_lost_object_is_looked_for_everywhere_in_turn():
    pixels = SaidPixels(np.zeros(SIZE, bool))
    tracker, target = started(pixels, None, "pixel")
    for _ in range(12):
        assert tracker.step(target, FRAME) is None
    seen = np.zeros(SIZE, bool)
    for left, top, right, bottom in np.array(pixels.looked).astype(int):
        seen[top:bottom, left:right] = True
    assert seen.all()


def test_a_speck_is_no_mask():
    tracker, target = started(SaidPixels(area(30, 30, 31, 31)), SaidBoxes(HERE))
    assert tracker.step(target, FRAME) is None


def test_on_whole_frames_the_window_is_the_frame():
    pixels = SaidPixels(area(20, 20, 50, 50))
    tracker, target = started(pixels, SaidBoxes(HERE), "whole")
    tracker.step(target, FRAME)
    pixels.confidence = 0.0
    tracker.step(target, FRAME)
    tracker.step(target, FRAME)
    assert target.state.lost_for == 2
    assert all(window.tolist() == [0, 0, 160, 100] for window in pixels.looked)
    assert len(pixels.looked) == 3
    assert target.reference is None


def test_the_next_window_is_moved_ahead():
    pixels = SaidPixels(area(24, 20, 54, 50))
    pixels.config = replace(STILL, momentum=0.5)
    tracker, target = started(pixels, None, "pixel")
    tracker.step(target, FRAME)
    assert target.state.velocity.tolist() == pytest.approx([4, 0])
    tracker.step(target, FRAME)
    first, second = pixels.looked
    assert second[0] - first[0] == pytest.approx(6, abs=1)
