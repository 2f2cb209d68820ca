"""The sampling rules of Sec. 2.3, one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shibori.media.marks import BoxMark, Marks, click
from shibori.media.scribble import Stroke
from shibori.systems.strnn.rule import AdaptionRule
from shibori.systems.strnn.samples import Canvas, sample_frame

SIZE_HW = (100, 200)
RULE = AdaptionRule(box_growth=1.2, box_margin=0.0, click_margin=0.0, click_radius=0.0, approved_samples=0)


def stroke(object_id: int, *points: tuple[int, int]) -> Stroke:
    return Stroke(object_id, tuple((x / 199, y / 99) for x, y in points))


def sampled(marks: Marks, said=None, surplus: int = 0, rule: AdaptionRule = RULE):
    samples = sample_frame(marks, 3, Canvas(SIZE_HW, said, surplus), rule, np.random.default_rng(0))
    ids = np.full(SIZE_HW, -1)
    ids[samples.rows, samples.columns] = samples.labels
    assert (ids >= 0).sum() == len(samples.labels), "no pixel twice"
    return ids


def test_pixels_of_the_stroke_and_as_many_outside_its_grown_box():
    ids = sampled(Marks({3: (stroke(2, (50, 20), (90, 60)),)}))
    assert sorted(map(tuple, np.argwhere(ids == 2).tolist())) == [(20 + i, 50 + i) for i in range(41)]
    assert (ids == 0).sum() == 41
    assert (ids[16:65, 46:95] != 0).all()  # 41 pixels grown by a fifth: 4 on each side
    everywhere = sampled(Marks({3: (stroke(2, (50, 20), (90, 60)),)}), surplus=10**6)
    assert (everywhere == 0).sum() == SIZE_HW[0] * SIZE_HW[1] - 49 * 49


def test_strokes_on_the_background_count_and_save_random_ones():
    marks = Marks({3: (stroke(1, (10, 10), (49, 10)), stroke(0, (10, 80), (39, 80)))})
    ids = sampled(marks)
    assert (ids == 1).sum() == (ids == 0).sum() == 40
    assert (ids[80, 10:40] == 0).all()


def test_only_what_was_last_said_to_be_background():
    said = np.ones(SIZE_HW, np.uint8)
    said[90:, 150:] = 0
    ids = sampled(Marks({3: (stroke(1, (10, 10), (49, 10)),)}), said)
    assert (ids[:90] != 0).all()
    assert (ids[:, :150] != 0).all()
    assert (ids == 0).sum() == 40


def test_the_counts_even_out_over_rounds():
    one = Marks({3: (stroke(1, (10, 10), (19, 10)),)})
    assert (sampled(one, surplus=5) == 0).sum() == 15
    assert (sampled(one, surplus=-4) == 0).sum() == 6
    assert (sampled(one, surplus=-40) == 0).sum() == 0


def test_without_the_rules_for_later_rounds_only_what_is_drawn_counts():
    one = Marks({3: (stroke(1, (10, 10), (49, 10)),)})
    rule = replace(RULE, resample=False)
    assert (sampled(one, rule=rule) == 0).sum() == 40  # the first round is as ever
    assert (sampled(one, np.zeros(SIZE_HW, np.uint8), rule=rule) == 0).sum() == 0


def test_as_many_as_there_are_at_most():
    said = np.ones(SIZE_HW, np.uint8)
    said[99, 190:] = 0
    assert (sampled(Marks({3: (stroke(1, (10, 10), (49, 10)),)}), said) == 0).sum() == 10


def test_other_frames_have_no_part():
    ids = sampled(Marks({2: (stroke(1, (10, 10), (49, 10)),), 3: (click(1, 0.5, 0.5),)}))
    assert (ids == 1).sum() == 1


def test_a_click_is_a_disk():
    marks = Marks({3: (stroke(1, (100, 50)), stroke(0, (103, 50)), stroke(2, (0, 0)))})
    ids = sampled(marks, rule=AdaptionRule(click_radius=0.02))
    assert ids[48:53, 98:106].tolist() == [
        [-1, -1, 1, -1, -1, 0, -1, -1],
        [-1, 1, 1, 1, 0, 0, 0, -1],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [-1, 1, 1, 1, 0, 0, 0, -1],
        [-1, -1, 1, -1, -1, 0, -1, -1],
    ]
    assert (ids == 2).sum() == 6


def test_a_click_keeps_its_distance():
    rule = AdaptionRule(click_margin=0.1, click_radius=0.0, approved_samples=0)
    ids = sampled(Marks({3: (stroke(1, (100, 50)),)}), surplus=10**6, rule=rule)
    np.testing.assert_array_equal(np.argwhere(ids != 0).min(0), (40, 90))
    np.testing.assert_array_equal(np.argwhere(ids != 0).max(0), (60, 110))


def test_of_a_box_the_middle_is_the_object_and_the_outside_is_not():
    marks = Marks({}, {3: (BoxMark(4, (0.2, 0.2, 0.6, 0.6)),)})
    ids = sampled(marks, surplus=10**6)
    rows, columns = np.nonzero(ids == 4)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 49, 60, 99)
    assert (ids[20:60, 40:120] != 0).all()
    outside = np.ones(SIZE_HW, bool)
    outside[20:60, 40:120] = False
    assert (ids[outside] == 0).all()
    crossed = Marks({3: (stroke(0, (0, 35), (199, 35)),)}, marks.boxes)
    assert (sampled(crossed)[35] == 0).all()


def test_what_is_left_alone_is_approved_of():
    said = np.zeros(SIZE_HW, np.uint8)
    said[20:60, 20:80], said[70:90, 100:110] = 1, 2
    marks = Marks({3: (stroke(0, (20, 22), (60, 22)),)})
    rule = replace(RULE, approved_samples=500, approved_distance=0.1)
    ids = sampled(marks, said, rule=rule)
    assert (ids == 1).sum() == 500
    assert (ids == 2).sum() == 200  # there are no more
    assert (said[ids == 1] == 1).all()
    rows, columns = np.nonzero(ids == 1)
    assert ((rows > 32) | (columns > 60)).all()  # more than ten pixels away from the stroke
    assert (ids == 0).sum() == (ids > 0).sum()
    assert (sampled(marks, said) > 0).sum() == 0  # the paper's rule
