"""What a later mark changes, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shibori.media.marks import BoxMark, FrameMarks, click
from shibori.media.rounds import Mark, Round
from shibori.media.scribble import Stroke
from shibori.prompting.build import segmenter_from_state
from shibori.prompting.later_mark import (
    MarkedPixels,
    answer_later_marks,
    changed_under,
    half_widths,
    near_window,
    shares_of_reach,
    with_discs,
)
from shibori.prompting.marked_frame import PromptedFrame
from shibori.prompting.presets import RULES, build_prompt_network
from shibori.prompting.prompts import ObjectPoints
from shibori.prompting.segmenter import Candidates

SIZE = (96, 128)


def at(object_id: int, x: float, y: float) -> Stroke:
    return click(object_id, x / (SIZE[1] - 1), y / (SIZE[0] - 1))


def pixels(*places: tuple[int, int, bool]) -> MarkedPixels:
    rows, columns, is_object = zip(*places, strict=True)
    return MarkedPixels(np.array(rows), np.array(columns), np.array(is_object))


def square(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def log_odds(mask: np.ndarray, certainty: float = 4.0) -> np.ndarray:
    return np.where(mask, certainty, -certainty).astype(np.float32)


def look_of(mask: np.ndarray, window: tuple[int, int, int, int] = (0, 0, SIZE[1], SIZE[0])) -> Candidates:
    left, top, right, bottom = window
    logits = log_odds(mask, 3.0)[None, top:bottom, left:right]
    return Candidates(np.array(window, np.float64), SIZE, logits, np.array([0.9], np.float32))


BEFORE = square(20, 20, 60, 60)
EVERYWHERE = np.ones(SIZE, np.bool_)


def test_marked_pixels_are_those_under_clicks_and_strokes():
    marks = FrameMarks((at(1, 30, 40), at(0, 5, 6)), (BoxMark(1, (0.1, 0.1, 0.9, 0.9)),))
    found = MarkedPixels.of(ObjectPoints.of(marks, 1, SIZE))
    assert (found.rows.tolist(), found.columns.tolist(), found.is_object.tolist()) == ([40, 6], [30, 5], [True, False])
    assert found.obeyed(BEFORE).tolist() == [True, True]
    assert found.obeyed(~BEFORE).tolist() == [False, False]


def test_half_a_mistake_is_as_wide_as_from_its_middle_to_where_the_mask_ends():
    halves = half_widths(BEFORE, pixels((40, 70, True), (40, 25, False)))
    np.testing.assert_allclose(halves, [11, 6], atol=0.5)
    assert half_widths(np.zeros(SIZE, np.bool_), pixels((40, 70, True))).tolist() == [0]


def changed(found: np.ndarray, marked: MarkedPixels, near: np.ndarray = EVERYWHERE) -> np.ndarray:
    return changed_under(log_odds(BEFORE), log_odds(found, 3.0), marked, near) > 0


def test_only_the_piece_that_a_mark_is_on_changes():
    found = BEFORE | square(30, 60, 50, 70) | square(80, 80, 90, 90)
    found &= ~square(20, 20, 25, 25)
    np.testing.assert_array_equal(changed(found, pixels((40, 65, True))), BEFORE | square(30, 60, 50, 70))
    np.testing.assert_array_equal(changed(found, pixels((22, 22, False))), BEFORE & ~square(20, 20, 25, 25))


def test_a_piece_that_an_earlier_mark_speaks_against_does_not_count():
    found = BEFORE | square(30, 60, 50, 100)
    np.testing.assert_array_equal(changed(found, pixels((40, 65, True), (40, 90, False))), BEFORE)


def test_nothing_changes_beyond_the_reach_of_a_mark():
    found, mark = BEFORE | square(30, 60, 50, 100), pixels((40, 65, True))
    near = shares_of_reach(mark, np.array([8.0]), SIZE) <= 1
    np.testing.assert_array_equal(changed(found, mark, near), BEFORE | (square(30, 60, 50, 100) & near))


def test_how_far_a_place_is_from_the_marks():
    shares = shares_of_reach(pixels((40, 40, True), (40, 80, False)), np.array([10.0, 20.0]), SIZE)
    assert shares[40, [40, 45, 60, 80, 90]].tolist() == [0, 0.5, 1, 0, 0.5]
    assert shares[60, 80] == 1


def test_a_look_is_around_all_that_marks_reach():
    rule = RULES["compact"]
    near = shares_of_reach(pixels((40, 40, True), (50, 80, True)), np.array([5.0, 10.0]), SIZE) <= 1
    left, top, right, bottom = near_window(near, rule).tolist()
    assert left <= 35
    assert top <= 35
    assert right >= 90
    assert bottom >= 60


def test_around_a_mark_is_what_it_says():
    marked = pixels((40, 70, True), (30, 30, False))
    new = with_discs(log_odds(BEFORE), marked, np.array([3.0, 0.0]), 6.0)
    assert new[40, 67:74].tolist() == [6.0] * 7
    assert new[30, 30] == -6
    assert (new[31:, 30] > 0).sum() == 29


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    return segmenter_from_state(build_prompt_network("tiny").state_dict(), "tiny", "cpu")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


@pytest.mark.parametrize("previous", [BEFORE, log_odds(BEFORE), look_of(BEFORE, (10, 10, 70, 70))])
@pytest.mark.parametrize("place", [(1, 75, 40), (0, 30, 30)])
def test_the_last_mark_is_obeyed_and_what_is_far_from_it_stays(segmenter, image, previous, place):
    earlier = FrameMarks((at(1, 40, 40), at(1, 50, 50), at(0, 5, 5)))
    marks = earlier + FrameMarks((at(*place),))
    found = answer_later_marks(segmenter, image, marks, 1, previous)
    marked = MarkedPixels.of(ObjectPoints.of(marks, 1, SIZE))
    assert marked.obeyed(found.mask()).all()
    wrong = marked.only(np.array([False, False, False, True]))
    rule = segmenter.rule
    reach = np.maximum(half_widths(BEFORE, wrong) * rule.near_widths, rule.near_least * SIZE[0])
    far = shares_of_reach(wrong, reach, SIZE) > 1
    np.testing.assert_array_equal(found.mask()[far], BEFORE[far])
    again = answer_later_marks(segmenter, image, marks, 1, previous)
    np.testing.assert_array_equal(again.logits, found.logits)


def test_a_box_and_marks_that_were_obeyed_are_answered_as_ever(segmenter, image):
    box = FrameMarks((at(1, 75, 40),), (BoxMark(1, (0.1, 0.1, 0.9, 0.9)),))
    obeyed = FrameMarks((at(1, 40, 40),))
    for marks, previous in ((box, BEFORE), (obeyed, BEFORE), (obeyed, np.zeros(SIZE, np.bool_))):
        found = answer_later_marks(segmenter, image, marks, 1, previous)
        np.testing.assert_array_equal(found.logits, segmenter.answer(image, marks, 1, previous).logits)


def test_the_first_few_clicks_on_a_frame_are_answered_for_the_whole_object(segmenter, image):
    frame, marks, answer = PromptedFrame(segmenter, image), FrameMarks(), None
    rounds = tuple(Round(0, 1, Mark((at(1, x, 40).path,))) for x in (60, 40, 50, 30))
    for count in range(1, segmenter.rule.first_marks + 1):
        marks += FrameMarks((at(1, (60, 40, 50, 30)[count - 1], 40),))
        answer = segmenter.answer(image, marks, 1, answer)
        np.testing.assert_array_equal(frame(rounds[:count]), answer.mask())
    marks += FrameMarks((at(1, 30, 40),))
    np.testing.assert_array_equal(frame(rounds), answer_later_marks(segmenter, image, marks, 1, answer).mask())
