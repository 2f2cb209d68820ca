"""Guidance maps: where they are one, how they fall off, which mark counts."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.media.marks import BoxMark, click
from shibori.media.scribble import Stroke, rasterise
from shibori.systems.trackprop.guidance import FALLOFF, guidance_map, marks_in_region

FRAME_HW = (60, 80)
WHOLE = np.array([0.0, 0.0, 80.0, 60.0])


def at(row: int, column: int, object_id: int = 1) -> Stroke:
    return click(object_id, column / 79, row / 59)


def test_the_map_is_signed_and_falls_off_as_a_gaussian():
    positive, negative = np.zeros((2, 60, 80), np.bool_)
    positive[30, 20], negative[30, 60] = True, True
    guidance = guidance_map(positive, negative)
    assert guidance[30, 20] == 1
    assert guidance[30, 60] == -1
    assert guidance[30, 25] == pytest.approx(np.exp(-0.5 * (5 / FALLOFF) ** 2), abs=0.02)
    assert guidance[30, 40] == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(guidance, -guidance_map(negative, positive), atol=1e-6)
    assert not guidance_map(np.zeros_like(positive), np.zeros_like(positive)).any()


def test_lines_are_those_that_the_scribble_file_draws():
    stroke = Stroke(1, ((0.1, 0.1), (0.8, 0.4), (0.3, 0.9)))
    positive, negative = marks_in_region([stroke], [], 1, WHOLE, FRAME_HW, FRAME_HW)
    drawn = rasterise([stroke], FRAME_HW) >= 0
    assert not negative.any()
    assert (positive & drawn).sum() / (positive | drawn).sum() > 0.8  # two ways to draw a line, a pixel apart at most


def test_a_region_shows_its_part_enlarged():
    window = np.array([20.0, 10.0, 60.0, 40.0])
    positive, _ = marks_in_region([at(25, 40)], [], 1, window, (60, 80), FRAME_HW)
    rows, columns = np.nonzero(positive)
    assert abs(rows.mean() - (25.5 - 10) * 2) <= 1
    assert abs(columns.mean() - (40.5 - 20) * 2) <= 1
    outside, _ = marks_in_region([at(5, 5)], [], 1, window, (60, 80), FRAME_HW)
    assert not outside.any()


def test_marks_of_anything_else_are_negative_and_the_later_mark_counts():
    marks = [at(10, 10), at(20, 20, 0), at(30, 30, 2), at(40, 40), at(40, 40, 2), at(50, 50, 2), at(50, 50)]
    positive, negative = marks_in_region(marks, [], 1, WHOLE, FRAME_HW, FRAME_HW)
    assert positive[10, 10]
    assert positive[50, 50]
    assert negative[20, 20]
    assert negative[30, 30]
    assert negative[40, 40]
    assert not (positive & negative).any()


def test_a_box_is_negative_outside_and_positive_in_its_middle():
    box = BoxMark(1, (0.25, 0.2, 0.75, 0.8))
    positive, negative = marks_in_region([], [box, BoxMark(2, (0, 0, 0.1, 0.1))], 1, WHOLE, FRAME_HW, FRAME_HW)
    left, top, right, bottom = box.pixels(FRAME_HW)
    inside = np.zeros(FRAME_HW, np.bool_)
    inside[top:bottom, left:right] = True
    np.testing.assert_array_equal(negative, ~inside)
    assert positive[30, 40]
    assert not positive[top, left]
    assert positive.sum() == pytest.approx(np.pi * 10 * 9, rel=0.1)
