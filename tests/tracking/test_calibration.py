"""Thresholds follow from what was measured: where a mask is expected to score more than an empty one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from shibori.tracking.build import propagator_from_state
from shibori.tracking.calibrate import LEAST_OBSERVATIONS, Observation, calibrate, observe
from shibori.tracking.calibration import calibrated
from shibori.tracking.config import TrackerConfig
from shibori.tracking.presets import build_pixel_tracker
from shibori.tracking.propagator import MaskPropagator
from shibori.tracking.window_tracker import WindowTracker

from .scripted import NOTHING, ScriptedNetwork, box_mask, picture

CONFIG = TrackerConfig()


def observed(step: float, absent_share: float, *, is_searched: bool, count: int = 2000) -> list[Observation]:
    """Masks that are right (IoU .9) from a confidence on; below it wrong, and some of them of absent objects."""
    rng = np.random.default_rng(0)
    found = []
    for confidence in rng.uniform(0.02, 0.98, count):
        is_right = confidence >= step
        is_absent = not is_right and rng.random() < absent_share
        found.append(Observation(is_searched, float(confidence), 0.9 if is_right else 0.0, is_absent))
    return found


def thresholds(observations: list[Observation]) -> TrackerConfig:
    return calibrated(CONFIG, calibrate(observations))


@pytest.mark.parametrize("step", [0.25, 0.5, 0.75])
def test_thresholds_are_where_masks_begin_to_be_right(step: float):
    config = thresholds(observed(step, 0.9, is_searched=False) + observed(step, 0.9, is_searched=True))
    assert config.lost_threshold == pytest.approx(step, abs=0.08)
    assert step - 0.15 < config.redetect_threshold < config.trust_threshold
    assert config.trust_threshold == pytest.approx(step, abs=0.08)


def test_objects_that_are_seldom_absent_are_kept_longer():
    often, seldom = (thresholds(observed(0.5, share, is_searched=False)).lost_threshold for share in (0.9, 0.1))
    assert seldom < often


def test_followed_and_searched_objects_are_measured_apart():
    config = thresholds(observed(0.3, 0.9, is_searched=False) + observed(0.7, 0.9, is_searched=True))
    assert config.lost_threshold < 0.45 < 0.55 < config.redetect_threshold
    assert config.doubt_threshold >= config.lost_threshold


def test_a_lost_object_is_taken_up_again_sooner_than_a_followed_one_is_kept():
    """IoU and absence are as the confidence says: followed ones are kept from .5, lost ones found from a fifth."""
    rng = np.random.default_rng(0)
    seen = []
    for is_searched in (False, True):
        for confidence in rng.uniform(0.02, 0.98, 4000):
            is_absent = bool(rng.random() > confidence)
            seen.append(Observation(is_searched, float(confidence), float(confidence), is_absent))
    config = thresholds(seen)
    assert config.lost_threshold == pytest.approx(1 / 2, abs=0.04)
    assert config.redetect_threshold == pytest.approx(1 / 5, abs=0.04)
    assert config.trust_threshold == pytest.approx(1 / 2, abs=0.04)


def test_too_few_observations_change_nothing():
    few = observed(0.5, 0.9, is_searched=True, count=LEAST_OBSERVATIONS - 1)
    assert not calibrate(few).any()
    assert thresholds(few) == CONFIG
    assert calibrated(CONFIG, None) == CONFIG


def test_thresholds_come_with_the_weights_and_give_way_to_a_callers():
    torch.manual_seed(0)
    state = build_pixel_tracker("tiny").state_dict()
    curves = calibrate(observed(0.5, 0.9, is_searched=False) + observed(0.5, 0.9, is_searched=True))
    measured = propagator_from_state(state | {"calibration": curves}, "tiny", "cpu")
    assert measured.tracker.config == calibrated(CONFIG, curves) != CONFIG
    assert propagator_from_state(state, "tiny", "cpu").tracker.config == CONFIG
    given = replace(CONFIG, lost_threshold=0.11)
    chosen = propagator_from_state(state | {"calibration": curves}, "tiny", "cpu", config=given)
    assert chosen.tracker.config == given


class Clip:
    """A box that stands, is away for two frames, and comes back; the truth of one frame is not known."""

    name = "box"
    num_frames = 8
    size_hw = NOTHING.shape[:2]
    away = (4, 5)

    def read_image(self, index: int) -> np.ndarray:
        return NOTHING if index in self.away else picture(40, 40, 90, 80)

    def has_ids(self, index: int) -> bool:
        return index != 2

    def read_ids(self, index: int) -> np.ndarray:
        return np.zeros(self.size_hw, np.uint8) if index in self.away else box_mask(40, 40, 90, 80).astype(np.uint8)


def test_what_is_observed_is_what_is_true():
    tracker = WindowTracker(ScriptedNetwork(), CONFIG, torch.device("cpu"))
    seen = observe(MaskPropagator(tracker), [Clip()])
    assert [each.is_absent for each in seen] == [False, False, True, True, False, False]  # frames 1, 3, 4, 5, 6, 7
    assert [each.is_searched for each in seen] == [False, False, False, True, True, False]
    assert all(each.iou == 0 for each in seen if each.is_absent)
    assert all(each.iou > 0.8 for each in seen if not each.is_absent)
