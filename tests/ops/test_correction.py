"""What a correction may change: against a loop over pixels, and its laws."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from shibori.ops.correction import FARTHEST, LOOKED_PAST, CorrectionRule, corrected_ids, distance_from_lines
from shibori.ops.overlap import WindowedLogits

SIZE_HW = (60, 80)
RULE = CorrectionRule(reach=2 / 60, reach_share=0.5, click_extent=0.25, resistance=4.0)
NOWHERE = np.zeros(SIZE_HW, np.bool_)


def undrawn() -> np.ndarray:
    return np.full(SIZE_HW, -1, np.int32)


def answer(object_id: int, logits: np.ndarray, corner: tuple[int, int] = (0, 0)) -> WindowedLogits:
    left, top = corner
    window = np.array([left, top, left + logits.shape[1], top + logits.shape[0]], np.float64)
    return WindowedLogits(object_id, window, logits.astype(np.float32))


def slow_distance(lines: list[tuple[list[tuple[int, int]], bool]]) -> np.ndarray:
    far = np.full(SIZE_HW, FARTHEST)
    for pixels, is_click in lines:
        rows, columns = zip(*pixels, strict=True)
        extent = max(max(rows) - min(rows) + 1, max(columns) - min(columns) + 1, 15 * is_click)
        reach = 2 + 0.5 * extent
        for row in range(SIZE_HW[0]):
            for column in range(SIZE_HW[1]):
                away = min(math.hypot(row - r, column - c) for r, c in pixels)
                far[row, column] = min(far[row, column], away / reach)
    return far


def test_distance_equals_its_slow_twin():
    long = [(10, column) for column in range(5, 30)]
    click = [(40, 60), (40, 61), (41, 60), (41, 61)]
    short = [(30, 20), (31, 21), (32, 22)]
    source, clicked = NOWHERE.copy(), NOWHERE.copy()
    for row, column in long + click + short:
        source[row, column] = True
    clicked[40, 60] = True
    fast = distance_from_lines(source, clicked, RULE)
    slow = slow_distance([(long, False), (click, True), (short, False)])
    np.testing.assert_allclose(fast, slow, atol=1e-4)


def test_only_pieces_that_hang_together_with_a_mark_change():
    before, logits = np.zeros(SIZE_HW, np.uint8), np.full(SIZE_HW, -6.0)
    logits[10:20, 10:30] = 6  # beside the mark
    logits[40:50, 10:30] = 6  # somewhere else
    drawn = undrawn()
    drawn[15, 12:28] = 1
    ids = corrected_ids(before, [answer(1, logits)], drawn, NOWHERE, set(), RULE)
    assert (ids[10:20, 12:28] == 1).all()
    assert not ids[40:50].any()
    fresh = corrected_ids(before, [answer(1, logits)], drawn, NOWHERE, {1}, RULE)
    np.testing.assert_array_equal(fresh == 1, logits > 0)


def test_the_further_the_surer():
    before, logits = np.zeros(SIZE_HW, np.uint8), np.full(SIZE_HW, 1.9)
    drawn = undrawn()
    drawn[30, 30:50] = 1  # reaches 12 pixels; at half of them 2 log-odds are asked for, from 18 pixels on 6
    ids = corrected_ids(before, [answer(1, logits)], drawn, NOWHERE, set(), RULE)
    assert ids[30 - 5, 40] == 1
    assert not ids[: 30 - 6].any()
    surer = corrected_ids(before, [answer(1, logits + 3)], drawn, NOWHERE, set(), RULE)
    assert surer[30 - 14, 40] == 1
    assert not surer[: 30 - 15].any()
    gentle = replace(RULE, resistance=3.9)
    assert (corrected_ids(before, [answer(1, logits + 4)], drawn, NOWHERE, set(), gentle) == 1).all()


def test_a_mark_of_the_background_takes_away_and_adds_nothing():
    before = np.zeros(SIZE_HW, np.uint8)
    before[20:40, 20:40] = 1
    logits = np.full(SIZE_HW, -6.0)
    logits[20:40, 20:30] = 6
    logits[20:40, 10:20] = 6  # the network would grow it on the other side
    drawn = undrawn()
    drawn[22:38, 35] = 0
    ids = corrected_ids(before, [answer(1, logits)], drawn, NOWHERE, set(), RULE)
    expected = before.copy()
    expected[20:40, 30:40] = 0
    np.testing.assert_array_equal(ids, expected)


def test_who_was_not_asked_for_keeps_all_but_what_is_drawn():
    before = np.zeros(SIZE_HW, np.uint8)
    before[20:40, 20:40] = 2
    drawn = undrawn()
    drawn[30, 10:30] = 1
    ids = corrected_ids(before, [answer(1, np.full(SIZE_HW, 5.0))], drawn, NOWHERE, set(), RULE)
    assert ((ids == 2) == ((before == 2) & (drawn != 1))).all()


def test_what_an_answer_did_not_look_at_counts_as_background_there():
    before = np.zeros(SIZE_HW, np.uint8)
    before[10:50, 10:50] = 1
    drawn = undrawn()
    drawn[12:48, 45] = 0
    looked = answer(1, np.full((40, 20), 6.0), (10, 10))  # not at the columns from 30 on
    ids = corrected_ids(before, [looked], drawn, NOWHERE, set(), RULE)
    assert (ids[10:50, 10:30] == 1).all()
    assert not ids[20:40, 35:50].any()
    assert LOOKED_PAST < 0


def test_what_is_begun_anew_leaves_where_it_was():
    before = np.zeros(SIZE_HW, np.uint8)
    before[5:15, 5:15], before[5:15, 40:50] = 1, 2
    logits = np.full(SIZE_HW, -6.0)
    logits[40:50, 60:70] = 6
    ids = corrected_ids(before, [answer(1, logits)], undrawn(), NOWHERE, {1}, RULE)
    np.testing.assert_array_equal(ids == 1, logits > 0)
    np.testing.assert_array_equal(ids == 2, before == 2)


@pytest.mark.parametrize("seed", range(5))
def test_marks_are_obeyed_and_no_mark_changes_nothing(seed: int):
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 3, SIZE_HW).astype(np.uint8)
    answers = [answer(i, rng.normal(0, 4, SIZE_HW)) for i in (1, 2)]
    np.testing.assert_array_equal(corrected_ids(before, answers, undrawn(), NOWHERE, set(), RULE), before)
    drawn = undrawn()
    drawn[10, 5:50], drawn[40, 10:70] = 1, 0
    ids = corrected_ids(before, answers, drawn, NOWHERE, set(), RULE)
    np.testing.assert_array_equal(ids[drawn >= 0], drawn[drawn >= 0])
    assert ids.dtype == before.dtype
