"""Overlaps between objects, against loops over objects and pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from shibori.media.mask import object_ids
from shibori.ops.overlap import OverlapMap, WindowedLogits, settled_ids

SIZE_HW = (60, 84)


def made_answers(rng: np.random.Generator, windows: list[tuple[int, int, int, int]]) -> list[WindowedLogits]:
    shape = (32, 32)
    return [
        WindowedLogits(number, np.array(window, np.float64), rng.normal(0, 2.5, shape).astype(np.float32))
        for number, window in enumerate(windows, 1)
    ]


def test_answers_compete_by_the_highest_log_odds():
    """trackprop, Eq. 3, written as a loop over the windows themselves."""
    answers = made_answers(np.random.default_rng(0), [(5, 5, 50, 50), (30, 20, 84, 60), (20, 0, 60, 40)])
    scores = np.zeros((4, *SIZE_HW))
    scores[1:] = -np.inf
    for answer in answers:
        left, top, right, bottom = answer.window.astype(int)
        resized = cv2.resize(answer.logits, (right - left, bottom - top))
        scores[answer.object_id, top:bottom, left:right] = resized
    assert ((scores[1:] > 0).sum(0) > 1).sum() > 20  # there is something to settle
    np.testing.assert_array_equal(settled_ids(answers, {}, SIZE_HW, 3), scores.argmax(0))


def test_a_given_mask_wins_over_every_answer():
    answers = [WindowedLogits(1, np.array([0.0, 0, 84, 60]), np.full((8, 8), 9, np.float32))]
    given = np.zeros(SIZE_HW, bool)
    given[10:20, 30:40] = True
    ids = settled_ids(answers, {300: given}, SIZE_HW, 300)
    assert ids.dtype == np.uint16
    np.testing.assert_array_equal(ids, np.where(given, 300, 1))


@pytest.mark.parametrize(("highest_id", "dtype"), [(254, np.uint8), (255, np.uint16), (256, np.uint16)])
def test_no_object_is_numbered_as_void_is(highest_id: int, dtype: type):
    given = {highest_id: np.ones(SIZE_HW, bool)}
    ids = settled_ids([], given, SIZE_HW, highest_id)
    assert ids.dtype == dtype
    assert object_ids(ids) == [highest_id]


def test_shares_are_one_distribution():
    """trackprop, Eq. 2: where three windows are the whole frame, own and others' shares and background sum to one."""
    rng = np.random.default_rng(0)
    window = np.array([0.0, 0, 84, 60])
    answers = [WindowedLogits(i, window, rng.normal(0, 2.5, SIZE_HW).astype(np.float32)) for i in (1, 2, 3)]
    shares = OverlapMap(SIZE_HW, answers, {})
    odds = np.exp(np.stack([answer.logits for answer in answers]))
    for slot, answer in enumerate(answers):
        own, others = shares.seen_from(answer)
        total = 1 + odds.sum(0)
        np.testing.assert_allclose(own, odds[slot] / total, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(others, (odds.sum(0) - odds[slot]) / total, rtol=1e-3, atol=1e-5)


def test_the_others_of_a_given_mask():
    given = {1: np.zeros(SIZE_HW, bool), 2: np.zeros(SIZE_HW, bool)}
    given[1][:, :30], given[2][:, 50:] = True, True
    others = OverlapMap(SIZE_HW, [], given).others_of_given(1, np.array([0.0, 0, 84, 60]), SIZE_HW)
    np.testing.assert_allclose(others, given[2], atol=1e-3)


def test_alone_an_object_has_no_others():
    answer = WindowedLogits(1, np.array([0.0, 0, 84, 60]), np.zeros(SIZE_HW, np.float32))
    own, others = OverlapMap(SIZE_HW, [answer], {}).seen_from(answer)
    np.testing.assert_allclose(own, 0.5)
    assert not others.any()
