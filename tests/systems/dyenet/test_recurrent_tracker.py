"""Whose mask stands: the recurrence's, or the pixel tracker's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shibori.systems.dyenet.recurrent_tracker import standing_mask
from shibori.systems.dyenet.rule import DyeNetRule
from shibori.tracking.window_tracker import Crop, ObjectPrediction, examined

from .made import CREDULOUS, SIZE_HW, frame, made_propagator, rectangle

RULE = DyeNetRule(own_mask_threshold=0.7, own_mask_lead=0.125)
ONE = rectangle(20, 12, 60, 44)


def predicted(confidence: float, margin: float) -> ObjectPrediction:
    crop = Crop(np.array([0.0, 0.0, 2.0, 2.0]), (2, 2))
    return ObjectPrediction(1, crop, None, np.zeros((2, 2), np.float32), confidence, margin)


@pytest.mark.parametrize(
    ("confidence", "margin", "stands"),
    [(0.7, 0.9, True), (0.69, 0.9, False), (0.9, 0.875, True), (0.9, 0.87, False), (0.1, 0.1, False)],
)
def test_the_trackers_own_mask_stands_where_it_is_sure_and_more_similar(confidence: float, margin: float, stands: bool):
    recurrent, own = predicted(0.95, 0.75), predicted(confidence, margin)
    assert standing_mask(recurrent, own, RULE) is (own if stands else recurrent)


def logits_in_next_frame(rule: DyeNetRule, variant: str = "combined") -> np.ndarray:
    run = made_propagator(rule, variant).begin(SIZE_HW).run
    run.step(frame(0), {1: ONE})
    return run.step(frame(1), {}).seen[0].answer.logits


def test_what_stands_is_what_is_answered(monkeypatch: pytest.MonkeyPatch):
    """Every look examines two masks, the recurrence's and the tracker's; the answer is one of them as it is."""
    looks: list[ObjectPrediction] = []

    def noted(*arguments: object) -> ObjectPrediction:
        looks.append(examined(*arguments))  # type: ignore[arg-type]
        return looks[-1]

    monkeypatch.setattr("shibori.systems.dyenet.recurrent_tracker.examined", noted)
    doubting = logits_in_next_frame(replace(CREDULOUS, own_mask_threshold=2.0))
    recurrent, own = looks
    np.testing.assert_array_equal(doubting, recurrent.logits)
    assert np.abs(recurrent.logits - own.logits).max() > 0.1
    looks.clear()
    monkeypatch.setattr("shibori.systems.dyenet.recurrent_tracker.standing_mask", lambda recurrent, own, rule: own)
    believing = logits_in_next_frame(CREDULOUS)
    np.testing.assert_array_equal(believing, own.logits)


def test_without_the_tracker_nothing_is_asked_of_it():
    rules = (replace(CREDULOUS, own_mask_threshold=level) for level in (-1.0, 2.0))
    sure, doubting = (logits_in_next_frame(rule, "advanced") for rule in rules)
    np.testing.assert_array_equal(sure, doubting)
