"""Which pieces of a mask may be the object."""

from __future__ import annotations

import numpy as np
import pytest

from shibori.ops.pieces import REFUSED_LOGIT, heaviest_boxes, keep_plausible_pieces, mean_over_mask

SHAPE = (60, 80)
ALIKE = np.ones((6, 8), np.float32)
"""Every place looks like the object."""


def logits_of(*squares: tuple[int, int, int, float]) -> np.ndarray:
    """Squares (left, top, side, logit) on a background of -8."""
    logits = np.full(SHAPE, -8, np.float32)
    for left, top, side, value in squares:
        logits[top : top + side, left : left + side] = value
    return logits


def previous_at(left: int, top: int, side: int) -> np.ndarray:
    return (logits_of((left, top, side, 1.0)) > 0).astype(np.float32)


def test_one_piece_or_none_is_left_alone():
    for logits in (logits_of(), logits_of((60, 40, 10, 3.0))):
        np.testing.assert_array_equal(keep_plausible_pieces(logits, previous_at(5, 5, 20), ALIKE), logits)


def test_a_far_and_weak_piece_is_refused():
    logits = logits_of((5, 5, 20, 3.0), (65, 45, 8, 3.0))
    kept = keep_plausible_pieces(logits, previous_at(6, 6, 20), ALIKE)
    np.testing.assert_array_equal(kept > 0, logits_of((5, 5, 20, 3.0)) > 0)
    assert (kept[45:53, 65:73] == REFUSED_LOGIT).all()
    np.testing.assert_array_equal(kept[:40], logits[:40])


def test_a_near_piece_belongs_to_the_object():
    logits = logits_of((5, 5, 20, 3.0), (27, 5, 4, 1.0))
    np.testing.assert_array_equal(keep_plausible_pieces(logits, previous_at(5, 5, 20), ALIKE), logits)


def test_a_strong_piece_elsewhere_may_be_where_it_jumped():
    logits = logits_of((5, 5, 10, 1.0), (60, 40, 18, 3.0))
    np.testing.assert_array_equal(keep_plausible_pieces(logits, previous_at(5, 5, 10), ALIKE), logits)


def test_without_a_previous_mask_the_strongest_piece_is_the_object():
    logits = logits_of((5, 5, 20, 3.0), (65, 45, 8, 3.0))
    kept = keep_plausible_pieces(logits, np.zeros(SHAPE, np.float32), ALIKE)
    np.testing.assert_array_equal(kept > 0, logits_of((5, 5, 20, 3.0)) > 0)


def test_the_input_is_not_changed():
    logits = logits_of((5, 5, 20, 3.0), (65, 45, 8, 3.0))
    before = logits.copy()
    keep_plausible_pieces(logits, previous_at(5, 5, 20), ALIKE)
    np.testing.assert_array_equal(logits, before)


def test_a_piece_that_looks_like_something_else_is_no_rival():
    logits = logits_of((5, 5, 10, 1.0), (50, 30, 20, 3.0))
    foreground_share = np.repeat(np.repeat(ALIKE, 10, 0), 10, 1)
    foreground_share[:, 40:] = 0.01
    kept = keep_plausible_pieces(logits, previous_at(5, 5, 10), foreground_share)
    np.testing.assert_array_equal(kept > 0, logits_of((5, 5, 10, 1.0)) > 0)


def test_mean_over_mask_weighs_each_place_by_the_mask():
    foreground_share = np.arange(48, dtype=np.float32).reshape(6, 8) / 48
    logits = logits_of((10, 20, 15, 3.0))
    inside = logits > 0
    fine = np.repeat(np.repeat(foreground_share, 10, 0), 10, 1)
    assert mean_over_mask(foreground_share, logits) == pytest.approx(float(fine[inside].mean()), rel=1e-5)
    assert mean_over_mask(foreground_share, logits_of()) == 0


def test_a_piece_let_in_by_mistake_does_not_vouch_for_itself():
    logits = np.full((60, 80), -5, np.float32)
    logits[20:40, 5:30] = 3  # the object
    logits[50:54, 70:76] = 1  # a weak stain far away, already in the previous mask
    previous = (logits > 0).astype(np.float32)
    kept = keep_plausible_pieces(logits, previous, np.ones((6, 8), np.float32))
    assert (kept[20:40, 5:30] > 0).all()
    assert not (kept[50:54, 70:76] > 0).any()


def test_the_heaviest_piece_is_not_the_largest_but_the_most_certain():
    values = np.full((6, 8), -0.5, np.float32)
    values[0:3, 0:4] = 0.1  # twelve places, 1.2 in all
    values[4:6, 6:8] = 0.9  # four places, 3.6
    box, second = heaviest_boxes(values, np.array([10.0, 20.0, 90.0, 80.0]), 3)
    np.testing.assert_allclose(box, [70, 60, 90, 80])
    np.testing.assert_allclose(second, [10, 20, 50, 50])
    assert len(heaviest_boxes(values, np.array([10.0, 20.0, 90.0, 80.0]), 1)) == 1
    assert heaviest_boxes(values - 1, np.array([0.0, 0, 8, 6]), 3) == []


def test_pieces_that_touch_at_a_corner_are_one():
    values = np.zeros((4, 4), np.float32)
    values[0, 0], values[1, 1] = 0.2, 0.2
    np.testing.assert_allclose(heaviest_boxes(values, np.array([0.0, 0, 4, 4]), 1)[0], [0, 0, 2, 2])
