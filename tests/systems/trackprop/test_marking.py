"""Marks are obeyed, corrections stay near them, first masks are found around them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from shibori.media.marks import BoxMark, FrameMarks, click
from shibori.media.scribble import Stroke, drawn_labels, rasterise
from shibori.systems.trackprop.build import segmenter_from_state
from shibori.systems.trackprop.marking import Marking, free_sides, marked_box
from shibori.systems.trackprop.model import build_trackprop
from shibori.systems.trackprop.rule import RULES

from .rounds import SIZE_HW, line, made_sequence

RULE = RULES["tiny"].marking
TRUTH = made_sequence().ids[0]
IMAGE = made_sequence().read_image(0)


@pytest.fixture(scope="module")
def marking() -> Marking:
    torch.manual_seed(0)
    state = build_trackprop("tiny").own_state()
    segmenter = segmenter_from_state(state, "tiny", "cpu", dtype=torch.float32)
    return Marking(segmenter.network, segmenter.rule.marking, segmenter.device)


class Liar:
    """Answers at random: what is obeyed and kept must not depend on the networks."""

    def __init__(self, marking: Marking, seed: int) -> None:
        self.marking, self.rng = Marking(marking.network, RULE, marking.device), np.random.default_rng(seed)
        self.marking._answer = self.answer

    def answer(self, look):
        from shibori.ops.overlap import WindowedLogits

        coarse = self.rng.normal(0, 4, (12, 16)).astype(np.float32)
        return WindowedLogits(look.object_id, np.array([0.0, 0.0, SIZE_HW[1], SIZE_HW[0]]), coarse)


@pytest.mark.parametrize("seed", range(6))
def test_marks_are_obeyed_whatever_the_networks_say(marking, seed):
    marks = FrameMarks((line(1, 20, 12, 34), line(2, 70, 90, 110), line(0, 50, 5, 100), line(2, 20, 20, 22)))
    masks = Liar(marking, seed).marking.segment(IMAGE, marks, marks, {}, {}).masks
    drawn = rasterise(marks.strokes, SIZE_HW)
    for object_id in (1, 2):
        assert masks[object_id][drawn == object_id].all()
        assert not masks[object_id][(drawn >= 0) & (drawn != object_id)].any()
    assert not (masks[1] & masks[2]).any()


@pytest.mark.parametrize("seed", range(6))
def test_what_does_not_hang_together_with_the_new_marks_stays(marking, seed):
    before = {1: TRUTH == 1, 2: TRUTH == 2}
    new_marks = FrameMarks((line(1, 42, 20, 26),))
    masks = Liar(marking, seed).marking.segment(IMAGE, new_marks, new_marks, before, {}).masks
    changed = (masks[1] != before[1]).astype(np.uint8)
    assert changed.any()
    assert cv2.connectedComponents(changed, connectivity=8)[0] == 2  # one piece
    np.testing.assert_array_equal(masks[2], before[2] & ~masks[1])


def test_a_first_mask_is_found_around_its_marks(marking):
    marks = FrameMarks((line(1, 24, 14, 34), line(0, 46, 10, 60)))
    masks = marking.segment(IMAGE, marks, marks, {}, {}).masks
    assert list(masks) == [1]
    assert masks[1].any()
    assert not masks[1][60:].any()  # of what is not marked, and far


def test_clicks_and_boxes_are_marks_too(marking):
    spot = FrameMarks((click(1, 24 / 127, 24 / 95),))
    assert marking.segment(IMAGE, spot, spot, {}, {}).masks[1][24, 24]
    boxed = FrameMarks((), (BoxMark(2, (80 / 128, 48 / 96, 120 / 128, 92 / 96)),))
    masks = marking.segment(IMAGE, boxed, boxed, {}, {}).masks
    assert list(masks) == [2]


def test_a_later_box_replaces_an_earlier_one():
    first, second = BoxMark(1, (0, 0, 0.5, 0.5)), BoxMark(1, (0.2, 0.2, 0.6, 0.6))
    other = BoxMark(2, (0.5, 0.5, 1, 1))
    both = FrameMarks((), (first, other)) + FrameMarks((line(1, 5, 5, 9),), (second,))
    assert both.boxes == (other, second)
    assert both.object_ids == {1, 2}


def test_an_object_is_disturbed_by_a_mark_of_something_else(marking):
    before = {1: TRUTH == 1, 2: TRUTH == 2}
    new_marks = FrameMarks((line(0, 24, 12, 20),))
    masks = marking.segment(IMAGE, new_marks, new_marks, before, {}).masks
    assert not masks[1][24, 12:21].any()
    assert masks[1].sum() < before[1].sum()
    np.testing.assert_array_equal(masks[2], before[2])


def test_marks_have_a_width_and_a_box():
    stroke = Stroke(3, ((0.2, 0.5), (0.6, 0.5)))
    thin, wide = (drawn_labels([stroke], (41, 41), thickness) for thickness in (1, 3))
    assert (thin == 3).sum() == 17
    assert (wide == 3).sum() > 45
    np.testing.assert_allclose(marked_box(FrameMarks((stroke,)), 3, (41, 41), 1), [8, 20, 25, 21])
    low = marked_box(FrameMarks((click(3, 0.5, 0.5),)), 3, (41, 41), 11)
    np.testing.assert_allclose(low, [15, 15, 26, 26])


def test_the_rim_is_beside_the_object_unless_the_frame_cuts_it_off():
    window = np.array([0.0, 5.0, 128.0, 96.0])
    marked = np.zeros((91, 128), np.bool_)
    marked[40, 3:60] = True
    assert free_sides(window, SIZE_HW, marked) == (False, True, True, True)
    marked[80:90, 100] = True
    assert free_sides(window, SIZE_HW, marked) == (False, True, True, False)
    assert free_sides(window, SIZE_HW, np.zeros_like(marked)) == (True, True, True, True)


def test_more_rounds_of_asking_are_possible(marking):
    rule = replace(RULE, rounds=3)
    marks = FrameMarks((line(1, 24, 14, 34),))
    assert Marking(marking.network, rule, marking.device).segment(IMAGE, marks, marks, {}, {}).masks[1].any()


def test_what_is_bettered_is_looked_at_twice_the_second_time_from_the_first_answer(marking):
    class Noting(Liar):
        def answer(self, look):
            seen.append(look.before)
            return super().answer(look)

    seen: list[np.ndarray | None] = []
    before, new_marks = {1: TRUTH == 1}, FrameMarks((line(1, 42, 20, 26), line(2, 70, 90, 110)))
    Noting(marking, 0).marking.segment(IMAGE, new_marks, new_marks, before, {})
    assert len(seen) == 3  # one that was there, twice, and one that is new
    assert seen[0] is before[1]
    assert seen[1] is not None
    assert seen[1][42, 20:27].all()
    assert seen[2] is None
