"""Whose mask stands: the recurrence's, or the pixel tracker's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shibori.systems.dyenet.follow import Following, Opinion, settled_opinion
from shibori.systems.dyenet.rule import FollowRule

from .made import CREDULOUS, SIZE_HW, frame, made_propagator, rectangle

RULE = FollowRule(trusted=0.7, more_kin=0.125)
ONE = rectangle(20, 12, 60, 44)


def opinion(confidence: float, kinship: float) -> Opinion:
    return Opinion(np.zeros((2, 2), np.float32), confidence, kinship)


@pytest.mark.parametrize(
    ("confidence", "kinship", "stands"),
    [(0.7, 0.9, True), (0.69, 0.9, False), (0.9, 0.875, True), (0.9, 0.87, False), (0.1, 0.1, False)],
)
def test_the_trackers_own_mask_stands_where_it_is_sure_and_more_kin(confidence: float, kinship: float, stands: bool):
    recurrent, own = opinion(0.95, 0.75), opinion(confidence, kinship)
    assert settled_opinion(recurrent, own, RULE) is (own if stands else recurrent)


def logits_in_next_frame(rule: FollowRule, variant: str = "combined") -> np.ndarray:
    run = made_propagator(rule, variant).begin(SIZE_HW).run
    run.step(frame(0), {1: ONE})
    return run.step(frame(1), {}).seen[0].answer.logits


def test_what_stands_is_what_is_answered(monkeypatch: pytest.MonkeyPatch):
    """Every look examines two masks, the recurrence's and the tracker's; the answer is one of them as it is."""
    examined: list[Opinion] = []
    original = Following._examined

    def noted(self: Following, *arguments: object) -> Opinion:
        examined.append(original(self, *arguments))  # type: ignore[arg-type]
        return examined[-1]

    monkeypatch.setattr(Following, "_examined", noted)
    doubting = logits_in_next_frame(replace(CREDULOUS, trusted=2.0))
    recurrent, own = examined
    np.testing.assert_array_equal(doubting, recurrent.logits)
    assert np.abs(recurrent.logits - own.logits).max() > 0.1
    examined.clear()
    monkeypatch.setattr("shibori.systems.dyenet.follow.settled_opinion", lambda recurrent, own, rule: own)
    believing = logits_in_next_frame(CREDULOUS)
    np.testing.assert_array_equal(believing, own.logits)


def test_without_the_tracker_nothing_is_asked_of_it():
    sure, doubting = (logits_in_next_frame(replace(CREDULOUS, trusted=level), "advanced") for level in (-1.0, 2.0))
    np.testing.assert_array_equal(sure, doubting)
